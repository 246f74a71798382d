/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stage: one index, written whole, after the files that it names. */
#include <assert.h>
#include <fcntl.h>

#include "basic/file.h"
#include "repo/stage.h"
#include "repo/team.h"
#include "tuf/updater.h"

#define INDEX_MAX  (4 * 1024 * 1024)
#define PATH_BYTES 256

static int take_removed(Repo *repo, const json_t *list, Why *w) {
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *target = json_string_value(json_array_get(list, i));

                if (!target)
                        return why(w, -EBADMSG,
                                        REPO_INDEX ": \"removed\" has to be a list of names");
                if (json_object_set_new(repo->removed, target, json_true()) < 0)
                        return why_oom(w);
        }
        return 0;
}

static int check_teams(const json_t *teams, Why *w) {
        const char *name;
        json_t *entry;

        json_object_foreach((json_t *)teams, name, entry) {
                int r = json_is_null(entry) ? 0 : team_check(entry, name, w);

                if (r >= 0 && !team_name_is_valid(name))
                        r = why(w, -EBADMSG, "\"%s\" cannot name a team", name);
                if (r < 0)
                        return why_prefix(w, r, REPO_INDEX);
        }
        return 0;
}

static int take_index(Repo *repo, const json_t *index, Why *w) {
        json_t *targets, *removed = NULL, *teams = NULL;
        uint64_t format;
        int r;

        r = json_get_uint(index, REPO_INDEX, "format", REPO_FORMAT, REPO_FORMAT, &format, w);
        if (r >= 0)
                r = json_get_object(index, REPO_INDEX, "targets", &targets, w);
        if (r >= 0)
                r = json_get_array_opt(index, REPO_INDEX, "removed", 65536, &removed, w);
        if (r >= 0)
                r = json_get_object_opt(index, REPO_INDEX, "teams", &teams, w);
        if (r < 0)
                return r;
        if (json_object_update(repo->staged, targets) < 0 ||
                        (teams && json_object_update(repo->staged_teams, teams) < 0))
                return why_oom(w);
        r = take_removed(repo, removed, w);
        return r < 0 ? r : check_teams(repo->staged_teams, w);
}

int stage_load(Repo *repo, Why *w) {
        _cleanup_json_ json_t *index = NULL;
        int r;

        assert(repo);
        repo->staged = json_object();
        repo->removed = json_object();
        repo->staged_teams = json_object();
        if (!repo->staged || !repo->removed || !repo->staged_teams)
                return why_oom(w);
        if (faccessat(repo->fd, REPO_INDEX, F_OK, 0) < 0 && errno == ENOENT)
                return 0;
        r = repo_read_json(repo->fd, REPO_INDEX, INDEX_MAX, &index, w);
        return r < 0 ? r : take_index(repo, index, w);
}

int stage_save(const Repo *repo, Why *w) {
        _cleanup_json_ json_t *index = NULL, *removed = json_array();
        const char *target;
        json_t *value;
        int r;

        assert(repo);
        if (json_object_size(repo->staged) + json_object_size(repo->removed) +
                                        json_object_size(repo->staged_teams) ==
                        0) {
                if (unlinkat(repo->fd, REPO_INDEX, 0) < 0 && errno != ENOENT)
                        return why(w, -errno, REPO_INDEX ": %s", strerror(errno));
                return 0;
        }
        json_object_foreach(repo->removed, target, value) {
                if (json_array_append_new(removed, json_string(target)) < 0)
                        return why_oom(w);
        }
        r = folder_make(repo->fd, REPO_STAGE, 0755);
        if (r < 0)
                return why(w, r, REPO_STAGE ": %s", strerror(-r));
        index = json_pack("{s:i, s:O, s:O, s:O}", "format", REPO_FORMAT, "targets", repo->staged,
                        "removed", removed, "teams", repo->staged_teams);
        return index ? repo_write_json(repo->fd, REPO_INDEX, index, INDEX_MAX, w) : why_oom(w);
}

int stage_path(const char *target, const json_t *entry, char **ret, Why *w) {
        const char *slash = strrchr(target, '/');
        char hex[SHA256_HEX];
        Sha256 digest;
        int r;

        assert(target && entry && ret);
        r = repo_entry_digest(target, entry, &digest, w);
        if (r < 0)
                return r;
        sha256_to_hex(&digest, hex);
        return asprintf(ret, REPO_STAGE "/%s.%s", hex, slash ? slash + 1 : target) < 0 ? why_oom(w)
                                                                                       : 0;
}

json_t *stage_make_entry(const Release *release) {
        char hex[SHA256_HEX];
        json_t *custom = release_to_custom(release);

        if (!custom)
                return NULL;
        sha256_to_hex(&release->file_digest, hex);
        return json_pack("{s:I, s:{s:s}, s:o}", "length", (json_int_t)release->file_length,
                        "hashes", "sha256", hex, "custom", custom);
}

int stage_release(Repo *repo, const Release *release, const void *file, size_t n, Why *w) {
        _cleanup_json_ json_t *entry = stage_make_entry(release);
        _cleanup_free_ char *path = NULL;
        int r;

        assert(repo && release && file && n == release->file_length);
        if (!entry)
                return why_oom(w);
        r = stage_path(release->target, entry, &path, w);
        if (r < 0)
                return r;
        r = folder_make(repo->fd, REPO_STAGE, 0755);
        if (r < 0)
                return why(w, r, REPO_STAGE ": %s", strerror(-r));
        r = file_replace(repo->fd, path, file, n, 0644);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        (void)json_object_del(repo->removed, release->target);
        if (json_object_set(repo->staged, release->target, entry) < 0)
                return why_oom(w);
        return stage_save(repo, w);
}

static void next_path(const char *role, char ret[static PATH_BYTES]) {
        (void)snprintf(ret, PATH_BYTES, REPO_STAGE "/next-%s.json", role);
}

int stage_load_next(const Repo *repo, const char *role, json_t **ret, Why *w) {
        _cleanup_json_ json_t *document = NULL;
        char path[PATH_BYTES];
        json_t *member;
        int r;

        assert(repo && role && ret);
        next_path(role, path);
        if (faccessat(repo->fd, path, F_OK, 0) < 0 && errno == ENOENT)
                return -ENOENT;
        r = repo_read_json(repo->fd, path, TUF_TARGETS_MAX, &document, w);
        if (r >= 0)
                r = json_get_object(document, path, "signed", &member, w);
        if (r >= 0)
                r = json_get_array(document, path, "signatures", 1024, &member, w);
        if (r < 0)
                return r == -ENOENT ? -EIO : r;
        *ret = TAKE_PTR(document);
        return 0;
}

int stage_save_next(const Repo *repo, const char *role, const json_t *document, Why *w) {
        char path[PATH_BYTES];
        int r;

        assert(repo && role && document);
        next_path(role, path);
        r = folder_make(repo->fd, REPO_STAGE, 0755);
        if (r < 0)
                return why(w, r, REPO_STAGE ": %s", strerror(-r));
        return repo_write_json(repo->fd, path, document, TUF_TARGETS_MAX, w);
}

int stage_drop_next(const Repo *repo, const char *role, Why *w) {
        char path[PATH_BYTES];

        assert(repo && role);
        next_path(role, path);
        if (unlinkat(repo->fd, path, 0) < 0 && errno != ENOENT)
                return why(w, -errno, "%s: %s", path, strerror(errno));
        return 0;
}

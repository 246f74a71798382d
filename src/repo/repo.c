/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repo: opening, verifying and staging. The index of the stage is the only file that says what
 * is staged; a file beside it that the index does not name is left over from a cut and harmless. */
#include <assert.h>
#include <fcntl.h>
#include <sys/file.h>

#include "basic/file.h"
#include "repo/repo.h"
#include "tuf/updater.h"
#include "tuf/verify.h"

#define CONFIG_MAX     (64 * 1024)
#define INDEX_MAX      (4 * 1024 * 1024)
#define FORMAT         1
#define DAY            UINT64_C(86400)
#define EXPIRES_IN_MAX (100 * 365 * DAY)

static int read_json(int dirfd, const char *path, size_t max, json_t **ret, Why *w) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        r = file_read(dirfd, path, max, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        r = json_parse(bytes, n, ret, w);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static int check_format(const json_t *o, const char *path, Why *w) {
        uint64_t format;

        return json_get_uint(o, path, "format", FORMAT, FORMAT, &format, w);
}

void repo_default_expires_in(uint64_t ret[static _TUF_ROLE_MAX]) {
        ret[TUF_ROOT] = 730 * DAY;
        ret[TUF_TARGETS] = 365 * DAY;
        ret[TUF_SNAPSHOT] = 30 * DAY;
        ret[TUF_TIMESTAMP] = 30 * DAY;
}

json_t *repo_config_to_json(const uint64_t expires_in[static _TUF_ROLE_MAX]) {
        _cleanup_json_ json_t *seconds = json_object();

        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (json_object_set_new(seconds, tuf_role_to_string(i),
                                    json_integer((json_int_t)expires_in[i])) < 0)
                        return NULL;
        return json_pack("{s:i, s:O}", "format", FORMAT, "expires-in-seconds", seconds);
}

static int load_config(Repo *repo, Why *w) {
        _cleanup_json_ json_t *config = NULL;
        json_t *seconds;
        int r;

        r = read_json(repo->fd, REPO_CONFIG, CONFIG_MAX, &config, w);
        if (r < 0)
                return r;
        r = check_format(config, REPO_CONFIG, w);
        if (r < 0)
                return r;
        r = json_get_object(config, REPO_CONFIG, "expires-in-seconds", &seconds, w);
        for (TufRole i = 0; r >= 0 && i < _TUF_ROLE_MAX; i++)
                r = json_get_uint(seconds, REPO_CONFIG, tuf_role_to_string(i), 1, EXPIRES_IN_MAX,
                                &repo->expires_in[i], w);
        return r;
}

static int load_index(Repo *repo, Why *w) {
        _cleanup_json_ json_t *index = NULL;
        json_t *targets;
        int r;

        if (faccessat(repo->fd, REPO_INDEX, F_OK, 0) < 0 && errno == ENOENT) {
                repo->staged = json_object();
                return repo->staged ? 0 : why_oom(w);
        }
        r = read_json(repo->fd, REPO_INDEX, INDEX_MAX, &index, w);
        if (r < 0)
                return r;
        r = check_format(index, REPO_INDEX, w);
        if (r < 0)
                return r;
        r = json_get_object(index, REPO_INDEX, "targets", &targets, w);
        if (r < 0)
                return r;
        repo->staged = json_incref(targets);
        return 0;
}

/* Reads and verifies metadata; meta (NULL: nothing is promised) is checked too. */
static int load_role(Repo *repo, TufRole role, const char *path, const TufMeta *meta, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        r = file_read(repo->fd, path, TUF_TARGETS_MAX, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        if (meta) {
                r = tuf_meta_check(meta, path, bytes, n, w);
                if (r < 0)
                        return r;
        }
        r = tuf_metadata_new(role, bytes, n, &m, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        if (meta && m->version != meta->version)
                return why(w, -EBADMSG, "%s: is version %llu, but %llu is promised", path,
                                (unsigned long long)m->version, (unsigned long long)meta->version);
        r = tuf_verify(role == TUF_ROOT ? m : repo->current[TUF_ROOT], m, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        repo->current[role] = TAKE_PTR(m);
        return 0;
}

static int load_promised(Repo *repo, TufRole from, TufRole role, Why *w) {
        char name[32], path[128];
        TufMeta meta;

        (void)snprintf(name, sizeof(name), "%s.json", tuf_role_to_string(role));
        if (tuf_metadata_find(repo->current[from], name, &meta) < 0)
                return why(w, -EBADMSG, "%s: does not list %s", tuf_role_to_string(from), name);
        (void)snprintf(path, sizeof(path), REPO_METADATA "/%llu.%s",
                        (unsigned long long)meta.version, name);
        return load_role(repo, role, path, &meta, w);
}

static int load_metadata(Repo *repo, Why *w) {
        int r;

        r = load_role(repo, TUF_ROOT, REPO_ROOT, NULL, w);
        if (r < 0)
                return r;
        if (faccessat(repo->fd, REPO_METADATA "/timestamp.json", F_OK, 0) < 0 && errno == ENOENT)
                return 0; /* nothing published yet */
        r = load_role(repo, TUF_TIMESTAMP, REPO_METADATA "/timestamp.json", NULL, w);
        if (r < 0)
                return r;
        r = load_promised(repo, TUF_TIMESTAMP, TUF_SNAPSHOT, w);
        if (r < 0)
                return r;
        return load_promised(repo, TUF_SNAPSHOT, TUF_TARGETS, w);
}

int repo_open(const char *path, Repo **ret, Why *w) {
        _cleanup_(repo_freep) Repo *repo = NULL;
        int r;

        assert(path && ret);
        repo = new0(Repo, 1);
        if (!repo)
                return why_oom(w);
        repo->fd = folder_open(AT_FDCWD, path);
        if (repo->fd == -ENOENT)
                return why(w, repo->fd,
                                "%s: is not there; make a repository with \"rekindle-repo init "
                                "%s\"",
                                path, path);
        if (repo->fd < 0)
                return why(w, repo->fd, "%s: %s", path, strerror(-repo->fd));
        if (flock(repo->fd, LOCK_EX) < 0)
                return why(w, -errno, "%s: cannot be locked: %s", path, strerror(errno));
        if (faccessat(repo->fd, REPO_ROOT, F_OK, 0) < 0)
                return why(w, -errno,
                                "%s: is no repository; make one with \"rekindle-repo init %s\"",
                                path, path);
        r = load_config(repo, w);
        if (r >= 0)
                r = load_metadata(repo, w);
        if (r >= 0)
                r = load_index(repo, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        *ret = TAKE_PTR(repo);
        return 0;
}

Repo *repo_free(Repo *repo) {
        if (!repo)
                return NULL;
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                (void)tuf_metadata_free(repo->current[i]);
        json_decref(repo->staged);
        if (repo->fd >= 0)
                (void)close_fd(repo->fd);
        free(repo);
        return NULL;
}

const json_t *repo_published(const Repo *repo) {
        const TufMetadata *targets = repo->current[TUF_TARGETS];

        return targets ? json_object_get(targets->content, "targets") : NULL;
}

static int parse_entry(const char *target, const json_t *entry, Release **ret, Why *w) {
        uint64_t length;
        json_t *hashes;
        Sha256 digest;
        int r;

        r = json_get_uint(entry, target, "length", 0, INT64_MAX, &length, w);
        if (r < 0)
                return r;
        r = json_get_object(entry, target, "hashes", &hashes, w);
        if (r < 0)
                return r;
        r = json_get_sha256(hashes, target, "sha256", &digest, w);
        if (r < 0)
                return r;
        r = release_parse(target, length, &digest, json_object_get(entry, "custom"), ret, w);
        return r < 0 ? why_prefix(w, r, "%s", target) : 0;
}

static int foreach_entry(const json_t *targets, const json_t *except, bool is_staged,
                RepoReleaseFunc func, void *userdata, Why *w) {
        const char *target;
        json_t *entry;

        json_object_foreach((json_t *)targets, target, entry) {
                _cleanup_(release_freep) Release *release = NULL;
                int r;

                if (json_object_get(except, target))
                        continue;
                r = parse_entry(target, entry, &release, w);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                r = func(release, is_staged, userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

int repo_foreach_release(const Repo *repo, RepoReleaseFunc func, void *userdata, Why *w) {
        int r;

        assert(repo && func);
        r = foreach_entry(repo_published(repo), repo->staged, false, func, userdata, w);
        if (r < 0)
                return r;
        return foreach_entry(repo->staged, NULL, true, func, userdata, w);
}

static int entry_path(const char *folder, int folder_length, const char *target,
                const json_t *entry, char **ret, Why *w) {
        const char *file = strrchr(target, '/') ? strrchr(target, '/') + 1 : target;
        char hex[SHA256_HEX];
        json_t *hashes;
        Sha256 digest;
        int r;

        r = json_get_object(entry, target, "hashes", &hashes, w);
        if (r < 0)
                return r;
        r = json_get_sha256(hashes, target, "sha256", &digest, w);
        if (r < 0)
                return r;
        sha256_to_hex(&digest, hex);
        if (asprintf(ret, "%.*s/%s.%s", folder_length, folder, hex, file) < 0)
                return why_oom(w);
        return 0;
}

int repo_stage_path(const char *target, const json_t *entry, char **ret, Why *w) {
        return entry_path(REPO_STAGE, (int)strlen(REPO_STAGE), target, entry, ret, w);
}

int repo_public_path(const char *target, const json_t *entry, char **ret, Why *w) {
        _cleanup_free_ char *folder = NULL;
        const char *slash = strrchr(target, '/');

        if (asprintf(&folder, REPO_TARGETS "/%.*s", slash ? (int)(slash - target) : 0, target) <
                        0) {
                folder = NULL;
                return why_oom(w);
        }
        return entry_path(folder, (int)strlen(folder), target, entry, ret, w);
}

int repo_write_json(int dirfd, const char *path, const json_t *value, Why *w) {
        _cleanup_free_ char *text = json_print(value);
        int r;

        if (!text)
                return why_oom(w);
        r = file_replace(dirfd, path, text, strlen(text), 0644);
        return r < 0 ? why(w, r, "%s: %s", path, strerror(-r)) : 0;
}

static json_t *make_entry(const Release *release) {
        char hex[SHA256_HEX];
        json_t *custom = release_to_custom(release);

        if (!custom)
                return NULL;
        sha256_to_hex(&release->file_digest, hex);
        return json_pack("{s:I, s:{s:s}, s:o}", "length", (json_int_t)release->file_length,
                        "hashes", "sha256", hex, "custom", custom);
}

int repo_stage(Repo *repo, const Release *release, const void *file, size_t n, Why *w) {
        _cleanup_json_ json_t *entry = make_entry(release), *index = NULL;
        _cleanup_free_ char *path = NULL;
        int r;

        assert(repo && release && file && n == release->file_length);
        if (!entry)
                return why_oom(w);
        r = repo_stage_path(release->target, entry, &path, w);
        if (r < 0)
                return r;
        r = folder_make(repo->fd, REPO_STAGE, 0755);
        if (r < 0)
                return why(w, r, REPO_STAGE ": %s", strerror(-r));
        r = file_replace(repo->fd, path, file, n, 0644);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        if (json_object_set(repo->staged, release->target, entry) < 0)
                return why_oom(w);
        index = json_pack("{s:i, s:O}", "format", FORMAT, "targets", repo->staged);
        return index ? repo_write_json(repo->fd, REPO_INDEX, index, w) : why_oom(w);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repo: opening and verifying. root.json may be one publish behind when that was cut; the chain
 * of roots in public/ leads on from it. */
#include <assert.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "repo/repo.h"
#include "repo/stage.h"
#include "repo/team.h"
#include "tuf/updater.h"
#include "tuf/verify.h"

#define EXPIRES_IN_MAX (100 * 365 * REPO_DAY)
#define KEEP_DAYS_MAX  36500
#define PATH_BYTES     256 /* metadata only: a team has a name of at most 64 */

int why_unread(Why *w, int r, const char *path) {
        assert(path && r < 0);
        return why(w, r, "%s: %s", path,
                        r == -EISDIR       ? "is a folder; it has to be a file"
                        : r == -EOPNOTSUPP ? "is a device, a pipe or a socket; it has to be a file"
                                           : strerror(-r));
}

bool repo_has_inside(int dirfd) {
        _cleanup_close_ int fd = openat(dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat here, above;

        for (;;) {
                int parent;

                if (fd < 0 || fstat(fd, &here) < 0)
                        return false;
                if (faccessat(fd, REPO_CONFIG, F_OK, 0) == 0 &&
                                faccessat(fd, REPO_ROOT, F_OK, 0) == 0)
                        return true;
                parent = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
                (void)close_fd(fd);
                fd = parent;
                if (fd < 0 || fstat(fd, &above) < 0 ||
                                (above.st_ino == here.st_ino && above.st_dev == here.st_dev))
                        return false;
        }
}

int repo_read_json(int dirfd, const char *path, size_t max, json_t **ret, Why *w) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        assert(path && ret);
        r = file_read(dirfd, path, max, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        r = json_parse(bytes, n, ret, w);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

int repo_write_json(int dirfd, const char *path, const json_t *value, size_t max, Why *w) {
        _cleanup_free_ char *text = json_print(value);
        int r;

        assert(path && value);
        if (!text)
                return why_oom(w);
        if (strlen(text) > max)
                return why(w, -EFBIG, "%s: would have %zu bytes; it can have %zu", path,
                                strlen(text), max);
        r = file_replace(dirfd, path, text, strlen(text), 0644);
        return r < 0 ? why(w, r, "%s: %s", path, strerror(-r)) : 0;
}

void repo_default_config(Repo *repo) {
        static const uint64_t days[_TUF_ROLE_MAX] = {
                [TUF_ROOT] = 730,
                [TUF_TARGETS] = 365,
                [TUF_SNAPSHOT] = 30,
                [TUF_TIMESTAMP] = 30,
        };

        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                repo->expires_in[i] = days[i] * REPO_DAY;
        repo->keep_days = 180;
}

json_t *repo_config_to_json(const Repo *repo) {
        _cleanup_json_ json_t *seconds = json_object();

        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (json_object_set_new(seconds, tuf_role_to_string(i),
                                    json_integer((json_int_t)repo->expires_in[i])) < 0)
                        return NULL;
        return json_pack("{s:i, s:O, s:I}", "format", REPO_FORMAT, "expires-in-seconds", seconds,
                        "keep-for-days", (json_int_t)repo->keep_days);
}

static int load_config(Repo *repo, Why *w) {
        _cleanup_json_ json_t *config = NULL;
        json_t *seconds;
        uint64_t format;
        int r;

        repo_default_config(repo);
        r = repo_read_json(repo->fd, REPO_CONFIG, REPO_CONFIG_MAX, &config, w);
        if (r >= 0)
                r = json_get_uint(config, REPO_CONFIG, "format", REPO_FORMAT, REPO_FORMAT, &format,
                                w);
        if (r >= 0)
                r = json_get_uint_opt(config, REPO_CONFIG, "keep-for-days", 0, KEEP_DAYS_MAX,
                                &repo->keep_days, w);
        if (r >= 0)
                r = json_get_object(config, REPO_CONFIG, "expires-in-seconds", &seconds, w);
        for (TufRole i = 0; r >= 0 && i < _TUF_ROLE_MAX; i++)
                r = json_get_uint(seconds, REPO_CONFIG, tuf_role_to_string(i), 1, EXPIRES_IN_MAX,
                                &repo->expires_in[i], w);
        return r;
}

static int load_dates(Repo *repo, Why *w) {
        _cleanup_json_ json_t *file = NULL;
        json_t *targets;
        uint64_t format;
        int r;

        if (faccessat(repo->fd, REPO_DATES, F_OK, 0) < 0 && errno == ENOENT) {
                repo->dates = json_object();
                return repo->dates ? 0 : why_oom(w);
        }
        r = repo_read_json(repo->fd, REPO_DATES, REPO_DATES_MAX, &file, w);
        if (r >= 0)
                r = json_get_uint(file, REPO_DATES, "format", REPO_FORMAT, REPO_FORMAT, &format, w);
        if (r >= 0)
                r = json_get_object(file, REPO_DATES, "targets", &targets, w);
        if (r >= 0)
                repo->dates = json_incref(targets);
        return r;
}

TufSigners root_signers(const json_t *root, TufRole role) {
        const char *name = tuf_role_to_string(role);

        return (TufSigners){
                .keys = json_object_get(root, "keys"),
                .role = json_object_get(json_object_get(root, "roles"), name),
                .name = name,
        };
}

TufSigners team_signers(const char *name, const json_t *entry) {
        return (TufSigners){
                .keys = json_object_get(entry, "keys"),
                .role = entry,
                .name = name,
        };
}

/* Reads metadata; it is as promised (NULL: nothing is), but not verified. */
static int read_role(const Repo *repo, TufRole role, const char *path, const TufMeta *meta,
                TufMetadata **ret, Why *w) {
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
        *ret = TAKE_PTR(m);
        return 0;
}

static int load_role(Repo *repo, TufRole role, const char *path, const TufMeta *meta, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        int r;

        r = read_role(repo, role, path, meta, &m, w);
        if (r < 0)
                return r;
        r = tuf_verify(repo->current[TUF_ROOT], m, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        repo->current[role] = TAKE_PTR(m);
        return 0;
}

/* The file that `from` promises under "NAME.json". */
static int find_promised(const Repo *repo, TufRole from, const char *name, TufMeta *ret,
                char path[static PATH_BYTES], Why *w) {
        char file[PATH_BYTES / 2];

        (void)snprintf(file, sizeof(file), "%s.json", name);
        if (tuf_metadata_find(repo->current[from], file, ret) < 0)
                return why(w, -EBADMSG, "%s: does not list %s", tuf_role_to_string(from), file);
        (void)snprintf(path, PATH_BYTES, REPO_METADATA "/%llu.%s", (unsigned long long)ret->version,
                        file);
        return 0;
}

static int load_promised(Repo *repo, TufRole from, TufRole role, Why *w) {
        char path[PATH_BYTES];
        TufMeta meta;
        int r;

        r = find_promised(repo, from, tuf_role_to_string(role), &meta, path, w);
        return r < 0 ? r : load_role(repo, role, path, &meta, w);
}

static int load_team(Repo *repo, const json_t *one, Why *w) {
        const char *name = json_string_value(json_object_get(one, "name"));
        Team *team = &repo->teams[repo->n_teams];
        char path[PATH_BYTES];
        TufSigners signers;
        TufMeta meta;
        int r;

        *team = (Team){ .entry = json_incref(json_object_get(one, "entry")) };
        repo->n_teams++;
        if (free_and_strdup(&team->name, name) < 0)
                return why_oom(w);
        r = find_promised(repo, TUF_SNAPSHOT, name, &meta, path, w);
        if (r >= 0)
                r = read_role(repo, TUF_TARGETS, path, &meta, &team->current, w);
        if (r < 0)
                return r;
        signers = team_signers(team->name, team->entry);
        r = tuf_verify_by(&signers, team->current, w);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static int load_teams(Repo *repo, Why *w) {
        _cleanup_json_ json_t *list = NULL;
        size_t n;
        int r;

        r = teams_from_delegations(
                        json_object_get(repo->current[TUF_TARGETS]->content, "delegations"), &list,
                        w);
        if (r < 0)
                return why_prefix(w, r, "targets");
        n = json_array_size(list);
        repo->teams = new0(Team, n + 1);
        if (!repo->teams)
                return why_oom(w);
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = load_team(repo, json_array_get(list, i), w);
        return r;
}

/* The root after the newest one, by both. -ENOENT: there is none. */
static int read_next_root(const Repo *repo, TufMetadata **ret, Why *w) {
        const TufMetadata *current = repo->current[TUF_ROOT];
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        uint64_t version = current->version + 1;
        char path[PATH_BYTES];
        int r;

        (void)snprintf(path, sizeof(path), REPO_METADATA "/%llu.root.json",
                        (unsigned long long)version);
        if (faccessat(repo->fd, path, F_OK, 0) < 0 && errno == ENOENT)
                return -ENOENT;
        r = read_role(repo, TUF_ROOT, path, NULL, &m, w);
        if (r < 0)
                return r == -ENOENT ? -EIO : r;
        if (m->version != version)
                return why(w, -EBADMSG, "%s: is version %llu", path,
                                (unsigned long long)m->version);
        r = tuf_verify(current, m, w);
        if (r >= 0)
                r = tuf_verify(m, m, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        *ret = TAKE_PTR(m);
        return 0;
}

/* root.json, by its own keys; then along the chain. The one before the last is kept. */
static int load_roots(Repo *repo, TufMetadata **ret_before, Why *w) {
        int r;

        r = read_role(repo, TUF_ROOT, REPO_ROOT, NULL, &repo->current[TUF_ROOT], w);
        if (r < 0)
                return r;
        r = tuf_verify(repo->current[TUF_ROOT], repo->current[TUF_ROOT], w);
        if (r < 0)
                return why_prefix(w, r, REPO_ROOT);
        for (;;) {
                TufMetadata *next;

                r = read_next_root(repo, &next, w);
                if (r < 0)
                        return r == -ENOENT ? 0 : r;
                (void)tuf_metadata_free(*ret_before);
                *ret_before = repo->current[TUF_ROOT];
                repo->current[TUF_ROOT] = next;
        }
}

/* Where metadata cannot be exchanged as a whole, a cut may leave the new root beside a timestamp
 * of the old one. The root is still staged then, and will be published again. */
static bool is_cut(const Repo *repo, const TufMetadata *before) {
        _cleanup_json_ json_t *next = NULL;

        return before && stage_load_next(repo, "root", &next, NULL) >= 0 &&
               (uint64_t)json_integer_value(json_object_get(
                               json_object_get(next, "signed"), "version")) == before->version + 1;
}

static int load_timestamp(Repo *repo, TufMetadata **before, Why *w) {
        int r;

        r = load_role(repo, TUF_TIMESTAMP, REPO_METADATA "/timestamp.json", NULL, w);
        if (r != -EKEYREJECTED || !is_cut(repo, *before))
                return r;
        (void)tuf_metadata_free(repo->current[TUF_ROOT]);
        repo->current[TUF_ROOT] = TAKE_PTR(*before);
        return load_role(repo, TUF_TIMESTAMP, REPO_METADATA "/timestamp.json", NULL, w);
}

static int load_metadata(Repo *repo, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *before = NULL;
        int r;

        r = load_roots(repo, &before, w);
        if (r < 0)
                return r;
        if (faccessat(repo->fd, REPO_METADATA "/timestamp.json", F_OK, 0) < 0 && errno == ENOENT)
                return 0; /* nothing published yet */
        r = load_timestamp(repo, &before, w);
        if (r >= 0)
                r = load_promised(repo, TUF_TIMESTAMP, TUF_SNAPSHOT, w);
        if (r >= 0)
                r = load_promised(repo, TUF_SNAPSHOT, TUF_TARGETS, w);
        return r < 0 ? r : load_teams(repo, w);
}

/* Temporaries of runs that were cut; under the lock nobody else has any. What cannot be removed
 * does no harm. */
static void sweep(const Repo *repo) {
        static const char *const folders[] = { ".", REPO_STAGE, REPO_KEYS, REPO_METADATA };

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                _cleanup_close_ int fd = folder_open(repo->fd, folders[i]);

                if (fd >= 0)
                        (void)folder_sweep_temporaries(fd);
        }
}

static int open_folder(Repo *repo, const char *path, Why *w) {
        repo->fd = folder_open(AT_FDCWD, path);
        if (repo->fd == -ENOENT)
                return why(w, repo->fd,
                                "%s: is not there; make a repository with \"rekindle-repo init "
                                "%s\"",
                                path, path);
        if (repo->fd == -ENOTDIR)
                return why(w, repo->fd,
                                "%s: is no folder; name the publisher's, which \"rekindle-repo init\" "
                                "makes",
                                path);
        if (repo->fd < 0)
                return why(w, repo->fd, "%s: %s", path, strerror(-repo->fd));
        if (flock(repo->fd, LOCK_EX) < 0)
                return why(w, -errno, "%s: cannot be locked: %s", path, strerror(errno));
        if (faccessat(repo->fd, REPO_ROOT, F_OK, 0) < 0)
                return why(w, -errno,
                                "%s: is no repository; make one with \"rekindle-repo init %s\"",
                                path, path);
        return 0;
}

int repo_open(const char *path, Repo **ret, Why *w) {
        _cleanup_(repo_freep) Repo *repo = NULL;
        int r;

        assert(path && ret);
        repo = new0(Repo, 1);
        if (!repo)
                return why_oom(w);
        r = open_folder(repo, path, w);
        if (r < 0)
                return r;
        sweep(repo);
        r = load_config(repo, w);
        if (r >= 0)
                r = load_metadata(repo, w);
        if (r >= 0)
                r = load_dates(repo, w);
        if (r >= 0)
                r = stage_load(repo, w);
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
        for (size_t i = 0; i < repo->n_teams; i++) {
                free(repo->teams[i].name);
                json_decref(repo->teams[i].entry);
                (void)tuf_metadata_free(repo->teams[i].current);
        }
        free(repo->teams);
        json_decref(repo->staged);
        json_decref(repo->removed);
        json_decref(repo->staged_teams);
        json_decref(repo->dates);
        if (repo->fd >= 0)
                (void)close_fd(repo->fd);
        free(repo);
        return NULL;
}

const json_t *targets_of(const TufMetadata *m) {
        return m ? json_object_get(m->content, "targets") : NULL;
}

const Team *repo_find_team(const Repo *repo, const char *name) {
        for (size_t i = 0; i < repo->n_teams; i++)
                if (streq(repo->teams[i].name, name))
                        return &repo->teams[i];
        return NULL;
}

const json_t *repo_find_target(const Repo *repo, const char *target, const char **ret_role) {
        const json_t *entry = json_object_get(targets_of(repo->current[TUF_TARGETS]), target);

        *ret_role = "targets";
        for (size_t i = 0; !entry && i < repo->n_teams; i++) {
                entry = json_object_get(targets_of(repo->teams[i].current), target);
                *ret_role = repo->teams[i].name;
        }
        return entry;
}

int repo_entry_digest(const char *target, const json_t *entry, Sha256 *ret, Why *w) {
        json_t *hashes;
        int r;

        r = json_get_object(entry, target, "hashes", &hashes, w);
        return r < 0 ? r : json_get_sha256(hashes, target, "sha256", ret, w);
}

static int parse_entry(const char *target, const json_t *entry, Release **ret, Why *w) {
        uint64_t length;
        Sha256 digest;
        int r;

        r = json_get_uint(entry, target, "length", 0, INT64_MAX, &length, w);
        if (r >= 0)
                r = repo_entry_digest(target, entry, &digest, w);
        if (r < 0)
                return r;
        r = release_parse(target, length, &digest, json_object_get(entry, "custom"), ret, w);
        return r < 0 ? why_prefix(w, r, "%s", target) : 0;
}

typedef struct Visit {
        const Repo *repo;
        RepoReleaseFunc func;
        void *userdata;
        Why *w;
} Visit;

static int visit(const Visit *v, const json_t *targets, bool are_staged) {
        const char *target;
        json_t *entry;

        json_object_foreach((json_t *)targets, target, entry) {
                _cleanup_(release_freep) Release *release = NULL;
                RepoState state = are_staged ? REPO_STAGED : REPO_PUBLISHED;
                int r;

                if (!are_staged && json_object_get(v->repo->staged, target))
                        continue;
                if (!are_staged && json_object_get(v->repo->removed, target))
                        state = REPO_REMOVED;
                r = parse_entry(target, entry, &release, v->w);
                if (r == -ENOENT)
                        continue;
                if (r < 0)
                        return r;
                r = v->func(release, state, v->userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

int repo_foreach_release(const Repo *repo, RepoReleaseFunc func, void *userdata, Why *w) {
        const Visit v = { .repo = repo, .func = func, .userdata = userdata, .w = w };
        int r;

        assert(repo && func);
        r = visit(&v, targets_of(repo->current[TUF_TARGETS]), false);
        for (size_t i = 0; r >= 0 && i < repo->n_teams; i++)
                r = visit(&v, targets_of(repo->teams[i].current), false);
        return r < 0 ? r : visit(&v, repo->staged, true);
}

int repo_public_path(const char *target, const json_t *entry, char **ret, Why *w) {
        const char *slash = strrchr(target, '/');
        char hex[SHA256_HEX];
        Sha256 digest;
        int r;

        assert(target && entry && ret);
        r = repo_entry_digest(target, entry, &digest, w);
        if (r < 0)
                return r;
        sha256_to_hex(&digest, hex);
        if (asprintf(ret, REPO_TARGETS "/%.*s/%s.%s", slash ? (int)(slash - target) : 1,
                            slash ? target : ".", hex, slash ? slash + 1 : target) < 0)
                return why_oom(w);
        return 0;
}

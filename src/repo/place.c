/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The second half of a publish. Target files first: under names that nobody knows yet. Then the
 * whole metadata folder: the new one is made beside the old one (hard links and the new files)
 * and the two change places in one rename. Where the file system cannot do that, the files are
 * written one after another with the timestamp last. Then what remembers: root.json, dates,
 * stage. Each step can be done twice, so a run that was cut is simply repeated. */
#include <assert.h>
#include <fcntl.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "repo/exchange.h"
#include "repo/publish.h"
#include "repo/stage.h"

#define FRESH REPO_PUBLIC "/.metadata.new"

/* Temporaries that a cut left behind. What cannot be removed does no harm. */
static void sweep(int dirfd, const char *path) {
        _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0)
                (void)folder_sweep_temporaries(fd);
}

/* --- target files ----------------------------------------------------------------------------- */

/* Makes the folders of public/targets/MODEL/VERSION/. */
static int make_folders(int dirfd, const char *path, Why *w) {
        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_free_ char *folder = strndup(path, (size_t)(slash - path));
                int r;

                if (!folder)
                        return why_oom(w);
                r = folder_make(dirfd, folder, 0755);
                if (r < 0)
                        return why(w, r, "%s: %s", folder, strerror(-r));
        }
        return 0;
}

/* A file only if it is what the entry says. -ENOENT: there is none. */
static int read_checked(
                const Publish *p, const char *path, const json_t *entry, char **ret, Why *w) {
        const TufMeta meta = {
                .length = (uint64_t)json_integer_value(json_object_get(entry, "length")),
                .hashes = json_object_get(entry, "hashes"),
        };
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        r = file_read(p->repo->fd, path, meta.length, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        r = tuf_meta_check(&meta, path, bytes, n, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bytes);
        return 0;
}

/* From the stage; a release of which only the words change lies in public/ already. */
static int place_file(const Publish *p, const char *target, const json_t *entry, Why *w) {
        size_t n = (size_t)json_integer_value(json_object_get(entry, "length"));
        _cleanup_free_ char *path = NULL, *staged = NULL, *bytes = NULL, *folder = NULL;
        int r;

        r = repo_public_path(target, entry, &path, w);
        if (r >= 0)
                r = stage_path(target, entry, &staged, w);
        if (r < 0)
                return r;
        r = read_checked(p, staged, entry, &bytes, w);
        if (r == -ENOENT)
                return read_checked(p, path, entry, &bytes, w);
        if (r < 0)
                return r;
        r = make_folders(p->repo->fd, path, w);
        if (r < 0)
                return r;
        folder = strndup(path, (size_t)(strrchr(path, '/') - path));
        if (!folder)
                return why_oom(w);
        sweep(p->repo->fd, folder);
        r = file_replace(p->repo->fd, path, bytes, n, 0644);
        return r < 0 ? why(w, r, "%s: %s", path, strerror(-r)) : 0;
}

/* Whether a staged entry is part of the new state; if not, it waits. */
static bool is_placed(const Publish *p, const char *target, const json_t *entry) {
        const json_t *now = json_object_get(p->targets, target);

        return now && json_equal((json_t *)now, (json_t *)entry);
}

static int place_files(const Publish *p, Why *w) {
        const char *target;
        json_t *entry;
        int r = 0;

        json_object_foreach(p->repo->staged, target, entry) {
                if (is_placed(p, target, entry))
                        r = place_file(p, target, entry, w);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- metadata --------------------------------------------------------------------------------- */

static int link_name(int fd, const char *name, void *userdata) {
        int *fresh = userdata;

        if (name[0] == '.')
                return 0;
        return linkat(fd, name, *fresh, name, 0) < 0 ? -errno : 0;
}

static int write_files(const Publish *p, int dirfd) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < p->n_files; i++)
                r = file_replace(dirfd, p->files[i].name, p->files[i].text,
                                strlen(p->files[i].text), 0644);
        return r;
}

static int exchange(const Publish *p) {
        int dirfd = p->repo->fd, r;
        _cleanup_close_ int fresh = folder_make_fresh(dirfd, FRESH, REPO_METADATA);

        if (fresh < 0)
                return fresh;
        r = folder_foreach(dirfd, REPO_METADATA, link_name, &fresh);
        if (r >= 0)
                r = write_files(p, fresh);
        return r < 0 ? r : folder_exchange(dirfd, FRESH, REPO_METADATA);
}

static int place_metadata(const Publish *p, Why *w) {
        int dirfd = p->repo->fd, r;

        if (p->n_files == 0)
                return 0;
        r = exchange(p);
        if (is_unable(r)) {
                _cleanup_close_ int fd = folder_open(dirfd, REPO_METADATA);

                r = fd < 0 ? fd : write_files(p, fd);
        }
        return r < 0 ? why(w, r, REPO_METADATA ": %s", strerror(-r)) : 0;
}

/* --- what remembers --------------------------------------------------------------------------- */

static int save_root(const Publish *p, Why *w) {
        _cleanup_json_ json_t *have = NULL;
        const json_t *document = p->root_document ?: p->repo->current[TUF_ROOT]->document;
        int r;

        r = repo_read_json(p->repo->fd, REPO_ROOT, REPO_ROOT_MAX, &have, w);
        if (r < 0)
                return r;
        if (json_equal(have, (json_t *)document))
                return 0;
        return repo_write_json(p->repo->fd, REPO_ROOT, document, REPO_ROOT_MAX, w);
}

/* Each target's first day. */
static int save_dates(const Publish *p, Why *w) {
        _cleanup_json_ json_t *dates = json_object(), *file = NULL;
        char now[RFC3339_MAX];
        const char *target;
        json_t *entry;

        rfc3339_format(p->now, now);
        json_object_foreach(p->targets, target, entry) {
                json_t *date = json_object_get(p->repo->dates, target);

                if (json_object_set_new(
                                    dates, target, date ? json_incref(date) : json_string(now)) < 0)
                        return why_oom(w);
        }
        if (json_equal(dates, p->repo->dates))
                return 0;
        file = json_pack("{s:i, s:O}", "format", REPO_FORMAT, "targets", dates);
        return file ? repo_write_json(p->repo->fd, REPO_DATES, file, REPO_DATES_MAX, w)
                    : why_oom(w);
}

typedef struct Leftover {
        const json_t *wanted; /* names of files that stay */
} Leftover;

static int remove_leftover(int fd, const char *name, void *userdata) {
        const Leftover *l = userdata;

        if (json_object_get(l->wanted, name))
                return 0;
        return unlinkat(fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Files below MODEL/VERSION/ that no target names any more. Folders go when they are empty. */
static int clean_folder(const Publish *p, const char *target, Why *w) {
        _cleanup_json_ json_t *wanted = json_object();
        Leftover leftover = { .wanted = wanted };
        const char *slash = strrchr(target, '/'), *other;
        _cleanup_free_ char *folder = NULL;
        json_t *entry;
        int r;

        if (!slash)
                return 0;
        json_object_foreach(p->targets, other, entry) {
                _cleanup_free_ char *path = NULL;

                if (strncmp(other, target, (size_t)(slash - target) + 1) != 0)
                        continue;
                r = repo_public_path(other, entry, &path, w);
                if (r < 0)
                        return r;
                if (json_object_set_new(wanted, strrchr(path, '/') + 1, json_true()) < 0)
                        return why_oom(w);
        }
        if (asprintf(&folder, REPO_TARGETS "/%.*s", (int)(slash - target), target) < 0) {
                folder = NULL;
                return why_oom(w);
        }
        r = folder_foreach(p->repo->fd, folder, remove_leftover, &leftover);
        if (r < 0)
                return why(w, r, "%s: %s", folder, strerror(-r));
        if (json_object_size(wanted) == 0 && unlinkat(p->repo->fd, folder, AT_REMOVEDIR) == 0) {
                *strrchr(folder, '/') = '\0';
                (void)unlinkat(p->repo->fd, folder, AT_REMOVEDIR);
        }
        return 0;
}

static int clean_files(const Publish *p, Why *w) {
        const char *target;
        json_t *entry;
        int r = 0;

        json_object_foreach(p->repo->removed, target, entry) {
                r = json_object_get(p->targets, target) ? 0 : clean_folder(p, target, w);
                if (r < 0)
                        return r;
        }
        json_object_foreach(p->repo->staged, target, entry) {
                r = is_placed(p, target, entry) ? clean_folder(p, target, w) : 0;
                if (r < 0)
                        return r;
        }
        return 0;
}

/* What is part of the published state now is not staged any more. */
static int clear_stage(const Publish *p, Why *w) {
        _cleanup_json_ json_t *staged = json_deep_copy(p->repo->staged);
        const char *name;
        json_t *entry;
        void *tmp;

        if (!staged)
                return why_oom(w);
        json_object_foreach(staged, name, entry) {
                if (is_placed(p, name, entry))
                        (void)json_object_del(p->repo->staged, name);
        }
        json_object_foreach_safe(p->repo->removed, tmp, name, entry) {
                if (!json_object_get(p->targets, name))
                        (void)json_object_del(p->repo->removed, name);
        }
        json_object_foreach_safe(p->repo->staged_teams, tmp, name, entry) {
                if (!json_object_get(p->held, name))
                        (void)json_object_del(p->repo->staged_teams, name);
        }
        return stage_save(p->repo, w);
}

/* The version of a role that is in force now. */
static uint64_t version_in_force(const Publish *p, const char *role) {
        const json_t *entry;
        char name[METADATA_NAME];

        (void)snprintf(name, sizeof(name), "%.100s.json", role);
        entry = streq(role, "root") ? p->root : json_object_get(p->meta, name);
        return (uint64_t)json_integer_value(json_object_get(entry, "version"));
}

/* A document that people signed and that is published is not under way any more. */
static int drop_next(const Publish *p, const char *role, Why *w) {
        _cleanup_json_ json_t *next = NULL;
        uint64_t version;
        int r;

        r = stage_load_next(p->repo, role, &next, w);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        version = (uint64_t)json_integer_value(
                        json_object_get(json_object_get(next, "signed"), "version"));
        return version <= version_in_force(p, role) ? stage_drop_next(p->repo, role, w) : 0;
}

static int drop_all_next(const Publish *p, Why *w) {
        int r;

        r = drop_next(p, "root", w);
        if (r >= 0)
                r = drop_next(p, "targets", w);
        for (size_t i = 0; r >= 0 && i < json_array_size(p->wanted); i++)
                r = drop_next(p,
                                json_string_value(json_object_get(
                                                json_array_get(p->wanted, i), "name")),
                                w);
        return r;
}

/* "SHA256.FILE", as the stage has them. */
static bool is_staged_file(const char *name) {
        return strspn(name, "0123456789abcdef") == SHA256_HEX - 1 && name[SHA256_HEX - 1] == '.';
}

static int sweep_name(int fd, const char *name, void *userdata) {
        if (!is_staged_file(name) || json_object_get(userdata, name))
                return 0;
        return unlinkat(fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* Files that no index names: left behind by a run that was cut. */
static int sweep_stage(const Publish *p, Why *w) {
        _cleanup_json_ json_t *wanted = json_object();
        const char *target;
        json_t *entry;
        int r;

        json_object_foreach(p->repo->staged, target, entry) {
                _cleanup_free_ char *path = NULL;

                r = stage_path(target, entry, &path, w);
                if (r < 0)
                        return r;
                if (json_object_set_new(wanted, strrchr(path, '/') + 1, json_true()) < 0)
                        return why_oom(w);
        }
        r = folder_foreach(p->repo->fd, REPO_STAGE, sweep_name, wanted);
        return r < 0 ? why(w, r, REPO_STAGE ": %s", strerror(-r)) : 0;
}

static int place_all(const Publish *p, Why *w) {
        int r = 0;

        if (!p->only_online)
                r = place_files(p, w);
        if (r >= 0)
                r = place_metadata(p, w);
        if (r >= 0)
                r = save_root(p, w);
        if (r >= 0 && !p->only_online) {
                r = save_dates(p, w);
                if (r >= 0)
                        r = clean_files(p, w);
                if (r >= 0)
                        r = drop_all_next(p, w);
                if (r >= 0)
                        r = clear_stage(p, w);
                if (r >= 0)
                        r = sweep_stage(p, w);
        }
        return r;
}

int publish_place(const Publish *p, Why *w) {
        int r;

        assert(p && p->repo);
        r = place_all(p, w);
        if (folder_remove(p->repo->fd, FRESH) < 0 && r >= 0)
                (void)fprintf(stderr, "rekindle-repo: warning: " FRESH " cannot be removed\n");
        return r;
}

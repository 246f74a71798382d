/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export: a folder for gateways without network. All metadata, so it is judged as on the web
 * server; the files of the wanted models only. Files first; then the metadata folder changes as
 * a whole, so a folder that was an export before is the old one or the new one. */
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "repo/exchange.h"
#include "repo/models.h"
#include "repo/verbs.h"
#include "tuf/updater.h"

#define METADATA "metadata"
#define FRESH    ".metadata.new"

static const char help[] =
                "rekindle-repo export DIR FOLDER [--model MODEL]...\n"
                "\n"
                "Copies the published state into FOLDER (a USB stick) for \"rekindlectl update\n"
                "--from\": all metadata, and the files of the models that are named, or of all.\n"
                "\n"
                "  --model MODEL           a model that is wanted, any number\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct Export {
        Models models;
        int64_t now;
        Repo *repo;
        int fd; /* FOLDER */
        size_t n_files;
} Export;

static const struct option options[] = {
        { "model", required_argument, NULL, 'm' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int parse_option(Export *e, int c, char *argv[]) {
        if (c == 'm')
                return option_model(&e->models, optarg);
        return option_common(c, help, &e->now, argv);
}

static int parse(Export *e, int argc, char *argv[]) {
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = parse_option(e, c, argv);
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, 2, 2, "DIR FOLDER");
}

/* Temporaries of an export that was cut. What cannot be removed does no harm. */
static void sweep(const Export *e, const char *folder) {
        _cleanup_close_ int fd = folder_open(e->fd, folder);

        if (fd >= 0)
                (void)folder_sweep_temporaries(fd);
}

/* Makes the folders of a path in FOLDER. */
static int make_folders(const Export *e, const char *path, Why *w) {
        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
                _cleanup_free_ char *folder = strndup(path, (size_t)(slash - path));
                int r;

                if (!folder)
                        return why_oom(w);
                r = folder_make(e->fd, folder, 0755);
                if (r < 0)
                        return why(w, r, "%s: %s", folder, strerror(-r));
                sweep(e, folder);
        }
        return 0;
}

/* "public/targets/a/b/c" to FOLDER/targets/a/b/c. */
static int copy_target(const Export *e, const char *path, const TufMeta *meta, Why *w) {
        const char *to = path + strlen(REPO_PUBLIC "/");
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        r = file_read(e->repo->fd, path, (size_t)meta->length, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        r = tuf_meta_check(meta, path, bytes, n, w);
        if (r >= 0)
                r = make_folders(e, to, w);
        if (r < 0)
                return r;
        r = file_replace(e->fd, to, bytes, n, 0644);
        return r < 0 ? why(w, r, "%s: %s", to, strerror(-r)) : 0;
}

static int copy_targets(Export *e, const TufMetadata *m, Why *w) {
        const char *target;
        json_t *entry;

        json_object_foreach((json_t *)targets_of(m), target, entry) {
                const TufMeta meta = {
                        .length = (uint64_t)json_integer_value(json_object_get(entry, "length")),
                        .hashes = json_object_get(entry, "hashes"),
                };
                _cleanup_free_ char *path = NULL;
                int r;

                if (!models_want(&e->models, target))
                        continue;
                r = repo_public_path(target, entry, &path, w);
                if (r >= 0)
                        r = copy_target(e, path, &meta, w);
                if (r < 0)
                        return r;
                e->n_files++;
        }
        return 0;
}

/* repo_open() has verified it, and nobody else writes there while the folder is locked. */
static int copy_file(const Export *e, int dirfd, const char *name, Why *w) {
        _cleanup_free_ char *path = NULL, *bytes = NULL;
        size_t n;
        int r;

        if (asprintf(&path, REPO_METADATA "/%s", name) < 0) {
                path = NULL;
                return why_oom(w);
        }
        r = file_read(e->repo->fd, path, TUF_TARGETS_MAX, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        r = file_replace(dirfd, name, bytes, n, 0644);
        return r < 0 ? why(w, r, "metadata/%s: %s", name, strerror(-r)) : 0;
}

static int copy_version(const Export *e, int dirfd, uint64_t version, const char *role, Why *w) {
        char name[128];

        (void)snprintf(name, sizeof(name), "%llu.%s.json", (unsigned long long)version, role);
        return copy_file(e, dirfd, name, w);
}

/* All roots, because a gateway may trust any of them. The timestamp comes last, for a file system
 * where the folder cannot change as a whole. */
static int copy_metadata(const Export *e, int dirfd, Why *w) {
        TufMetadata *const *current = e->repo->current;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < e->repo->n_teams; i++)
                r = copy_version(e, dirfd, e->repo->teams[i].current->version,
                                e->repo->teams[i].name, w);
        if (r >= 0)
                r = copy_version(e, dirfd, current[TUF_TARGETS]->version, "targets", w);
        if (r >= 0)
                r = copy_version(e, dirfd, current[TUF_SNAPSHOT]->version, "snapshot", w);
        for (uint64_t i = 1; r >= 0 && i <= current[TUF_ROOT]->version; i++)
                r = copy_version(e, dirfd, i, "root", w);
        return r < 0 ? r : copy_file(e, dirfd, "timestamp.json", w);
}

static int place_metadata(const Export *e, Why *w) {
        _cleanup_close_ int fresh = folder_make_fresh(e->fd, FRESH, METADATA);
        int r;

        if (fresh < 0)
                return why(w, fresh, FRESH ": %s", strerror(-fresh));
        r = copy_metadata(e, fresh, w);
        if (r < 0)
                return r;
        r = folder_exchange(e->fd, FRESH, METADATA);
        if (is_unable(r)) {
                _cleanup_close_ int fd = folder_open(e->fd, METADATA);

                if (fd >= 0)
                        return copy_metadata(e, fd, w);
        }
        return r < 0 ? why(w, r, METADATA ": %s", strerror(-r)) : 0;
}

static int copy_all(Export *e, Why *w) {
        const char *missing;
        int r;

        r = copy_targets(e, e->repo->current[TUF_TARGETS], w);
        for (size_t i = 0; r >= 0 && i < e->repo->n_teams; i++)
                r = copy_targets(e, e->repo->teams[i].current, w);
        missing = models_missing(&e->models);
        if (r >= 0 && missing)
                r = why(w, -ENOENT, "%s: has no published release; \"show\" lists what there is",
                                missing);
        if (r >= 0)
                r = place_metadata(e, w);
        if (r < 0)
                return r;
        r = folder_remove(e->fd, FRESH);
        return r < 0 ? why(w, r, FRESH ": %s", strerror(-r)) : 0;
}

static int run(Export *e, const char *path, const char *folder, Why *w) {
        bool is_made;
        int r;

        r = repo_open(path, &e->repo, w);
        if (r < 0)
                return r;
        if (!e->repo->current[TUF_TIMESTAMP])
                return why(w, -ENOENT, "%s: nothing is published yet", path);
        is_made = mkdir(folder, 0755) == 0;
        if (!is_made && errno != EEXIST)
                return why(w, -errno, "%s: %s", folder, strerror(errno));
        e->fd = folder_open(AT_FDCWD, folder);
        if (e->fd < 0)
                return why(w, e->fd, "%s: %s", folder, strerror(-e->fd));
        if (repo_has_inside(e->fd)) {
                if (is_made)
                        (void)rmdir(folder);
                return why(w, -EEXIST, "%s belongs to a publisher; export to a folder of its own",
                                folder);
        }
        r = copy_all(e, w);
        return r < 0 ? why_prefix(w, r, "%s", folder) : 0;
}

/* The first of all signatures to expire. */
static int64_t usable_until(const Repo *repo) {
        int64_t end = INT64_MAX;

        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                end = MIN(end, repo->current[i]->expires);
        for (size_t i = 0; i < repo->n_teams; i++)
                end = MIN(end, repo->teams[i].current->expires);
        return end;
}

int verb_export(int argc, char *argv[]) {
        Export e = { .fd = -1, .now = clock_now(&clock_system) };
        Why w = {};
        int r;

        r = parse(&e, argc, argv);
        if (r != 0)
                return r;
        r = run(&e, argv[optind], argv[optind + 1], &w);
        if (r >= 0) {
                int64_t end = usable_until(e.repo);
                char text[RFC3339_MAX];

                rfc3339_format(end, text);
                printf("%zu file%s; gateways take them until %s%s\n", e.n_files,
                                e.n_files == 1 ? "" : "s", text,
                                end <= e.now ? ", which is over: publish first" : "");
        }
        (void)repo_free(e.repo);
        (void)close_fd(e.fd);
        return r < 0 ? failed(&w) : EXIT_DONE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prune: removes metadata that nobody can ask for any more. A gateway, or a cache in between, may
 * still have the timestamp of a little while ago, so a snapshot stays for some days after another
 * took its place, and with each snapshot that stays all that it names. What is newer than the
 * present state, roots, and names that the present snapshot does not know are left alone.
 *
 * Old snapshots go last: a run that was cut is repeated, and finds the same. */
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "repo/exchange.h"
#include "repo/verbs.h"
#include "tuf/updater.h"

#define KEEP_DAYS 30
#define SNAPSHOT  "snapshot"
#define ROOT      "root"

static const char help[] =
                "rekindle-repo prune DIR [OPTIONS]\n"
                "\n"
                "Removes old snapshots, and old versions of targets and teams, that no snapshot\n"
                "in force or lately in force names. Gateways do not see a difference. Roots stay.\n"
                "\n"
                "  --keep-for DAYS         how long a snapshot stays after another took its place\n"
                "                          (30)\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct OldFile {
        uint64_t version;
        int64_t since; /* it was written then */
        char name[];   /* "N.ROLE.json" */
} OldFile;

typedef struct Prune {
        uint64_t keep_days;
        int64_t now;
        Repo *repo;
        int fd;          /* of public/metadata */
        OldFile **files; /* by version */
        size_t n_files;
        json_t *kept; /* names → true */
} Prune;

static const struct option options[] = {
        { "keep-for", required_argument, NULL, 'k' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int parse(Prune *p, int argc, char *argv[]) {
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                if (c == 'k')
                        r = option_number("--keep-for", optarg, 0, 36500, &p->keep_days);
                else
                        r = option_common(c, help, &p->now, argv);
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, 1, 1, "DIR");
}

/* "ROLE.json" behind the number of "N.ROLE.json"; NULL: it is no such name. */
static const char *split_name(const char *name, uint64_t *ret_version) {
        size_t n = strspn(name, "0123456789"), length = strlen(name);

        if (n == 0 || n > 18 || name[0] == '0' || name[n] != '.' ||
                        length < n + strlen(".x.json") ||
                        !streq(name + length - strlen(".json"), ".json"))
                return NULL;
        *ret_version = strtoull(name, NULL, 10);
        return name + n + 1;
}

static bool is_role(const OldFile *f, const char *role) {
        uint64_t version;
        const char *file = split_name(f->name, &version);

        return strlen(file) == strlen(role) + strlen(".json") && startswith(file, role);
}

static int note_file(int fd, const char *name, void *userdata) {
        Prune *p = userdata;
        OldFile *f, **larger;
        uint64_t version;
        struct stat st;

        if (!split_name(name, &version))
                return 0;
        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return 0;
        larger = reallocarray(p->files, p->n_files + 1, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        p->files = larger;
        f = malloc(sizeof(*f) + strlen(name) + 1);
        if (!f)
                return -ENOMEM;
        *f = (OldFile){ .version = version, .since = st.st_mtime };
        (void)strcpy(f->name, name);
        p->files[p->n_files++] = f;
        return 0;
}

static int by_version(const void *a, const void *b) {
        const OldFile *x = *(OldFile *const *)a, *y = *(OldFile *const *)b;

        return x->version < y->version ? -1 : x->version > y->version;
}

/* Another took its place that long ago, or longer. */
static bool is_over(const Prune *p, size_t i) {
        for (size_t k = i + 1; k < p->n_files; k++)
                if (is_role(p->files[k], SNAPSHOT) && p->files[k]->version > p->files[i]->version)
                        return p->now - p->files[k]->since >= (int64_t)(p->keep_days * REPO_DAY);
        return false;
}

static int keep_named(Prune *p, const json_t *snapshot, Why *w) {
        const json_t *meta = json_object_get(snapshot, "meta"), *entry;
        const char *file;

        json_object_foreach((json_t *)meta, file, entry) {
                json_int_t version = json_integer_value(json_object_get(entry, "version"));
                _cleanup_free_ char *name = NULL;

                if (asprintf(&name, "%lld.%s", (long long)version, file) < 0) {
                        name = NULL;
                        return why_oom(w);
                }
                if (json_object_set_new(p->kept, name, json_true()) < 0)
                        return why_oom(w);
        }
        return 0;
}

/* What one that stays names is known before anything goes. */
static int keep_snapshot(Prune *p, const OldFile *f, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        r = file_read(p->fd, f->name, TUF_SNAPSHOT_MAX, &bytes, &n);
        if (r < 0)
                return why(w, r, REPO_METADATA "/%s: %s", f->name, strerror(-r));
        r = tuf_metadata_new(TUF_SNAPSHOT, bytes, n, &m, w);
        if (r < 0)
                return why_prefix(w, r, REPO_METADATA "/%s", f->name);
        if (json_object_set_new(p->kept, f->name, json_true()) < 0)
                return why_oom(w);
        return keep_named(p, m->content, w);
}

static int keep_all(Prune *p, Why *w) {
        const TufMetadata *now = p->repo->current[TUF_SNAPSHOT];
        int r;

        r = keep_named(p, now->content, w);
        for (size_t i = 0; r >= 0 && i < p->n_files; i++)
                if (is_role(p->files[i], SNAPSHOT) && p->files[i]->version < now->version &&
                                !is_over(p, i))
                        r = keep_snapshot(p, p->files[i], w);
        return r;
}

/* Older than what is in force now, and named by nobody. */
static bool is_outdated(const Prune *p, const OldFile *f) {
        const TufMetadata *now = p->repo->current[TUF_SNAPSHOT];
        uint64_t version;
        TufMeta meta;

        if (is_role(f, ROOT) || json_object_get(p->kept, f->name))
                return false;
        if (is_role(f, SNAPSHOT))
                return f->version < now->version;
        return tuf_metadata_find(now, split_name(f->name, &version), &meta) >= 0 &&
               f->version < meta.version;
}

static int remove_files(const Prune *p, bool snapshots, size_t *n, Why *w) {
        for (size_t i = 0; i < p->n_files; i++) {
                const OldFile *f = p->files[i];

                if (is_role(f, SNAPSHOT) != snapshots || !is_outdated(p, f))
                        continue;
                if (unlinkat(p->fd, f->name, 0) < 0)
                        return why(w, -errno, REPO_METADATA "/%s: %s", f->name, strerror(errno));
                printf("%s\n", f->name);
                ++*n;
        }
        return 0;
}

static int prune(Prune *p, const char *path, Why *w) {
        size_t n = 0;
        int r;

        r = repo_open(path, &p->repo, w);
        if (r < 0)
                return r;
        p->kept = json_object();
        if (!p->kept)
                return why_oom(w);
        if (p->repo->current[TUF_SNAPSHOT]) {
                p->fd = folder_open(p->repo->fd, REPO_METADATA);
                r = p->fd < 0 ? p->fd : folder_foreach(p->repo->fd, REPO_METADATA, note_file, p);
                if (r < 0)
                        return why(w, r, "%s/" REPO_METADATA ": %s", path, strerror(-r));
                qsort(p->files, p->n_files, sizeof(*p->files), by_version);
                r = keep_all(p, w);
                if (r >= 0)
                        r = remove_files(p, false, &n, w);
                if (r >= 0)
                        r = remove_files(p, true, &n, w);
        }
        if (r >= 0 && n == 0)
                printf("nothing to do\n");
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static void prune_done(Prune *p) {
        for (size_t i = 0; i < p->n_files; i++)
                free(p->files[i]);
        free(p->files);
        json_decref(p->kept);
        p->fd = close_fd(p->fd);
        (void)repo_free(p->repo);
}

int verb_prune(int argc, char *argv[]) {
        Prune p = { .keep_days = KEEP_DAYS, .now = clock_now(&clock_system), .fd = -1 };
        Why w = {};
        int r;

        r = parse(&p, argc, argv);
        if (r == 0)
                r = prune(&p, argv[optind], &w) < 0 ? failed(&w) : EXIT_DONE;
        prune_done(&p);
        return r;
}

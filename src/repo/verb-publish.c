/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* publish: decides first which roles get a new version, then writes in the one order that
 * readers never see broken: files, root, targets, snapshot, timestamp. Until the timestamp is
 * replaced, all that was written is unknown to every client; a publish that was cut is repeated
 * over it. A role is renewed when what it lists changed or when half of its time is over. */
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "repo/verbs.h"
#include "tuf/updater.h"

static const char help[] =
                "rekindle-repo publish DIR [OPTIONS]\n"
                "\n"
                "Signs what is staged and puts it into DIR/public. Run it from time to time\n"
                "without new releases too: it renews signatures of which half the time is over,\n"
                "and does nothing otherwise.\n"
                "\n"
                "  --keys FOLDER           look here for keys that are not in DIR/keys\n"
                "  --expires-in ROLE=TIME  how long the new signatures of a role last\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct Publish {
        Repo *repo;
        const char *keys;
        int64_t now;
        uint64_t expires_in[_TUF_ROLE_MAX]; /* 0: as the repository says */

        json_t *targets; /* published and staged together */
        bool is_new[_TUF_ROLE_MAX];
        json_t *promised[_TUF_ROLE_MAX]; /* {version, length, hashes} of what was written */
} Publish;

static const struct option options[] = {
        { "keys", required_argument, NULL, 'k' },
        { "expires-in", required_argument, NULL, 'e' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int merge_targets(Publish *p, Why *w) {
        const json_t *old = repo_published(p->repo);

        p->targets = old ? json_copy((json_t *)old) : json_object();
        if (!p->targets || json_object_update(p->targets, p->repo->staged) < 0)
                return why_oom(w);
        p->is_new[TUF_TARGETS] = !old || !json_equal((json_t *)old, p->targets);
        return 0;
}

static bool is_half_over(const Publish *p, TufRole role) {
        const TufMetadata *m = p->repo->current[role];

        return m->expires - p->now <= (int64_t)(p->expires_in[role] / 2);
}

static void decide(Publish *p) {
        static const TufRole order[] = { TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP };
        bool below = false;

        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                TufRole role = order[i];

                p->is_new[role] = p->is_new[role] || below || !p->repo->current[role] ||
                                  is_half_over(p, role);
                below = p->is_new[role];
        }
        p->is_new[TUF_ROOT] = is_half_over(p, TUF_ROOT);
}

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

/* The staged file, only if it is still what was staged. */
static int read_staged(const Publish *p, const char *target, const json_t *entry, char **ret,
                size_t *ret_n, Why *w) {
        const TufMeta meta = {
                .length = (uint64_t)json_integer_value(json_object_get(entry, "length")),
                .hashes = json_object_get(entry, "hashes"),
        };
        _cleanup_free_ char *path = NULL, *bytes = NULL;
        size_t n;
        int r;

        r = repo_stage_path(target, entry, &path, w);
        if (r < 0)
                return r;
        r = file_read(p->repo->fd, path, meta.length, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        r = tuf_meta_check(&meta, path, bytes, n, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(bytes);
        *ret_n = n;
        return 0;
}

/* Temporaries that a cut left behind. What cannot be removed does no harm. */
static void sweep(const Publish *p, const char *path) {
        _cleanup_close_ int fd = openat(p->repo->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0)
                (void)folder_sweep_temporaries(fd);
}

static int publish_file(const Publish *p, const char *target, const json_t *entry, Why *w) {
        _cleanup_free_ char *path = NULL, *folder = NULL, *bytes = NULL;
        size_t n = 0;
        int r;

        r = repo_public_path(target, entry, &path, w);
        if (r < 0)
                return r;
        folder = strdup(path);
        if (!folder)
                return why_oom(w);
        r = read_staged(p, target, entry, &bytes, &n, w);
        if (r < 0)
                return r;
        r = make_folders(p->repo->fd, path, w);
        if (r < 0)
                return r;
        *strrchr(folder, '/') = '\0';
        sweep(p, folder);
        r = file_replace(p->repo->fd, path, bytes, n, 0644);
        return r < 0 ? why(w, r, "%s: %s", path, strerror(-r)) : 0;
}

static int publish_files(const Publish *p, Why *w) {
        const char *target;
        json_t *entry;
        int r;

        json_object_foreach(p->repo->staged, target, entry) {
                r = publish_file(p, target, entry, w);
                if (r < 0)
                        return r;
        }
        return 0;
}

static uint64_t next_version(const Publish *p, TufRole role) {
        const TufMetadata *m = p->repo->current[role];

        return m ? m->version + 1 : 1;
}

/* What the role above says about the document that was just written. */
static int promise(Publish *p, TufRole role, const char *text, Why *w) {
        size_t n = strlen(text);
        char hex[SHA256_HEX];
        Sha256 digest;
        int r;

        r = sha256_of(text, n, &digest);
        if (r < 0)
                return why(w, r, "no SHA-256: %s", strerror(-r));
        sha256_to_hex(&digest, hex);
        p->promised[role] = json_pack("{s:I, s:I, s:{s:s}}", "version",
                        (json_int_t)next_version(p, role), "length", (json_int_t)n, "hashes",
                        "sha256", hex);
        return p->promised[role] ? 0 : why_oom(w);
}

static int write_document(Publish *p, TufRole role, const json_t *document, Why *w) {
        _cleanup_free_ char *text = json_print(document);
        char path[128];
        int r;

        if (!text)
                return why_oom(w);
        if (role == TUF_TIMESTAMP)
                (void)snprintf(path, sizeof(path), REPO_METADATA "/timestamp.json");
        else
                (void)snprintf(path, sizeof(path), REPO_METADATA "/%llu.%s.json",
                                (unsigned long long)next_version(p, role),
                                tuf_role_to_string(role));
        r = file_replace(p->repo->fd, path, text, strlen(text), 0644);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        return promise(p, role, text, w);
}

static int make_content(const Publish *p, TufRole role, json_t **ret, Why *w) {
        json_t *content = new_content(
                        role, next_version(p, role), p->now + (int64_t)p->expires_in[role]);
        const json_t *listed;
        int r = 0;

        switch (role) {
        case TUF_ROOT:
                listed = p->repo->current[TUF_ROOT]->content;
                r = json_object_update_missing(content, (json_t *)listed);
                break;
        case TUF_TARGETS:
                r = json_object_set(content, "targets", p->targets);
                break;
        case TUF_SNAPSHOT:
                r = json_object_set_new(content, "meta",
                                json_pack("{s:O}", "targets.json", p->promised[TUF_TARGETS]));
                break;
        default:
                r = json_object_set_new(content, "meta",
                                json_pack("{s:O}", "snapshot.json", p->promised[TUF_SNAPSHOT]));
        }
        if (r < 0) {
                json_decref(content);
                return why_oom(w);
        }
        *ret = content;
        return 0;
}

static int publish_role(Publish *p, TufRole role, Why *w) {
        _cleanup_json_ json_t *content = NULL, *document = NULL;
        const Signer signer = {
                .repo = p->repo,
                .keys = p->keys,
                .root = p->repo->current[TUF_ROOT]->content,
        };
        int r;

        r = make_content(p, role, &content, w);
        if (r < 0)
                return r;
        r = sign_metadata(&signer, role, content, &document, w);
        if (r < 0)
                return r;
        r = write_document(p, role, document, w);
        if (r < 0)
                return r;
        if (role == TUF_ROOT) /* for new gateways; the old root leads there too */
                return repo_write_json(p->repo->fd, REPO_ROOT, document, w);
        return 0;
}

/* The promise about a role that stays as it is comes from the metadata that lists it. */
static int keep_role(Publish *p, TufRole role, Why *w) {
        const TufMetadata *from =
                        p->repo->current[role == TUF_TARGETS ? TUF_SNAPSHOT : TUF_TIMESTAMP];
        char name[32];

        (void)snprintf(name, sizeof(name), "%s.json", tuf_role_to_string(role));
        p->promised[role] =
                        json_incref(json_object_get(json_object_get(from->content, "meta"), name));
        return p->promised[role] ? 0 : why(w, -EBADMSG, "%s is listed nowhere", name);
}

static int publish_metadata(Publish *p, Why *w) {
        static const TufRole order[] = { TUF_ROOT, TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(order); i++) {
                TufRole role = order[i];

                if (p->is_new[role])
                        r = publish_role(p, role, w);
                else if (role == TUF_TARGETS || role == TUF_SNAPSHOT)
                        r = keep_role(p, role, w);
        }
        return r;
}

/* The published state rules from now on; what is left behind by a cut here is staged again and
 * equal. */
static int clear_stage(const Publish *p, Why *w) {
        const char *target;
        json_t *entry;
        int r;

        if (json_object_size(p->repo->staged) == 0)
                return 0;
        if (unlinkat(p->repo->fd, REPO_INDEX, 0) < 0 && errno != ENOENT)
                return why(w, -errno, REPO_INDEX ": %s", strerror(errno));
        json_object_foreach(p->repo->staged, target, entry) {
                _cleanup_free_ char *path = NULL;

                r = repo_stage_path(target, entry, &path, w);
                if (r < 0)
                        return r;
                if (unlinkat(p->repo->fd, path, 0) < 0 && errno != ENOENT)
                        return why(w, -errno, "%s: %s", path, strerror(errno));
        }
        return 0;
}

static void warn_about_root(const Publish *p) {
        char text[RFC3339_MAX];

        rfc3339_format(p->repo->current[TUF_ROOT]->expires, text);
        (void)fprintf(stderr,
                        "rekindle-repo: warning: the root expires at %s, and its key is not here to "
                        "renew it; name the folder of root.pem with --keys\n",
                        text);
}

/* An absent root key is the rule, not a failure, as long as the root lasts. */
static void consider_root(Publish *p) {
        _cleanup_free_ char *path = NULL;

        if (!p->is_new[TUF_ROOT] || faccessat(p->repo->fd, REPO_KEYS "/root.pem", F_OK, 0) == 0)
                return;
        if (p->keys && asprintf(&path, "%s/root.pem", p->keys) >= 0 && access(path, F_OK) == 0)
                return;
        warn_about_root(p);
        p->is_new[TUF_ROOT] = false;
}

static int run(Publish *p, const char *path, Why *w) {
        int r;

        r = repo_open(path, &p->repo, w);
        if (r < 0)
                return r;
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (p->expires_in[i] == 0)
                        p->expires_in[i] = p->repo->expires_in[i];
        r = merge_targets(p, w);
        if (r < 0)
                return r;
        decide(p);
        consider_root(p);
        sweep(p, ".");
        sweep(p, REPO_STAGE);
        sweep(p, REPO_METADATA);
        r = publish_files(p, w);
        if (r >= 0)
                r = publish_metadata(p, w);
        if (r >= 0)
                r = clear_stage(p, w);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static int parse(Publish *p, int argc, char *argv[]) {
        int c, r = 0;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                switch (c) {
                case 'k':
                        p->keys = optarg;
                        break;
                case 'e':
                        r = option_expires_in(optarg, p->expires_in);
                        break;
                case 'n':
                        r = option_now(optarg, &p->now);
                        break;
                case 'h':
                        exit(print_help(help));
                default:
                        return wrong_option(c, argv);
                }
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, 1, "DIR");
}

static void report(const Publish *p) {
        static const TufRole order[] = { TUF_ROOT, TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP };
        bool any = false;

        for (size_t i = 0; i < ELEMENTSOF(order); i++) {
                if (!p->is_new[order[i]])
                        continue;
                printf("%s %llu\n", tuf_role_to_string(order[i]),
                                (unsigned long long)next_version(p, order[i]));
                any = true;
        }
        if (!any)
                printf("nothing to do\n");
}

int verb_publish(int argc, char *argv[]) {
        Publish p = { .now = clock_now(&clock_system) };
        Why w;
        int r;

        r = parse(&p, argc, argv);
        if (r != 0)
                return r;
        r = run(&p, argv[optind], &w);
        if (r >= 0)
                report(&p);
        json_decref(p.targets);
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                json_decref(p.promised[i]);
        (void)repo_free(p.repo);
        return r < 0 ? failed(&w) : EXIT_DONE;
}

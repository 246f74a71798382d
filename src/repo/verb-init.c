/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* init: folders, one Ed25519 key for each role, the first root. root.json comes last: with it,
 * the folder is a repository. */
#include <fcntl.h>
#include <getopt.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "repo/key-file.h"
#include "repo/verbs.h"
#include "tuf/key.h"

static const char help[] =
                "rekindle-repo init DIR [OPTIONS]\n"
                "\n"
                "Makes a repository: its keys in DIR/keys, the trusted root for gateways in\n"
                "DIR/root.json.\n"
                "\n"
                "  --expires-in ROLE=TIME  how long signatures of root, targets, snapshot or\n"
                "                          timestamp last (730d, 365d, 30d, 30d)\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct Init {
        Repo repo; /* as far as it exists */
        int64_t now;
        json_t *keys, *roles; /* of the root */
} Init;

static const struct option options[] = {
        { "expires-in", required_argument, NULL, 'e' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int make_key(Init *init, TufRole role, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_json_ json_t *object = NULL;
        char id[TUF_KEYID_HEX], path[64];
        int r;

        r = private_key_generate(&key, w);
        if (r < 0)
                return r;
        (void)snprintf(path, sizeof(path), REPO_KEYS "/%s.pem", tuf_role_to_string(role));
        r = private_key_save(key, init->repo.fd, path, w);
        if (r < 0)
                return r;
        r = private_key_to_json(key, &object, w);
        if (r < 0)
                return r;
        r = tuf_key_id(object, id, w);
        if (r < 0)
                return r;
        if (json_object_set(init->keys, id, object) < 0 ||
                        json_object_set_new(init->roles, tuf_role_to_string(role),
                                        json_pack("{s:[s], s:i}", "keyids", id, "threshold", 1)) <
                                        0)
                return why_oom(w);
        return 0;
}

static int make_keys(Init *init, Why *w) {
        int r = 0;

        init->keys = json_object();
        init->roles = json_object();
        if (!init->keys || !init->roles)
                return why_oom(w);
        for (TufRole i = 0; r >= 0 && i < _TUF_ROLE_MAX; i++)
                r = make_key(init, i, w);
        return r;
}

static int make_root(Init *init, Why *w) {
        _cleanup_json_ json_t *content = NULL, *document = NULL;
        Signer signer = { .repo = &init->repo };
        int r;

        content = new_content(TUF_ROOT, 1, init->now + (int64_t)init->repo.expires_in[TUF_ROOT]);
        if (json_object_set_new(content, "consistent_snapshot", json_true()) < 0 ||
                        json_object_set(content, "keys", init->keys) < 0 ||
                        json_object_set(content, "roles", init->roles) < 0)
                return why_oom(w);
        signer.root = content;
        r = sign_metadata(&signer, TUF_ROOT, content, &document, w);
        if (r < 0)
                return r;
        r = repo_write_json(init->repo.fd, REPO_METADATA "/1.root.json", document, w);
        if (r < 0)
                return r;
        return repo_write_json(init->repo.fd, REPO_ROOT, document, w);
}

static int make_folders(Init *init, const char *path, Why *w) {
        static const struct {
                const char *path;
                unsigned mode;
        } folders[] = {
                { REPO_KEYS, 0700 },
                { REPO_STAGE, 0755 },
                { "public", 0755 },
                { REPO_METADATA, 0755 },
                { REPO_TARGETS, 0755 },
        };
        int r;

        if (*path == '\0')
                return why(w, -EINVAL, "the folder's name is empty");
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return why(w, -errno, "%s: %s", path, strerror(errno));
        init->repo.fd = folder_open(AT_FDCWD, path);
        if (init->repo.fd < 0)
                return why(w, init->repo.fd, "%s: %s", path, strerror(-init->repo.fd));
        if (flock(init->repo.fd, LOCK_EX) < 0)
                return why(w, -errno, "%s: cannot be locked: %s", path, strerror(errno));
        if (faccessat(init->repo.fd, REPO_ROOT, F_OK, 0) == 0 ||
                        faccessat(init->repo.fd, REPO_KEYS, F_OK, 0) == 0)
                return why(w, -EEXIST,
                                "%s: has a root or keys already; they are not replaced, choose "
                                "another folder",
                                path);
        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                r = folder_make(init->repo.fd, folders[i].path, folders[i].mode);
                if (r < 0)
                        return why(w, r, "%s/%s: %s", path, folders[i].path, strerror(-r));
        }
        return 0;
}

static int make_config(Init *init, Why *w) {
        _cleanup_json_ json_t *config = repo_config_to_json(init->repo.expires_in);

        return config ? repo_write_json(init->repo.fd, REPO_CONFIG, config, w) : why_oom(w);
}

static int run(Init *init, const char *path, Why *w) {
        int r;

        r = make_folders(init, path, w);
        if (r < 0)
                return r;
        r = make_keys(init, w);
        if (r >= 0)
                r = make_config(init, w);
        if (r >= 0)
                r = make_root(init, w);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static int parse(Init *init, int argc, char *argv[]) {
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                switch (c) {
                case 'e':
                        r = option_expires_in(optarg, init->repo.expires_in);
                        break;
                case 'n':
                        r = option_now(optarg, &init->now);
                        break;
                case 'h':
                        r = print_help(help);
                        exit(r);
                default:
                        return wrong_option(c, argv);
                }
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, 1, "DIR");
}

int verb_init(int argc, char *argv[]) {
        Init init = { .repo.fd = -1, .now = clock_now(&clock_system) };
        Why w;
        int r;

        repo_default_expires_in(init.repo.expires_in);
        r = parse(&init, argc, argv);
        if (r != 0)
                return r;
        r = run(&init, argv[optind], &w);
        json_decref(init.keys);
        json_decref(init.roles);
        (void)close_fd(init.repo.fd);
        if (r < 0)
                return failed(&w);
        printf("%s is a repository now.\n"
               "Put %s/root.json on the gateways. Let a web server serve %s/public.\n"
               "Whoever has the keys in %s/keys can sign for you: move root.pem and\n"
               "targets.pem to a place of their own, apart from the server, and name that place\n"
               "with publish --keys.\n",
                        argv[optind], argv[optind], argv[optind], argv[optind]);
        return EXIT_DONE;
}

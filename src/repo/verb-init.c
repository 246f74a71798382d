/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* init: folders, one key for each role, the first root. root.json comes last: with it, the folder
 * is a repository. */
#include <fcntl.h>
#include <getopt.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "repo/new-key.h"
#include "repo/sign.h"
#include "repo/verbs.h"

static const char help[] =
                "rekindle-repo init DIR [OPTIONS]\n"
                "\n"
                "Makes a repository: its keys in DIR/keys, the trusted root for gateways in\n"
                "DIR/root.json.\n"
                "\n"
                "  --offline FOLDER        put root.pem and targets.pem there\n"
                "  --type TYPE             make keys of this type: ed25519 (the default) or p256\n"
                "  --encrypt               encrypt them with a passphrase; with --offline, only\n"
                "                          those that lie apart\n"
                "  --passphrase-file FILE  this one; else REKINDLE_PASSPHRASE, else the terminal\n"
                "  --keep-for DAYS         no release is removed sooner (180)\n"
                "  --expires-in ROLE=TIME  how long signatures of root, targets, snapshot or\n"
                "                          timestamp last (730d, 365d, 30d, 30d)\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct Init {
        Repo repo; /* as far as it exists */
        Keyring ring;
        NewKey new_key;
        const char *offline; /* NULL: no folder apart */
        int offline_fd;
        int64_t now;
        json_t *keys, *roles;          /* of the root */
        bool is_made, is_offline_made; /* folders that were not there */
} Init;

static const struct option options[] = {
        { "passphrase-file", required_argument, NULL, 1003 },
        NEW_KEY_OPTIONS,
        { "offline", required_argument, NULL, 'o' },
        { "keep-for", required_argument, NULL, 'd' },
        { "expires-in", required_argument, NULL, 'e' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static bool is_offline(const Init *init, TufRole role) {
        return init->offline && (role == TUF_ROOT || role == TUF_TARGETS);
}

/* A run that was cut has made some keys already: they are taken. */
static int get_key(Init *init, TufRole role, PrivateKey **ret, Why *w) {
        int dirfd = is_offline(init, role) ? init->offline_fd : init->repo.fd;
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        NewKey new_key = init->new_key;
        char path[64];
        int r;

        /* With a folder apart, the others are for a timer. */
        new_key.encrypt = new_key.encrypt && (!init->offline || is_offline(init, role));
        (void)snprintf(path, sizeof(path), "%s%s.pem", is_offline(init, role) ? "" : REPO_KEYS "/",
                        tuf_role_to_string(role));
        if (faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return private_key_load(dirfd, path, &init->ring.secrets, ret, w);
        r = new_key_get(&new_key, &key, w);
        if (r >= 0)
                r = new_key_save(&new_key, key, dirfd, path, w);
        if (r >= 0)
                *ret = TAKE_PTR(key);
        return r;
}

static int make_key(Init *init, TufRole role, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_json_ json_t *object = NULL;
        char id[TUF_KEYID_HEX];
        int r;

        r = get_key(init, role, &key, w);
        if (r < 0 && is_offline(init, role))
                return why_prefix(w, r, "%s", init->offline);
        if (r >= 0)
                r = private_key_to_json(key, &object, w);
        if (r >= 0)
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

static int sign_root(Init *init, json_t *content, json_t **ret, Why *w) {
        const TufSigners signers = root_signers(content, TUF_ROOT);
        Signing s = {};
        int r;

        r = signing_init(&s, &signers, 1, content, w);
        if (r >= 0)
                r = signing_sign(&s, &init->ring, w);
        if (r >= 0)
                r = signing_check(&s, &init->ring, w);
        if (r >= 0) {
                *ret = signing_document(&s);
                r = *ret ? 0 : why_oom(w);
        }
        signing_done(&s);
        return r;
}

static int make_root(Init *init, Why *w) {
        _cleanup_json_ json_t *content = NULL, *document = NULL;
        int r;

        content = new_content(TUF_ROOT, 1, init->now + (int64_t)init->repo.expires_in[TUF_ROOT]);
        if (json_object_set_new(content, "consistent_snapshot", json_true()) < 0 ||
                        json_object_set(content, "keys", init->keys) < 0 ||
                        json_object_set(content, "roles", init->roles) < 0)
                return why_oom(w);
        r = sign_root(init, content, &document, w);
        if (r < 0)
                return r;
        r = repo_write_json(
                        init->repo.fd, REPO_METADATA "/1.root.json", document, REPO_ROOT_MAX, w);
        if (r < 0)
                return r;
        return repo_write_json(init->repo.fd, REPO_ROOT, document, REPO_ROOT_MAX, w);
}

static int open_offline(Init *init, Why *w) {
        if (!init->offline)
                return 0;
        init->is_offline_made = mkdir(init->offline, 0700) == 0;
        if (!init->is_offline_made && errno != EEXIST)
                return why(w, -errno, "%s: %s", init->offline, strerror(errno));
        init->offline_fd = folder_open(AT_FDCWD, init->offline);
        if (init->offline_fd < 0)
                return why(w, init->offline_fd, "%s: %s", init->offline,
                                strerror(-init->offline_fd));
        init->ring.folders[init->ring.n_folders++] = init->offline;
        return 0;
}

static const struct {
        const char *path;
        unsigned mode;
} folders[] = {
        { REPO_KEYS, 0700 },
        { REPO_STAGE, 0755 },
        { REPO_PUBLIC, 0755 },
        { REPO_METADATA, 0755 },
        { REPO_TARGETS, 0755 },
};

static int open_folder(Init *init, const char *path, Why *w) {
        init->is_made = mkdir(path, 0755) == 0;
        if (!init->is_made && errno != EEXIST)
                return why(w, -errno, "%s: %s", path, strerror(errno));
        init->repo.fd = folder_open(AT_FDCWD, path);
        if (init->repo.fd < 0)
                return why(w, init->repo.fd, "%s: %s", path, strerror(-init->repo.fd));
        if (flock(init->repo.fd, LOCK_EX) < 0)
                return why(w, -errno, "%s: cannot be locked: %s", path, strerror(errno));
        if (faccessat(init->repo.fd, REPO_ROOT, F_OK, 0) == 0 ||
                        faccessat(init->repo.fd, REPO_METADATA "/timestamp.json", F_OK, 0) == 0)
                return why(w, -EEXIST,
                                "%s: is a repository already, and its keys are not replaced; choose "
                                "another folder",
                                path);
        if (repo_has_inside(init->repo.fd))
                return why(w, -EEXIST, "%s: lies in another repository; choose another folder",
                                path);
        return 0;
}

static int make_folders(Init *init, const char *path, Why *w) {
        int r;

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                r = folder_make(init->repo.fd, folders[i].path, folders[i].mode);
                if (r < 0)
                        return why(w, r, "%s/%s: %s", path, folders[i].path, strerror(-r));
        }
        return 0;
}

/* Nothing is left of a run that made no key. Keys stay, for the next run. */
static void remove_empty(const Init *init, const char *path) {
        if (init->is_made && init->repo.fd >= 0) {
                for (size_t i = ELEMENTSOF(folders); i-- > 0;)
                        (void)unlinkat(init->repo.fd, folders[i].path, AT_REMOVEDIR);
                (void)rmdir(path);
        }
        if (init->is_offline_made)
                (void)rmdir(init->offline);
}

static int make_config(Init *init, Why *w) {
        _cleanup_json_ json_t *config = repo_config_to_json(&init->repo);

        return config ? repo_write_json(init->repo.fd, REPO_CONFIG, config, REPO_CONFIG_MAX, w)
                      : why_oom(w);
}

static int make_all(Init *init, const char *path, Why *w) {
        int r;

        r = make_folders(init, path, w);
        if (r < 0)
                return r;
        init->ring.repo_fd = init->repo.fd;
        r = open_offline(init, w);
        if (r >= 0)
                r = make_keys(init, w);
        if (r >= 0)
                r = make_config(init, w);
        if (r >= 0)
                r = make_root(init, w);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static int run(Init *init, const char *path, Why *w) {
        int r = open_folder(init, path, w);

        if (r >= 0)
                r = make_all(init, path, w);
        if (r < 0)
                remove_empty(init, path);
        return r;
}

static int parse_option(Init *init, int c, char *argv[]) {
        int r = option_new_key(&init->new_key, c, optarg);

        if (r < 0 && c == 1003) /* of the keyring's options, the passphrase */
                r = option_keyring(&init->ring, c, optarg);
        if (r >= 0)
                return r;
        switch (c) {
        case 'o':
                init->offline = optarg;
                return 0;
        case 'd':
                return option_number("--keep-for", optarg, 0, 36500, &init->repo.keep_days);
        case 'e':
                return option_expires_in(optarg, init->repo.expires_in);
        default:
                return option_common(c, help, &init->now, argv);
        }
}

static int parse(Init *init, int argc, char *argv[]) {
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = parse_option(init, c, argv);
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, 1, 1, "DIR");
}

static void say(const Init *init, const char *path) {
        printf("%s is a repository now.\n"
               "Put %s/root.json on the gateways. Let a web server serve %s/public.\n",
                        path, path, path);
        if (init->offline)
                printf("root.pem and targets.pem are in %s: keep that apart from the server, and name\n"
                       "it with --keys when you publish.\n",
                                init->offline);
        else
                printf("Whoever has the keys in %s/keys can sign for you: move root.pem and\n"
                       "targets.pem to a place of their own, apart from the server, and name that place\n"
                       "with publish --keys.\n",
                                path);
}

int verb_init(int argc, char *argv[]) {
        Init init = {
                .repo.fd = -1,
                .offline_fd = -1,
                .ring.repo_fd = -1,
                .now = clock_now(&clock_system),
        };
        Why w = {};
        int r;

        init.new_key.secrets = &init.ring.secrets;
        repo_default_config(&init.repo);
        r = parse(&init, argc, argv);
        if (r != 0)
                return r;
        r = run(&init, argv[optind], &w);
        json_decref(init.keys);
        json_decref(init.roles);
        keyring_done(&init.ring);
        (void)close_fd(init.offline_fd);
        (void)close_fd(init.repo.fd);
        if (r < 0)
                return failed(&w);
        say(&init, argv[optind]);
        return EXIT_DONE;
}

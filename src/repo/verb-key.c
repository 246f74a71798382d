/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* key: who signs for a role. Private keys are written before anything names them; an edit of the
 * root or of a team is staged, and publish puts it in force. */
#include <fcntl.h>
#include <getopt.h>

#include "basic/clock.h"
#include "repo/device-key.h"
#include "repo/key-list.h"
#include "repo/new-key.h"
#include "repo/root-edit.h"
#include "repo/verbs.h"

#define KEYS_PER_ROLE_MAX 64

static const char group_help[] =
                "rekindle-repo key VERB ...\n"
                "\n"
                "  add DIR ROLE [KEY]          let another key sign for a role\n"
                "  remove DIR ROLE KEYID       let a key sign no more\n"
                "  rotate DIR ROLE [KEY]       put a new key in the place of one\n"
                "  threshold DIR ROLE NUMBER   how many keys have to sign\n"
                "  list DIR                    all keys\n"
                "  new FILE                    make a key that is nobody's yet\n"
                "\n"
                "ROLE: root, targets, snapshot, timestamp, a team, or device-NAME. What changes is\n"
                "staged; \"publish\" puts it in force. --help after a verb: its options.\n";

static const char add_help[] =
                "rekindle-repo key add DIR ROLE [KEY] [OPTIONS]\n"
                "\n"
                "Lets another key sign for ROLE: KEY, or a new one that is put into DIR/keys. KEY is\n"
                "a file with a public key (of another person), or with a private one, which stays\n"
                "where it is, or the pkcs11: URI of a key in a token, which DIR/keys remembers.\n"
                "\n"
                "  --threshold NUMBER      how many keys of the role have to sign from then on\n" NEW_KEY_HELP
                "  --passphrase-file FILE  passphrase or PIN; else REKINDLE_PASSPHRASE, else the\n"
                "                          terminal is asked\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

static const char rotate_help[] =
                "rekindle-repo key rotate DIR ROLE [KEY] [OPTIONS]\n"
                "\n"
                "Puts a new key, or KEY as in \"key add\", in the place of one of ROLE. The file of the\n"
                "old one stays where it is. For device-NAME the new key takes over the name, and the\n"
                "old one is kept beside it for devices that know no other.\n"
                "\n"
                "  --old KEYID             which one, if ROLE has several\n" NEW_KEY_HELP
                "  --passphrase-file FILE  passphrase or PIN; else REKINDLE_PASSPHRASE, else the\n"
                "                          terminal is asked\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

static const char remove_help[] =
                "rekindle-repo key remove DIR ROLE KEYID [--now TIME]\n"
                "\n"
                "Lets the key sign for ROLE no more. KEYID: its first digits, as \"key list\" shows\n"
                "them. Its file, if it is here, stays.\n";

static const char threshold_help[] = "rekindle-repo key threshold DIR ROLE NUMBER [--now TIME]\n"
                                     "\n"
                                     "How many keys of ROLE have to sign.\n";

static const char list_help[] =
                "rekindle-repo key list DIR [--json]\n"
                "\n"
                "All keys: who they sign for, where their private half is, and what is staged.\n";

static const char new_help[] =
                "rekindle-repo key new FILE [OPTIONS]\n"
                "\n"
                "Makes a key that is nobody's yet: FILE, and FILE with .pub.pem at its end for those\n"
                "who are to trust it. For people who sign on a machine of their own.\n"
                "\n" NEW_KEY_HELP
                "  --passphrase-file FILE  passphrase; else REKINDLE_PASSPHRASE, else the terminal is\n"
                "                          asked\n"
                "  --help                  this text\n";

typedef struct KeyVerb {
        Secrets secrets;
        NewKey new_key;
        int64_t now;
        const char *old;    /* NULL: not named */
        uint64_t threshold; /* 0: stays */
        bool as_json;
        Repo *repo;
        RootEdit edit;
} KeyVerb;

static const struct option options[] = {
        NEW_KEY_OPTIONS,
        { "passphrase-file", required_argument, NULL, 'P' },
        { "threshold", required_argument, NULL, 't' },
        { "old", required_argument, NULL, 'o' },
        { "json", no_argument, NULL, 'j' },
        { "now", required_argument, NULL, 'n' },
        {},
};

/* Each verb takes some of the options; allowed has their letters, 'K' those of a new key. */
static int parse_option(KeyVerb *k, int c, const char *allowed, char *argv[]) {
        int r = strchr(allowed, 'K') ? option_new_key(&k->new_key, c, optarg) : -1;

        if (r >= 0)
                return r;
        if (c == ':' || c == '?' || c > 127 || !strchr(allowed, c))
                return wrong_option(c == ':' ? c : '?', argv);
        switch (c) {
        case 'P':
                k->secrets.files[0] = optarg;
                k->secrets.n_files = 1;
                return 0;
        case 't':
                return option_number("--threshold", optarg, 1, KEYS_PER_ROLE_MAX, &k->threshold);
        case 'o':
                k->old = optarg;
                return 0;
        case 'j':
                k->as_json = true;
                return 0;
        default:
                return option_now(optarg, &k->now);
        }
}

static int parse(KeyVerb *k, const char *allowed, int argc, char *argv[]) {
        int c, r;

        k->now = clock_now(&clock_system);
        k->new_key.secrets = &k->secrets;
        while ((c = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
                r = parse_option(k, c, allowed, argv);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int finish(KeyVerb *k, int r, const Why *w) {
        root_edit_done(&k->edit);
        (void)repo_free(k->repo);
        secrets_done(&k->secrets);
        return r < 0 ? failed(w) : EXIT_DONE;
}

static int begin(KeyVerb *k, const char *path, const char *role, Why *w) {
        int r;

        r = repo_open(path, &k->repo, w);
        if (r >= 0)
                r = root_edit_begin(&k->edit, k->repo, role, k->now, w);
        return r;
}

static int add_key(KeyVerb *k, const char *name, char ret_id[static TUF_KEYID_HEX], Why *w) {
        _cleanup_json_ json_t *key = NULL;
        int r;

        r = new_key_for_role(&k->new_key, k->repo->fd, k->edit.role, name, &key, w);
        if (r >= 0)
                r = tuf_key_id(key, ret_id, w);
        return r < 0 ? r : root_edit_add(&k->edit, key, ret_id, w);
}

static void say_staged(const KeyVerb *k, const char *what, const char *id) {
        printf("%s%s%.16s for %s is staged\n", what, *what ? " " : "", id, k->edit.role);
        if (k->edit.n_signatures > 0)
                printf("the staged root changed: its %zu signature%s of before no longer count%s\n",
                                k->edit.n_signatures, k->edit.n_signatures == 1 ? "" : "s",
                                k->edit.n_signatures == 1 ? "s" : "");
}

static int key_add(int argc, char *argv[]) {
        char id[TUF_KEYID_HEX];
        const char *role, *name;
        KeyVerb k = {};
        Why w = {};
        int r;

        r = parse(&k, "KPtn", argc, argv);
        if (r == 0)
                r = option_arguments(argc - optind, argv, 2, 3, "DIR ROLE [KEY]");
        if (r != 0)
                return r;
        role = argv[optind + 1];
        name = argc - optind == 3 ? argv[optind + 2] : NULL;
        if (startswith(role, DEVICE_PREFIX))
                return device_key_make(
                                argv[optind], role + strlen(DEVICE_PREFIX), name, &k.new_key);
        r = begin(&k, argv[optind], role, &w);
        if (r >= 0)
                r = add_key(&k, name, id, &w);
        if (r >= 0 && k.threshold > 0)
                r = root_edit_threshold(&k.edit, k.threshold, &w);
        if (r >= 0)
                r = root_edit_save(&k.edit, &w);
        if (r >= 0)
                say_staged(&k, "key", id);
        return finish(&k, r, &w);
}

/* Which one a rotation takes away. */
static int find_old(const KeyVerb *k, char ret[static TUF_KEYID_HEX], Why *w) {
        const json_t *ids = json_object_get(k->edit.signers, "keyids");

        if (k->old)
                return root_edit_resolve(&k->edit, k->old, ret, w);
        if (json_array_size(ids) != 1)
                return why(w, -EINVAL, "%s has %zu keys; say which one with --old KEYID",
                                k->edit.role, json_array_size(ids));
        (void)snprintf(ret, TUF_KEYID_HEX, "%s", json_string_value(json_array_get(ids, 0)));
        return 0;
}

static int key_rotate(int argc, char *argv[]) {
        char id[TUF_KEYID_HEX], old[TUF_KEYID_HEX];
        const char *role, *name;
        KeyVerb k = {};
        Why w = {};
        int r;

        r = parse(&k, "KPon", argc, argv);
        if (r == 0)
                r = option_arguments(argc - optind, argv, 2, 3, "DIR ROLE [KEY]");
        if (r != 0)
                return r;
        role = argv[optind + 1];
        name = argc - optind == 3 ? argv[optind + 2] : NULL;
        if (startswith(role, DEVICE_PREFIX))
                return device_key_rotate(
                                argv[optind], role + strlen(DEVICE_PREFIX), name, &k.new_key);
        r = begin(&k, argv[optind], role, &w);
        if (r >= 0)
                r = find_old(&k, old, &w);
        if (r >= 0)
                r = add_key(&k, name, id, &w);
        if (r >= 0)
                r = root_edit_remove(&k.edit, old, &w);
        if (r >= 0)
                r = root_edit_save(&k.edit, &w);
        if (r >= 0) {
                char what[64];

                (void)snprintf(what, sizeof(what), "key %.16s in the place of", id);
                say_staged(&k, what, old);
        }
        return finish(&k, r, &w);
}

static int key_remove(int argc, char *argv[]) {
        char id[TUF_KEYID_HEX];
        KeyVerb k = {};
        Why w = {};
        int r;

        r = parse(&k, "n", argc, argv);
        if (r == 0)
                r = option_arguments(argc - optind, argv, 3, 3, "DIR ROLE KEYID");
        if (r != 0)
                return r;
        if (startswith(argv[optind + 1], DEVICE_PREFIX))
                return wrong_usage(
                                "no list names device keys; a device trusts what is built into it. "
                                "Delete the key's files if nobody needs them");
        r = begin(&k, argv[optind], argv[optind + 1], &w);
        if (r >= 0)
                r = root_edit_resolve(&k.edit, argv[optind + 2], id, &w);
        if (r >= 0)
                r = root_edit_remove(&k.edit, id, &w);
        if (r >= 0)
                r = root_edit_save(&k.edit, &w);
        if (r >= 0)
                say_staged(&k, "the end of key", id);
        return finish(&k, r, &w);
}

static int key_threshold(int argc, char *argv[]) {
        KeyVerb k = {};
        Why w = {};
        int r;

        r = parse(&k, "n", argc, argv);
        if (r == 0)
                r = option_arguments(argc - optind, argv, 3, 3, "DIR ROLE NUMBER");
        if (r == 0)
                r = option_number("NUMBER", argv[optind + 2], 1, KEYS_PER_ROLE_MAX, &k.threshold);
        if (r != 0)
                return r;
        r = begin(&k, argv[optind], argv[optind + 1], &w);
        if (r >= 0)
                r = root_edit_threshold(&k.edit, k.threshold, &w);
        if (r >= 0)
                r = root_edit_save(&k.edit, &w);
        if (r >= 0)
                say_staged(&k, "threshold", argv[optind + 2]);
        return finish(&k, r, &w);
}

static int key_list(int argc, char *argv[]) {
        _cleanup_json_ json_t *list = NULL;
        KeyVerb k = {};
        Why w = {};
        int r;

        r = parse(&k, "j", argc, argv);
        if (r == 0)
                r = option_arguments(argc - optind, argv, 1, 1, "DIR");
        if (r != 0)
                return r;
        r = repo_open(argv[optind], &k.repo, &w);
        if (r >= 0)
                r = key_list_get(k.repo, &list, &w);
        if (r >= 0)
                r = k.as_json ? print_json(list, &w) : key_list_print(list, &w);
        return finish(&k, r, &w);
}

/* "bob.pem" → "bob.pub.pem". */
static char *public_name(const char *path) {
        size_t n = strlen(path);
        bool is_pem = n > 4 && streq(path + n - 4, ".pem");
        char *name;

        if (asprintf(&name, "%.*s.pub.pem", (int)(is_pem ? n - 4 : n), path) < 0)
                return NULL;
        return name;
}

static int make_new(KeyVerb *k, const char *path, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_free_ char *public = public_name(path);
        char id[TUF_KEYID_HEX];
        int r;

        if (!public)
                return why_oom(w);
        r = new_key_pair(&k->new_key, AT_FDCWD, path, public, &key, w);
        if (r >= 0)
                r = private_key_id(key, id, w);
        if (r >= 0)
                printf("%s\n%s\nkey %.16s\n", path, public, id);
        return r;
}

static int key_new(int argc, char *argv[]) {
        KeyVerb k = {};
        Why w = {};
        int r;

        r = parse(&k, "KP", argc, argv);
        if (r == 0)
                r = option_arguments(argc - optind, argv, 1, 1, "FILE");
        if (r != 0)
                return r;
        r = make_new(&k, argv[optind], &w);
        return finish(&k, r, &w);
}

int verb_key(int argc, char *argv[]) {
        static const SubVerb verbs[] = {
                { "key add", key_add, add_help },
                { "key list", key_list, list_help },
                { "key new", key_new, new_help },
                { "key remove", key_remove, remove_help },
                { "key rotate", key_rotate, rotate_help },
                { "key threshold", key_threshold, threshold_help },
        };

        return run_sub_verb(verbs, ELEMENTSOF(verbs), group_help, argc, argv);
}

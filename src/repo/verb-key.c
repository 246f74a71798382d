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
                "ROLE: root, targets, snapshot, timestamp, a team, or device-NAME. What changes\n"
                "is staged; \"publish\" puts it in force. --help after a verb: its options.\n";

static const char add_help[] =
                "rekindle-repo key add DIR ROLE [KEY] [OPTIONS]\n"
                "\n"
                "Lets another key sign for ROLE: KEY, or a new one that is put into DIR/keys. KEY\n"
                "is a file with a public key (of another person), or with a private one, which\n"
                "stays where it is, or the pkcs11: URI of a key in a token, which DIR/keys\n"
                "remembers.\n"
                "\n"
                "  --threshold NUMBER      how many keys of the role have to sign from then on\n" NEW_KEY_HELP
                "  --passphrase-file FILE  passphrase or PIN; else REKINDLE_PASSPHRASE, else the\n"
                "                          terminal is asked\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

static const char rotate_help[] =
                "rekindle-repo key rotate DIR ROLE [KEY] [OPTIONS]\n"
                "\n"
                "Puts a new key, or KEY as in \"key add\", in the place of one of ROLE. The file of\n"
                "the old one stays where it is. For device-NAME the new key takes over the name,\n"
                "and the old one is kept beside it for devices that know no other.\n"
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
                "Makes a key that is nobody's yet: FILE, and FILE with .pub.pem at its end for\n"
                "those who are to trust it. For people who sign on a machine of their own.\n"
                "\n" NEW_KEY_HELP
                "  --passphrase-file FILE  passphrase; else REKINDLE_PASSPHRASE, else the\n"
                "                          terminal is asked\n"
                "  --help                  this text\n";

typedef struct KeyVerb {
        Secrets secrets;
        NewKey new_key;
        int64_t now;
        const char *old;    /* NULL: not named */
        uint64_t threshold; /* 0: stays */
        bool as_json;
        const char *path, *role, *name; /* the arguments; NULL: left out */
        Repo *repo;
        RootEdit edit;
        char what[80]; /* is staged */
} KeyVerb;

/* What one verb takes, and what it does then: an exit code, or < 0 with a text. */
typedef struct Form {
        const char *options; /* the letters of those it knows, 'K' for those of a new key */
        int min, max;
        const char *arguments;
        int (*run)(KeyVerb *k, Why *w);
} Form;

static const struct option options[] = {
        NEW_KEY_OPTIONS,
        { "passphrase-file", required_argument, NULL, 'P' },
        { "threshold", required_argument, NULL, 't' },
        { "old", required_argument, NULL, 'o' },
        { "json", no_argument, NULL, 'j' },
        { "now", required_argument, NULL, 'n' },
        {},
};

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

static int parse(KeyVerb *k, const Form *form, int argc, char *argv[]) {
        int c, r;

        k->now = clock_now(&clock_system);
        k->new_key.secrets = &k->secrets;
        while ((c = getopt_long(argc, argv, ":", options, NULL)) >= 0) {
                r = parse_option(k, c, form->options, argv);
                if (r != 0)
                        return r;
        }
        argc -= optind;
        k->path = argv[optind];
        k->role = argc > 1 ? argv[optind + 1] : NULL;
        k->name = argc > 2 ? argv[optind + 2] : NULL;
        return option_arguments(argc, argv, form->min, form->max, form->arguments);
}

static int run(const Form *form, int argc, char *argv[]) {
        KeyVerb k = {};
        Why w = {};
        int r;

        r = parse(&k, form, argc, argv);
        if (r != 0)
                return r;
        r = form->run(&k, &w);
        root_edit_done(&k.edit);
        (void)repo_free(k.repo);
        secrets_done(&k.secrets);
        return r < 0 ? failed(&w) : r;
}

static int stage_change(KeyVerb *k, int (*change)(KeyVerb *k, Why *w), Why *w) {
        int r;

        r = root_edit_begin(&k->edit, k->repo, k->role, k->now, w);
        if (r >= 0)
                r = change(k, w);
        if (r >= 0)
                r = root_edit_save(&k->edit, w);
        new_key_settle(&k->new_key, k->repo->fd, r);
        return r < 0 ? why_prefix(w, r, "%s", k->path) : 0;
}

/* Stages a change of who signs for a role; it says in k->what what is staged. */
static int edit(KeyVerb *k, int (*change)(KeyVerb *k, Why *w), Why *w) {
        size_t n;
        int r;

        r = repo_open(k->path, &k->repo, w);
        if (r >= 0)
                r = stage_change(k, change, w);
        if (r < 0)
                return r;
        printf("%s for %s is staged\n", k->what, k->role);
        n = k->edit.n_signatures;
        if (n > 0)
                printf("the staged root changed: its %zu signature%s of before no longer count%s\n",
                                n, n == 1 ? "" : "s", n == 1 ? "s" : "");
        return EXIT_DONE;
}

static const char *device_of(const KeyVerb *k) {
        return startswith(k->role, DEVICE_PREFIX) ? k->role + strlen(DEVICE_PREFIX) : NULL;
}

static int no_threshold(void) {
        return wrong_usage("device keys have no threshold: a device asks for one signature, of the "
                           "key that is built into it");
}

static int put_key(KeyVerb *k, char ret_id[static TUF_KEYID_HEX], Why *w) {
        _cleanup_json_ json_t *key = NULL;
        int r;

        r = new_key_for_role(&k->new_key, k->repo->fd, k->edit.role, k->name, &key, w);
        if (r >= 0)
                r = tuf_key_id(key, ret_id, w);
        return r < 0 ? r : root_edit_add(&k->edit, key, ret_id, w);
}

static int add(KeyVerb *k, Why *w) {
        size_t n = json_array_size(json_object_get(k->edit.signers, "keyids"));
        char id[TUF_KEYID_HEX];
        int r;

        r = root_edit_check(&k->edit, n + 1, k->threshold, w);
        if (r >= 0)
                r = put_key(k, id, w);
        if (r < 0)
                return r;
        (void)snprintf(k->what, sizeof(k->what), "key %.16s", id);
        return k->threshold > 0 ? root_edit_threshold(&k->edit, k->threshold, w) : 0;
}

static int run_add(KeyVerb *k, Why *w) {
        const char *device = device_of(k);

        if (device && k->threshold > 0)
                return no_threshold();
        if (check_new_key(&k->new_key, k->name) != 0)
                return EXIT_USAGE;
        return device ? device_key_make(k->path, device, k->name, &k->new_key) : edit(k, add, w);
}

static int key_add(int argc, char *argv[]) {
        return run(&(Form){ "KPtn", 2, 3, "DIR ROLE [KEY]", run_add }, argc, argv);
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

static int rotate(KeyVerb *k, Why *w) {
        char id[TUF_KEYID_HEX], old[TUF_KEYID_HEX];
        int r;

        r = find_old(k, old, w);
        if (r >= 0)
                r = put_key(k, id, w);
        if (r < 0)
                return r;
        (void)snprintf(k->what, sizeof(k->what), "key %.16s in the place of %.16s", id, old);
        return root_edit_remove(&k->edit, old, w);
}

static int run_rotate(KeyVerb *k, Why *w) {
        const char *device = device_of(k);

        if (device && k->old)
                return wrong_usage("--old is not for device keys: a new one takes the place of the "
                                   "one that has the name");
        /* The old key of devices is opened too. */
        if ((!device || k->name) && check_new_key(&k->new_key, k->name) != 0)
                return EXIT_USAGE;
        return device ? device_key_rotate(k->path, device, k->name, &k->new_key)
                      : edit(k, rotate, w);
}

static int key_rotate(int argc, char *argv[]) {
        return run(&(Form){ "KPon", 2, 3, "DIR ROLE [KEY]", run_rotate }, argc, argv);
}

static int drop(KeyVerb *k, Why *w) {
        char id[TUF_KEYID_HEX];
        int r;

        r = root_edit_resolve(&k->edit, k->name, id, w);
        if (r < 0)
                return r;
        (void)snprintf(k->what, sizeof(k->what), "the end of key %.16s", id);
        return root_edit_remove(&k->edit, id, w);
}

static int run_remove(KeyVerb *k, Why *w) {
        if (device_of(k))
                return wrong_usage(
                                "no list names device keys; a device trusts what is built into it. "
                                "Delete the key's files if nobody needs them");
        return edit(k, drop, w);
}

static int key_remove(int argc, char *argv[]) {
        return run(&(Form){ "n", 3, 3, "DIR ROLE KEYID", run_remove }, argc, argv);
}

static int set_threshold(KeyVerb *k, Why *w) {
        (void)snprintf(k->what, sizeof(k->what), "threshold %s", k->name);
        return root_edit_threshold(&k->edit, k->threshold, w);
}

static int run_threshold(KeyVerb *k, Why *w) {
        int r = option_number("NUMBER", k->name, 1, KEYS_PER_ROLE_MAX, &k->threshold);

        if (r == 0 && device_of(k))
                return no_threshold();
        return r != 0 ? r : edit(k, set_threshold, w);
}

static int key_threshold(int argc, char *argv[]) {
        return run(&(Form){ "n", 3, 3, "DIR ROLE NUMBER", run_threshold }, argc, argv);
}

static int run_list(KeyVerb *k, Why *w) {
        _cleanup_json_ json_t *list = NULL;
        int r;

        r = repo_open(k->path, &k->repo, w);
        if (r >= 0)
                r = key_list_get(k->repo, &list, w);
        if (r < 0)
                return r;
        if (k->as_json)
                return print_json(list, w);
        key_list_print(list);
        return 0;
}

static int key_list(int argc, char *argv[]) {
        return run(&(Form){ "j", 1, 1, "DIR", run_list }, argc, argv);
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

static int run_new(KeyVerb *k, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        _cleanup_free_ char *public = public_name(k->path);
        char id[TUF_KEYID_HEX];
        int r;

        if (check_new_key(&k->new_key, NULL) != 0)
                return EXIT_USAGE;
        if (!public)
                return why_oom(w);
        r = new_key_pair(&k->new_key, AT_FDCWD, k->path, public, &key, w);
        if (r >= 0)
                r = private_key_id(key, id, w);
        if (r >= 0)
                printf("%s\n%s\nkey %.16s\n", k->path, public, id);
        return r;
}

static int key_new(int argc, char *argv[]) {
        return run(&(Form){ "KP", 1, 1, "FILE", run_new }, argc, argv);
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

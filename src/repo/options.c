/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs share: sentences about wrong usage, and values of options that several have. */
#include <getopt.h>
#include <stdarg.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "basic/terminal.h"
#include "repo/verbs.h"

int failed(const Why *w) {
        (void)fprintf(stderr, "rekindle-repo: %s\n", w->text);
        return EXIT_FAILED;
}

int wrong_usage(const char *format, ...) {
        char text[WHY_MAX];
        va_list ap;
        Why w = {};

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void)why(&w, 0, "%s", text);
        (void)failed(&w);
        return EXIT_USAGE;
}

int wrong_option(int c, char *argv[]) {
        const char *word = argv[optind - 1];

        if (c == ':')
                return wrong_usage("%s: %s needs a value; see rekindle-repo %s --help", argv[0],
                                word, argv[0]);
        if (strncmp(word, "--", 2) == 0)
                return wrong_usage("%s: %s is no option here; see rekindle-repo %s --help", argv[0],
                                word, argv[0]);
        return wrong_usage("%s: -%c is no option here; see rekindle-repo %s --help", argv[0],
                        optopt, argv[0]);
}

int print_help(const char *text) {
        (void)fputs(text, stdout);
        return end_output(EXIT_DONE);
}

int end_output(int code) {
        const char *wrong = fflush(stdout) != 0 ? strerror(errno)
                            : ferror(stdout)    ? "cannot be written"
                                                : NULL;

        if (!wrong)
                return code;
        (void)fprintf(stderr, "rekindle-repo: standard output: %s\n", wrong);
        return code == EXIT_DONE ? EXIT_FAILED : code;
}

int print_json(const json_t *value, Why *w) {
        _cleanup_free_ char *text = json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS);

        if (!text)
                return why_oom(w);
        (void)puts(text);
        return 0;
}

int print_table(const Table *t, int r, Why *w) {
        if (r >= 0 && table_print(t, false, terminal_columns(STDOUT_FILENO), stdout) == -ENOMEM)
                r = -ENOMEM;
        return r < 0 ? why_oom(w) : 0;
}

int run_sub_verb(const SubVerb *verbs, size_t n, const char *help, int argc, char *argv[]) {
        if (argc < 2)
                return wrong_usage("%s: which? See rekindle-repo %s --help", argv[0], argv[0]);
        if (streq(argv[1], "--help") || streq(argv[1], "-h"))
                return print_help(help);
        for (size_t i = 0; i < n; i++) {
                const char *name = strchr(verbs[i].name, ' ') + 1;

                if (!streq(name, argv[1]))
                        continue;
                for (int k = 2; k < argc; k++)
                        if (streq(argv[k], "--help") || streq(argv[k], "-h"))
                                return print_help(verbs[i].help);
                argv[1] = (char *)verbs[i].name;
                return verbs[i].run(argc - 1, argv + 1);
        }
        return wrong_usage("\"%s %s\" is no verb; see rekindle-repo %s --help", argv[0], argv[1],
                        argv[0]);
}

int option_now(const char *value, int64_t *ret) {
        if (rfc3339_parse(value, ret) < 0)
                return wrong_usage(
                                "--now is \"%s\"; it has to be like 2031-12-31T12:00:00Z", value);
        return 0;
}

int option_common(int c, const char *help, int64_t *now, char *argv[]) {
        switch (c) {
        case 'n':
                return option_now(optarg, now);
        case 'h':
                exit(print_help(help));
        default:
                return wrong_option(c, argv);
        }
}

int option_expires_in(const char *value, uint64_t seconds[static _TUF_ROLE_MAX]) {
        const char *equal = strchr(value, '=');
        uint64_t usec;

        for (TufRole i = 0; equal && i < _TUF_ROLE_MAX; i++) {
                const char *name = tuf_role_to_string(i);

                if (strlen(name) != (size_t)(equal - value) ||
                                strncmp(name, value, strlen(name)) != 0)
                        continue;
                if (parse_usec(equal + 1, &usec) < 0 || usec < USEC_PER_SEC ||
                                usec / USEC_PER_SEC > UINT64_C(3153600000))
                        break;
                seconds[i] = usec / USEC_PER_SEC;
                return 0;
        }
        return wrong_usage(
                        "--expires-in is \"%s\"; it has to be ROLE=TIME, ROLE one of root, targets, "
                        "snapshot, timestamp, TIME like 90d, at most 100 years",
                        value);
}

int option_number(
                const char *option, const char *value, uint64_t min, uint64_t max, uint64_t *ret) {
        if (parse_uint64(value, min, max, ret) >= 0)
                return 0;
        return wrong_usage("%s is \"%s\"; it has to be %llu to %llu", option, value,
                        (unsigned long long)min, (unsigned long long)max);
}

int option_name(const char *option, const char *value) {
        if (name_is_valid(value))
                return 0;
        return wrong_usage("%s is \"%s\"; it has to be 1 to 64 of A-Z a-z 0-9 . _ - and not begin "
                           "with a dot",
                        option, value);
}

int option_type(const char *value, KeyType *ret) {
        if (key_type_from_string(value, ret) >= 0)
                return 0;
        return wrong_usage("--type is \"%s\"; it has to be ed25519 or p256", value);
}

int option_arguments(int argc, char *argv[], int min, int max, const char *names) {
        if (argc < min || argc > max)
                return wrong_usage("%s: %d argument%s instead of %s; see rekindle-repo %s --help",
                                argv[0], argc, argc == 1 ? "" : "s", names, argv[0]);
        for (int i = optind; i < optind + argc; i++)
                if (argv[i][0] == '\0')
                        return wrong_usage(
                                        "%s: argument %d of %s is empty; see rekindle-repo %s --help",
                                        argv[0], i - optind + 1, names, argv[0]);
        return 0;
}

int option_keyring(Keyring *ring, int c, const char *value) {
        switch (c) {
        case 1001:
                if (ring->n_folders == KEYRING_NAMES_MAX)
                        return wrong_usage("--keys can be given %d times", KEYRING_NAMES_MAX);
                ring->folders[ring->n_folders++] = value;
                return 0;
        case 1002:
                if (ring->n_names == KEYRING_NAMES_MAX)
                        return wrong_usage("--key can be given %d times", KEYRING_NAMES_MAX);
                ring->names[ring->n_names++] = value;
                return 0;
        case 1003:
                if (ring->secrets.n_files == SECRET_FILES_MAX)
                        return wrong_usage("--passphrase-file can be given %d times",
                                        SECRET_FILES_MAX);
                ring->secrets.files[ring->secrets.n_files++] = value;
                return 0;
        default:
                return -1;
        }
}

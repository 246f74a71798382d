/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rekindle-repo: the publisher's tool. Finds the verb and calls it. */
#include <getopt.h>
#include <stdarg.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "build-config.h"
#include "repo/verbs.h"

static const char help[] = "rekindle-repo VERB DIR ...\n"
                           "\n"
                           "Makes and signs the repository from which gateways get programs.\n"
                           "\n"
                           "  init DIR         make a repository and its keys\n"
                           "  add DIR ...      stage a release\n"
                           "  publish DIR      sign what is staged and put it into DIR/public\n"
                           "  show DIR         list releases and how long the signatures last\n"
                           "  device-key DIR NAME\n"
                           "                   make a key that signs for devices\n"
                           "\n"
                           "  --help           this text; after a verb: its options\n"
                           "  --version        the version\n"
                           "\n"
                           "Exit: 0 done, 1 failed, 2 wrong usage.\n";

static const struct {
        const char *name;
        int (*run)(int argc, char *argv[]);
} verbs[] = {
        { "init", verb_init },
        { "add", verb_add },
        { "publish", verb_publish },
        { "show", verb_show },
        { "device-key", verb_device_key },
};

int failed(const Why *w) {
        (void)fprintf(stderr, "rekindle-repo: %s\n", w->text);
        return EXIT_FAILED;
}

int wrong_usage(const char *format, ...) {
        va_list ap;

        (void)fputs("rekindle-repo: ", stderr);
        va_start(ap, format);
        (void)vfprintf(stderr, format, ap);
        va_end(ap);
        (void)fputs("\n", stderr);
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
        if (fputs(text, stdout) < 0 || fflush(stdout) != 0) {
                (void)fprintf(stderr, "rekindle-repo: standard output: %s\n", strerror(errno));
                return EXIT_FAILED;
        }
        return EXIT_DONE;
}

int option_now(const char *value, int64_t *ret) {
        if (rfc3339_parse(value, ret) < 0)
                return wrong_usage(
                                "--now is \"%s\"; it has to be like 2031-12-31T12:00:00Z", value);
        return 0;
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

int option_arguments(int argc, char *argv[], int n, const char *names) {
        if (argc == n)
                return 0;
        return wrong_usage("%s: %d argument%s instead of %d (%s); see rekindle-repo %s --help",
                        argv[0], argc, argc == 1 ? "" : "s", n, names, argv[0]);
}

int main(int argc, char *argv[]) {
        opterr = 0; /* wrong_option() says it */
        if (argc < 2)
                return wrong_usage("no verb; see rekindle-repo --help");
        if (streq(argv[1], "--help") || streq(argv[1], "-h"))
                return print_help(help);
        if (streq(argv[1], "--version"))
                return print_help("rekindle-repo " REKINDLE_VERSION "\n");
        for (size_t i = 0; i < ELEMENTSOF(verbs); i++)
                if (streq(verbs[i].name, argv[1]))
                        return verbs[i].run(argc - 1, argv + 1);
        return wrong_usage("\"%s\" is no verb; there are init, add, publish, show, device-key",
                        argv[1]);
}

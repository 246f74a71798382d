/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line: options of the program before the verb, the same and those of the verb after
 * it. A verb has one word or two. */
#include <ctype.h>
#include <getopt.h>

#include "basic/names.h"
#include "build-config.h"
#include "ctl/ctl.h"

enum {
        OPTION_JSON = 256,
        OPTION_NO_COLOR,
        OPTION_NO_WAIT,
        OPTION_TIMEOUT,
        OPTION_EXPLAIN,
        OPTION_VERSION,
        OPTION_FROM,
};

static int take_option(int option, char *argv[], Ctl *c) {
        uint64_t n;

        switch (option) {
        case OPTION_JSON:
                c->json = true;
                return 0;
        case OPTION_NO_COLOR:
                c->no_color = true;
                return 0;
        case OPTION_NO_WAIT:
                c->no_wait = true;
                return 0;
        case OPTION_EXPLAIN:
                c->explain = true;
                return 0;
        case OPTION_VERSION:
                c->version = optarg;
                return 0;
        case OPTION_FROM:
                c->from = optarg;
                return 0;
        case OPTION_TIMEOUT:
                if (parse_uint64(optarg, 1, 7 * 86400, &n) < 0)
                        return ctl_usage("--timeout is \"%s\"; it has to be 1 to 604800 seconds",
                                        optarg);
                c->timeout_usec = n * USEC_PER_SEC;
                return 0;
        case 'n':
                if (parse_uint64(optarg, 1, 10000, &n) < 0)
                        return ctl_usage("-n is \"%s\"; it has to be 1 to 10000 lines", optarg);
                c->lines = (uint32_t)n;
                return 0;
        case 'h':
                c->help = true;
                return 0;
        case ':':
                return ctl_usage("%s needs a value; see --help", argv[optind - 1]);
        default:
                return ctl_usage("%s is no option here; see --help", argv[optind - 1]);
        }
}

/* Stops at the verb. */
static int parse_globals(int argc, char *argv[], Ctl *c) {
        static const struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'V' },
                { "json", no_argument, NULL, OPTION_JSON },
                { "no-color", no_argument, NULL, OPTION_NO_COLOR },
                { "no-wait", no_argument, NULL, OPTION_NO_WAIT },
                { "timeout", required_argument, NULL, OPTION_TIMEOUT },
                {},
        };
        int option, r;

        optind = opterr = 0;
        while ((option = getopt_long(argc, argv, "+:hV", options, NULL)) >= 0) {
                if (option == 'V') {
                        c->version = REKINDLE_VERSION;
                        continue;
                }
                r = take_option(option, argv, c);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* argv[0] is the verb's last word. */
static int parse_verb_options(int argc, char *argv[], Ctl *c) {
        struct option options[] = {
                { "help", no_argument, NULL, 'h' },
                { "json", no_argument, NULL, OPTION_JSON },
                { "no-color", no_argument, NULL, OPTION_NO_COLOR },
                { "no-wait", no_argument, NULL, OPTION_NO_WAIT },
                { "timeout", required_argument, NULL, OPTION_TIMEOUT },
                {},
                {},
        };
        const char *letters = c->verb->options & VERB_LINES ? ":hn:" : ":h";
        int option, r;

        if (c->verb->options & VERB_EXPLAIN)
                options[5] = (struct option){ "explain", no_argument, NULL, OPTION_EXPLAIN };
        if (c->verb->options & VERB_VERSION)
                options[5] = (struct option){ "version", required_argument, NULL, OPTION_VERSION };
        if (c->verb->options & VERB_FROM)
                options[5] = (struct option){ "from", required_argument, NULL, OPTION_FROM };
        optind = opterr = 0;
        while ((option = getopt_long(argc, argv, letters, options, NULL)) >= 0) {
                r = take_option(option, argv, c);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* How many words of argv name the verb: 0 when they do not. */
static int match(const Verb *v, int argc, char *argv[]) {
        const char *space = strchr(v->name, ' ');
        size_t first = space ? (size_t)(space - v->name) : strlen(v->name);

        if (strlen(argv[0]) != first || strncmp(argv[0], v->name, first) != 0)
                return 0;
        if (!space)
                return 1;
        return argc > 1 && streq(argv[1], space + 1) ? 2 : 0;
}

static const Verb *find_verb(int argc, char *argv[], int *ret_words) {
        const Verb *found = NULL;

        *ret_words = 0;
        for (const Verb *v = verbs; v->name; v++) {
                int words = match(v, argc, argv);

                if (words > *ret_words) {
                        found = v;
                        *ret_words = words;
                }
        }
        return found;
}

/* A word that is only the first of two, as in "backup". */
static int no_verb(char *argv[]) {
        char seconds[WHY_MAX] = "";
        size_t length = strlen(argv[0]), n = 0;

        for (const Verb *v = verbs; v->name; v++)
                if (strncmp(v->name, argv[0], length) == 0 && v->name[length] == ' ' &&
                                n < sizeof(seconds))
                        n += (size_t)snprintf(seconds + n, sizeof(seconds) - n, "%s%s",
                                        n > 0 ? ", " : "", v->name + length + 1);
        if (n > 0)
                return ctl_usage("%s needs one of %s behind it; see rekindlectl --help", argv[0],
                                seconds);
        return ctl_usage("\"%s\" is no verb; see rekindlectl --help", argv[0]);
}

static int check_arguments(const Verb *v, int n) {
        if (n < 0 || (unsigned)n < v->min)
                return ctl_usage("%s needs %s; see rekindlectl %s --help", v->name, v->usage,
                                v->name);
        if ((unsigned)n > v->max)
                return ctl_usage("%s has too many arguments: rekindlectl %s%s%s", v->name, v->name,
                                *v->usage ? " " : "", v->usage);
        return 0;
}

int ctl_parse(int argc, char *argv[], Ctl *ret, int *ret_argc, char ***ret_argv) {
        static char list[] = "list";
        static char *implied[] = { list, NULL };
        int words, r;

        *ret = (Ctl){ .folder_fd = -1 };
        r = parse_globals(argc, argv, ret);
        if (r != 0 || ret->help || ret->version)
                return r;
        argc -= optind;
        argv += optind;
        if (argc == 0) {
                argc = 1;
                argv = implied;
        }
        ret->verb = find_verb(argc, argv, &words);
        if (!ret->verb)
                return no_verb(argv);
        argc -= words - 1;
        argv += words - 1;
        r = parse_verb_options(argc, argv, ret);
        if (r != 0 || ret->help)
                return r;
        if (ret->no_wait && !(ret->verb->options & VERB_WAIT))
                return ctl_usage("%s does not wait; --no-wait belongs to update and restore",
                                ret->verb->name);
        *ret_argc = argc - optind;
        *ret_argv = argv + optind;
        return check_arguments(ret->verb, *ret_argc);
}

static void help_verb(const Verb *v, FILE *f) {
        (void)fprintf(f, "rekindlectl %s%s%s [OPTION...]\n\n%c%s.\n\n", v->name,
                        *v->usage ? " " : "", v->usage, toupper((unsigned char)v->meaning[0]),
                        v->meaning + 1);
        if (v->options & VERB_EXPLAIN)
                (void)fputs("  --explain           say for each release what would be done and why\n",
                                f);
        if (v->options & VERB_VERSION)
                (void)fputs("  --version V         the version of the program in FILE\n", f);
        if (v->options & VERB_LINES)
                (void)fputs("  -n N                so many lines at most (100)\n", f);
        if (v->options & VERB_FROM)
                (void)fputs("  --from DIR          a folder of the repository instead of the server\n",
                                f);
        if (v->options & VERB_WAIT)
                (void)fputs("  --no-wait           do not wait for the end\n", f);
        (void)fputs("  --json              for programs: JSON instead of text\n"
                    "  --timeout SECONDS   give up waiting after this time\n"
                    "  --no-color          no colours\n",
                        f);
}

void ctl_help(const Ctl *c, FILE *f) {
        if (c->verb) {
                help_verb(c->verb, f);
                return;
        }
        (void)fputs("rekindlectl [OPTION...] [VERB ...]\n\n"
                    "Shows and steers the updates of the devices behind this gateway.\n\n",
                        f);
        for (const Verb *v = verbs; v->name; v++)
                (void)fprintf(f, "  %-14s %-22s %s\n", v->name, v->usage, v->meaning);
        (void)fputs("\n"
                    "  --json              for programs: JSON instead of text\n"
                    "  --no-wait           update, restore: do not wait for the end\n"
                    "  --from DIR          update, verify: a folder instead of the server\n"
                    "  --timeout SECONDS   give up waiting after this time\n"
                    "  --no-color          no colours\n"
                    "  --help, --version\n\n"
                    "Exit: 0 done, 1 failed, 2 wrong usage, 3 nothing to do, 4 not found, 5 refused,\n"
                    "6 restored to the backup, 7 device unreachable.\n",
                        f);
}

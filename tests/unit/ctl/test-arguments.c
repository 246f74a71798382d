/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/ctl.h"

#define WORDS_MAX 10

typedef struct Parsed {
        char *words[WORDS_MAX];
        int n, argc;
        char **argv;
        Ctl ctl;
        int status;
} Parsed;

static void parse(Parsed *p, const char *line) {
        static char buffer[400];

        (void)snprintf(buffer, sizeof(buffer), "rekindlectl %s", line);
        *p = (Parsed){};
        for (char *word = strtok(buffer, " "); word; word = strtok(NULL, " "))
                p->words[p->n++] = word;
        p->status = ctl_parse(p->n, p->words, &p->ctl, &p->argc, &p->argv);
}

static void good_lines_find_their_verb(void **state) {
        static const struct {
                const char *line, *verb;
                int argc;
        } cases[] = {
                { "", "list", 0 },
                { "--json", "list", 0 },
                { "list", "list", 0 },
                { "show boiler", "show", 1 },
                { "update", "update", 0 },
                { "update boiler@1.2.0 --no-wait", "update", 1 },
                { "--no-wait update boiler", "update", 1 },
                { "check --explain", "check", 0 },
                { "check --explain boiler", "check", 1 },
                { "backup list", "backup list", 0 },
                { "backup adopt boiler file --version 1.0.0", "backup adopt", 2 },
                { "backup adopt --version=1.0.0 boiler file", "backup adopt", 2 },
                { "ports", "ports", 0 },
                { "ports release line-1", "ports release", 1 },
                { "history -n 5 boiler", "history", 1 },
                { "clear-bad boiler 00ff", "clear-bad", 2 },
        };
        Parsed p;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                parse(&p, cases[i].line);
                assert_int_equal(p.status, 0);
                assert_string_equal(p.ctl.verb->name, cases[i].verb);
                assert_int_equal(p.argc, cases[i].argc);
        }
}

static void wrong_lines_are_usage_errors(void **state) {
        static const char *const cases[] = {
                "nonsense",
                "backup",
                "backup nonsense",
                "show",
                "show a b",
                "list a",
                "--nonsense",
                "list --nonsense",
                "list --explain",
                "list --no-wait",
                "show boiler --version 1",
                "--timeout",
                "--timeout 0 list",
                "--timeout x list",
                "--timeout 604801 list",
                "history -n 0",
                "history -n 10001",
                "list -n 1",
        };
        Parsed p;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                parse(&p, cases[i]);
                assert_int_equal(p.status, STATUS_USAGE);
        }
}

static void options_stand_before_or_behind_the_verb(void **state) {
        Parsed p;

        parse(&p, "--json --timeout 5 update");
        assert_true(p.ctl.json);
        assert_int_equal(p.ctl.timeout_usec, 5 * USEC_PER_SEC);
        parse(&p, "update --json boiler --timeout 5");
        assert_true(p.ctl.json);
        assert_int_equal(p.ctl.timeout_usec, 5 * USEC_PER_SEC);
        assert_string_equal(p.argv[0], "boiler");
}

static void version_has_two_meanings(void **state) {
        Parsed p;

        parse(&p, "--version");
        assert_int_equal(p.status, 0);
        assert_null(p.ctl.verb);
        assert_non_null(p.ctl.version);
        parse(&p, "backup adopt boiler file --version 9.9");
        assert_string_equal(p.ctl.version, "9.9");
        assert_string_equal(p.ctl.verb->name, "backup adopt");
}

static void help_needs_no_arguments(void **state) {
        Parsed p;

        parse(&p, "show --help");
        assert_int_equal(p.status, 0);
        assert_true(p.ctl.help);
        parse(&p, "--help");
        assert_true(p.ctl.help);
        assert_null(p.ctl.verb);
}

static void every_verb_is_in_the_help(void **state) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        ctl_help(&(Ctl){}, f);
        (void)fclose(f);
        for (const Verb *v = verbs; v->name; v++) {
                assert_non_null(strstr(text, v->name));
                assert_non_null(strstr(text, v->meaning));
                assert_true(v->min <= v->max);
                assert_non_null(v->run);
        }
        free(text);
}

static void help_fits_a_terminal_of_80_columns(void **state) {
        char *text = NULL, *rest;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        ctl_help(&(Ctl){}, f);
        for (const Verb *v = verbs; v->name; v++)
                ctl_help(&(Ctl){ .verb = v }, f);
        (void)fclose(f);
        rest = text;
        for (char *line; (line = strsep(&rest, "\n"));)
                if (strlen(line) > 80)
                        fail_msg("%s", line);
        free(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_lines_find_their_verb),
                cmocka_unit_test(wrong_lines_are_usage_errors),
                cmocka_unit_test(options_stand_before_or_behind_the_verb),
                cmocka_unit_test(version_has_two_meanings),
                cmocka_unit_test(help_needs_no_arguments),
                cmocka_unit_test(every_verb_is_in_the_help),
                cmocka_unit_test(help_fits_a_terminal_of_80_columns),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

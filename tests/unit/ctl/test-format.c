/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/format.h"

static void property_names_become_kebab_case(void **state) {
        static const struct {
                const char *in, *out;
        } cases[] = {
                { "Id", "id" },
                { "RunningVersion", "running-version" },
                { "LastCheckResult", "last-check-result" },
                { "already", "already" },
                { "", "" },
        };
        char ret[FORMAT_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                format_kebab(cases[i].in, ret);
                assert_string_equal(ret, cases[i].out);
        }
}

static void long_names_are_cut(void **state) {
        char in[200], ret[FORMAT_MAX];

        memset(in, 'A', sizeof(in) - 1);
        in[sizeof(in) - 1] = '\0';
        format_kebab(in, ret);
        assert_true(strlen(ret) < FORMAT_MAX);
}

static void bytes_have_units(void **state) {
        static const struct {
                uint64_t in;
                const char *out;
        } cases[] = {
                { 0, "0 B" },
                { 1023, "1023 B" },
                { 1024, "1.0 KiB" },
                { 11520, "11.2 KiB" },
                { 1024 * 1024 - 1, "1023.9 KiB" },
                { 3 * 1024 * 1024, "3.0 MiB" },
                { UINT64_MAX, "15.9 EiB" },
        };
        char ret[FORMAT_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                format_bytes(cases[i].in, ret);
                assert_string_equal(ret, cases[i].out);
        }
}

static void durations_are_clocks(void **state) {
        char ret[FORMAT_MAX];

        format_duration(0, ret);
        assert_string_equal(ret, "0:00");
        format_duration(72, ret);
        assert_string_equal(ret, "1:12");
        format_duration(3723, ret);
        assert_string_equal(ret, "1:02:03");
}

static void time_zero_is_never(void **state) {
        char ret[FORMAT_MAX];

        format_time(0, ret);
        assert_string_equal(ret, "never");
        (void)setenv("TZ", "UTC", 1);
        format_time(1900000000, ret);
        assert_string_equal(ret, "2030-03-17 17:46:40");
}

static void progress_has_bar_percent_rate_and_time(void **state) {
        const Progress p = { "boiler", "1.1.0", "send", 500, 11520, 72 };
        char *line = progress_render(&p, 79);

        assert_string_equal(line, "boiler 1.1.0  send         [#########..........]  50 %  "
                                  "11.2 KiB/s  1:12 left");
        assert_true(strlen(line) <= 79);
        free(line);
}

static void time_left_is_shown_without_a_rate_too(void **state) {
        const Progress p = { "boiler", "1.1.0", "trial", 930, 0, 4 };
        char *line = progress_render(&p, 45);

        assert_string_equal(line, "boiler 1.1.0  trial   93 %  0:04 left");
        free(line);
}

static void bar_stays_in_its_place(void **state) {
        const Progress all[] = {
                { "boiler", "1.1.0", "downloading", 0, 0, 0 },
                { "boiler", "1.1.0", "send", 300, 11520, 72 },
                { "boiler", "1.1.0", "trial", 950, 0, 5 },
        };
        size_t from = 0, to = 0;

        for (size_t i = 0; i < ELEMENTSOF(all); i++) {
                char *line = progress_render(&all[i], 79);

                if (i == 0) {
                        from = strcspn(line, "[");
                        to = strcspn(line, "]");
                }
                assert_int_equal(strcspn(line, "["), from);
                assert_int_equal(strcspn(line, "]"), to);
                free(line);
        }
}

static void narrow_terminals_get_no_bar(void **state) {
        const Progress p = { "boiler", "1.1.0", "send", 430, 0, 0 };
        char *line = progress_render(&p, 30);

        assert_string_equal(line, "boiler 1.1.0  send   43 %");
        free(line);
}

static void no_line_is_longer_than_the_terminal(void **state) {
        const Progress p = { "a-device-with-a-very-long-name-indeed", "1.1.0-beta.2+build.77",
                "send", 1000, UINT64_MAX, UINT64_MAX };

        for (unsigned columns = 1; columns < 200; columns++) {
                char *line = progress_render(&p, columns);

                assert_non_null(line);
                assert_true(strlen(line) <= columns);
                free(line);
        }
}

static void bar_is_full_only_at_the_end(void **state) {
        Progress p = { "d", "1", "trial", 999, 0, 0 };
        char *line = progress_render(&p, 79);

        assert_non_null(strstr(line, " 99 %"));
        assert_non_null(strchr(line, '.'));
        free(line);
        p.permille = 1000;
        line = progress_render(&p, 79);
        assert_non_null(strstr(line, "100 %"));
        assert_null(strchr(line, '.'));
        free(line);
}

static void progress_escapes_what_it_shows(void **state) {
        const Progress p = { "d\033", "1", "x", 0, 0, 0 };
        char *line = progress_render(&p, 79);

        assert_null(strchr(line, '\033'));
        free(line);
}

static void states_that_need_people_are_red(void **state) {
        assert_int_equal(format_state_color("stranded"), COLOR_RED);
        assert_int_equal(format_state_color("idle"), COLOR_GREEN);
        assert_int_equal(format_state_color("pushing"), COLOR_YELLOW);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(property_names_become_kebab_case),
                cmocka_unit_test(long_names_are_cut),
                cmocka_unit_test(bytes_have_units),
                cmocka_unit_test(durations_are_clocks),
                cmocka_unit_test(time_zero_is_never),
                cmocka_unit_test(progress_has_bar_percent_rate_and_time),
                cmocka_unit_test(time_left_is_shown_without_a_rate_too),
                cmocka_unit_test(bar_stays_in_its_place),
                cmocka_unit_test(narrow_terminals_get_no_bar),
                cmocka_unit_test(no_line_is_longer_than_the_terminal),
                cmocka_unit_test(bar_is_full_only_at_the_end),
                cmocka_unit_test(progress_escapes_what_it_shows),
                cmocka_unit_test(states_that_need_people_are_red),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

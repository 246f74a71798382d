/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/table.h"

static char *print_on(const Table *t, bool color, unsigned columns) {
        char *text = NULL;
        size_t n = 0;
        FILE *f = open_memstream(&text, &n);

        assert_non_null(f);
        assert_int_equal(table_print(t, color, columns, f), 0);
        (void)fclose(f);
        return text;
}

static char *print(const Table *t, bool color) {
        return print_on(t, color, 0);
}

static Table *make(const char *a, const char *b) {
        static const char *const columns[] = { "A", "B", NULL };
        Table *t;

        assert_int_equal(table_new(columns, &t), 0);
        assert_int_equal(table_add(t, a, COLOR_GREEN), 0);
        assert_int_equal(table_add(t, b, COLOR_NONE), 0);
        return t;
}

static void columns_are_as_wide_as_their_widest_cell(void **state) {
        Table *t = make("wide cell", "x");
        char *text = print(t, false);

        assert_string_equal(text, "A          B\nwide cell  x\n");
        free(text);
        table_free(t);
}

static void empty_cells_are_dashes(void **state) {
        Table *t = make("", NULL);
        char *text = print(t, false);

        assert_string_equal(text, "A  B\n-  -\n");
        free(text);
        table_free(t);
}

static void control_characters_never_reach_the_terminal(void **state) {
        Table *t = make("a\033[31m\n", "b\\");
        char *text = print(t, false);

        assert_string_equal(text, "A              B\na\\x1b[31m\\x0a  b\\\\\n");
        free(text);
        table_free(t);
}

static void color_does_not_change_widths(void **state) {
        Table *t = make("ab", "x");
        char *text = print(t, true);

        assert_non_null(strstr(text, "\033[32mab\033[0m  x\n"));
        free(text);
        table_free(t);
}

static void last_column_is_broken_at_blanks_on_a_terminal(void **state) {
        Table *t = make("boiler", "the release is older than what runs");
        char *text = print_on(t, true, 30);

        assert_string_equal(text, "\033[1mA\033[0m       \033[1mB\033[0m\n"
                                  "\033[32mboiler\033[0m  the release is older\n"
                                  "        than what runs\n");
        free(text);
        text = print_on(t, false, 27); /* too narrow for it */
        assert_string_equal(text, "A       B\nboiler  the release is older than what runs\n");
        free(text);
        table_free(t);
}

static void cells_are_shortened_to_a_width(void **state) {
        static const struct {
                const char *text;
                size_t width;
                const char *is;
        } cases[] = {
                { "/dev/ttyUSB0", 12, "/dev/ttyUSB0" },
                { "/dev/serial/by-id/usb-FTDI_A50285BI-if00", 20, "/dev/seri..85BI-if00" },
                { "waits until it is handed over", 14, "waits until .." },
                { "abc", 2, ".." },
                { "abc", 1, "a" },
                { "abc", 0, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char ret[TABLE_SHORT_MAX];

                table_shorten(cases[i].text, cases[i].width, ret);
                assert_string_equal(ret, cases[i].is);
        }
}

static void assert_lines(const char *text, const char *const *lines) {
        for (; *lines; lines++) {
                size_t n = strlen(*lines);

                if (strncmp(text, *lines, n) != 0 || text[n] != '\n')
                        fail_msg("\"%s\" does not begin with \"%s\"", text, *lines);
                text += n + 1;
        }
        assert_string_equal(text, "");
}

static void rows_that_are_kept_to_lines_fit_the_terminal(void **state) {
        static const char *const at_30[] = { "A         B", "boiler-1  /dev/seria..if00-port0",
                NULL };
        static const char *const at_24[] = { "A         B", "boiler-1  /dev/s..-port0", NULL };
        static const char *const at_16[] = { "A", "boiler-1", NULL };
        const struct {
                unsigned columns;
                const char *const *lines;
        } cases[] = { { 32, at_30 }, { 24, at_24 }, { 16, at_16 } };
        Table *t = make("boiler-1", "/dev/serial/by-id/usb-FTDI-if00-port0");

        table_keep_to_lines(t);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *text = print_on(t, false, cases[i].columns);

                assert_lines(text, cases[i].lines);
                free(text);
        }
        table_free(t);
}

static void other_cells_make_room_for_a_sentence(void **state) {
        static const char *const lines[] = { "A                        B",
                "a-model-wit..characters  the release is older",
                "                         than what runs", NULL };
        Table *t = make("a-model-with-a-name-of-many-characters",
                        "the release is older than what runs");
        char *text = print_on(t, false, 45);

        assert_lines(text, lines);
        free(text);
        table_free(t);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
                cmocka_unit_test(empty_cells_are_dashes),
                cmocka_unit_test(control_characters_never_reach_the_terminal),
                cmocka_unit_test(color_does_not_change_widths),
                cmocka_unit_test(last_column_is_broken_at_blanks_on_a_terminal),
                cmocka_unit_test(cells_are_shortened_to_a_width),
                cmocka_unit_test(rows_that_are_kept_to_lines_fit_the_terminal),
                cmocka_unit_test(other_cells_make_room_for_a_sentence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

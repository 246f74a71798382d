/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* INI: what the callback is told, and the place and reason of every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/ini.h"

typedef struct Seen {
        char text[512];
        int stop_at; /* line at which the callback says -ECANCELED */
} Seen;

static int on_line(const IniLine *l, void *userdata, Why *w) {
        Seen *seen = userdata;
        size_t n = strlen(seen->text);

        if ((int)l->line == seen->stop_at)
                return why(w, -ECANCELED, "%s:%u: stop", l->file, l->line);
        (void)snprintf(seen->text + n, sizeof(seen->text) - n, "%u %s/%s %s=%s\n", l->line,
                        l->section, l->name ? l->name : "", l->key ? l->key : "",
                        l->value ? l->value : "");
        return 0;
}

static void sections_and_keys_come_out_in_order(void **state) {
        static const char text[] =
                        "# comment\n; another\n\n[Server]\nUrl = https://a/?b=c#d \n\t\n  [Port boiler.1] \n"
                        "\tBaud=115200\nEmpty=\nName=Gr\xc3\xbc\xc3\x9f\xf0\x9f\x98\x80";
        Seen seen = { "" };

        assert_int_equal(ini_parse("f", text, strlen(text), on_line, &seen, NULL), 0);
        assert_string_equal(seen.text,
                        "4 Server/ =\n5 Server/ Url=https://a/?b=c#d\n7 Port/boiler.1 =\n"
                        "8 Port/boiler.1 Baud=115200\n9 Port/boiler.1 Empty=\n"
                        "10 Port/boiler.1 Name=Gr\xc3\xbc\xc3\x9f\xf0\x9f\x98\x80\n");
}

static void a_section_without_name_forgets_the_name_before(void **state) {
        static const char text[] = "[Port a]\n[Port]\nK=v\n";
        Seen seen = { "" };

        assert_int_equal(ini_parse("f", text, strlen(text), on_line, &seen, NULL), 0);
        assert_string_equal(seen.text, "1 Port/a =\n2 Port/ =\n3 Port/ K=v\n");
}

static void empty_files_say_nothing(void **state) {
        Seen seen = { "" };

        assert_int_equal(ini_parse("f", "", 0, on_line, &seen, NULL), 0);
        assert_int_equal(ini_parse("f", "\n\n", 2, on_line, &seen, NULL), 0);
        assert_string_equal(seen.text, "");
}

static void the_callback_can_stop(void **state) {
        static const char text[] = "[A]\nb=1\nc=2\nd=3\n";
        Seen seen = { .stop_at = 3 };
        Why w;

        assert_int_equal(ini_parse("f", text, strlen(text), on_line, &seen, &w), -ECANCELED);
        assert_string_equal(seen.text, "1 A/ =\n2 A/ b=1\n");
        assert_string_equal(w.text, "f:3: stop");
}

static void odd_lines_are_refused_with_their_place(void **state) {
        static const struct {
                const char *text, *words;
        } cases[] = {
                { "K=v\n", "f:1: a key before the first section" },
                { "[A]\nword\n", "f:2: neither section nor key" },
                { "[A\n", "f:1: the section has no end" },
                { "[\n", "f:1: the section has no end" },
                { "[A] # x\n", "f:1: the section has no end" },
                { "[]\n", "f:1: no name of a section" },
                { "[ A]\n", "f:1: no name of a section" },
                { "[a.b]\n", "f:1: no name of a section" },
                { "[A ]\n", "f:1: the name in this section" },
                { "[A .x]\n", "f:1: the name in this section" },
                { "[A b c]\n", "f:1: the name in this section" },
                { "[A b/c]\n", "f:1: the name in this section" },
                { "[A]\n=v\n", "f:2: no name of a key" },
                { "[A]\na b=v\n", "f:2: no name of a key" },
                { "[A]\n9=v\n", "f:2: no name of a key" },
                { "[A]\nk=\x01\n", "f:2: a control character" },
                { "[A]\r\nk=v\r\n", "f:1: a control character" },
                { "[A]\nk=\xc2\x85\n", "f:2: a control character" },
                { "#\x7f", "f:1: a control character" },
                { "\n#\xff\n", "f:2: these bytes are no text" },
                { "#\xc0\xaf\n", "f:1: these bytes are no text" },
                { "#\xe0\x80\xaf\n", "f:1: these bytes are no text" },
                { "#\xed\xa0\x80\n", "f:1: these bytes are no text" },
                { "#\xf4\x90\x80\x80\n", "f:1: these bytes are no text" },
                { "#\xf8\x88\x80\x80\x80\n", "f:1: these bytes are no text" },
                { "#\xe2\x82\n\xac", "f:1: these bytes are no text" },
                { "#\xe2\x82", "f:1: these bytes are no text" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Seen seen = { "" };
                Why w = { "" };
                int r = ini_parse("f", cases[i].text, strlen(cases[i].text), on_line, &seen, &w);

                if (r != -EBADMSG || !startswith(w.text, cases[i].words) ||
                                !strstr(w.text, "wanted"))
                        fail_msg("case %zu: %d, \"%s\"", i, r, w.text);
        }
}

static void a_zero_byte_is_refused(void **state) {
        Seen seen = { "" };
        Why w;

        assert_int_equal(ini_parse("f", "[A]\nk=a\0b\n", 11, on_line, &seen, &w), -EBADMSG);
        assert_true(startswith(w.text, "f:2: a control character"));
}

static void long_lines_are_refused_not_cut(void **state) {
        static char text[INI_LINE_MAX + 10];
        Seen seen = { "" };
        Why w;

        memset(text, '#', sizeof(text));
        text[INI_LINE_MAX] = '\n';
        assert_int_equal(ini_parse("f", text, INI_LINE_MAX + 1, on_line, &seen, &w), 0);
        text[INI_LINE_MAX] = '#';
        assert_int_equal(ini_parse("f", text, INI_LINE_MAX + 1, on_line, &seen, &w), -E2BIG);
        assert_string_equal(w.text, "f:1: the line has 1025 bytes; at most 1024 are wanted");
}

static void big_files_are_refused(void **state) {
        char *text = calloc(1, INI_FILE_MAX + 1);
        Seen seen = { "" };
        int whole, more;

        memset(text, '\n', INI_FILE_MAX + 1);
        whole = ini_parse("f", text, INI_FILE_MAX, on_line, &seen, NULL);
        more = ini_parse("f", text, INI_FILE_MAX + 1, on_line, &seen, NULL);
        free(text);
        assert_int_equal(whole, 0);
        assert_int_equal(more, -E2BIG);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sections_and_keys_come_out_in_order),
                cmocka_unit_test(a_section_without_name_forgets_the_name_before),
                cmocka_unit_test(empty_files_say_nothing),
                cmocka_unit_test(the_callback_can_stop),
                cmocka_unit_test(odd_lines_are_refused_with_their_place),
                cmocka_unit_test(a_zero_byte_is_refused),
                cmocka_unit_test(long_lines_are_refused_not_cut),
                cmocka_unit_test(big_files_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

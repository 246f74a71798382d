/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sentences: bounded, printable, prefixed, and harmless when nobody wants them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/error.h"

static void text_and_code_come_out(void **state) {
        Why w;

        assert_int_equal(why(&w, -EBADMSG, "record: %d is odd; %s is right", 3, "4"), -EBADMSG);
        assert_string_equal(w.text, "record: 3 is odd; 4 is right");
}

static void nobody_has_to_listen(void **state) {
        assert_int_equal(why(NULL, -EIO, "lost"), -EIO);
        assert_int_equal(why_prefix(NULL, -EIO, "here"), -EIO);
        assert_int_equal(why_oom(NULL), -ENOMEM);
}

static void bytes_that_do_not_print_are_escaped(void **state) {
        Why w;

        (void)why(&w, -EINVAL, "a\nb\x1b[2J\xc3\xa9~\x7f");
        assert_string_equal(w.text, "a\\x0ab\\x1b[2J\\xc3\\xa9~\\x7f");
}

static void text_that_just_fits_is_whole(void **state) {
        char text[WHY_MAX];
        Why w;

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        (void)why(&w, -1, "%s", text);
        assert_string_equal(w.text, text);
}

static void longer_text_ends_in_dots(void **state) {
        char text[WHY_MAX + 1];
        Why w;

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        (void)why(&w, -1, "%s", text);
        assert_int_equal(strlen(w.text), WHY_MAX - 1);
        assert_string_equal(w.text + WHY_MAX - 5, "x...");
}

static void an_escape_is_never_cut_in_two(void **state) {
        char text[WHY_MAX];
        Why w;

        for (size_t plain = 0; plain < 8; plain++) {
                memset(text, 0x01, sizeof(text) - 1);
                memset(text, 'x', plain);
                text[sizeof(text) - 1] = '\0';
                (void)why(&w, -1, "%s", text);
                assert_true(strlen(w.text) < WHY_MAX);
                assert_string_equal(w.text + strlen(w.text) - 7, "\\x01...");
        }
}

static void prefix_goes_before_the_text(void **state) {
        Why w;

        (void)why(&w, -1, "length is 0");
        assert_int_equal(why_prefix(&w, -7, "release %s", "2.1"), -7);
        assert_string_equal(w.text, "release 2.1: length is 0");
}

static void prefix_may_quote_the_text_itself(void **state) {
        Why w;

        (void)why(&w, -1, "inner");
        (void)why_prefix(&w, -1, "%s", w.text);
        assert_string_equal(w.text, "inner: inner");
}

static void long_prefixes_stay_in_bounds(void **state) {
        char text[3 * WHY_MAX];
        Why w;

        memset(text, 'p', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        (void)why(&w, -1, "%s", text);
        (void)why_prefix(&w, -1, "%s", text);
        assert_int_equal(strlen(w.text), WHY_MAX - 1);
        assert_string_equal(w.text + WHY_MAX - 4, "...");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(text_and_code_come_out),
                cmocka_unit_test(nobody_has_to_listen),
                cmocka_unit_test(bytes_that_do_not_print_are_escaped),
                cmocka_unit_test(text_that_just_fits_is_whole),
                cmocka_unit_test(longer_text_ends_in_dots),
                cmocka_unit_test(an_escape_is_never_cut_in_two),
                cmocka_unit_test(prefix_goes_before_the_text),
                cmocka_unit_test(prefix_may_quote_the_text_itself),
                cmocka_unit_test(long_prefixes_stay_in_bounds),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

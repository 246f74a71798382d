/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "basic/terminal.h"

static void what_is_no_terminal_has_no_width(void **state) {
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        assert_int_equal(terminal_columns(fds[1]), 0);
        assert_int_equal(terminal_columns(-1), 0);
        (void)close(fds[0]);
        (void)close(fds[1]);
}

static void a_terminal_has_the_width_that_it_says_or_80(void **state) {
        struct winsize size = { .ws_col = 132 };
        int leader, other;

        assert_int_equal(openpty(&leader, &other, NULL, NULL, &size), 0);
        assert_int_equal(terminal_columns(other), 132);
        size.ws_col = 0;
        assert_int_equal(ioctl(leader, TIOCSWINSZ, &size), 0);
        assert_int_equal(terminal_columns(other), 80);
        (void)close(other);
        (void)close(leader);
}

static void text_is_broken_at_blanks_and_words_are_kept(void **state) {
        assert_int_equal(text_break("", 5), 0);
        assert_int_equal(text_break("abc", 3), 3);
        assert_int_equal(text_break("abc def", 3), 3);
        assert_int_equal(text_break("abc def", 6), 3);
        assert_int_equal(text_break("abc def", 7), 7);
        assert_int_equal(text_break("abcdefgh", 3), 8);
        assert_int_equal(text_break("abcdefgh ij", 3), 8);
        assert_int_equal(text_break("a b c d", 4), 3);
        assert_int_equal(text_break("a b", SIZE_MAX), 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_no_terminal_has_no_width),
                cmocka_unit_test(a_terminal_has_the_width_that_it_says_or_80),
                cmocka_unit_test(text_is_broken_at_blanks_and_words_are_kept),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

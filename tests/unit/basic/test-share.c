/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/share.h"

#define PERIOD 1000

static void the_first_begins_a_period(void **state) {
        Share s = {};

        assert_int_equal(share_count(&s, PERIOD, 5), 1);
        assert_int_equal(share_count(&s, PERIOD, 5), 2);
        assert_int_equal(share_count(&s, PERIOD, 5 + PERIOD), 3);
}

static void what_comes_after_its_end_begins_another(void **state) {
        Share s = {};

        for (unsigned i = 0; i < 100; i++)
                (void)share_count(&s, PERIOD, 5 + i);
        assert_int_equal(share_count(&s, PERIOD, 6 + PERIOD), 1);
        assert_int_equal(share_count(&s, PERIOD, 6 + 2 * PERIOD), 2);
        assert_int_equal(share_count(&s, PERIOD, 7 + 2 * PERIOD), 1);
}

static void the_count_does_not_wrap(void **state) {
        Share s = { .since_usec = 5, .n = UINT_MAX };

        assert_int_equal(share_count(&s, PERIOD, 6), UINT_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_first_begins_a_period),
                cmocka_unit_test(what_comes_after_its_end_begins_another),
                cmocka_unit_test(the_count_does_not_wrap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

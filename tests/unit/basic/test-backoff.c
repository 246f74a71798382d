/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backoff: doubling, its end, its spread, its reset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>

#include "basic/backoff.h"

static void pauses_double_up_to_the_greatest(void **state) {
        static const uint64_t expected[] = { 10, 20, 40, 80, 100, 100 };
        Backoff b = BACKOFF_INIT(10, 100);

        for (size_t i = 0; i < ELEMENTSOF(expected); i++)
                assert_int_equal(backoff_next(&b, 0), expected[i]);
        assert_int_equal(b.tries, ELEMENTSOF(expected));
}

static void spread_is_at_most_a_quarter(void **state) {
        Backoff b = BACKOFF_INIT(1000000, 1000000);

        assert_int_equal(backoff_next(&b, 0), 1000000);
        assert_int_equal(backoff_next(&b, UINT32_MAX / 2 + 1), 1125000);
        assert_int_equal(backoff_next(&b, UINT32_MAX), 1249999);
}

static void reset_starts_again(void **state) {
        Backoff b = BACKOFF_INIT(10, 100);

        (void)backoff_next(&b, 0);
        (void)backoff_next(&b, 0);
        backoff_reset(&b);
        assert_int_equal(backoff_next(&b, 0), 10);
}

static void nothing_overflows(void **state) {
        Backoff b = BACKOFF_INIT(UINT64_MAX / 2 + 1, UINT64_MAX);

        for (int i = 0; i < 100; i++)
                assert_true(backoff_next(&b, UINT32_MAX) >= UINT64_MAX / 2);
        b.tries = UINT_MAX;
        assert_true(backoff_next(&b, UINT32_MAX) == UINT64_MAX);
        assert_int_equal(b.tries, UINT_MAX);
}

static void zero_stays_zero(void **state) {
        Backoff b = BACKOFF_INIT(0, 100);

        b.tries = UINT_MAX;
        assert_int_equal(backoff_next(&b, UINT32_MAX), 0);
}

static void random_numbers_differ(void **state) {
        uint64_t a = random_u64(), all = 0;

        for (int i = 0; i < 64; i++)
                all |= random_u64() ^ a;
        assert_true(all >> 32 != 0 && (uint32_t)all != 0);
        all = 0;
        for (int i = 0; i < 64; i++)
                all |= random_u32() ^ (uint32_t)a;
        assert_true(all != 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pauses_double_up_to_the_greatest),
                cmocka_unit_test(spread_is_at_most_a_quarter),
                cmocka_unit_test(reset_starts_again),
                cmocka_unit_test(nothing_overflows),
                cmocka_unit_test(zero_stays_zero),
                cmocka_unit_test(random_numbers_differ),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

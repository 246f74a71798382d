/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clock: RFC 3339 there and back, real dates only, and the system's clocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/clock.h"

static const struct {
        const char *text;
        int64_t seconds;
} pairs[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1999-12-31T23:59:59Z", 946684799 },
        { "2000-02-29T12:00:00Z", 951825600 },
        { "2000-03-01T00:00:00Z", 951868800 },
        { "2026-01-31T12:00:00Z", 1769860800 },
        { "2038-01-19T03:14:08Z", INT64_C(2147483648) },
        { "2100-02-28T23:59:59Z", INT64_C(4107542399) },
        { "2100-03-01T00:00:00Z", INT64_C(4107542400) },
        { "9999-12-31T23:59:59Z", INT64_C(253402300799) },
};

static void known_times_are_formatted(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                char text[RFC3339_MAX];

                rfc3339_format(pairs[i].seconds, text);
                assert_string_equal(text, pairs[i].text);
        }
}

static void known_times_are_parsed(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                int64_t seconds = -1;

                assert_int_equal(rfc3339_parse(pairs[i].text, &seconds), 0);
                assert_true(seconds == pairs[i].seconds);
        }
}

static void times_outside_are_shown_as_the_nearest(void **state) {
        char text[RFC3339_MAX];

        rfc3339_format(INT64_MIN, text);
        assert_string_equal(text, "1970-01-01T00:00:00Z");
        rfc3339_format(INT64_MAX, text);
        assert_string_equal(text, "9999-12-31T23:59:59Z");
}

/* Against the C library, a day and an hour apart through all the years. */
static void every_day_agrees_with_gmtime(void **state) {
        for (int64_t t = 0; t < INT64_C(253402300800); t += 86400 + 3600) {
                char text[RFC3339_MAX], expected[64];
                int64_t back = -1;
                time_t v = (time_t)t;
                struct tm tm;

                assert_non_null(gmtime_r(&v, &tm));
                (void)strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm);
                rfc3339_format(t, text);
                if (!streq(text, expected) || rfc3339_parse(text, &back) != 0 || back != t)
                        fail_msg("%s, wanted %s", text, expected);
        }
}

static void odd_times_are_refused(void **state) {
        static const char *const odd[] = { "", "2026-01-31", "2026-01-31T12:00:00",
                "2026-01-31T12:00:00z", "2026-01-31t12:00:00Z", "2026-01-31 12:00:00Z",
                "2026-01-31T12:00:00Z ", " 2026-01-31T12:00:00Z", "2026-01-31T12:00:00+00:00",
                "2026-01-31T12:00:00.5Z", "2026-1-31T12:00:00Z", "2026-00-31T12:00:00Z",
                "2026-13-01T12:00:00Z", "2026-01-00T12:00:00Z", "2026-01-32T12:00:00Z",
                "2026-02-29T12:00:00Z", "2100-02-29T12:00:00Z", "2026-04-31T12:00:00Z",
                "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T23:59:60Z",
                "1969-12-31T23:59:59Z", "-026-01-31T12:00:00Z", "+2026-01-31T12:00:0Z",
                "202a-01-31T12:00:00Z" };

        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                int64_t seconds = 7;

                if (rfc3339_parse(odd[i], &seconds) != -EINVAL)
                        fail_msg("\"%s\" is accepted", odd[i]);
                assert_true(seconds == 7);
        }
}

static void the_monotonic_clock_never_goes_back(void **state) {
        uint64_t last = monotonic_usec();

        assert_true(last > 0);
        for (int i = 0; i < 1000; i++) {
                uint64_t now = monotonic_usec();

                assert_true(now >= last);
                last = now;
        }
}

static int64_t fixed_time(void *userdata) {
        return *(int64_t *)userdata;
}

static void a_test_can_put_its_own_clock_in(void **state) {
        int64_t t = 42;
        Clock clock = { .realtime = fixed_time, .userdata = &t };

        assert_true(clock_now(&clock) == 42);
        assert_true(clock_now(&clock_system) > INT64_C(1600000000));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_times_are_formatted),
                cmocka_unit_test(known_times_are_parsed),
                cmocka_unit_test(times_outside_are_shown_as_the_nearest),
                cmocka_unit_test(every_day_agrees_with_gmtime),
                cmocka_unit_test(odd_times_are_refused),
                cmocka_unit_test(the_monotonic_clock_never_goes_back),
                cmocka_unit_test(a_test_can_put_its_own_clock_in),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

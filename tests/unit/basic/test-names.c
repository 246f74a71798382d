/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, escapes and the strict parsers of numbers, each over a table of inputs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/names.h"

#define KEPT UINT64_C(0x1234) /* what an output holds that must not be touched */

typedef int (*Parser)(const char *s, uint64_t *ret);

typedef struct NumberCase {
        const char *text;
        int result;
        uint64_t value;
} NumberCase;

static void run_cases(Parser parse, const NumberCase *cases, size_t n) {
        for (size_t i = 0; i < n; i++) {
                uint64_t v = KEPT;
                int r = parse(cases[i].text, &v);

                if (r != cases[i].result || v != (r < 0 ? KEPT : cases[i].value))
                        fail_msg("\"%s\": %d, %llu", cases[i].text, r, (unsigned long long)v);
        }
}

static void good_names_are_valid(void **state) {
        static const char *const good[] = { "a", "boiler-ctl", "A.b_c-9", "-x", "0",
                "0123456789012345678901234567890123456789012345678901234567890123" };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (!name_is_valid(good[i]))
                        fail_msg("\"%s\" is refused", good[i]);
}

static void bad_names_are_refused(void **state) {
        static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "a b", "a\n",
                "\xc3\xa9", "a%",
                "01234567890123456789012345678901234567890123456789012345678901234" };

        assert_false(name_is_valid(NULL));
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (name_is_valid(bad[i]))
                        fail_msg("\"%s\" is accepted", bad[i]);
}

static void printable_text_is_bounded(void **state) {
        assert_true(text_is_printable("", 0));
        assert_true(text_is_printable(" ~", 2));
        assert_false(text_is_printable("abc", 2));
        assert_false(text_is_printable("a\t", 9));
        assert_false(text_is_printable("\x7f", 9));
        assert_false(text_is_printable("\x80", 9));
}

static void escapes_are_as_documented(void **state) {
        static const struct {
                const char *in;
                size_t n, max;
                const char *out;
        } cases[] = {
                { "plain", 5, 100, "plain" },
                { "a\\b", 3, 100, "a\\\\b" },
                { "\0\n\xff", 3, 100, "\\x00\\x0a\\xff" },
                { "", 0, 0, "" },
                { "abcdef", 6, 6, "abcdef" },
                { "abcdef", 6, 5, "abcde..." },
                { "a\xff", 2, 4, "a..." },
                { "a\xff", 2, 5, "a\\xff" },
                { "x", 1, 0, "..." },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *s = text_escape(cases[i].in, cases[i].n, cases[i].max);

                assert_non_null(s);
                assert_string_equal(s, cases[i].out);
                free(s);
        }
}

static int parse_any(const char *s, uint64_t *ret) {
        return parse_uint64(s, 0, UINT64_MAX, ret);
}

static int parse_5_to_10(const char *s, uint64_t *ret) {
        return parse_uint64(s, 5, 10, ret);
}

static void whole_numbers(void **state) {
        static const NumberCase cases[] = {
                { "0", 0, 0 },
                { "007", 0, 7 },
                { "18446744073709551615", 0, UINT64_MAX },
                { "18446744073709551616", -ERANGE },
                { "99999999999999999999999", -ERANGE },
                { "", -EINVAL },
                { " 1", -EINVAL },
                { "1 ", -EINVAL },
                { "+1", -EINVAL },
                { "-1", -EINVAL },
                { "0x10", -EINVAL },
                { "1.0", -EINVAL },
        };

        run_cases(parse_any, cases, ELEMENTSOF(cases));
}

static void whole_numbers_within_bounds(void **state) {
        static const NumberCase cases[] = {
                { "4", -ERANGE },
                { "5", 0, 5 },
                { "10", 0, 10 },
                { "11", -ERANGE },
        };

        run_cases(parse_5_to_10, cases, ELEMENTSOF(cases));
}

static void lengths_of_time(void **state) {
        static const NumberCase cases[] = {
                { "90", 0, 90000000 },
                { "90s", 0, 90000000 },
                { "5min", 0, 300000000 },
                { "2h", 0, UINT64_C(7200000000) },
                { "1d", 0, UINT64_C(86400000000) },
                { "300ms", 0, 300000 },
                { "7us", 0, 7 },
                { "1h 30min", 0, UINT64_C(5400000000) },
                { "1h30min", 0, UINT64_C(5400000000) },
                { "0", 0, 0 },
                { "", -EINVAL },
                { "h", -EINVAL },
                { "1h 30", -EINVAL },
                { "1h ", -EINVAL },
                { " 1h", -EINVAL },
                { "1 h", -EINVAL },
                { "1.5h", -EINVAL },
                { "-1s", -EINVAL },
                { "3fortnights", -EINVAL },
                { "18446744073710", -ERANGE },
                { "18446744073709551615", -ERANGE },
                { "18446744073709551615us", -ERANGE },
                { "18446744073709551614us 2us", -ERANGE },
                { "213503983d", -ERANGE },
        };

        run_cases(parse_usec, cases, ELEMENTSOF(cases));
}

static void amounts_of_bytes(void **state) {
        static const NumberCase cases[] = {
                { "4096", 0, 4096 },
                { "64K", 0, 65536 },
                { "2M", 0, 2097152 },
                { "1G", 0, 1073741824 },
                { "17179869183G", 0, UINT64_C(17179869183) << 30 },
                { "17179869184G", -ERANGE },
                { "", -EINVAL },
                { "K", -EINVAL },
                { "64k", -EINVAL },
                { "64KB", -EINVAL },
                { "1K1", -EINVAL },
                { "1 K", -EINVAL },
        };

        run_cases(parse_bytes, cases, ELEMENTSOF(cases));
}

static void yes_and_no(void **state) {
        static const char *const yes[] = { "yes", "TRUE", "On", "1" };
        static const char *const no[] = { "no", "False", "oFF", "0" };
        static const char *const odd[] = { "", "y", "yes ", "2", "enable" };
        bool b;

        for (size_t i = 0; i < ELEMENTSOF(yes); i++) {
                b = false;
                assert_int_equal(parse_boolean(yes[i], &b), 0);
                assert_true(b);
                assert_int_equal(parse_boolean(no[i], &b), 0);
                assert_false(b);
        }
        for (size_t i = 0; i < ELEMENTSOF(odd); i++)
                assert_int_equal(parse_boolean(odd[i], &b), -EINVAL);
}

static void what_is_not_printable_becomes_a_question_mark(void **state) {
        char text[] = "caf\xc3\xa9\n\x7f~ ";

        text_clean(text);
        assert_string_equal(text, "caf????~ ");
        text[0] = '\0';
        text_clean(text);
        assert_string_equal(text, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_is_not_printable_becomes_a_question_mark),
                cmocka_unit_test(good_names_are_valid),
                cmocka_unit_test(bad_names_are_refused),
                cmocka_unit_test(printable_text_is_bounded),
                cmocka_unit_test(escapes_are_as_documented),
                cmocka_unit_test(whole_numbers),
                cmocka_unit_test(whole_numbers_within_bounds),
                cmocka_unit_test(lengths_of_time),
                cmocka_unit_test(amounts_of_bytes),
                cmocka_unit_test(yes_and_no),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of delegations, specification 4.5 (PATHPATTERN). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tuf/pattern.h"

static void clause_4_5_patterns_match_within_a_segment(void **state) {
        static const struct {
                const char *pattern, *path;
                bool matches;
        } cases[] = {
                /* of the specification */
                { "targets/*.tgz", "targets/foo.tgz", true },
                { "targets/*.tgz", "targets/foo.txt", false },
                { "foo-version-?.tgz", "foo-version-2.tgz", true },
                { "foo-version-?.tgz", "foo-version-alpha.tgz", false },
                { "*.tgz", "targets/foo.tgz", false },
                { "foo.tgz", "foo.tgz", true },
                { "foo.tgz", "foo.tgzz", false },
                /* more */
                { "*", "", true },
                { "*", "a/b", false },
                { "*/*", "a/b", true },
                { "*/*", "a/", true },
                { "*/*", "a/b/c", false },
                { "a/*", "a", false },
                { "a", "a/", false },
                { "?", "/", false },
                { "?", "", false },
                { "?", "\xc3\xa9", true },
                { "*?", "\xe2\x82\xac", true },
                { "*a*b*c", "xxaxxbxxbxxc", true },
                { "*a*b*c", "xxaxxcxxb", false },
                { "a**b", "ab", true },
                { "*.py", ".py", true },
                { "A", "a", false },
                { "[ab]", "a", false },
                { "[ab]", "[ab]", true },
                { "\\*", "\\x", true },
                { "", "", true },
                { "", "a", false },
                { "/a", "/a", true },
                { "/a", "a", false },
        };
        uint64_t budget = UINT64_MAX;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (pattern_matches(cases[i].pattern, cases[i].path, &budget) != cases[i].matches)
                        fail_msg("%s against %s", cases[i].pattern, cases[i].path);
}

static void many_stars_take_no_time(void **state) {
        char path[4096], pattern[512];
        uint64_t budget = UINT64_MAX;

        memset(path, 'a', sizeof(path) - 1);
        path[sizeof(path) - 1] = '\0';
        for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
                memcpy(pattern + i, "*a", 2);
        (void)strcpy(pattern + sizeof(pattern) - 3, "*b");
        assert_false(pattern_matches(pattern, path, &budget));
        assert_true(UINT64_MAX - budget > sizeof(path));
        assert_true(UINT64_MAX - budget < sizeof(path) * sizeof(pattern));
        budget = 1000;
        assert_false(pattern_matches("*aaaab", path, &budget));
        assert_int_equal(budget, 0);
        assert_false(pattern_matches("a", "a", &budget));
}

static void pattern_reaches_a_folder_by_its_first_segment(void **state) {
        uint64_t budget = UINT64_MAX;

        assert_true(pattern_reaches("boiler/*", "boiler", &budget));
        assert_true(pattern_reaches("boil*/1.?/x", "boiler", &budget));
        assert_true(pattern_reaches("*/*/*", "boiler", &budget));
        assert_false(pattern_reaches("panel/*", "boiler", &budget));
        assert_false(pattern_reaches("boiler", "boiler", &budget));
        assert_false(pattern_reaches("*", "boiler", &budget));
        assert_false(pattern_reaches("boile/*", "boiler", &budget));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clause_4_5_patterns_match_within_a_segment),
                cmocka_unit_test(many_stars_take_no_time),
                cmocka_unit_test(pattern_reaches_a_folder_by_its_first_segment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

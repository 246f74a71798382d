/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Quote: what stays as it is, and what becomes %XX. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/quote.h"

static void quoted_name_is_one_segment(void **state) {
        static const struct {
                const char *name, *quoted;
        } cases[] = {
                { "", "" },
                { "team-A_1.b~c", "team-A_1.b~c" },
                { "../delegated/role", "..%2Fdelegated%2Frole" },
                { "?", "%3F" },
                { "#", "%23" },
                { "100%", "100%25" },
                { "a b+c", "a%20b%2Bc" },
                { "\xc3\xa9\x01\xff", "%C3%A9%01%FF" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *quoted = quote_name(cases[i].name);

                assert_string_equal(quoted, cases[i].quoted);
                free(quoted);
        }
}

static void quoted_path_keeps_its_slashes(void **state) {
        char *quoted = quote_path("a/b c/1.0+x~1/(d):@?#%[\\");

        assert_string_equal(quoted, "a/b%20c/1.0+x~1/(d):@%3F%23%25%5B%5C");
        free(quoted);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(quoted_name_is_one_segment),
                cmocka_unit_test(quoted_path_keeps_its_slashes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

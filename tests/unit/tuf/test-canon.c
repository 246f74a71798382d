/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Canonical JSON: input and the very bytes that are signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tuf/canon.h"

static const struct {
        const char *json, *canonical;
} cases[] = {
        { "{}", "{}" },
        { "[]", "[]" },
        { "[ 1 , -2, 0 ]", "[1,-2,0]" },
        { "{\"b\":1,\"a\":2}", "{\"a\":2,\"b\":1}" },
        { "{\"a\":true,\"b\":false,\"c\":null}", "{\"a\":true,\"b\":false,\"c\":null}" },
        { "[\"a\\\"b\\\\c\"]", "[\"a\\\"b\\\\c\"]" },
        { "[\"a\\nb\\tc\\u0001\"]", "[\"a\nb\tc\x01\"]" },
        { "[\"a\\/b\"]", "[\"a/b\"]" },
        { "[\"\\u00fc\\u20ac\"]", "[\"\xc3\xbc\xe2\x82\xac\"]" },
        { "[\"\\ud83d\\ude00\"]", "[\"\xf0\x9f\x98\x80\"]" },
        { "{\"B\":1,\"a\":1,\"A\":1,\"_\":1}", "{\"A\":1,\"B\":1,\"_\":1,\"a\":1}" },
        { "{\"\\u00e4\":1,\"z\":1,\"a\\nb\":1}", "{\"a\nb\":1,\"z\":1,\"\xc3\xa4\":1}" },
        { "{\"aa\":1,\"a\":{\"y\":[],\"x\":{}}}", "{\"a\":{\"x\":{},\"y\":[]},\"aa\":1}" },
        { "[9223372036854775807,-9223372036854775808]",
                        "[9223372036854775807,-9223372036854775808]" },
};

static void canonical_form_is_that_of_the_table(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                json_t *value = NULL;
                char *text = NULL;
                size_t n;

                assert_int_equal(json_parse(cases[i].json, strlen(cases[i].json), &value, NULL), 0);
                assert_int_equal(canon_encode(value, &text, &n, NULL), 0);
                assert_string_equal(text, cases[i].canonical);
                assert_int_equal(n, strlen(cases[i].canonical));
                free(text);
                json_decref(value);
        }
}

static void number_with_a_fraction_is_refused_at_any_depth(void **state) {
        static const char *const texts[] = { "[1.0]", "{\"a\":[{\"b\":1e3}]}" };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                json_t *value = NULL;
                char *text = NULL;
                size_t n;

                assert_int_equal(json_parse(texts[i], strlen(texts[i]), &value, NULL), 0);
                assert_int_equal(canon_encode(value, &text, &n, NULL), -EBADMSG);
                assert_null(text);
                json_decref(value);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(canonical_form_is_that_of_the_table),
                cmocka_unit_test(number_with_a_fraction_is_refused_at_any_depth),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

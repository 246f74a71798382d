/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict JSON: what is refused and with which words; getters over one object of every kind of
 * member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/json.h"

#define DIGEST "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const char object[] =
                "{\"s\":\"text\",\"empty\":\"\",\"long\":\"12345\",\"umlaut\":\"\\u00e4\",\"esc\":\"a\\u001bb\","
                "\"lines\":\"a\\n\\tb\",\"c1\":\"\\u0085\",\"n\":7,\"minus\":-1,\"real\":7.0,\"max\":9223372036854775807,"
                "\"yes\":true,\"no\":false,\"null\":null,\"o\":{\"x\":1},\"a\":[1,2,3],\"d\":\"" DIGEST
                "\"}";

static int setup(void **state) {
        return json_parse(object, strlen(object), (json_t **)state, NULL);
}

static int teardown(void **state) {
        json_decref(*state);
        return 0;
}

static void assert_refused(const char *text, size_t n, const char *words) {
        json_t *j = NULL;
        Why w = { "" };

        if (json_parse(text, n, &j, &w) != -EBADMSG || j || !strstr(w.text, words))
                fail_msg("%.*s: \"%s\", wanted: %s", (int)n, text, w.text, words);
}

static void odd_json_is_refused_with_its_place(void **state) {
        static const struct {
                const char *text, *words;
        } cases[] = {
                { "", "line 1, column 0" },
                { "{", "line 1, column 1" },
                { "{}\n x", "line 2, column 2" },
                { "{}{}", "column 3" },
                { "7", "line 1" },
                { "\"s\"", "line 1" },
                { "{\"a\":1,\"a\":2}", "duplicate" },
                { "{\"a\":1,}", "line 1" },
                { "{'a':1}", "line 1" },
                { "{\"a\":01}", "line 1" },
                { "{\"a\":NaN}", "line 1" },
                { "{\"a\":9223372036854775808}", "too big" },
                { "{\"a\":\"\xff\"}", "line 1" },
                { "{\"a\":\"\\u0000\"}", "line 1" },
                { "{\"\\u0000\":1}", "line 1" },
                { "// no\n{}", "line 1" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_refused(cases[i].text, strlen(cases[i].text), cases[i].words);
        assert_refused("{}\0", 3, "line 1");
        assert_refused("{\"a\":\"x\0y\"}", 11, "line 1");
}

static void nesting_is_bounded(void **state) {
        char text[200];
        json_t *j = NULL;
        Why w;

        memset(text, '[', 65);
        memset(text + 65, ']', 65);
        assert_int_equal(json_parse(text, 130, &j, &w), -EBADMSG);
        assert_string_equal(w.text, "JSON is nested deeper than 64 levels");
        assert_int_equal(json_parse(text + 1, 128, &j, &w), 0);
        json_decref(j);
}

static void brackets_in_strings_are_no_nesting(void **state) {
        char text[300] = "[\"\\\"";
        json_t *j = NULL;

        memset(text + 4, '[', 200);
        (void)strcpy(text + 204, "\"]");
        assert_int_equal(json_parse(text, strlen(text), &j, NULL), 0);
        assert_int_equal(json_array_size(j), 1);
        json_decref(j);
}

static void strings_are_printable_and_bounded(void **state) {
        const char *s = "kept";
        Why w;

        assert_int_equal(json_get_string(*state, "record", "s", 4, &s, &w), 0);
        assert_string_equal(s, "text");
        s = "kept";
        assert_int_equal(json_get_string(*state, "record", "long", 4, &s, &w), -EBADMSG);
        assert_string_equal(w.text,
                        "record: \"long\" is \"12345\"; it has to be 1 to 4 printable ASCII characters");
        assert_int_equal(json_get_string(*state, "record", "empty", 4, &s, &w), -EBADMSG);
        assert_int_equal(json_get_string(*state, "record", "umlaut", 4, &s, &w), -EBADMSG);
        assert_int_equal(json_get_string(*state, "record", "esc", 4, &s, &w), -EBADMSG);
        assert_int_equal(json_get_string(*state, "record", "none", 4, &s, &w), -EBADMSG);
        assert_string_equal(w.text, "record: \"none\" is missing; it has to be a string");
        assert_int_equal(json_get_string(*state, "record", "null", 4, &s, &w), -EBADMSG);
        assert_int_equal(json_get_string(*state, "record", "n", 4, &s, &w), -EBADMSG);
        assert_string_equal(w.text, "record: \"n\" is a whole number; it has to be a string");
        assert_string_equal(s, "kept");
}

static void optional_strings_may_be_absent_but_not_wrong(void **state) {
        const char *s = "kept";

        assert_int_equal(json_get_string_opt(*state, "record", "none", 4, &s, NULL), 0);
        assert_int_equal(json_get_string_opt(*state, "record", "null", 4, &s, NULL), 0);
        assert_int_equal(json_get_string_opt(*state, "record", "a", 4, &s, NULL), -EBADMSG);
        assert_int_equal(json_get_string_opt(*state, "record", "empty", 4, &s, NULL), -EBADMSG);
        assert_string_equal(s, "kept");
        assert_int_equal(json_get_string_opt(*state, "record", "s", 4, &s, NULL), 0);
        assert_string_equal(s, "text");
}

static void texts_may_have_lines_and_umlauts_but_no_controls(void **state) {
        const char *s = "kept";

        assert_int_equal(json_get_text_opt(*state, "release", "none", 4, &s, NULL), 0);
        assert_int_equal(json_get_text_opt(*state, "release", "esc", 4, &s, NULL), -EBADMSG);
        assert_int_equal(json_get_text_opt(*state, "release", "c1", 4, &s, NULL), -EBADMSG);
        assert_int_equal(json_get_text_opt(*state, "release", "long", 4, &s, NULL), -EBADMSG);
        assert_int_equal(json_get_text_opt(*state, "release", "n", 4, &s, NULL), -EBADMSG);
        assert_string_equal(s, "kept");
        assert_int_equal(json_get_text_opt(*state, "release", "empty", 0, &s, NULL), 0);
        assert_string_equal(s, "");
        assert_int_equal(json_get_text_opt(*state, "release", "lines", 4, &s, NULL), 0);
        assert_string_equal(s, "a\n\tb");
        assert_int_equal(json_get_text_opt(*state, "release", "umlaut", 2, &s, NULL), 0);
        assert_string_equal(s, "\xc3\xa4");
}

static void numbers_are_whole_and_within_bounds(void **state) {
        uint64_t v = 99;
        Why w;

        assert_int_equal(json_get_uint(*state, "record", "n", 8, 9, &v, &w), -EBADMSG);
        assert_string_equal(w.text, "record: \"n\" is 7; it has to be from 8 to 9");
        assert_int_equal(json_get_uint(*state, "record", "n", 0, 6, &v, &w), -EBADMSG);
        assert_int_equal(json_get_uint(*state, "record", "minus", 0, INT64_MAX, &v, &w), -EBADMSG);
        assert_int_equal(json_get_uint(*state, "record", "real", 0, 10, &v, &w), -EBADMSG);
        assert_string_equal(w.text,
                        "record: \"real\" is a number with a fraction; it has to be a whole number");
        assert_int_equal(json_get_uint(*state, "record", "s", 0, 10, &v, &w), -EBADMSG);
        assert_int_equal(json_get_uint(*state, "record", "none", 0, 10, &v, &w), -EBADMSG);
        assert_int_equal(v, 99);
        assert_int_equal(json_get_uint(*state, "record", "n", 7, 7, &v, &w), 0);
        assert_int_equal(v, 7);
        assert_int_equal(json_get_uint(*state, "record", "max", 0, INT64_MAX, &v, &w), 0);
        assert_true(v == INT64_MAX);
}

static void optional_numbers_keep_their_default(void **state) {
        uint64_t v = 99;

        assert_int_equal(json_get_uint_opt(*state, "record", "none", 0, 10, &v, NULL), 0);
        assert_int_equal(json_get_uint_opt(*state, "record", "null", 0, 10, &v, NULL), 0);
        assert_int_equal(json_get_uint_opt(*state, "record", "real", 0, 10, &v, NULL), -EBADMSG);
        assert_int_equal(v, 99);
        assert_int_equal(json_get_uint_opt(*state, "record", "n", 0, 10, &v, NULL), 0);
        assert_int_equal(v, 7);
}

static void booleans_are_true_or_false(void **state) {
        bool b = true;

        assert_int_equal(json_get_bool_opt(*state, "record", "none", &b, NULL), 0);
        assert_int_equal(json_get_bool_opt(*state, "record", "n", &b, NULL), -EBADMSG);
        assert_true(b);
        assert_int_equal(json_get_bool_opt(*state, "record", "no", &b, NULL), 0);
        assert_false(b);
        assert_int_equal(json_get_bool_opt(*state, "record", "yes", &b, NULL), 0);
        assert_true(b);
}

static void objects_and_arrays_are_typed_and_bounded(void **state) {
        json_t *j = NULL;
        Why w;

        assert_int_equal(json_get_object(*state, "record", "a", &j, &w), -EBADMSG);
        assert_int_equal(json_get_object(*state, "record", "none", &j, &w), -EBADMSG);
        assert_int_equal(json_get_object_opt(*state, "record", "none", &j, &w), 0);
        assert_int_equal(json_get_array(*state, "record", "o", 9, &j, &w), -EBADMSG);
        assert_int_equal(json_get_array(*state, "record", "null", 9, &j, &w), -EBADMSG);
        assert_int_equal(json_get_array(*state, "record", "a", 2, &j, &w), -EBADMSG);
        assert_string_equal(w.text, "record: \"a\" has 3 elements; 2 are allowed");
        assert_int_equal(json_get_array_opt(*state, "record", "none", 2, &j, &w), 0);
        assert_null(j);
        assert_int_equal(json_get_object(*state, "record", "o", &j, &w), 0);
        assert_true(json_is_object(j));
        assert_int_equal(json_get_array(*state, "record", "a", 3, &j, &w), 0);
        assert_int_equal(json_array_size(j), 3);
}

static void digests_are_64_digits(void **state) {
        Sha256 d = { { 9 } };
        char text[SHA256_HEX];

        assert_int_equal(json_get_sha256(*state, "record", "s", &d, NULL), -EBADMSG);
        assert_int_equal(json_get_sha256(*state, "record", "n", &d, NULL), -EBADMSG);
        assert_int_equal(json_get_sha256(*state, "record", "none", &d, NULL), -EBADMSG);
        assert_int_equal(json_get_sha256_opt(*state, "record", "none", &d, NULL), 0);
        assert_int_equal(d.bytes[0], 9);
        assert_int_equal(json_get_sha256(*state, "record", "d", &d, NULL), 0);
        sha256_to_hex(&d, text);
        assert_string_equal(text, DIGEST);
}

static void large_numbers_are_16_digits(void **state) {
        json_t *o = json_pack("{s:o, s:s, s:i, s:s}", "v", json_hex64(0xfedcba9876543210), "short",
                        "12", "n", 12, "odd", "00000000000000zz");
        uint64_t v = 9;

        assert_int_equal(json_get_hex64_opt(o, "record", "none", &v, NULL), 0);
        assert_int_equal(json_get_hex64_opt(o, "record", "short", &v, NULL), -EBADMSG);
        assert_int_equal(json_get_hex64_opt(o, "record", "n", &v, NULL), -EBADMSG);
        assert_int_equal(json_get_hex64_opt(o, "record", "odd", &v, NULL), -EBADMSG);
        assert_true(v == 9);
        assert_int_equal(json_get_hex64_opt(o, "record", "v", &v, NULL), 0);
        assert_true(v == 0xfedcba9876543210);
        json_decref(o);
}

static void printing_is_compact_and_sorted(void **state) {
        json_t *j = NULL;
        char *text;

        assert_int_equal(json_parse("{ \"b\" : [1, 2],\n\"a\": null }", 27, &j, NULL), 0);
        text = json_print(j);
        assert_string_equal(text, "{\"a\":null,\"b\":[1,2]}");
        free(text);
        json_decref(j);
}

static void strings_are_found_among_other_elements(void **state) {
        json_t *list = json_pack("[s, i, n, s]", "one", 2, "three");

        assert_true(json_has_string(list, "one"));
        assert_true(json_has_string(list, "three"));
        assert_false(json_has_string(list, "2"));
        assert_false(json_has_string(list, "thre"));
        assert_false(json_has_string(NULL, "one"));
        json_decref(list);
}

static int by_value(const void *a, const void *b) {
        return (int)(json_integer_value(*(json_t *const *)a) -
                        json_integer_value(*(json_t *const *)b));
}

static void arrays_are_sorted_into_a_new_one(void **state) {
        json_t *list = json_pack("[i, i, i, i]", 3, 1, 4, 2), *sorted = json_sorted(list, by_value);

        assert_int_equal(json_array_size(sorted), 4);
        for (size_t i = 0; i < 4; i++)
                assert_int_equal(json_integer_value(json_array_get(sorted, i)), i + 1);
        assert_int_equal(json_integer_value(json_array_get(list, 0)), 3);
        json_decref(sorted);
        json_decref(list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(odd_json_is_refused_with_its_place),
                cmocka_unit_test(nesting_is_bounded),
                cmocka_unit_test(brackets_in_strings_are_no_nesting),
                TEST(strings_are_printable_and_bounded),
                TEST(optional_strings_may_be_absent_but_not_wrong),
                TEST(texts_may_have_lines_and_umlauts_but_no_controls),
                TEST(numbers_are_whole_and_within_bounds),
                TEST(optional_numbers_keep_their_default),
                TEST(booleans_are_true_or_false),
                TEST(objects_and_arrays_are_typed_and_bounded),
                TEST(digests_are_64_digits),
                cmocka_unit_test(large_numbers_are_16_digits),
                cmocka_unit_test(strings_are_found_among_other_elements),
                cmocka_unit_test(arrays_are_sorted_into_a_new_one),
                cmocka_unit_test(printing_is_compact_and_sorted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hexadecimal and base64: the vectors of RFC 4648 and every way to be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/hex.h"

static const struct {
        const char *plain, *base64;
} vectors[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
        { "\xfb\xff\xfe", "+//+" },
};

static void hex_is_lower_case(void **state) {
        char text[9];

        hex_encode("\x00\x9f\xab\xff", 4, text);
        assert_string_equal(text, "009fabff");
}

static void hex_of_nothing_is_empty(void **state) {
        char text[1] = "x";

        hex_encode("", 0, text);
        assert_string_equal(text, "");
        assert_int_equal(hex_decode("", text, 0), 0);
}

static void hex_of_either_case_is_read(void **state) {
        uint8_t bytes[4];

        assert_int_equal(hex_decode("009fABfF", bytes, 4), 0);
        assert_memory_equal(bytes, "\x00\x9f\xab\xff", 4);
}

static void odd_hex_is_refused_and_nothing_written(void **state) {
        static const char *const odd[] = { "", "0", "001", "00110", "001122", "0g11", "00 1",
                " 0011", "0x11", "00-1" };

        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                uint8_t bytes[2] = { 0x55, 0x66 };

                if (hex_decode(odd[i], bytes, 2) != -EINVAL)
                        fail_msg("\"%s\" is accepted", odd[i]);
                assert_memory_equal(bytes, "\x55\x66", 2);
        }
}

static void base64_encodes_the_vectors(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                char *text = NULL;

                assert_int_equal(base64_encode(vectors[i].plain, strlen(vectors[i].plain), &text),
                                0);
                assert_string_equal(text, vectors[i].base64);
                free(text);
        }
}

static void base64_decodes_the_vectors(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                uint8_t *bytes = NULL;
                size_t n = 99;

                assert_int_equal(base64_decode(vectors[i].base64, 6, &bytes, &n), 0);
                assert_int_equal(n, strlen(vectors[i].plain));
                assert_memory_equal(bytes, vectors[i].plain, n);
                free(bytes);
        }
}

static void odd_base64_is_refused(void **state) {
        static const char *const odd[] = { "Z", "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zm=v",
                "Zg==Zg==", "Zm 8=", "Zm8=\n", " Zm8", "Zm-_", "Zh==", "Zm9=", "Zm8.",
                "\xc3\xa9Zm" };

        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                uint8_t *bytes = NULL;
                size_t n = 99;

                if (base64_decode(odd[i], 100, &bytes, &n) != -EINVAL)
                        fail_msg("\"%s\" is accepted", odd[i]);
                assert_null(bytes);
                assert_int_equal(n, 99);
        }
}

static void too_much_base64_is_refused(void **state) {
        uint8_t *bytes = NULL;
        size_t n = 99;

        assert_int_equal(base64_decode("Zm9vYg==", 3, &bytes, &n), -E2BIG);
        assert_null(bytes);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(hex_is_lower_case),
                cmocka_unit_test(hex_of_nothing_is_empty),
                cmocka_unit_test(hex_of_either_case_is_read),
                cmocka_unit_test(odd_hex_is_refused_and_nothing_written),
                cmocka_unit_test(base64_encodes_the_vectors),
                cmocka_unit_test(base64_decodes_the_vectors),
                cmocka_unit_test(odd_base64_is_refused),
                cmocka_unit_test(too_much_base64_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

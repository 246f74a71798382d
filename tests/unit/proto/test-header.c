/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device header, and the order of versions that its floor is judged by.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/header.h"
#include "proto/version.h"

static RkdHeader header;
static uint8_t encoded[RKD_HEADER_MAX + 1];
static size_t n_encoded;

static int set_up(void **state) {
        header = (RkdHeader){
                .algorithm = RKD_ALGORITHM_ED25519,
                .length = 181248,
                .model = rkd_text("boiler-ctl"),
                .version = rkd_text("2.4.1"),
                .floor = rkd_text("2.0.0"),
                .n_hardware = 2,
                .hardware = { rkd_text("B"), rkd_text("C") },
        };
        memset(header.sha256, 0x11, sizeof(header.sha256));
        memset(encoded, 0, sizeof(encoded));
        n_encoded = rkd_header_encode(&header, encoded, RKD_HEADER_MAX);
        return 0;
}

static void it_comes_back(void **state) {
        RkdHeader h;

        assert_int_equal(n_encoded, 44 + 11 + 6 + 6 + 1 + 2 + 2);
        assert_int_equal(rkd_header_decode(&h, encoded, n_encoded), 0);
        assert_int_equal(h.length, header.length);
        assert_memory_equal(h.sha256, header.sha256, sizeof(h.sha256));
        assert_true(rkd_text_equal(h.model, header.model));
        assert_true(rkd_text_equal(h.version, header.version));
        assert_true(rkd_text_equal(h.floor, header.floor));
        assert_int_equal(h.n_hardware, 2);
        assert_true(rkd_text_equal(h.hardware[1], rkd_text("C")));
}

static void another_length_is_refused(void **state) {
        RkdHeader h;

        for (size_t n = 0; n < n_encoded; n++)
                assert_int_equal(rkd_header_decode(&h, encoded, n), RKD_E_MALFORMED);
        assert_int_equal(rkd_header_decode(&h, encoded, n_encoded + 1), RKD_E_MALFORMED);
}

static void odd_bytes_are_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
        } odd[] = { { 0, 'r' }, { 3, '2' }, { 4, 2 }, { 5, 3 }, { 6, 1 }, { 7, 1 }, { 44, 0 },
                { 44, 64 }, { 45, 10 }, { 55, 0 }, { 56, 128 }, { 67, 17 }, { 68, 0 }, { 68, 200 },
                { 67, 1 } };
        RkdHeader h;

        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
                uint8_t b[RKD_HEADER_MAX];

                memcpy(b, encoded, n_encoded);
                b[odd[i].at] = odd[i].value;
                if (rkd_header_decode(&h, b, n_encoded) == 0)
                        fail_msg("byte %zu may be %u", odd[i].at, odd[i].value);
        }
        memset(encoded + 8, 0, 4);
        assert_int_equal(rkd_header_decode(&h, encoded, n_encoded), RKD_E_MALFORMED);
}

static void what_cannot_be_read_back_is_not_written(void **state) {
        char text[80];

        memset(text, 'v', sizeof(text));
        text[64] = '\0';
        header.version = rkd_text(text);
        assert_int_equal(rkd_header_encode(&header, encoded, RKD_HEADER_MAX), 0);
        header.version = rkd_text("");
        assert_int_equal(rkd_header_encode(&header, encoded, RKD_HEADER_MAX), 0);
        header.version = rkd_text("1");
        header.n_hardware = 6;
        text[60] = '\0';
        for (unsigned i = 0; i < 6; i++)
                header.hardware[i] = rkd_text(text);
        assert_int_equal(rkd_header_encode(&header, encoded, RKD_HEADER_MAX), 0);
        header.n_hardware = 3;
        assert_true(rkd_header_encode(&header, encoded, RKD_HEADER_MAX) > 0);
}

static void hardware_is_matched_whole(void **state) {
        assert_true(rkd_header_fits_hardware(&header, rkd_text("C")));
        assert_false(rkd_header_fits_hardware(&header, rkd_text("CC")));
        assert_false(rkd_header_fits_hardware(&header, rkd_text("")));
        header.n_hardware = 0;
        assert_true(rkd_header_fits_hardware(&header, rkd_text("Z")));
}

static void a_signature_goes_with_its_algorithm(void **state) {
        assert_true(rkd_header_takes_signature(&header, 64));
        assert_false(rkd_header_takes_signature(&header, 0));
        header.algorithm = RKD_ALGORITHM_NONE;
        assert_true(rkd_header_takes_signature(&header, 0));
        assert_false(rkd_header_takes_signature(&header, 64));
}

static void versions_have_their_order(void **state) {
        static const struct {
                const char *a, *b;
                int sign;
        } cases[] = {
                { "1.0.0", "1.0.0", 0 },
                { "1.0.0", "2.0.0", -1 },
                { "2.0.0", "2.1.0", -1 },
                { "2.1.0", "2.1.1", -1 },
                { "1.9.0", "1.10.0", -1 },
                { "1.0.0-alpha", "1.0.0", -1 },
                { "1.0.0-alpha", "1.0.0-alpha.1", -1 },
                { "1.0.0-alpha.1", "1.0.0-alpha.beta", -1 },
                { "1.0.0-beta.2", "1.0.0-beta.11", -1 },
                { "1.0.0-rc.1", "1.0.0", -1 },
                { "v1.2.3", "1.2.3", 0 },
                { "V1.2.3", "v1.2.3", 0 },
                { "1.2", "1.2.0", 0 },
                { "1", "1.0.0", 0 },
                { "1.2.3.4", "1.2.3", 1 },
                { "1.2.3.0", "1.2.3", 0 },
                { "1.02.3", "1.2.3", 0 },
                { "1.0.0+1", "1.0.0", 1 },
                { "1.0.0+2", "1.0.0+10", -1 },
                { "1.0.0+b", "1.0.0+a", 1 },
                { "1.0.0-1", "1.0.0-a", -1 },
                { "1.0.0-99999999999999999999", "1.0.0-100000000000000000000", -1 },
                { "18446744073709551616.0", "2.0", 1 },
                { "1.0.0-a+1", "1.0.0-a+2", -1 },
                { "", "", 0 },
                { "", "0", 0 },
                { "1.0.0-x-y", "1.0.0-x-z", -1 },
                { "1.x", "1.2", 1 },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                RkdText a = rkd_text(cases[i].a), b = rkd_text(cases[i].b);
                int ab = rkd_version_compare(a, b), ba = rkd_version_compare(b, a);

                if ((ab > 0) - (ab < 0) != cases[i].sign || (ba > 0) - (ba < 0) != -cases[i].sign)
                        fail_msg("%s and %s: %d, %d", cases[i].a, cases[i].b, ab, ba);
        }
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(it_comes_back),
                TEST(another_length_is_refused),
                TEST(odd_bytes_are_refused),
                TEST(what_cannot_be_read_back_is_not_written),
                TEST(hardware_is_matched_whole),
                TEST(a_signature_goes_with_its_algorithm),
                TEST(versions_have_their_order),
        };

        return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The identity block: whole, in pieces, and odd.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/message.h"

static RkdIdentity identity;
static uint8_t whole[RKD_IDENTITY_MAX + 1];
static size_t n_whole;

static int set_up(void **state) {
        identity = (RkdIdentity){
                .protocol = RKD_PROTOCOL,
                .state = RKD_CONFIRMED,
                .boots = 3,
                .codecs = 1,
                .capabilities = RKD_CAN_FULL_DUPLEX | RKD_CAN_MARKS,
                .max_payload = 2048,
                .max_answer = 256,
                .buffer = 4096,
                .unit_size = 1024,
                .program_base = 0x08002000,
                .program_space = 0x10000,
                .push_id = 0x0102030405060708,
                .image_length = 1000,
                .digest_source = RKD_DIGEST_RECORD,
                .n_speeds = 2,
                .speeds = { 115200, 460800 },
                .n_regions = 1,
                .regions = { { 0x08000000, 1024, 128, 8 } },
                .model = rkd_text("boiler-ctl"),
                .hardware = rkd_text("B"),
                .serial = rkd_text("0042"),
                .bootloader_version = rkd_text("1.0.0"),
                .version = rkd_text("2.4.1"),
        };
        memset(identity.image_sha256, 0xab, sizeof(identity.image_sha256));
        memset(whole, 0, sizeof(whole));
        n_whole = rkd_identity_encode(&identity, 0, whole, sizeof(whole));
        return 0;
}

static void it_comes_back(void **state) {
        RkdIdentity id;

        assert_int_equal(rkd_identity_decode(&id, whole, n_whole), 0);
        assert_true(id.push_id == identity.push_id);
        assert_memory_equal(id.regions, identity.regions, sizeof(id.regions));
        assert_memory_equal(id.speeds, identity.speeds, sizeof(id.speeds));
        assert_memory_equal(id.image_sha256, identity.image_sha256, sizeof(id.image_sha256));
        assert_true(rkd_text_equal(id.version, rkd_text("2.4.1")));
        assert_int_equal(id.floor.length, 0);
        assert_int_equal(id.max_answer, 256);
}

static void pieces_of_any_size_make_the_whole(void **state) {
        for (size_t room = 1; room <= n_whole; room++) {
                uint8_t pieces[RKD_IDENTITY_MAX] = { 0 };

                for (size_t at = 0; at < n_whole; at += room) {
                        size_t n = room < n_whole - at ? room : n_whole - at;

                        assert_int_equal(rkd_identity_encode(&identity, at, pieces + at, n),
                                        n_whole);
                }
                assert_memory_equal(pieces, whole, n_whole);
        }
}

static void a_window_beyond_the_end_writes_nothing(void **state) {
        uint8_t out[4] = { 9, 9, 9, 9 };

        assert_int_equal(rkd_identity_encode(&identity, n_whole, out, 4), n_whole);
        assert_memory_equal(out, "\x09\x09\x09\x09", 4);
}

static void another_length_is_refused(void **state) {
        RkdIdentity id;

        for (size_t n = 0; n < n_whole; n++)
                assert_int_equal(rkd_identity_decode(&id, whole, n), RKD_E_MALFORMED);
        assert_int_equal(rkd_identity_decode(&id, whole, n_whole + 1), RKD_E_MALFORMED);
}

static void the_greatest_identity_is_within_the_limit(void **state) {
        char text[RKD_TEXT_MAX + 1];
        RkdIdentity id;

        memset(text, 'x', RKD_TEXT_MAX);
        text[RKD_TEXT_MAX - 12] = '\0';
        identity.n_speeds = RKD_SPEEDS_MAX;
        identity.n_regions = RKD_REGIONS_MAX;
        identity.model = identity.hardware = identity.serial = rkd_text(text);
        identity.bootloader_version = identity.version = identity.floor = rkd_text(text);
        n_whole = rkd_identity_encode(&identity, 0, whole, sizeof(whole));
        assert_true(n_whole <= RKD_IDENTITY_MAX);
        assert_int_equal(rkd_identity_decode(&id, whole, n_whole), 0);
}

static void odd_bytes_are_refused(void **state) {
        static const struct {
                size_t at;
                uint8_t value;
        } odd[] = {
                { 0, 2 },                                  /* format */
                { 1, 0 },                                  /* protocol */
                { 2, 2 },                                  /* who */
                { 3, 8 },                                  /* state */
                { 4, 4 },                                  /* health */
                { 5, 6 },                                  /* cause */
                { 17, 0 },                                 /* max_payload 0 */
                { 17, 0x20 },                              /* max_payload 8192 */
                { 19, 9 },                                 /* max_answer > 1024 */
                { 25, 0 },                                 /* unit_size 0 */
                { 32, 1 },                                 /* space no multiple of the unit */
                { 54, 2 },                                 /* image longer than the space */
                { 88, 4 },                                 /* digest source */
                { 89, 9 },                                 /* speeds */
                { 98, 5 },                                 /* regions */
                { 113, 0 },                                /* no model: the strings shift */
                { 114, 7 },                                /* a bell in the model */
                { 114, 0x7f }, { 114, 0xe4 }, { 113, 64 }, /* too long */
        };

        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
                uint8_t b[RKD_IDENTITY_MAX];
                RkdIdentity id;

                memcpy(b, whole, n_whole);
                b[odd[i].at] = odd[i].value;
                if (rkd_identity_decode(&id, b, n_whole) == 0)
                        fail_msg("byte %zu may be %u", odd[i].at, odd[i].value);
        }
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(it_comes_back),
                TEST(pieces_of_any_size_make_the_whole),
                TEST(a_window_beyond_the_end_writes_nothing),
                TEST(another_length_is_refused),
                TEST(the_greatest_identity_is_within_the_limit),
                TEST(odd_bytes_are_refused),
        };

        return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}

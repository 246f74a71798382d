/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device's SHA-256 beside that of libcrypto.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/sha.h>
#include <string.h>

#include "device/rkd-sha256.h"

static uint8_t message[300];

static void fill(void) {
        for (size_t i = 0; i < sizeof(message); i++)
                message[i] = (uint8_t)(i * 7 + 3);
}

static void every_length_gives_the_same_digest(void **state) {
        uint8_t wanted[RKD_SHA256_BYTES], digest[RKD_SHA256_BYTES];
        RkdSha256 sha;

        fill();
        for (size_t n = 0; n <= sizeof(message); n++) {
                (void)SHA256(message, n, wanted);
                rkd_sha256_init(&sha);
                rkd_sha256_add(&sha, message, n);
                rkd_sha256_finish(&sha, digest);
                assert_memory_equal(digest, wanted, sizeof(digest));
        }
}

static void pieces_give_the_same_digest(void **state) {
        uint8_t wanted[RKD_SHA256_BYTES], digest[RKD_SHA256_BYTES];
        RkdSha256 sha;

        fill();
        (void)SHA256(message, sizeof(message), wanted);
        for (size_t piece = 1; piece < 130; piece++) {
                rkd_sha256_init(&sha);
                for (size_t at = 0; at < sizeof(message); at += piece) {
                        size_t left = sizeof(message) - at;

                        rkd_sha256_add(&sha, message + at, left < piece ? left : piece);
                }
                rkd_sha256_finish(&sha, digest);
                assert_memory_equal(digest, wanted, sizeof(digest));
        }
}

static void digest_may_go_into_the_block(void **state) {
        uint8_t wanted[RKD_SHA256_BYTES];
        RkdSha256 sha;

        fill();
        (void)SHA256(message, 100, wanted);
        rkd_sha256_init(&sha);
        rkd_sha256_add(&sha, message, 100);
        rkd_sha256_finish(&sha, (uint8_t *)sha.block);
        assert_memory_equal(sha.block, wanted, sizeof(wanted));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_length_gives_the_same_digest),
                cmocka_unit_test(pieces_give_the_same_digest),
                cmocka_unit_test(digest_may_go_into_the_block),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

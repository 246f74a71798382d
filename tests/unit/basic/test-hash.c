/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256: the examples of FIPS 180-4, in pieces, and from descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>

#include "basic/hash.h"

#define ABC       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define EMPTY     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void assert_digest(const Sha256 *digest, const char *hex) {
        char text[SHA256_HEX];

        sha256_to_hex(digest, text);
        assert_string_equal(text, hex);
}

static void known_answers(void **state) {
        Sha256 d;

        assert_int_equal(sha256_of("abc", 3, &d), 0);
        assert_digest(&d, ABC);
        assert_int_equal(sha256_of(NULL, 0, &d), 0);
        assert_digest(&d, EMPTY);
}

static void pieces_give_the_same_as_the_whole(void **state) {
        Hash *hash = NULL;
        Sha256 d;

        assert_int_equal(hash_new(&hash), 0);
        assert_int_equal(hash_update(hash, "a", 1), 0);
        assert_int_equal(hash_update(hash, NULL, 0), 0);
        assert_int_equal(hash_update(hash, "bc", 2), 0);
        assert_int_equal(hash_final(hash, &d), 0);
        assert_digest(&d, ABC);
        assert_null(hash_free(hash));
        assert_null(hash_free(NULL));
}

static void an_ended_hash_takes_nothing_more(void **state) {
        Sha256 d, other = { { 7 } };
        Hash *hash = NULL;

        assert_int_equal(hash_new(&hash), 0);
        assert_int_equal(hash_final(hash, &d), 0);
        assert_int_equal(hash_update(hash, "a", 1), -EIO);
        assert_int_equal(hash_final(hash, &other), -EIO);
        assert_int_equal(other.bytes[0], 7);
        (void)hash_free(hash);
}

static void a_file_is_read_from_its_start(void **state) {
        int fd = memfd_create("test", MFD_CLOEXEC);
        uint64_t size = 0;
        char block[1000];
        Sha256 d;

        assert_true(fd >= 0);
        memset(block, 'a', sizeof(block));
        for (int i = 0; i < 1000; i++)
                assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
        assert_int_equal(sha256_of_fd(fd, &d, &size), 0);
        assert_digest(&d, MILLION_A);
        assert_int_equal(size, 1000000);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 1000000);
        assert_int_equal(sha256_of_fd(fd, &d, NULL), 0);
        (void)close(fd);
}

static void what_cannot_be_read_is_an_error(void **state) {
        int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Sha256 d = { { 7 } };
        uint64_t size = 9;

        assert_true(fd >= 0);
        assert_int_equal(sha256_of_fd(fd, &d, &size), -EISDIR);
        assert_int_equal(sha256_of_fd(-1, &d, &size), -EBADF);
        assert_int_equal(d.bytes[0], 7);
        assert_int_equal(size, 9);
        (void)close(fd);
}

static void comparison_sees_every_byte(void **state) {
        Sha256 a = { { 0 } }, b = { { 0 } };

        assert_true(sha256_is_zero(&a));
        for (size_t i = 0; i < SHA256_BYTES; i++) {
                b.bytes[i] = 1;
                assert_false(sha256_equal(&a, &b));
                assert_false(sha256_is_zero(&b));
                b.bytes[i] = 0;
        }
        assert_true(sha256_equal(&a, &b));
}

static void text_of_a_digest_is_exactly_64_digits(void **state) {
        Sha256 d;

        assert_int_equal(sha256_from_hex(ABC, &d), 0);
        assert_digest(&d, ABC);
        assert_int_equal(sha256_from_hex(ABC "0", &d), -EINVAL);
        assert_int_equal(sha256_from_hex(ABC + 1, &d), -EINVAL);
        assert_int_equal(sha256_from_hex("", &d), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(known_answers),
                cmocka_unit_test(pieces_give_the_same_as_the_whole),
                cmocka_unit_test(an_ended_hash_takes_nothing_more),
                cmocka_unit_test(a_file_is_read_from_its_start),
                cmocka_unit_test(what_cannot_be_read_is_an_error),
                cmocka_unit_test(comparison_sees_every_byte),
                cmocka_unit_test(text_of_a_digest_is_exactly_64_digits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

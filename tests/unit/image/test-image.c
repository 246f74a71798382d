/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image: digests of blobs and part tables, in memory and in files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "image/image.h"

#define BYTES (200 * 1024)

typedef struct Fixture {
        uint8_t bytes[BYTES];
        Release release;
        ReleasePart parts[2];
        int fd;
        Why why;
} Fixture;

static int set_up(void **state) {
        static Fixture f;

        memset(&f, 0, sizeof(f));
        for (size_t i = 0; i < BYTES; i++)
                f.bytes[i] = (uint8_t)(i * 31 + i / 251);
        f.release.image_length = BYTES;
        f.fd = memfd_create("image", MFD_CLOEXEC);
        *state = &f;
        return f.fd < 0 ? -1 : sha256_of(f.bytes, BYTES, &f.release.image_digest);
}

static int tear_down(void **state) {
        Fixture *f = *state;

        return close(f->fd);
}

/* Two parts, the bytes between them erased. */
static void make_parts(Fixture *f) {
        f->parts[0] = (ReleasePart){ .offset = 16, .length = 70000 };
        f->parts[1] = (ReleasePart){ .offset = 80000, .length = BYTES - 80000 };
        memset(f->bytes, 0xff, 16);
        memset(f->bytes + 70016, 0xff, 80000 - 70016);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(sha256_of(f->bytes + f->parts[i].offset, f->parts[i].length,
                                                 &f->parts[i].digest),
                                0);
        f->release.parts = f->parts;
        f->release.n_parts = 2;
        assert_int_equal(image_digest(f->bytes, BYTES, f->parts, 2, &f->release.image_digest), 0);
}

/* From memory and from a file: both must agree. */
static int check(Fixture *f) {
        int a = image_check(f->bytes, BYTES, &f->release, &f->why), b;

        assert_int_equal(ftruncate(f->fd, 0), 0);
        assert_int_equal(pwrite(f->fd, f->bytes, BYTES, 0), BYTES);
        b = image_check_fd(f->fd, &f->release, &f->why);
        assert_int_equal(a, b);
        return a;
}

static void good_blob_is_taken(void **state) {
        assert_int_equal(check(*state), 0);
}

static void other_length_is_refused(void **state) {
        Fixture *f = *state;

        f->release.image_length = BYTES - 1;
        assert_int_equal(check(f), -EBADMSG);
        assert_string_equal(f->why.text, "image: 204800 bytes, but the release says 204799");
}

static void flipped_bit_is_refused(void **state) {
        static const size_t places[] = { 0, 65535, 65536, BYTES - 1 };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                f->bytes[places[i]] ^= 1;
                assert_int_equal(check(f), -EBADMSG);
                assert_non_null(strstr(f->why.text, "SHA-256"));
                f->bytes[places[i]] ^= 1;
        }
        assert_int_equal(check(f), 0);
}

static void digest_of_parts_covers_table_and_bytes(void **state) {
        /* count, then offset, length, SHA-256("abc"); then abc: written out by hand. */
        static const uint8_t table[] = { 1, 0, 2, 0, 0, 0, 3, 0, 0, 0 };
        uint8_t all[sizeof(table) + SHA256_BYTES + 3];
        ReleasePart part = { .offset = 2, .length = 3 };
        Sha256 have, want;

        assert_int_equal(sha256_of("abc", 3, &part.digest), 0);
        memcpy(all, table, sizeof(table));
        memcpy(all + sizeof(table), part.digest.bytes, SHA256_BYTES);
        memcpy(all + sizeof(table) + SHA256_BYTES, "abc", 3);
        assert_int_equal(sha256_of(all, sizeof(all), &want), 0);
        assert_int_equal(image_digest("\xff\xff"
                                      "abc",
                                         5, &part, 1, &have),
                        0);
        assert_true(sha256_equal(&have, &want));
}

static void good_parts_are_taken(void **state) {
        Fixture *f = *state;

        make_parts(f);
        assert_int_equal(check(f), 0);
}

static void flipped_bit_in_a_part_names_the_part(void **state) {
        Fixture *f = *state;

        make_parts(f);
        f->bytes[BYTES - 1] ^= 1;
        assert_int_equal(check(f), -EBADMSG);
        assert_non_null(strstr(f->why.text, "part 1"));
}

static void byte_between_parts_must_be_erased(void **state) {
        static const size_t places[] = { 0, 15, 70016, 79999 };
        Fixture *f = *state;

        make_parts(f);
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                f->bytes[places[i]] = 0;
                assert_int_equal(check(f), -EBADMSG);
                assert_non_null(strstr(f->why.text, "belongs to no part"));
                f->bytes[places[i]] = 0xff;
        }
        assert_int_equal(check(f), 0);
}

static void other_table_gives_another_digest(void **state) {
        Fixture *f = *state;
        Sha256 digest;

        make_parts(f);
        f->parts[0].digest.bytes[0] ^= 1;
        assert_int_equal(image_digest(f->bytes, BYTES, f->parts, 2, &digest), 0);
        assert_false(sha256_equal(&digest, &f->release.image_digest));
}

static void part_outside_the_image_is_an_error(void **state) {
        ReleasePart part = { .offset = 4, .length = 2 };
        Sha256 digest;

        assert_int_equal(image_digest("abcde", 5, &part, 1, &digest), -EINVAL);
        part = (ReleasePart){ .offset = UINT32_MAX, .length = UINT32_MAX };
        assert_int_equal(image_digest("abcde", 5, &part, 1, &digest), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(good_blob_is_taken),
                TEST(other_length_is_refused),
                TEST(flipped_bit_is_refused),
                TEST(digest_of_parts_covers_table_and_bytes),
                TEST(good_parts_are_taken),
                TEST(flipped_bit_in_a_part_names_the_part),
                TEST(byte_between_parts_must_be_erased),
                TEST(other_table_gives_another_digest),
                TEST(part_outside_the_image_is_an_error),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

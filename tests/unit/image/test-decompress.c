/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoder: what comes out, and every way in which a file can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zstd.h>

#include "image/decompress.h"

#define IMAGE_BYTES (300 * 1024)

typedef struct Fixture {
        uint8_t *image, *out, *file;
        size_t n_out, n_file;
        int sink_result;
        Decoder *decoder;
        Why why;
} Fixture;

static int set_up(void **state) {
        static Fixture f;
        uint32_t x = 1;

        memset(&f, 0, sizeof(f));
        f.image = malloc(IMAGE_BYTES);
        f.out = malloc(IMAGE_BYTES);
        for (size_t i = 0; i < IMAGE_BYTES; i++) {
                x = x * 1664525 + 1013904223;
                f.image[i] = (uint8_t)((x >> 24) & (i / 4096 % 2 ? 0x0f : 0xff));
        }
        *state = &f;
        return zstd_compress(f.image, IMAGE_BYTES, &f.file, &f.n_file);
}

static int tear_down(void **state) {
        Fixture *f = *state;

        (void)decoder_free(f->decoder);
        free(f->image);
        free(f->out);
        free(f->file);
        return 0;
}

static int sink(const void *bytes, size_t n, void *userdata) {
        Fixture *f = userdata;

        if (f->sink_result < 0)
                return f->sink_result;
        if (n > IMAGE_BYTES - f->n_out)
                return -E2BIG;
        memcpy(f->out + f->n_out, bytes, n);
        f->n_out += n;
        return 0;
}

/* In pieces of `piece` bytes, then the end; the first error. */
static int decode(Fixture *f, ReleaseEncoding encoding, uint64_t image_length, size_t piece) {
        int r;

        f->decoder = decoder_free(f->decoder);
        f->n_out = 0;
        assert_int_equal(decoder_new(encoding, image_length, &f->decoder), 0);
        for (size_t i = 0; i < f->n_file; i += piece) {
                r = decoder_write(f->decoder, f->file + i, MIN(piece, f->n_file - i), sink, f,
                                &f->why);
                if (r < 0)
                        return r;
        }
        return decoder_finish(f->decoder, &f->why);
}

static void replace_file(Fixture *f, const void *bytes, size_t n) {
        free(f->file);
        f->file = malloc(n + 1);
        assert_non_null(f->file);
        memcpy(f->file, bytes, n);
        f->n_file = n;
}

static void zstd_gives_the_image_in_pieces_of_any_size(void **state) {
        static const size_t pieces[] = { 1, 7, 4096, 1 << 20 };
        Fixture *f = *state;

        assert_true(f->n_file < IMAGE_BYTES);
        for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
                assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES, pieces[i]), 0);
                assert_int_equal(f->n_out, IMAGE_BYTES);
                assert_memory_equal(f->out, f->image, IMAGE_BYTES);
        }
}

static void identity_gives_the_bytes_themselves(void **state) {
        Fixture *f = *state;

        replace_file(f, f->image, IMAGE_BYTES);
        assert_int_equal(decode(f, RELEASE_IDENTITY, IMAGE_BYTES, 1000), 0);
        assert_memory_equal(f->out, f->image, IMAGE_BYTES);
}

static void more_output_than_promised_is_refused(void **state) {
        Fixture *f = *state;

        assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES - 1, 4096), -EFBIG);
        assert_true(f->n_out < IMAGE_BYTES);
        replace_file(f, f->image, IMAGE_BYTES);
        assert_int_equal(decode(f, RELEASE_IDENTITY, 5000, 4096), -EFBIG);
        assert_int_equal(f->n_out, 4096);
}

static void less_output_than_promised_is_refused(void **state) {
        Fixture *f = *state;

        assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES + 1, 4096), -EBADMSG);
        assert_non_null(strstr(f->why.text, "307200"));
        replace_file(f, f->image, 10);
        assert_int_equal(decode(f, RELEASE_IDENTITY, 11, 4096), -EBADMSG);
}

static void cut_frame_is_refused_at_every_length(void **state) {
        Fixture *f = *state;
        size_t n = f->n_file;

        for (size_t i = 0; i < n; i += 997) {
                f->n_file = i;
                assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES, 4096), -EBADMSG);
        }
        f->n_file = n - 1;
        assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES, 4096), -EBADMSG);
}

static void flipped_bit_is_refused(void **state) {
        Fixture *f = *state;

        for (size_t i = 0; i < f->n_file; i += 1009) {
                f->file[i] ^= 0x10;
                assert_true(decode(f, RELEASE_ZSTD, IMAGE_BYTES, 4096) < 0);
                f->file[i] ^= 0x10;
        }
}

static void bytes_behind_the_frame_are_refused(void **state) {
        Fixture *f = *state;
        uint8_t *longer = malloc(2 * f->n_file);
        size_t n = f->n_file;

        memcpy(longer, f->file, n);
        memcpy(longer + n, f->file, n);
        replace_file(f, longer, n + 1);
        assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES, 4096), -EBADMSG);
        replace_file(f, longer, n + 1);
        assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES, n), -EBADMSG);
        replace_file(f, longer, 2 * n); /* a second whole frame */
        assert_int_equal(decode(f, RELEASE_ZSTD, 2 * IMAGE_BYTES, 4096), -EBADMSG);
        free(longer);
}

static void window_above_8_mib_is_refused(void **state) {
        /* Magic, descriptor without sizes, window descriptor of 2^27 bytes (RFC 8878,
         * 3.1.1.1.2), then an empty last block. */
        static const uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00,
                0x00 };
        Fixture *f = *state;

        replace_file(f, frame, sizeof(frame));
        assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES, 4096), -EBADMSG);
        assert_non_null(strstr(f->why.text, "zstd"));
        assert_null(strstr(f->why.text, "gives 0 bytes"));
}

static void skippable_frame_is_no_image(void **state) {
        static const uint8_t frame[] = { 0x50, 0x2a, 0x4d, 0x18, 0x04, 0, 0, 0, 'e', 'v', 'i',
                'l' };
        Fixture *f = *state;

        replace_file(f, frame, sizeof(frame));
        assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES, 4096), -EBADMSG);
}

static void error_of_the_sink_stops_and_comes_back(void **state) {
        Fixture *f = *state;

        f->sink_result = -ENOSPC;
        assert_int_equal(decode(f, RELEASE_ZSTD, IMAGE_BYTES, 4096), -ENOSPC);
}

static void compressed_file_carries_size_and_checksum(void **state) {
        Fixture *f = *state;

        assert_int_equal(ZSTD_getFrameContentSize(f->file, f->n_file), IMAGE_BYTES);
        assert_true(f->file[4] & 0x04); /* Content_Checksum_flag */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(zstd_gives_the_image_in_pieces_of_any_size),
                TEST(identity_gives_the_bytes_themselves),
                TEST(more_output_than_promised_is_refused),
                TEST(less_output_than_promised_is_refused),
                TEST(cut_frame_is_refused_at_every_length),
                TEST(flipped_bit_is_refused),
                TEST(bytes_behind_the_frame_are_refused),
                TEST(window_above_8_mib_is_refused),
                TEST(skippable_frame_is_no_image),
                TEST(error_of_the_sink_stops_and_comes_back),
                TEST(compressed_file_carries_size_and_checksum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

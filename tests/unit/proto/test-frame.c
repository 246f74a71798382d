/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Frames: vectors, every payload length around the COBS group, and evil bytes.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/crc.h"
#include "proto/frame.h"

typedef struct Line {
        uint8_t bytes[RKD_FRAME_ENCODED(RKD_PAYLOAD_MAX)];
        size_t n;
        uint8_t payload[RKD_PAYLOAD_MAX];
        RkdFrame got;
        unsigned complete, damaged;
} Line;

static uint8_t sample[RKD_PAYLOAD_MAX];
static Line line;

static int reset(void **state) {
        memset(&line, 0, sizeof(line));
        for (size_t i = 0; i < sizeof(sample); i++)
                sample[i] = (uint8_t)(i * 7 + (i >> 8));
        return 0;
}

static void encode(const void *payload, size_t n) {
        RkdFrame frame = { .address = 0, .type = 6, .sequence = 9, .flags = RKD_FLAG_POLL };

        frame.payload = payload;
        frame.n_payload = n;
        line.n = rkd_frame_encode(line.bytes, sizeof(line.bytes), &frame);
}

static void feed(RkdFrameReader *r, const uint8_t *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                switch (rkd_frame_reader_feed(r, bytes[i], &line.got)) {
                case RKD_DECODED_COMPLETE:
                        line.complete++;
                        break;
                case RKD_DECODED_DAMAGED:
                        line.damaged++;
                        break;
                default:
                        break;
                }
}

static void read_back(size_t room) {
        RkdFrameReader r;

        rkd_frame_reader_init(&r, line.payload, room);
        feed(&r, line.bytes, line.n);
}

static void crc_has_the_check_value_of_its_standard(void **state) {
        assert_int_equal(rkd_crc32("123456789", 9), 0xcbf43926);
        assert_int_equal(rkd_crc32("", 0), 0);
}

static void crc_in_pieces_is_the_crc_of_the_whole(void **state) {
        uint32_t crc = rkd_crc32_add(RKD_CRC32_START, "12345", 5);

        assert_int_equal(rkd_crc32_finish(rkd_crc32_add(crc, "6789", 4)), 0xcbf43926);
}

static void an_empty_frame_has_the_bytes_of_the_manual(void **state) {
        const RkdFrame nop = { .address = 0, .type = 2, .sequence = 1, .flags = RKD_FLAG_POLL };
        const uint8_t wanted[] = { 0x01, 0x08, 0x02, 0x01, 0x02, 0x1f, 0x5b, 0xd5, 0xd5, 0x00 };

        line.n = rkd_frame_encode(line.bytes, sizeof(line.bytes), &nop);
        assert_int_equal(line.n, sizeof(wanted));
        assert_memory_equal(line.bytes, wanted, sizeof(wanted));
}

static void every_length_comes_back(void **state) {
        for (size_t n = 0; n <= RKD_PAYLOAD_MAX; n = n < 600 ? n + 1 : n + 499) {
                encode(sample, n);
                assert_true(line.n > 0 && line.n <= RKD_FRAME_ENCODED(n));
                line.complete = 0;
                read_back(sizeof(line.payload));
                assert_int_equal(line.complete, 1);
                assert_int_equal(line.got.n_payload, n);
                assert_memory_equal(line.payload, sample, n);
        }
}

static void bytes_without_and_with_only_zeros_come_back(void **state) {
        static const int fills[] = { 0x00, 0x01, 0xff };

        for (size_t k = 0; k < 3; k++)
                for (size_t n = 240; n < 520; n++) {
                        memset(sample, fills[k], n);
                        encode(sample, n);
                        line.complete = 0;
                        read_back(sizeof(line.payload));
                        assert_int_equal(line.complete, 1);
                        assert_memory_equal(line.payload, sample, n);
                }
}

static void a_frame_holds_no_zero_but_the_last_byte(void **state) {
        encode(sample, 1000);
        assert_ptr_equal(memchr(line.bytes, 0, line.n), line.bytes + line.n - 1);
}

static void too_little_room_gives_no_frame(void **state) {
        RkdFrame frame = { .payload = sample, .n_payload = 300 };
        size_t n = rkd_frame_encode(line.bytes, sizeof(line.bytes), &frame);

        assert_int_equal(rkd_frame_encode(line.bytes, n, &frame), n);
        for (size_t room = 0; room < n; room++)
                assert_int_equal(rkd_frame_encode(line.bytes, room, &frame), 0);
}

static void a_frame_can_be_built_in_place(void **state) {
        static uint8_t place[RKD_FRAME_ENCODED(1024)];

        for (size_t n = 0; n <= 1024; n += 31) {
                RkdFrame frame = { .type = 6, .sequence = 9, .flags = RKD_FLAG_POLL };

                encode(sample, n);
                frame.payload = memcpy(place + rkd_frame_gap(1024), sample, n);
                frame.n_payload = n;
                assert_int_equal(rkd_frame_encode(place, sizeof(place), &frame), line.n);
                assert_memory_equal(place, line.bytes, line.n);
        }
}

static void every_flipped_bit_is_damage_or_silence(void **state) {
        encode(sample, 40);
        for (size_t bit = 0; bit < line.n * 8; bit++) {
                line.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                read_back(sizeof(line.payload));
                line.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(line.complete, 0);
        assert_true(line.damaged > 0);
}

static void every_lost_byte_is_damage(void **state) {
        uint8_t whole[RKD_FRAME_ENCODED(40)];
        size_t n;

        encode(sample, 40);
        n = line.n--;
        memcpy(whole, line.bytes, n);
        for (size_t lost = 0; lost < n - 1; lost++) {
                memcpy(line.bytes, whole, lost);
                memcpy(line.bytes + lost, whole + lost + 1, n - 1 - lost);
                line.damaged = 0;
                read_back(sizeof(line.payload));
                assert_int_equal(line.damaged, 1);
        }
        assert_int_equal(line.complete, 0);
}

static void the_frame_after_damage_is_good(void **state) {
        RkdFrameReader r;

        rkd_frame_reader_init(&r, line.payload, sizeof(line.payload));
        encode(sample, 12);
        feed(&r, line.bytes + 3, line.n - 3);
        feed(&r, line.bytes, line.n);
        assert_int_equal(line.damaged, 1);
        assert_int_equal(line.complete, 1);
        assert_memory_equal(line.payload, sample, 12);
}

static void empty_frames_are_silent(void **state) {
        RkdFrameReader r;

        rkd_frame_reader_init(&r, line.payload, sizeof(line.payload));
        feed(&r, (const uint8_t[8]){ 0 }, 8);
        assert_int_equal(line.damaged + line.complete, 0);
}

static void a_payload_beyond_the_room_is_damage(void **state) {
        encode(sample, 65);
        read_back(64);
        assert_int_equal(line.complete, 0);
        assert_int_equal(line.damaged, 1);
}

static void an_endless_frame_is_bounded(void **state) {
        RkdFrameReader r;
        const uint8_t end = 0;

        rkd_frame_reader_init(&r, line.payload, sizeof(line.payload));
        for (int i = 0; i < 100000; i++)
                feed(&r, (const uint8_t[1]){ 0x55 }, 1);
        feed(&r, &end, 1);
        assert_int_equal(line.damaged, 1);
        assert_true(r.decoder.n_bytes <= RKD_PAYLOAD_MAX + RKD_FRAME_HEADER + RKD_FRAME_CRC);
}

static void odd_flags_are_damage(void **state) {
        RkdFrame frame = { .type = 2, .flags = 4 };

        line.n = rkd_frame_encode(line.bytes, sizeof(line.bytes), &frame);
        read_back(64);
        assert_int_equal(line.complete, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(crc_has_the_check_value_of_its_standard, reset),
                cmocka_unit_test_setup(crc_in_pieces_is_the_crc_of_the_whole, reset),
                cmocka_unit_test_setup(an_empty_frame_has_the_bytes_of_the_manual, reset),
                cmocka_unit_test_setup(every_length_comes_back, reset),
                cmocka_unit_test_setup(bytes_without_and_with_only_zeros_come_back, reset),
                cmocka_unit_test_setup(a_frame_holds_no_zero_but_the_last_byte, reset),
                cmocka_unit_test_setup(too_little_room_gives_no_frame, reset),
                cmocka_unit_test_setup(a_frame_can_be_built_in_place, reset),
                cmocka_unit_test_setup(every_flipped_bit_is_damage_or_silence, reset),
                cmocka_unit_test_setup(every_lost_byte_is_damage, reset),
                cmocka_unit_test_setup(the_frame_after_damage_is_good, reset),
                cmocka_unit_test_setup(empty_frames_are_silent, reset),
                cmocka_unit_test_setup(a_payload_beyond_the_room_is_damage, reset),
                cmocka_unit_test_setup(an_endless_frame_is_bounded, reset),
                cmocka_unit_test_setup(odd_flags_are_damage, reset),
        };

        return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the bootloader refuses, with the code that says why; and that a refusal leaves everything
 * as it was.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/gateway.h"
#include "proto/crc.h"
#include "proto/version.h"

/* The device header up to its texts, and texts that fit. */
#define HEAD_BYTES 44u
#define MODEL      "\12boiler-ctl"
#define VERSION    "\4v1.1"
#define TEXTS(t)                                                                                   \
        { t, sizeof(t) - 1 }

static Board board;
static Gateway gateway;
static uint8_t old_image[3000], new_image[3100];
static const Push first = {
        .image = old_image, .n_image = sizeof(old_image), .push_id = 0x1111, .version = "1.0.0"
};
static Push second;

static unsigned n_asked, n_again; /* on_verify() */

/* Says after a few calls what it says. */
static int on_verify(void *user, bool again, uint8_t algorithm, const uint8_t *header,
                size_t n_header, const uint8_t *signature) {
        n_asked = again ? n_asked + 1 : 1;
        n_again += again;
        if (signature[0] != 0x5a || header[0] != 'R')
                return -1;
        if (n_asked < 500)
                return 1;
        return ((Board *)user)->verifies ? 0 : -1;
}

static int set_up(void **state) {
        board_init(&board);
        gateway_init(&gateway, &board);
        image_make(old_image, sizeof(old_image), 1);
        image_make(new_image, sizeof(new_image), 2);
        second = (Push){ .image = new_image, .n_image = sizeof(new_image), .push_id = 0x2222 };
        second.version = "1.1.0";
        return 0;
}

static int tear_down(void **state) {
        if (board.violations > 0)
                print_error("%u violations, the first: %s\n", board.violations, board.violation);
        return board.violations > 0;
}

static void install_and_confirm(const Push *push) {
        assert_int_equal(gateway_install(&gateway, *push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push->push_id), 0);
        assert_int_equal(gateway_confirm(&gateway, push->push_id), 0);
        assert_int_equal(gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER }), 0);
        board_run(&board, 3);
        assert_int_equal(board.runs, BOARD_BOOTLOADER);
}

static void another_model_is_refused(void **state) {
        board_power_on(&board);
        second.model = "pump";
        assert_int_equal(gateway_begin(&gateway, &second), RKD_WRONG_MODEL);
        assert_int_equal(rkd_boot_state(&board.boot), RKD_EMPTY);
        assert_int_equal(board.operations, 0);
}

static void another_hardware_is_refused(void **state) {
        board_power_on(&board);
        second.hardware = "C";
        assert_int_equal(gateway_begin(&gateway, &second), RKD_WRONG_HARDWARE);
        second.hardware = "B";
        assert_int_equal(gateway_begin(&gateway, &second), 0);
}

static void an_image_beyond_the_space_is_refused(void **state) {
        board_power_on(&board);
        second.wrong_length = BOARD_SPACE + 1;
        assert_int_equal(gateway_begin(&gateway, &second), RKD_TOO_LARGE);
        second.wrong_length = BOARD_SPACE;
        assert_int_equal(gateway_begin(&gateway, &second), 0);
}

static void a_bad_header_is_refused(void **state) {
        RkdRequest q = { .type = RKD_BEGIN, .total = 100, .n_bytes = 50 };
        uint8_t area[100] = { 1, 0, 5, 0, 9 };

        board_power_on(&board);
        area[20] = 76; /* header length */
        q.bytes = area;
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        q.offset = 50;
        q.bytes = area + 50;
        assert_int_equal(gateway_ask(&gateway, &q), RKD_BAD_HEADER);
        assert_int_equal(gateway_ask(&gateway, &q), RKD_BAD_HEADER);
}

static const char good_texts[] = MODEL VERSION "\0\1\1B";

/* A begin area whose header has these texts. What lies behind it is the signature, and would make
 * good texts. */
static size_t make_area(const char *texts, size_t n, uint8_t *out) {
        static const uint8_t signature[RKD_SIGNATURE_BYTES] = { 'Z' };
        uint8_t header[RKD_HEADER_MAX] = { 'R', 'K', 'H', '1', 1, RKD_ALGORITHM_ED25519 };
        const RkdBegin begin = {
                .trial_seconds = 2,
                .push_id = second.push_id,
                .header = header,
                .n_header = (uint16_t)(HEAD_BYTES + n),
                .signature = signature,
                .n_signature = sizeof(signature),
        };

        rkd_store_u32(header + 8, (uint32_t)second.n_image);
        memcpy(header + HEAD_BYTES, texts, n);
        return rkd_begin_encode(&begin, out, RKD_BEGIN_MAX);
}

static int begin_with(const char *texts, size_t n) {
        uint8_t area[RKD_BEGIN_MAX];

        return gateway_send_begin(&gateway, area, make_area(texts, n, area));
}

static void texts_end_where_the_header_ends(void **state) {
        static const struct {
                const char *texts;
                size_t n;
        } cases[] = {
                TEXTS(""),
                TEXTS("\13boiler-ctl"), /* each of them goes on behind the header */
                TEXTS(MODEL "\5v1.1"),
                TEXTS(MODEL VERSION "\1"),
                TEXTS(MODEL VERSION "\0\1\2B"),
                TEXTS(MODEL), /* each of them is missing */
                TEXTS(MODEL VERSION),
                TEXTS(MODEL VERSION "\0"),
                TEXTS(MODEL VERSION "\0\1"),
                TEXTS(MODEL VERSION "\0\2\1B"),
                TEXTS(MODEL VERSION "\0\0Z"), /* something is behind them */
                TEXTS(MODEL VERSION "\0\1\1B\0"),
        };

        board_power_on(&board);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(begin_with(cases[i].texts, cases[i].n), RKD_BAD_HEADER);
        assert_int_equal(board.operations, 0);
        assert_int_equal(begin_with(good_texts, sizeof(good_texts) - 1), 0);
}

static void malformed_texts_are_refused(void **state) {
        static const struct {
                const char *texts;
                size_t n;
        } cases[] = {
                TEXTS(MODEL "\0\0\0"), /* no version */
                TEXTS(MODEL "\4v\x1f.1\0\0"),
                TEXTS(MODEL "\4v\x7f.1\0\0"),
                TEXTS(MODEL VERSION "\1\n\0"),
                TEXTS(MODEL VERSION "\0\2\1B\1\x80"),
        };
        char long_one[sizeof(MODEL) - 1 + 1 + RKD_TEXT_MAX + 1 + 2] = MODEL;
        char *version = long_one + sizeof(MODEL) - 1;

        board_power_on(&board);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
                assert_int_equal(begin_with(cases[i].texts, cases[i].n), RKD_BAD_HEADER);
        memset(version + 1, 'v', RKD_TEXT_MAX + 1);
        *version = RKD_TEXT_MAX + 1;
        assert_int_equal(begin_with(long_one, sizeof(long_one)), RKD_BAD_HEADER);
        *version = RKD_TEXT_MAX;
        version[1 + RKD_TEXT_MAX] = '\0';
        assert_int_equal(begin_with(long_one, sizeof(long_one) - 1), 0);
}

static void odd_values_in_the_begin_area_are_refused(void **state) {
        const uint16_t n_header = HEAD_BYTES + sizeof(good_texts) - 1;
        const struct {
                uint8_t at; /* a u16 */
                uint16_t value;
                int result;
        } cases[] = {
                { 0, 2, RKD_BAD_LENGTH },          /* format, flags */
                { 0, 1 | 2 << 8, RKD_BAD_LENGTH }, /* a flag that nobody knows */
                { 2, 0, RKD_BAD_LENGTH },          /* trial */
                { 2, RKD_TRIAL_SECONDS_MAX + 1, RKD_BAD_LENGTH },
                { 4, 0, RKD_BAD_LENGTH }, /* push id */
                { 20, n_header - 1, RKD_BAD_LENGTH }, { 20, n_header + 1, RKD_BAD_LENGTH },
                { 22, RKD_SIGNATURE_BYTES - 1, RKD_BAD_LENGTH },
                { 26, 'H' | '2' << 8, RKD_BAD_HEADER }, /* magic */
                { 28, 2 | 1 << 8, RKD_BAD_HEADER },     /* format, algorithm */
                { 28, 1, RKD_BAD_HEADER },              /* a signature by none */
                { 28, 1 | _RKD_ALGORITHM_MAX << 8, RKD_BAD_HEADER },
                { 30, 1, RKD_BAD_HEADER }, /* reserved */
                { 32, 0, RKD_BAD_HEADER }, /* length of the image */
        };
        uint8_t area[RKD_BEGIN_MAX];

        board_power_on(&board);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                size_t n = make_area(good_texts, sizeof(good_texts) - 1, area);

                rkd_store_u16(area + cases[i].at, cases[i].value);
                assert_int_equal(gateway_send_begin(&gateway, area, n), cases[i].result);
        }
        assert_int_equal(board.operations, 0);
}

static void a_malformed_begin_area_is_refused(void **state) {
        RkdRequest q = { .type = RKD_BEGIN, .total = 40, .n_bytes = 40 };
        const uint8_t area[40] = { 2 };

        board_power_on(&board);
        q.bytes = area;
        assert_int_equal(gateway_ask(&gateway, &q), RKD_BAD_LENGTH);
        q.total = RKD_BEGIN_MAX + 1;
        assert_int_equal(gateway_ask(&gateway, &q), RKD_BAD_LENGTH);
        q.total = 39;
        assert_int_equal(gateway_ask(&gateway, &q), RKD_BAD_LENGTH);
}

static void pieces_out_of_order_say_where_to_go_on(void **state) {
        RkdRequest q = { .type = RKD_BEGIN, .total = 200, .offset = 56, .n_bytes = 56 };
        const uint8_t area[200] = { 1 };

        board_power_on(&board);
        q.bytes = area;
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_equal(gateway.answer.offset, 0);
        q.offset = 0;
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_equal(gateway.answer.offset, 56);
        q.offset = 112;
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_equal(gateway.answer.offset, 56);
}

static void a_device_with_a_key_refuses_what_is_not_signed(void **state) {
        board.platform.verify_signature = on_verify;
        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &second), RKD_BAD_SIGNATURE);
        second.algorithm = RKD_ALGORITHM_ED25519;
        board.verifies = false;
        assert_int_equal(gateway_begin(&gateway, &second), RKD_BAD_SIGNATURE);
        assert_int_equal(board.operations, 0);
        board.verifies = true;
        assert_int_equal(gateway_push(&gateway, &second), 0);
}

static void the_signature_counts_again_before_the_first_start(void **state) {
        board.platform.verify_signature = on_verify;
        second.algorithm = RKD_ALGORITHM_ECDSA_P256;
        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        assert_int_equal(gateway_stream(&gateway, &second), 0);
        board.verifies = false;
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, second.push_id), RKD_BAD_SIGNATURE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
}

static void a_signature_may_take_many_polls(void **state) {
        board.platform.verify_signature = on_verify;
        second.algorithm = RKD_ALGORITHM_ED25519;
        board_power_on(&board);
        board.verifies = true;
        n_again = 0;
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        assert_int_equal(n_again, 499);
        assert_int_equal(gateway_stream(&gateway, &second), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, second.push_id), 0);
        assert_int_equal(n_again, 2 * 499);
}

/* What was found out about one header counts for no other. */
static void another_begin_has_its_signature_looked_at_from_the_start(void **state) {
        board.platform.verify_signature = on_verify;
        second.algorithm = RKD_ALGORITHM_ED25519;
        board_power_on(&board);
        board.verifies = true;
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        board.verifies = false;
        second.push_id++;
        assert_int_equal(gateway_begin(&gateway, &second), RKD_FOREIGN_PUSH);
        second.replaces = second.push_id - 1;
        assert_int_equal(gateway_begin(&gateway, &second), RKD_BAD_SIGNATURE);
        board.verifies = true;
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        assert_int_equal(n_asked, 500);
}

static void a_version_below_the_confirmed_floor_is_refused(void **state) {
        board.platform.compare_versions = rkd_version_compare;
        board_power_on(&board);
        second.floor = "1.0.5";
        install_and_confirm(&second);
        assert_int_equal(gateway_begin(&gateway, &first), RKD_BELOW_FLOOR);
        assert_int_equal(rkd_boot_state(&board.boot), RKD_CONFIRMED);
}

static void the_floor_outlives_a_release_without_one(void **state) {
        Push third = second;

        board.platform.compare_versions = rkd_version_compare;
        board_power_on(&board);
        second.floor = "1.0.5";
        install_and_confirm(&second);
        third.push_id = 0x3333;
        third.version = "1.2.0";
        install_and_confirm(&third);
        assert_int_equal(gateway_begin(&gateway, &first), RKD_BELOW_FLOOR);
}

static void a_floor_that_was_never_confirmed_binds_nobody(void **state) {
        Push again = first;

        board.platform.compare_versions = rkd_version_compare;
        board_power_on(&board);
        second.floor = "1.0.5";
        assert_int_equal(gateway_push(&gateway, &second), 0);
        again.replaces = second.push_id;
        assert_int_equal(gateway_push(&gateway, &again), 0);
}

static void a_foreign_push_is_refused_while_one_is_open(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &first), 0);
        assert_int_equal(gateway_begin(&gateway, &second), RKD_FOREIGN_PUSH);
        second.replaces = 0x9999;
        assert_int_equal(gateway_begin(&gateway, &second), RKD_FOREIGN_PUSH);
        second.replaces = first.push_id;
        assert_int_equal(gateway_begin(&gateway, &second), 0);
}

static void a_foreign_push_is_refused_during_a_trial(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_push(&gateway, &first), 0);
        assert_int_equal(gateway_begin(&gateway, &second), RKD_FOREIGN_PUSH);
        assert_int_equal(rkd_boot_state(&board.boot), RKD_VERIFIED);
}

static void a_confirmed_device_takes_anybodys_push(void **state) {
        board_power_on(&board);
        install_and_confirm(&first);
        assert_int_equal(gateway_begin(&gateway, &second), 0);
}

static void the_same_push_goes_on_only_with_the_same_header(void **state) {
        unsigned operations;

        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &first), 0);
        operations = board.operations;
        assert_int_equal(gateway_begin(&gateway, &first), 0);
        assert_int_equal(board.operations, operations);
        second.push_id = first.push_id;
        assert_int_equal(gateway_begin(&gateway, &second), RKD_BAD_STATE);
}

static void what_is_verified_is_not_begun_again(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_push(&gateway, &first), 0);
        assert_int_equal(gateway_begin(&gateway, &first), RKD_BAD_STATE);
        assert_int_equal(rkd_boot_state(&board.boot), RKD_VERIFIED);
}

static void commands_in_the_wrong_state_are_refused(void **state) {
        RkdRequest stream = { .type = RKD_STREAM, .length = 100, .stream_id = 1 };
        RkdRequest sums = { .type = RKD_SUMS, .first = 15, .count = 2 };

        board_power_on(&board);
        assert_int_equal(gateway_ask(&gateway, &stream), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, 1), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 7), RKD_FOREIGN_PUSH);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, 1), RKD_BAD_STATE);
        assert_int_equal(gateway_ask(&gateway, &sums), RKD_RANGE);
        assert_int_equal(gateway_begin(&gateway, &first), 0);
        stream.codec = 1;
        assert_int_equal(gateway_ask(&gateway, &stream), RKD_UNKNOWN);
        stream.codec = 0;
        assert_int_equal(gateway_ask(&gateway, &stream), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, first.push_id), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, 5), RKD_FOREIGN_PUSH);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, first.push_id), RKD_BAD_STATE);
}

static void unknown_and_malformed_commands_are_answered_so(void **state) {
        board_power_on(&board);
        gateway_send(&gateway, 0x33, RKD_FLAG_POLL, NULL, 0);
        assert_true(gateway_await(&gateway, 0x33, 20));
        assert_int_equal(gateway.answer.result, RKD_UNKNOWN);
        gateway_send(&gateway, RKD_SUMS, RKD_FLAG_POLL, (const uint8_t[]){ 0 }, 1);
        assert_true(gateway_await(&gateway, RKD_SUMS, 20));
        assert_int_equal(gateway.answer.result, RKD_BAD_LENGTH);
        gateway_send(&gateway, RKD_NOP, RKD_FLAG_POLL, (const uint8_t[]){ 0 }, 1);
        assert_true(gateway_await(&gateway, RKD_NOP, 20));
        assert_int_equal(gateway.answer.result, RKD_BAD_LENGTH);
}

static void frames_for_others_are_not_for_us(void **state) {
        static const struct {
                uint8_t address, type, flags;
        } cases[] = {
                { 1, RKD_NOP, RKD_FLAG_POLL },
                { 0, RKD_NOP, RKD_FLAG_POLL | RKD_FLAG_FROM_DEVICE },
                { 0, RKD_NOP, RKD_FLAG_POLL | 0x40 },
                { 255, RKD_NOP, RKD_FLAG_POLL },
                { 255, RKD_IDENTIFY, RKD_FLAG_POLL },
        };

        board_power_on(&board);
        board_run(&board, 5);
        board.n_from_device = 0;
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                gateway.address = cases[i].address;
                gateway_send(&gateway, cases[i].type, cases[i].flags, NULL, 0);
        }
        assert_false(gateway_await(&gateway, 0, 900));
}

/* Its CRC is right, and looks like good flags where those would be. */
static void a_frame_that_is_too_short_is_dropped(void **state) {
        uint8_t frame[7] = { 0, RKD_NOP }, *line = board.to_device;
        size_t code = 0;

        board_power_on(&board);
        assert_true(gateway_await(&gateway, RKD_HELLO, 5));
        do
                rkd_store_u32(frame + 3, rkd_crc32(frame, 3));
        while (frame[3] != RKD_FLAG_POLL && ++frame[2] != 0);
        assert_int_equal(frame[3], RKD_FLAG_POLL);
        for (size_t i = 0; i <= sizeof(frame); i++) {
                if (i < sizeof(frame) && frame[i] != 0) {
                        line[i + 1] = frame[i];
                        continue;
                }
                line[code] = (uint8_t)(i + 1 - code);
                code = i + 1;
        }
        line[sizeof(frame) + 1] = 0;
        board.n_to_device = sizeof(frame) + 2;
        assert_false(gateway_await(&gateway, 0, 900));
}

/* All of it is there, but the last group says that there is more. */
static void a_frame_that_ends_inside_a_group_is_dropped(void **state) {
        const RkdFrame nop = { .type = RKD_NOP, .flags = RKD_FLAG_POLL };
        uint8_t *line = board.to_device;
        size_t last = 0, n;

        board_power_on(&board);
        assert_true(gateway_await(&gateway, RKD_HELLO, 5));
        n = rkd_frame_encode(line, RKD_FRAME_ENCODED(0), &nop);
        while (line[last + line[last]] != 0)
                last += line[last];
        line[last]++;
        board.n_to_device = n;
        assert_false(gateway_await(&gateway, 0, 300));
        (void)rkd_frame_encode(line, RKD_FRAME_ENCODED(0), &nop);
        board.n_to_device = n;
        assert_true(gateway_await(&gateway, RKD_NOP, 20));
}

/* The board watches over what lies behind the buffers. */
static void endless_frames_are_survived(void **state) {
        board.platform.ring_bytes = board.platform.max_payload = 128;
        board_power_on(&board);
        install_and_confirm(&first);
        for (BoardRuns runs = BOARD_BOOTLOADER; runs <= BOARD_PROGRAM; runs++) {
                for (unsigned code = 1; code < 256; code++) {
                        memset(board.to_device, (int)code, 600);
                        board.to_device[599] = 0;
                        board.n_to_device = 600;
                        board_run(&board, 10);
                }
                board.n_from_device = 0;
                assert_int_equal(board.runs, runs);
                assert_int_equal(gateway_ask_id(&gateway, RKD_START, first.push_id), 0);
                board_run(&board, 5);
        }
}

static void a_broadcast_is_obeyed_but_not_answered(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_push(&gateway, &first), 0);
        gateway.address = RKD_ADDRESS_ALL;
        gateway_send(&gateway, RKD_START, 0, (const uint8_t[8]){ 0 }, 8);
        gateway.address = 0;
        assert_false(gateway_await(&gateway, RKD_START, 20));
        assert_int_equal(board.starts, 1);
}

/* Whoever was heard need not be told that the device is there: no HELLO for a second. */
static void of_broadcasts_only_nop_enter_and_start_are_heard(void **state) {
        for (unsigned type = 0; type < 256; type++) {
                bool heard = type == RKD_NOP || type == RKD_ENTER || type == RKD_START;

                board_power_on(&board);
                assert_true(gateway_await(&gateway, RKD_HELLO, 5));
                board_run(&board, 600);
                gateway.address = RKD_ADDRESS_ALL;
                gateway_send(&gateway, (uint8_t)type, 0, (const uint8_t[8]){ 0 }, 8);
                gateway.address = 0;
                assert_int_equal(gateway_await(&gateway, RKD_HELLO, 500), !heard);
        }
}

static void a_broadcast_confirms_nothing(void **state) {
        const uint8_t id[8] = { 0x11, 0x11 };

        board_power_on(&board);
        assert_int_equal(gateway_push(&gateway, &first), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, first.push_id), 0);
        board_run(&board, 20);
        assert_int_equal(board.runs, BOARD_PROGRAM);
        gateway.address = RKD_ADDRESS_ALL;
        gateway_send(&gateway, RKD_CONFIRM, 0, id, sizeof(id));
        board_run(&board, 50);
        assert_false(rkd_program_is_confirmed(&board.program));
}

static void a_platform_that_breaks_the_rules_is_refused(void **state) {
        RkdPlatform good = board.platform;
        RkdBoot boot;

        assert_int_equal(rkd_boot_init(&boot, &board.platform, RKD_CAUSE_POWER), 0);
        board.platform.program_space = 1000;
        assert_int_equal(rkd_boot_init(&boot, &board.platform, 0), RKD_E_PLATFORM);
        board.platform = good;
        board.platform.page_bytes = 256;
        assert_int_equal(rkd_boot_init(&boot, &board.platform, 0), RKD_E_PLATFORM);
        board.platform = good;
        board.platform.model = NULL;
        assert_int_equal(rkd_boot_init(&boot, &board.platform, 0), RKD_E_PLATFORM);
        board.platform = good;
        board.platform.address = 255;
        assert_int_equal(rkd_boot_init(&boot, &board.platform, 0), RKD_E_PLATFORM);
        board.platform = good;
        board.platform.record_size = 640;
        board.platform.record_write_size = 32;
        assert_int_equal(rkd_boot_init(&boot, &board.platform, 0), RKD_E_PLATFORM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(another_model_is_refused),
                TEST(another_hardware_is_refused),
                TEST(an_image_beyond_the_space_is_refused),
                TEST(a_bad_header_is_refused),
                TEST(texts_end_where_the_header_ends),
                TEST(malformed_texts_are_refused),
                TEST(odd_values_in_the_begin_area_are_refused),
                TEST(a_malformed_begin_area_is_refused),
                TEST(pieces_out_of_order_say_where_to_go_on),
                TEST(a_device_with_a_key_refuses_what_is_not_signed),
                TEST(the_signature_counts_again_before_the_first_start),
                TEST(a_signature_may_take_many_polls),
                TEST(another_begin_has_its_signature_looked_at_from_the_start),
                TEST(a_version_below_the_confirmed_floor_is_refused),
                TEST(the_floor_outlives_a_release_without_one),
                TEST(a_floor_that_was_never_confirmed_binds_nobody),
                TEST(a_foreign_push_is_refused_while_one_is_open),
                TEST(a_foreign_push_is_refused_during_a_trial),
                TEST(a_confirmed_device_takes_anybodys_push),
                TEST(the_same_push_goes_on_only_with_the_same_header),
                TEST(what_is_verified_is_not_begun_again),
                TEST(commands_in_the_wrong_state_are_refused),
                TEST(unknown_and_malformed_commands_are_answered_so),
                TEST(frames_for_others_are_not_for_us),
                TEST(a_frame_that_is_too_short_is_dropped),
                TEST(a_frame_that_ends_inside_a_group_is_dropped),
                TEST(endless_frames_are_survived),
                TEST(a_broadcast_is_obeyed_but_not_answered),
                TEST(of_broadcasts_only_nop_enter_and_start_are_heard),
                TEST(a_broadcast_confirms_nothing),
                TEST(a_platform_that_breaks_the_rules_is_refused),
        };

        return cmocka_run_group_tests_name("refuse", tests, NULL, NULL);
}

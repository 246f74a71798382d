/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The small engine (src/device/small.c) against whoever sends odd things: what it refuses, and that
 * it takes a push and runs it afterwards. The board watches over flash: no operation outside
 * program space and record pages, no write unit twice, no start of anything unverified.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/gateway.h"
#include "device/rkd-numbers.h"
#include "proto/crc.h"

#define BODY_PUSH 4u /* in the begin area */
#define AREA_MAX  200u

static Board board;
static Gateway gateway;
static uint8_t image[9001], space[BOARD_SPACE];
static const Push push = {
        .image = image, .n_image = sizeof(image), .push_id = 0x1111, .version = "1.0.0"
};

static int set_up(void **state) {
        board_init(&board);
        gateway_init(&gateway, &board);
        image_make(image, sizeof(image), 1);
        image_make(space, sizeof(space), 2);
        return 0;
}

static int tear_down(void **state) {
        if (board.violations > 0)
                print_error("%u violations, the first: %s\n", board.violations, board.violation);
        return board.violations > 0;
}

static RkdIdentity identify(void) {
        RkdIdentity id;

        memset(&id, 0, sizeof(id));
        assert_int_equal(gateway_identify(&gateway, &id), 0);
        return id;
}

/* Whatever was done to it: it takes a push and runs it, confirmed. */
static void expect_alive(void) {
        Push other = push;

        gateway_init(&gateway, &board);
        other.n_image = 3000;
        assert_int_equal(gateway_settle(&gateway, other), 0);
        assert_true(board_holds(&board, image, 3000));
}

static void open_push(const Push *what) {
        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, what), 0);
}

static void open_stream(uint32_t length, uint16_t id) {
        const RkdRequest q = { .type = RKD_STREAM, .length = length, .stream_id = id };

        gateway.credit = 0;
        assert_int_equal(gateway_ask(&gateway, &q), 0);
}

static RkdStatus status(void) {
        const RkdRequest nop = { .type = RKD_NOP };

        assert_int_equal(gateway_ask(&gateway, &nop), 0);
        return gateway.answer.status;
}

static void a_whole_push_starts_and_is_confirmed(void **state) {
        RkdIdentity id;

        board_power_on(&board);
        assert_int_equal(identify().state, RKD_EMPTY);
        assert_int_equal(gateway_install(&gateway, push), 0);
        assert_true(board_holds(&board, image, sizeof(image)));
        assert_int_equal(identify().state, RKD_VERIFIED);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push.push_id), 0);
        board_run(&board, 2);
        assert_int_equal(board.start.trial_ms, 2000);
        assert_int_equal(board.start.program_bytes, sizeof(image));
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        id = identify();
        assert_int_equal(id.state, RKD_CONFIRMED);
        assert_true(id.push_id == push.push_id);
}

/* SHA-256 has its length behind the message, in the same block or in one of its own; and the last
 * unit may have any number of bytes. */
static void programs_of_every_length_are_verified(void **state) {
        for (uint32_t n = 1; n <= 2 * BOARD_UNIT + 70; n += n % 64 >= 52 || n < 8 ? 1 : 13) {
                Push other = push;

                assert_int_equal(set_up(NULL), 0);
                board_power_on(&board);
                other.n_image = n;
                assert_int_equal(gateway_install(&gateway, other), 0);
                assert_true(board_holds(&board, image, n));
        }
}

static void a_program_may_fill_the_whole_space(void **state) {
        Push other = push;

        for (uint32_t less = 0; less < 3; less++) {
                assert_int_equal(set_up(NULL), 0);
                board_power_on(&board);
                other.image = space;
                other.n_image = sizeof(space) - less;
                assert_int_equal(gateway_install(&gateway, other), 0);
                assert_true(board_holds(&board, space, sizeof(space) - less));
        }
        other.wrong_length = BOARD_SPACE + 1;
        other.replaces = other.push_id++;
        assert_int_equal(gateway_begin(&gateway, &other), RKD_TOO_LARGE);
        other.wrong_length = UINT32_MAX;
        assert_int_equal(gateway_begin(&gateway, &other), RKD_TOO_LARGE);
}

/* --- BEGIN --- */

static size_t make_area(uint8_t *out) {
        const RkdHeader h = {
                .length = sizeof(image), .model = rkd_text("boiler-ctl"), .version = rkd_text("1")
        };
        uint8_t header[RKD_HEADER_MAX];
        const RkdBegin begin = { .trial_seconds = 2,
                .push_id = 0x1111,
                .header = header,
                .n_header = (uint16_t)rkd_header_encode(&h, header, sizeof(header)) };

        memset(out, 0, AREA_MAX);
        return rkd_begin_encode(&begin, out, AREA_MAX);
}

static int send_area(const uint8_t *area, size_t n) {
        RkdRequest q = { .type = RKD_BEGIN, .total = (uint16_t)n };
        int r = 0;

        for (; r == 0 && q.offset < n; q.offset += (uint32_t)q.n_bytes) {
                q.bytes = area + q.offset;
                q.n_bytes = n - q.offset < RKD_BEGIN_PIECE ? n - q.offset : RKD_BEGIN_PIECE;
                r = gateway_ask(&gateway, &q);
        }
        return r;
}

static void a_wrong_begin_is_refused_and_writes_nothing(void **state) {
        static const struct {
                uint8_t at, n, bytes[2];
                int result;
        } cases[] = {
                { 0, 1, { 2 }, RKD_BAD_LENGTH },          /* format */
                { 1, 1, { 2 }, RKD_BAD_LENGTH },          /* flags */
                { 1, 1, { 0x81 }, RKD_BAD_LENGTH },       /* flags */
                { 2, 2, { 0, 0 }, RKD_BAD_LENGTH },       /* a trial that nothing ends */
                { 2, 2, { 0x11, 0x0e }, RKD_BAD_LENGTH }, /* 3601 s */
                { 2, 2, { 0xff, 0xff }, RKD_BAD_LENGTH },
                { 4, 2, { 0, 0 }, RKD_BAD_LENGTH }, /* push id */
                { 20, 1, { 0 }, RKD_BAD_LENGTH },   /* length of the header */
                { 21, 1, { 0xff }, RKD_BAD_LENGTH },
                { 22, 1, { 64 }, RKD_BAD_LENGTH },  /* of the signature */
                { 24, 1, { 'r' }, RKD_BAD_HEADER }, /* magic */
                { 28, 1, { 2 }, RKD_BAD_HEADER },   /* format */
                { 29, 1, { 1 }, RKD_BAD_HEADER },   /* a signature that is not there */
                { 29, 1, { 3 }, RKD_BAD_HEADER },   /* algorithm */
                { 32, 2, { 0, 0 }, RKD_TOO_LARGE }, /* length of the image */
                { 34, 1, { 1 }, RKD_TOO_LARGE }, { 68, 1, { 9 }, RKD_WRONG_MODEL },
                { 68, 1, { 0xff }, RKD_WRONG_MODEL }, { 69, 1, { 'B' }, RKD_WRONG_MODEL },
                { 79, 1, { 64 }, RKD_BAD_HEADER }, /* length of the version */
        };

        board_power_on(&board);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint8_t area[AREA_MAX];
                size_t n = make_area(area);
                int r;

                memcpy(area + cases[i].at, cases[i].bytes, cases[i].n);
                r = send_area(area, n);
                if (r != cases[i].result)
                        fail_msg("case %zu: %d", i, r);
        }
        assert_int_equal(board.operations, 0);
        expect_alive();
}

/* A signature that nobody looks at is kept, as the link has it. */
static void a_signed_header_is_taken_with_its_signature(void **state) {
        uint8_t area[AREA_MAX];
        size_t n = make_area(area);

        board_power_on(&board);
        area[29] = RKD_ALGORITHM_ED25519;
        assert_int_equal(send_area(area, n), RKD_BAD_HEADER);
        area[22] = RKD_SIGNATURE_BYTES;
        assert_int_equal(send_area(area, n + RKD_SIGNATURE_BYTES), 0);
        area[BODY_PUSH]++;
        area[12] = 0x11; /* replaces */
        area[13] = 0x11;
        area[29] = 0;
        assert_int_equal(send_area(area, n + RKD_SIGNATURE_BYTES), RKD_BAD_HEADER);
}

/* A text has no zeros; one that has them must not lead behind the end of our own model. */
static void a_model_that_goes_on_behind_its_end_is_another(void **state) {
        static const char model[16] = "pump\0\0\0\0";
        uint8_t area[AREA_MAX];
        size_t n = make_area(area);

        board.platform.model = model;
        board_power_on(&board);
        memcpy(area + 68, "\6pump\0\0\1\0", 10);
        assert_int_equal(send_area(area, n), RKD_WRONG_MODEL);
        memset(area + 68, 0, 80);
        memcpy(area + 68, "\377pump", 5);
        assert_int_equal(send_area(area, n), RKD_WRONG_MODEL);
        memcpy(area + 68, "\4pump\1\61", 7);
        assert_int_equal(send_area(area, n), 0);
}

static void pieces_of_begin_in_any_order_never_make_a_push(void **state) {
        uint8_t area[AREA_MAX];
        size_t n = make_area(area);

        board_power_on(&board);
        for (uint32_t x = 1; x < 4000; x++) {
                uint32_t dice = x * 2654435761u;
                RkdRequest q = { .type = RKD_BEGIN, .total = (uint16_t)(dice >> 5 & 511) };

                q.offset = (dice >> 14 & 7) * RKD_BEGIN_PIECE / (1 + (dice >> 17 & 1));
                q.n_bytes = 1 + (dice >> 18) % RKD_BEGIN_PIECE;
                q.bytes = area + q.offset % (AREA_MAX - RKD_BEGIN_PIECE);
                if (q.offset == 0 && q.total == n)
                        q.total++; /* that would be how it is meant */
                (void)gateway_ask(&gateway, &q);
        }
        assert_int_equal(board.operations, 0);
        expect_alive();
}

static void a_begin_area_has_its_bounds(void **state) {
        RkdRequest q = { .type = RKD_BEGIN, .total = 39, .n_bytes = 40, .bytes = image };

        board_power_on(&board);
        assert_int_equal(gateway_ask(&gateway, &q), RKD_BAD_LENGTH);
        q.n_bytes = RKD_BEGIN_PIECE;
        for (q.total = RKD_BEGIN_MAX + 1; q.offset <= BOARD_UNIT; q.offset += q.n_bytes) {
                assert_int_equal(gateway_ask(&gateway, &q), RKD_BAD_LENGTH);
                q.total = BOARD_UNIT + 2 * RKD_BEGIN_PIECE;
        }
        expect_alive();
}

static void a_foreign_push_is_refused_until_confirmed(void **state) {
        Push other = push;

        open_push(&push);
        other.push_id = 0x2222;
        assert_int_equal(gateway_begin(&gateway, &other), RKD_FOREIGN_PUSH);
        other.replaces = 0x3333;
        assert_int_equal(gateway_begin(&gateway, &other), RKD_FOREIGN_PUSH);
        other.replaces = push.push_id;
        assert_int_equal(gateway_begin(&gateway, &other), 0);
        assert_int_equal(gateway_begin(&gateway, &push), RKD_FOREIGN_PUSH);
}

static void the_same_push_goes_on_only_with_the_same_header(void **state) {
        Push other = push;
        unsigned operations;

        open_push(&push);
        operations = board.operations;
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        other.version = "1.0.1";
        assert_int_equal(gateway_begin(&gateway, &other), RKD_BAD_STATE);
        other = push;
        other.n_image--;
        assert_int_equal(gateway_begin(&gateway, &other), RKD_BAD_STATE);
        assert_int_equal(board.operations, operations);
}

/* --- commands --- */

/* It would leave a mark in an empty record page: a damaged record, and the program never starts. */
/* Whatever was found out about what was there. */
static void flash_that_changes_is_looked_at_again(void **state) {
        Push other = push;

        image_make(space, sizeof(space), 1);
        space[0] ^= 1;
        other.image = space;
        open_push(&push);
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        gateway_send(&gateway, RKD_END, RKD_FLAG_POLL,
                        (const uint8_t[]){ 0x11, 0x11, 0, 0, 0, 0, 0, 0 }, 8);
        assert_true(gateway_await(&gateway, RKD_END, 10));
        assert_int_equal(gateway.answer.result, RKD_BUSY);
        assert_int_equal(gateway_stream(&gateway, &other), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), RKD_BAD_DIGEST);
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), 0);
}

static void end_without_a_push_leaves_the_program_alone(void **state) {
        board_load(&board, image, sizeof(image));
        board_power_on(&board);
        assert_int_equal(identify().state, RKD_UNMANAGED);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, 0), RKD_BAD_STATE);
        assert_int_equal(board.operations, 0);
        board_power_on(&board);
        board_run(&board, 50);
        assert_int_equal(board.runs, BOARD_PROGRAM);
}

static void end_with_a_damaged_record_writes_nothing(void **state) {
        open_push(&push);
        board_power_off(&board);
        board.flash[BOARD_SPACE + BOARD_RECORD + 30] ^= 1;
        board.flash[BOARD_SPACE + 30] &= 0x7f;
        board_power_on(&board);
        assert_int_equal(identify().state, RKD_PUSHING);
        board.operations = 0;
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, 0), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, 0), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        assert_int_equal(board.operations, 0);
        expect_alive();
}

/* What may have been a mark is none: a program without a mark that says so is not verified. */
static void a_mark_that_cannot_be_read_is_not_believed(void **state) {
        Push again = push;

        open_push(&push);
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        for (unsigned page = 0; page < 2; page++) {
                board.dead = BOARD_SPACE + page * BOARD_RECORD + RKD_RECORD_MARKS;
                board_reset(&board, RKD_CAUSE_POWER);
                board_run(&board, 100);
                assert_int_equal(identify().state, RKD_PUSHING);
                assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
                board_run(&board, 20000);
                assert_int_equal(board.starts, 0);
        }
        again.push_id = 0x2222;
        assert_int_equal(gateway_install(&gateway, again), 0);
}

/* The other page may have whatever it has. */
static void a_record_beside_a_dead_page_stands(void **state) {
        board.platform.listen_ms = 60000;
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, push), 0);
        for (uint32_t at = 0; at < 640; at += 64) {
                board.dead = BOARD_SPACE + at;
                board_reset(&board, RKD_CAUSE_POWER);
                board_run(&board, 2);
                assert_int_equal(identify().state, RKD_VERIFIED);
                assert_true(identify().push_id == push.push_id);
        }
}

static void use_up_starts(void) {
        board.behaviour = PROGRAM_CRASHES;
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push.push_id), 0);
        board_run(&board, 500);
        assert_int_equal(board.starts, 3);
}

/* The large engine counts its retries on, and leaves them to whichever comes after it. */
static void retries_beyond_the_last_doubling_wait_no_shorter(void **state) {
        use_up_starts();
        for (unsigned retries = 7; retries < 256; retries += 8) {
                board.retained[2] = (uint8_t)retries;
                rkd_store_u32(board.retained + 8, rkd_crc32(board.retained, 8));
                board_reset(&board, RKD_CAUSE_CRASH);
                assert_int_equal(identify().state, RKD_FAILED);
                board_run(&board, 60 * 60 * 1000);
                assert_int_equal(board.starts, 3);
        }
}

/* A new bootloader may allow fewer starts than the old one has seen used. */
static void used_starts_beyond_what_is_allowed_leave_none(void **state) {
        use_up_starts();
        board.platform.start_attempts = 1;
        board_reset(&board, _RKD_CAUSE_MAX);
        assert_int_equal(identify().state, RKD_FAILED);
        assert_int_equal(identify().attempts_left, 0);
        assert_int_equal(identify().reset_cause, RKD_CAUSE_POWER);
}

static void a_confirmed_program_has_all_its_starts(void **state) {
        board.behaviour = PROGRAM_SILENT;
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push.push_id), 0);
        board_run(&board, 5);
        board_power_on(&board);
        board_run(&board, 100);
        assert_int_equal(board.starts, 2);
        board_power_on(&board);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), 0);
        assert_int_equal(identify().state, RKD_CONFIRMED);
        assert_int_equal(identify().attempts_left, 3);
        assert_int_equal(identify().boots, 2);
}

static void commands_in_the_wrong_state_are_refused(void **state) {
        RkdRequest stream = { .type = RKD_STREAM, .length = 100, .stream_id = 1 };

        board_power_on(&board);
        assert_int_equal(gateway_ask(&gateway, &stream), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 7), RKD_FOREIGN_PUSH);
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        stream.codec = 2;
        assert_int_equal(gateway_ask(&gateway, &stream), RKD_UNKNOWN);
        stream.codec = 0;
        assert_int_equal(gateway_ask(&gateway, &stream), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, 5), RKD_FOREIGN_PUSH);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        expect_alive();
}

static void a_start_does_not_keep_it_in_its_bootloader(void **state) {
        board_power_on(&board);
        expect_alive();
        for (unsigned type = RKD_END; type <= RKD_START; type++) {
                board_power_on(&board);
                assert_int_equal(gateway_ask_id(&gateway, (uint8_t)type, 7), RKD_FOREIGN_PUSH);
                board_run(&board, 1000);
                assert_int_equal(board.runs, type == RKD_START ? BOARD_PROGRAM : BOARD_BOOTLOADER);
        }
}

static void sums_outside_the_space_are_refused(void **state) {
        static const uint32_t cases[][2] = { { BOARD_UNITS, 1 }, { BOARD_UNITS - 1, 2 }, { 0, 0 },
                { 0, BOARD_UNITS + 1 }, { UINT32_MAX, 1 }, { UINT32_MAX - 1, 3 }, { 1, 0xffff },
                { 0x80000000, 1 }, { 0x400000, 1 } };

        board_power_on(&board);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const RkdRequest q = {
                        .type = RKD_SUMS, .first = cases[i][0], .count = (uint16_t)cases[i][1]
                };

                assert_int_equal(gateway_ask(&gateway, &q), RKD_RANGE);
        }
}

static void commands_of_every_type_and_length_are_survived(void **state) {
        static const uint8_t zeros[RKD_PAYLOAD_MIN] = { 0 }, ones[RKD_PAYLOAD_MIN] = { 255, 255,
                255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

        open_push(&push);
        open_stream(5000, 1);
        for (unsigned type = 0; type < 256; type++)
                for (size_t n = 0; n <= sizeof(zeros); n++) {
                        gateway_send(&gateway, (uint8_t)type, RKD_FLAG_POLL,
                                        type & 1 ? zeros : ones, n);
                        board_run(&board, 2);
                        gateway_send(&gateway, (uint8_t)type, n & 2, type & 1 ? ones : zeros, n);
                        board_run(&board, 2);
                        board.n_from_device = 0;
                }
        expect_alive();
}

static void frames_for_others_are_not_for_us(void **state) {
        static const struct {
                uint8_t address, flags;
        } cases[] = { { 1, RKD_FLAG_POLL }, { 0, RKD_FLAG_POLL | RKD_FLAG_FROM_DEVICE },
                { 0, RKD_FLAG_POLL | 0x40 }, { 255, RKD_FLAG_POLL } };

        board_power_on(&board);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                gateway.address = cases[i].address;
                gateway_send(&gateway, RKD_NOP, cases[i].flags, NULL, 0);
        }
        assert_false(gateway_await(&gateway, 0, 900));
}

/* --- the stream --- */

static void bad_streams_stop_with_their_error(void **state) {
        static const struct {
                uint32_t first, count, length;
                uint8_t error;
        } cases[] = {
                { 9, 1, 2000, RKD_RANGE },
                { 0, 10, 20000, RKD_RANGE },
                { 0xffffffff, 2, 20000, RKD_RANGE },
                { 1, 0xffffffff, 20000, RKD_RANGE },
                { 0x400000, 1, 20000, RKD_RANGE },
                { 0, 0x400001, 20000, RKD_RANGE },
                { 0, 0, 2000, RKD_BAD_STREAM },
                { 1, 1, 8, RKD_BAD_STREAM },
                { 0, 1, 10, RKD_BAD_STREAM },
                { 0, 0, 0, RKD_BAD_STREAM },
        };

        open_push(&push);
        for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                uint8_t data[14] = { 0 };

                rkd_store_u32(data + 4, cases[i].first);
                rkd_store_u32(data + 8, cases[i].count);
                open_stream(cases[i].length, (uint16_t)(i + 1));
                gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data,
                                cases[i].length < 10 ? 12 : sizeof(data));
                (void)gateway_await(&gateway, 0, 5);
                assert_int_equal(status().error, cases[i].error);
        }
        expect_alive();
}

/* The gateway's offset, the credit, and what lies between them. */
static void what_is_missing_is_told_when_asked(void **state) {
        const uint8_t behind[12] = { 8 };

        open_push(&push);
        open_stream(5000, 1);
        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, behind, sizeof(behind));
        assert_true(gateway_await(&gateway, RKD_NAK, 10));
        assert_int_equal(gateway.answer.status.received, 0);
        gateway_send(&gateway, RKD_DATA, 0, behind, sizeof(behind));
        assert_false(gateway_await(&gateway, 0, 900));
}

static void data_that_does_not_fit_is_not_taken(void **state) {
        uint8_t data[4 + 600] = { 0 };
        static const uint32_t offsets[] = { 1, 8, 9, 520, UINT32_MAX, 0x80000000, 0xffffff00 };

        open_push(&push);
        open_stream(UINT32_MAX, 1);
        for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
                for (size_t n = 0; n < sizeof(data); n += n < 12 ? 1 : 97) {
                        rkd_store_u32(data, offsets[i]);
                        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, n);
                        board_run(&board, 3);
                }
        assert_int_equal(status().received, 0);
        rkd_store_u32(data, 0);
        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, gateway.answer.status.credit + 5);
        board_run(&board, 10);
        assert_int_equal(status().received, 0);
        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, 4 + 7);
        board_run(&board, 3);
        assert_int_equal(status().received, 7);
        /* an offset before it, that wraps: 7 - (2^32 - 3) are 10 bytes of which 3 are new */
        rkd_store_u32(data, 0xfffffffd);
        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, 4 + 13);
        board_run(&board, 3);
        assert_int_equal(status().received, 7);
        expect_alive();
}

static void frames_of_any_length_make_the_same_program(void **state) {
        static uint8_t stream[sizeof(image) + 24];

        memset(stream, 0, sizeof(stream));
        stream[4] = (sizeof(image) + BOARD_UNIT - 1) / BOARD_UNIT;
        memcpy(stream + 8, image, sizeof(image));
        for (uint32_t piece = 1; piece <= 1020; piece += piece < 24 ? 5 : 83) {
                uint8_t data[4 + 1020];
                uint32_t n = (uint32_t)sizeof(image) + 16;
                RkdStatus s;

                assert_int_equal(set_up(NULL), 0);
                open_push(&push);
                open_stream(n, 1);
                for (s = status(); s.received < n && s.error == 0; s = status()) {
                        uint32_t most = s.credit - s.received;

                        most = most < piece ? most : piece;
                        rkd_store_u32(data, s.received);
                        memcpy(data + 4, stream + s.received, most);
                        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, 4 + most);
                        while (board.n_to_device > 0)
                                board_step(&board);
                        (void)gateway_await(&gateway, 0, 20);
                }
                assert_int_equal(s.error, 0);
                assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), 0);
                assert_true(board_holds(&board, image, sizeof(image)));
        }
}

static void a_stream_begun_anew_in_a_run_makes_the_program(void **state) {
        uint8_t data[4 + 8 + 300] = { [8] = 3 };

        for (size_t n = 5; n < sizeof(data); n += 11) {
                assert_int_equal(set_up(NULL), 0);
                open_push(&push);
                open_stream(9000, 1000);
                gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, n);
                board_run(&board, 10);
                assert_int_equal(gateway_stream(&gateway, &push), 0);
                assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), 0);
        }
}

/* Any kind of device: its line, and how much of a unit its page takes. */
static void choose_kind(unsigned kind) {
        assert_int_equal(set_up(NULL), 0);
        board.platform.address = kind & 1 ? 9 : 0;
        if (kind & 1)
                board.platform.capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
        board.platform.page_bytes = kind & 2 ? 1024 : 512;
        if (kind & 4)
                board.platform.ring_bytes = board.platform.max_payload = 256;
        gateway_init(&gateway, &board);
        board_power_on(&board);
}

static void any_lost_frame_is_made_up_for(void **state) {
        for (unsigned kind = 0; kind < 8; kind++)
                for (unsigned drop = 1; drop <= 37; drop++) {
                        choose_kind(kind);
                        gateway.drop_data = drop;
                        assert_int_equal(gateway_install(&gateway, push), 0);
                        assert_true(board_holds(&board, image, sizeof(image)));
                        assert_int_equal(board.violations, 0);
                }
}

static void noise_both_ways_only_takes_longer(void **state) {
        for (unsigned kind = 0; kind < 8; kind++)
                for (unsigned seed = 1; seed <= 6; seed++) {
                        choose_kind(kind);
                        board.random = seed;
                        board.noise = 900;
                        assert_int_equal(gateway_install(&gateway, push), 0);
                        assert_true(board_holds(&board, image, sizeof(image)));
                        board.violations = 0; /* a lost ACK lets the gateway talk into flash */
                }
}

static void endless_frames_and_wrong_codes_are_survived(void **state) {
        open_push(&push);
        for (unsigned code = 0; code < 256; code++) {
                memset(board.to_device, (int)code, 3000);
                board.to_device[1500] = 0;
                board.to_device[2999] = 0;
                board.n_to_device = 3000;
                board_run(&board, 40);
        }
        board.n_from_device = 0;
        expect_alive();
}

static int try_platform(void) {
        RkdBoot boot;

        return rkd_boot_init(&boot, &board.platform, RKD_CAUSE_POWER);
}

/* The identity takes 21 bytes more in tx than it has, and a version 63 more than none. */
static void a_platform_that_breaks_a_rule_is_refused(void **state) {
        RkdPlatform good = board.platform, *p = &board.platform;
        RkdIdentity id;
        uint32_t most;

        board_power_on(&board);
        id = identify();
        most = gateway.answer.total + RKD_TEXT_MAX + 21;
        assert_int_equal(id.version.length, 0);
        p->tx_bytes = most;
        assert_int_equal(try_platform(), 0);
        p->tx_bytes = most - 1;
        assert_int_equal(try_platform(), RKD_E_PLATFORM);
#define WITH(change)                                                                               \
        do {                                                                                       \
                *p = good;                                                                         \
                assert_int_equal(try_platform(), 0);                                               \
                change;                                                                            \
                assert_int_equal(try_platform(), RKD_E_PLATFORM);                                  \
        } while (0)
        WITH(p->tx++);
        WITH(p->page++);
        WITH(p->rx++);
        WITH(p->retained++);
        WITH(p->retained = NULL);
        WITH(p->record_size = RKD_RECORD_MARKS + 32 * BOARD_WRITE - 1);
        WITH(p->record_write_size = 64);
        WITH(p->unit_size = 1000);
        WITH(p->program_space = 0x20000000);
        WITH(p->page_bytes = 256);
        WITH(p->ring_bytes = 64);
        WITH(p->max_payload = 4097);
        WITH(p->start_attempts = 9);
        WITH(p->model = NULL);
        WITH(p->address = RKD_ADDRESS_ALL);
        WITH(p->flash_erase = NULL);
#if RKD_PATCH_IS_BUILT
        *p = good;
        board_take_patches(&board, RKD_PATCH_COMPACT);
        p->page_bytes = BOARD_UNIT;
        good = *p;
        WITH(p->page_bytes = BOARD_UNIT / 2);
        WITH(p->ring = NULL);
        WITH(p->program_space *= 1024);
#endif
#undef WITH
}

#if RKD_PATCH_IS_BUILT
static void patches_made_of_anything_do_no_harm(void **state) {
        uint8_t bytes[1500];

        for (uint32_t seed = 1; seed <= 60; seed++) {
                assert_int_equal(set_up(NULL), 0);
                board.platform.page_bytes = BOARD_UNIT;
                board_take_patches(&board, RKD_PATCH_COMPACT);
                open_push(&push);
                image_make(bytes, sizeof(bytes), seed);
                bytes[0] = RKD_PATCH_FORMAT(RKD_PATCH_COMPACT, RKD_ISA_THUMB);
                if (seed & 1)
                        memset(bytes + 1, (int)seed, 20);
                (void)gateway_send_stream(&gateway, RKD_CODEC_PATCH, bytes, sizeof(bytes) - seed);
                assert_int_not_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), 0);
                expect_alive();
                assert_int_equal(board.violations, 0);
        }
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_whole_push_starts_and_is_confirmed),
                TEST(programs_of_every_length_are_verified),
                TEST(a_program_may_fill_the_whole_space),
                TEST(a_wrong_begin_is_refused_and_writes_nothing),
                TEST(a_signed_header_is_taken_with_its_signature),
                TEST(a_model_that_goes_on_behind_its_end_is_another),
                TEST(pieces_of_begin_in_any_order_never_make_a_push),
                TEST(a_begin_area_has_its_bounds),
                TEST(a_foreign_push_is_refused_until_confirmed),
                TEST(the_same_push_goes_on_only_with_the_same_header),
                TEST(flash_that_changes_is_looked_at_again),
                TEST(end_without_a_push_leaves_the_program_alone),
                TEST(end_with_a_damaged_record_writes_nothing),
                TEST(a_mark_that_cannot_be_read_is_not_believed),
                TEST(a_record_beside_a_dead_page_stands),
                TEST(retries_beyond_the_last_doubling_wait_no_shorter),
                TEST(used_starts_beyond_what_is_allowed_leave_none),
                TEST(a_confirmed_program_has_all_its_starts),
                TEST(commands_in_the_wrong_state_are_refused),
                TEST(a_start_does_not_keep_it_in_its_bootloader),
                TEST(sums_outside_the_space_are_refused),
                TEST(commands_of_every_type_and_length_are_survived),
                TEST(frames_for_others_are_not_for_us),
                TEST(bad_streams_stop_with_their_error),
                TEST(what_is_missing_is_told_when_asked),
                TEST(data_that_does_not_fit_is_not_taken),
                TEST(frames_of_any_length_make_the_same_program),
                TEST(a_stream_begun_anew_in_a_run_makes_the_program),
                TEST(any_lost_frame_is_made_up_for),
                TEST(noise_both_ways_only_takes_longer),
                TEST(endless_frames_and_wrong_codes_are_survived),
                TEST(a_platform_that_breaks_a_rule_is_refused),
#if RKD_PATCH_IS_BUILT
                TEST(patches_made_of_anything_do_no_harm),
#endif
        };

        return cmocka_run_group_tests_name("small", tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The whole device library on the board in memory, under a script of good frames, bad frames,
 * commands whose arguments lie at limits, streams that were made for something else, noise, resets
 * and power cuts. Byte 0 chooses the kind of device, then each step is two bytes and its
 * arguments.
 *
 * The board watches over flash: no write or erase outside program space and record, no write unit
 * twice, no start of anything but a whole program. Here: every frame of the device is whole, for
 * its address, and decodes; and after every script the device answers IDENTIFY, takes a push and
 * runs it, confirmed.
 *
 * Compiled twice: with the large engine of the library (rkd-engine), and the small one
 * (rkd-small).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../device/gateway.h"

#define STEPS_MAX  48u
#define IMAGE      1500u
#define STREAM_MAX 4400u
#define HEARS      3u /* of IDENTIFY, one of which may come while the device leaves for a program */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum {
        STEP_NOISE,
        STEP_FRAME,
        STEP_RUN,
        STEP_POWER,
        STEP_RESET,
        STEP_CUT,
        STEP_BEGIN,
        STEP_STREAM,
        STEP_END,
        STEP_START,
        STEP_CONFIRM,
        STEP_PROGRAM,
        STEP_FAIL,
        STEP_COMMAND,
        STEP_RUNS,
        STEP_BYTES,
        STEP_WRONG,
        _STEP_MAX,
};

/* The small engine takes a patch only if a unit fits into the page. */
static const BoardGeometry geometry = { "fuzz", BOARD_UNIT, BOARD_UNITS, BOARD_UNIT,
        RKD_SMALL ? BOARD_UNIT : RKD_PAGE_MIN, BOARD_RECORD, BOARD_WRITE, BOARD_WRITE, 1 };
static const BoardGeometry two_slots = { "fuzz", BOARD_UNIT, BOARD_UNITS, BOARD_UNIT, RKD_PAGE_MIN,
        BOARD_RECORD, BOARD_WRITE, BOARD_WRITE, 2 };
static Board board;
static Gateway gateway;
static uint8_t images[2][IMAGE];

/* What an argument may be, besides any number. */
static const uint32_t limits[] = { 0, 1, 2, BOARD_UNIT - 1, BOARD_UNIT, BOARD_UNITS - 1,
        BOARD_UNITS, BOARD_UNITS + 1, BOARD_SPACE - 1, BOARD_SPACE, BOARD_SPACE + 1,
        BOARD_SPACE + 2 * BOARD_RECORD, BOARD_BASE, BOARD_BASE + BOARD_SPACE, IMAGE, IMAGE + 16,
        0x7fffffff, 0x80000000, UINT32_MAX - 7, UINT32_MAX };

static uint8_t next(RkdReader *in) {
        return rkd_get_u8(in);
}

static uint32_t next_number(RkdReader *in) {
        uint8_t which = next(in);

        if (which < sizeof(limits) / sizeof(limits[0]))
                return limits[which];
        return which < 0x80 ? which : rkd_get_u32(in);
}

static Push make_push(uint8_t which) {
        return (Push){ .image = images[which & 1],
                .n_image = IMAGE,
                .push_id = 1u + (which & 3),
                .replaces = which >> 4,
                .version = "1.0",
                .trial_seconds = 1 };
}

static const uint8_t *take(RkdReader *in, size_t *n) {
        const uint8_t *at = in->at;

        *n = *n < in->left ? *n : in->left;
        (void)rkd_get_bytes(in, *n);
        return at;
}

static void add_noise(RkdReader *in) {
        size_t n = next(in) % 64;
        const uint8_t *noise = take(in, &n);

        if (board.n_to_device + n > sizeof(board.to_device))
                return;
        memcpy(board.to_device + board.n_to_device, noise, n);
        board.n_to_device += n;
}

/* Of a type that a gateway may send: the rest is the device's own, and told in its answers. */
static void add_frame(RkdReader *in) {
        uint8_t type = next(in) % RKD_ACK, flags = next(in);
        size_t n = next(in) % 96;
        const uint8_t *payload = take(in, &n);

        if (board.n_to_device + RKD_FRAME_ENCODED(96) <= sizeof(board.to_device))
                gateway_send(&gateway, type, flags, payload, n);
}

/* Any command; the encoder takes of the arguments what it needs. */
static void ask(RkdReader *in, uint8_t type) {
        static const uint8_t zeros[RKD_BEGIN_PIECE] = { 0 };
        RkdRequest q = {
                .type = 1 + type % RKD_READ,
                .what = type >> 4 & 1,
                .codec = type >> 5,
                .first = next_number(in),
                .offset = next_number(in),
                .length = next_number(in),
                .bytes = zeros,
                .n_bytes = type % sizeof(zeros),
        };

        q.want = q.count = q.total = (uint16_t)next_number(in);
        q.stream_id = (uint16_t)(q.offset & 3);
        q.baud = q.push_id = q.length;
        (void)gateway_ask(&gateway, &q);
}

/* A raw stream with an end: runs whose heads lie at limits, with zeros enough for some of them. */
static void stream_runs(RkdReader *in, uint8_t runs) {
        uint8_t stream[STREAM_MAX] = { 0 };
        uint32_t n = 0;

        for (unsigned i = 0; i < runs % 4 + 1u; i++) {
                rkd_store_u32(stream + n, next_number(in));
                rkd_store_u32(stream + n + 4, next_number(in));
                n += 8 + 4 * (1u + next(in));
        }
        (void)gateway_send_stream(&gateway, RKD_CODEC_RAW, stream, n + 8);
}

/* Anything as a stream of this codec. */
static void stream_bytes(RkdReader *in, uint8_t codec) {
        size_t n = next(in);
        const uint8_t *bytes = take(in, &n);

        (void)gateway_send_stream(&gateway, codec & 3, bytes, (uint32_t)n);
}

/* BEGIN with something in it that does not fit. */
static void begin_wrong(RkdReader *in, uint8_t which) {
        Push push = make_push(which);

        push.wrong_length = next_number(in);
        push.flags = next(in);
        if (which & 4)
                push.model = "kettle";
        if (which & 8)
                push.hardware = "X";
        (void)gateway_begin(&gateway, &push);
}

static void do_bad_step(RkdReader *in, uint8_t what, uint8_t arg) {
        switch (what) {
        case STEP_COMMAND:
                ask(in, arg);
                break;
        case STEP_RUNS:
                stream_runs(in, arg);
                break;
        case STEP_BYTES:
                stream_bytes(in, arg);
                break;
        case STEP_WRONG:
                begin_wrong(in, arg);
                break;
        default:
                break;
        }
}

static void do_step(RkdReader *in) {
        uint8_t what = next(in) % _STEP_MAX, arg = next(in);
        Push push = make_push(arg);

        gateway.credit = 0;
        switch (what) {
        case STEP_NOISE:
                add_noise(in);
                break;
        case STEP_FRAME:
                add_frame(in);
                break;
        case STEP_RUN:
                board_run(&board, arg < 0xf0 ? arg : 3000u);
                break;
        case STEP_POWER:
                board_power_on(&board);
                break;
        case STEP_RESET:
                if (board.runs != BOARD_OFF)
                        board_reset(&board, arg % _RKD_CAUSE_MAX);
                break;
        case STEP_CUT:
                board.cut_at = board.operations + 1 + arg % 16;
                board.cut = arg / 16 % _BOARD_CUT_MAX;
                break;
        case STEP_BEGIN:
                (void)gateway_begin(&gateway, &push);
                break;
        case STEP_STREAM:
                (void)gateway_stream(&gateway, &push);
                break;
        case STEP_PROGRAM:
                board.behaviour = arg % 3;
                break;
        case STEP_FAIL:
                board.fail_at = board.operations + 1 + arg % 8;
                break;
        case STEP_END:
                if (gateway_ask_id(&gateway, RKD_END, push.push_id) == 0 &&
                                !board_holds(&board, push.image, IMAGE))
                        board_violate(&board, "complete, and not what was wanted");
                break;
        case STEP_START:
        case STEP_CONFIRM:
                (void)gateway_ask_id(&gateway, (uint8_t)(RKD_END + what - STEP_END), push.push_id);
                break;
        default:
                do_bad_step(in, what, arg);
                break;
        }
}

static void set_up(uint8_t kind) {
        const bool slots = RKD_WITH_SLOTS && kind & 128;

        board_init_as(&board, slots ? &two_slots : &geometry);
        image_make(images[0], IMAGE, 1);
        image_make(images[1], IMAGE, 2);
        memcpy(images[1], images[0], BOARD_UNIT); /* so that little differs */
        for (unsigned i = 0; i < 2; i++)
                board.images[i] = (BoardImage){ images[i], IMAGE, false };
        board.n_images = 2;
        if (kind & 64)
                board_take_patches(&board, RKD_SMALL ? RKD_PATCH_COMPACT : RKD_PATCH_FULL);
        if (kind & 1)
                board.platform.capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
        if (kind & 2)
                board.platform.capabilities |= RKD_CAN_FLASH_BLOCKS_CPU;
        if (kind & 4)
                board.platform.address = 5;
        if (kind & 8)
                board_load(&board, images[0], IMAGE);
        if ((kind & 16) && RKD_SMALL) {
                board.platform.page_bytes = RKD_PAGE_MIN;
                board_take_patches(&board, RKD_PATCH_NONE);
        } else if (kind & 16 && !slots)
                board.platform.retained = NULL;
        if (kind & 32)
                board.platform.ring_bytes = board.platform.max_payload = 128;
        board.flash_ms = kind >> 5 & 2;
        gateway_init(&gateway, &board);
        board_power_on(&board);
}

/* The gateway may send while flash blocks the CPU here: that is the fuzzer's fault, not the
 * device's. */
static int is_serious(void) {
        return board.violations > 0 && strncmp(board.violation, "bytes come", 10) != 0 &&
               strncmp(board.violation, "credit", 6) != 0 &&
               strncmp(board.violation, "the test floods", 15) != 0;
}

static void fail(const char *what) {
        (void)fprintf(stderr, "%s\n", what);
        abort();
}

static void judge(const char *where, unsigned step) {
        if (is_serious()) {
                (void)fprintf(stderr, "%s %u: %s\n", where, step, board.violation);
                abort();
        }
        board.violations = 0;
}

/* Whatever came before: a zero ends it. */
static bool hears(void) {
        RkdIdentity id;

        while (board.n_to_device > 0)
                board_step(&board);
        gateway_init(&gateway, &board);
        for (unsigned i = 0; i < HEARS; i++) {
                board.to_device[board.n_to_device++] = 0;
                if (gateway_identify(&gateway, &id) == 0)
                        return true;
        }
        return false;
}

/* Nothing fails any more. The device answers, and takes a program. */
static void prove_alive(uint8_t which) {
        const Push push = make_push(which);

        board.fail_at = board.cut_at = 0;
        board.behaviour = PROGRAM_HEALTHY;
        if (board.runs == BOARD_OFF)
                board_power_on(&board);
        if (!hears())
                fail("the device does not answer any more");
        if (gateway_settle(&gateway, push) != 0 || !board_holds(&board, push.image, IMAGE))
                fail("the device takes no push any more");
        judge("afterwards", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        RkdReader in = { .at = bytes, .left = n };
        unsigned i;

        set_up(next(&in));
        for (i = 0; i < STEPS_MAX && in.left > 0; i++) {
                do_step(&in);
                if (board.runs != BOARD_OFF)
                        (void)gateway_await(&gateway, 0xfe, 3);
                judge("step", i);
        }
        prove_alive((uint8_t)i);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The whole device library on the board in memory, under a script of good frames, bad frames,
 * noise, resets and power cuts. Byte 0 chooses the kind of device, then each step is a byte and its
 * arguments.
 *
 * The board watches over flash: no write or erase outside program space and record, no write
 * unit twice, no start of a program that the record does not vouch for. Here: every frame of the
 * device is whole, for its address, and decodes.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../device/gateway.h"

#define STEPS_MAX 48u
#define IMAGE     1500u

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
        _STEP_MAX,
};

static Board board;
static Gateway gateway;
static uint8_t images[2][IMAGE];

static uint8_t next(RkdReader *in) {
        return rkd_get_u8(in);
}

static Push make_push(uint8_t which) {
        return (Push){ .image = images[which & 1],
                .n_image = IMAGE,
                .push_id = 1u + (which & 3),
                .replaces = which >> 4,
                .version = "1.0",
                .trial_seconds = 1 };
}

static void add_noise(RkdReader *in) {
        size_t n = next(in) % 64;

        n = n < in->left ? n : in->left;
        if (board.n_to_device + n <= sizeof(board.to_device)) {
                memcpy(board.to_device + board.n_to_device, in->at, n);
                board.n_to_device += n;
        }
        (void)rkd_get_bytes(in, n);
}

static void add_frame(RkdReader *in) {
        uint8_t type = next(in), flags = next(in);
        size_t n = next(in) % 96;
        const uint8_t *payload = in->at;

        n = n < in->left ? n : in->left;
        (void)rkd_get_bytes(in, n);
        if (board.n_to_device + RKD_FRAME_ENCODED(96) <= sizeof(board.to_device))
                gateway_send(&gateway, type, flags, payload, n);
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
        default:
                (void)gateway_ask_id(&gateway, (uint8_t)(RKD_END + what - STEP_END), push.push_id);
        }
}

static void set_up(uint8_t kind) {
        board_init(&board);
        image_make(images[0], IMAGE, 1);
        image_make(images[1], IMAGE, 2);
        memcpy(images[1], images[0], BOARD_UNIT); /* so that little differs */
        if (kind & 1)
                board.platform.capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
        if (kind & 2)
                board.platform.capabilities |= RKD_CAN_FLASH_BLOCKS_CPU;
        if (kind & 4)
                board.platform.address = 5;
        if (kind & 8)
                board_load(&board, images[0], IMAGE);
        if (kind & 16)
                board.platform.retained = NULL;
        if (kind & 32)
                board.platform.ring_bytes = board.platform.max_payload = 128;
        board.flash_ms = kind >> 6;
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        RkdReader in = { .at = bytes, .left = n };

        set_up(next(&in));
        for (unsigned i = 0; i < STEPS_MAX && in.left > 0; i++) {
                do_step(&in);
                if (board.runs != BOARD_OFF)
                        (void)gateway_await(&gateway, 0xfe, 3);
                if (is_serious()) {
                        (void)fprintf(stderr, "step %u: %s\n", i, board.violation);
                        abort();
                }
                board.violations = 0;
        }
        return 0;
}

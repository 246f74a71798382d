/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A patch stream against the whole device library on the board in memory: one that was made for
 * this device or for other content, changed in some places, or none at all.
 *
 * Bytes: device | stream | then changes of four bytes each (what, where u16, by), or with `stream`
 * 0xff the stream itself. What is decided by the device alone: the board watches over flash; a
 * push is complete only when the image is there to the byte; and after every stream the device
 * takes another push and runs it, confirmed.
 *
 * Compiled twice: with the large engine of the library (rkd-patch), and the small one
 * (rkd-small-patch).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../device/gateway.h"
#include "../device/planner.h"
#include "proto/crc.h"
#include "synthetic.h"

#define FUNCTIONS  8u
#define PROGRAMS   3u /* old, new, one that was never there */
#define STREAM_MAX 8192u
#define CHANGES    16u
#define UNITS_MAX  32u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum {
        CHANGE_XOR,
        CHANGE_INSERT,
        CHANGE_DELETE,
        CHANGE_TRUNCATE,
        CHANGE_REPEAT,
        CHANGE_END,
        _CHANGE_MAX,
};

typedef struct Stream {
        uint8_t bytes[STREAM_MAX];
        uint32_t n;
} Stream;

/* The small engine takes patches with the first two, where a unit fits into the page. */
static const BoardGeometry geometries[] = {
        { "1 KiB pages", 1024, 8, 1024, 1024, 1024, 4, 4 },
        { "256-byte pages", 256, 32, 256, 512, 1024, 4, 4 },
        { "4 KiB erase units", 4096, 2, 4096, 1024, 4096, 4, 4 },
        { "half a page buffered", 1024, 8, 1024, 512, 1024, 8, 8 },
};

static Board board;
static Gateway gateway;
static PlanImage programs[PROGRAMS];

static void make_programs(void) {
        SyntheticSpec spec = {
                .isa = RKD_ISA_THUMB,
                .base = BOARD_BASE,
                .ram_base = 0x20000000,
                .functions = FUNCTIONS,
                .changed_every = 3,
        };

        for (unsigned i = 0; i < PROGRAMS; i++) {
                uint8_t *bytes;

                spec.seed = i == 2 ? 77 : 5;
                spec.version = i;
                spec.turned_by = i * FUNCTIONS / 2;
                if (synthetic_image(&spec, &bytes, &programs[i].length) < 0)
                        abort();
                programs[i].bytes = bytes;
        }
}

static void fail(const char *what) {
        (void)fprintf(stderr, "%s\n", what);
        abort();
}

static void judge(void) {
        if (board.violations > 0)
                fail(board.violation);
}

static Push push_of(unsigned i) {
        return (Push){ .image = programs[i].bytes,
                .n_image = programs[i].length,
                .push_id = i + 1,
                .version = "1.0",
                .trial_seconds = 1 };
}

/* Runs the old program, confirmed, and has an open push of the new one. */
static void set_up(uint8_t device) {
        static const uint8_t sets[] = { RKD_ISA_THUMB, RKD_ISA_RISCV, RKD_ISA_AVR, RKD_ISA_THUMB2 };
        Push push = push_of(1);

        board_init_as(&board, &geometries[device & (RKD_SMALL ? 1 : 3)]);
        board_take_patches(&board, device & 4 ? RKD_PATCH_COMPACT : RKD_PATCH_FULL);
        board.platform.instruction_set = sets[device >> 3 & 3];
        if (device & 32)
                board.platform.capabilities |= RKD_CAN_FLASH_BLOCKS_CPU;
        if (device & 64)
                board.platform.ring_bytes = board.platform.max_payload = 128;
        board.flash_ms = device >> 7;
        for (unsigned i = 0; i < 2; i++)
                board.images[i] = (BoardImage){ programs[i].bytes, programs[i].length, false };
        board.n_images = 2;
        gateway_init(&gateway, &board);
        board_power_on(&board);
        if (gateway_settle(&gateway, push_of(0)) != 0 ||
                        gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER }) != 0)
                fail("no device to begin with");
        board_run(&board, 5);
        push.push_id = 0x77;
        if (gateway_begin(&gateway, &push) != 0)
                fail("the new program is not taken");
}

/* What a device that holds the program would tell. */
static uint32_t sum_units(const PlanImage *image, uint32_t *ret) {
        const BoardGeometry *g = &board.geometry;
        uint8_t unit[4096];

        for (uint32_t i = 0; i < g->units; i++) {
                size_t at = (size_t)i * g->unit, n = at < image->length ? image->length - at : 0;

                memset(unit, 0xff, g->unit);
                memcpy(unit, image->bytes + (n > 0 ? at : 0), n < g->unit ? n : g->unit);
                ret[i] = rkd_crc32(unit, g->unit);
        }
        return g->units;
}

/* The patch that turns one program into the other. */
static void make_stream(unsigned from, unsigned to, Stream *s) {
        const RkdPlatform *p = &board.platform;
        uint32_t sums[UNITS_MAX];
        const PlanInput in = {
                .wanted = programs[to].bytes,
                .wanted_length = programs[to].length,
                .n_sums = sum_units(&programs[from], sums),
                .sums = sums,
                .held = &programs[from],
                .n_held = 1,
                .unit_size = p->unit_size,
                .codecs = 1u << RKD_CODEC_RAW | 1u << RKD_CODEC_PATCH,
                .codec_profile = p->patch_profile |
                                 (p->page_bytes < p->unit_size ? RKD_PATCH_ERASES_FIRST : 0),
                .instruction_set = p->instruction_set,
                .program_base = p->program_base,
                .program_space = p->program_space,
                .ram_base = p->ram_base,
                .ram_size = p->ram_size,
        };
        const PlanOutput *out = planner_plan(&in);

        if (!out || out->length > sizeof(s->bytes))
                fail("no stream to begin with");
        memcpy(s->bytes, out->stream, out->length);
        s->n = (uint32_t)out->length;
}

static void insert(Stream *s, uint32_t at, uint32_t n, uint8_t byte) {
        if (n > sizeof(s->bytes) - s->n)
                return;
        memmove(s->bytes + at + n, s->bytes + at, s->n - at);
        memset(s->bytes + at, byte, n);
        s->n += n;
}

static void repeat(Stream *s, uint32_t at, uint32_t n) {
        n = n < s->n - at ? n : s->n - at;
        if (n > sizeof(s->bytes) - s->n)
                return;
        memmove(s->bytes + at + n, s->bytes + at, s->n - at);
        s->n += n;
}

/* False when the stream says it was the last one. */
static bool change(RkdReader *in, Stream *s) {
        uint8_t what = rkd_get_u8(in) % _CHANGE_MAX;
        uint32_t at = rkd_get_u16(in) % (s->n + 1);
        uint8_t by = rkd_get_u8(in);

        switch (what) {
        case CHANGE_XOR:
                if (at < s->n)
                        s->bytes[at] ^= by;
                break;
        case CHANGE_INSERT:
                insert(s, at, 1, by);
                break;
        case CHANGE_DELETE:
                by = by < s->n - at ? by : (uint8_t)(s->n - at);
                memmove(s->bytes + at, s->bytes + at + by, s->n - at - by);
                s->n -= by;
                break;
        case CHANGE_TRUNCATE:
                s->n = at;
                break;
        case CHANGE_REPEAT:
                repeat(s, at, by);
                break;
        default:
                return false;
        }
        return true;
}

static void read_stream(RkdReader *in, uint8_t which, Stream *s) {
        if (which == 0xff) {
                s->n = (uint32_t)(in->left < sizeof(s->bytes) ? in->left : sizeof(s->bytes));
                memcpy(s->bytes, in->at, s->n);
                return;
        }
        make_stream((which & 3) % PROGRAMS, (which >> 2 & 3) % PROGRAMS, s);
        for (unsigned i = 0; i < CHANGES && in->left >= 4; i++)
                if (!change(in, s))
                        break;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        RkdReader in = { .at = bytes, .left = n };
        uint8_t device = rkd_get_u8(&in), which = rkd_get_u8(&in);
        static Stream s;
        int r;

        if (!programs[0].bytes)
                make_programs();
        set_up(device);
        read_stream(&in, which, &s);
        (void)gateway_send_stream(&gateway, RKD_CODEC_PATCH, s.bytes, s.n);
        r = gateway_ask_id(&gateway, RKD_END, 0x77);
        judge();
        if (r == 0 && !board_holds(&board, programs[1].bytes, programs[1].length))
                fail("complete, and not what was wanted");
        (void)gateway_ask_id(&gateway, RKD_START, 0x77);
        board_run(&board, 50);
        judge();
        gateway_init(&gateway, &board);
        if (gateway_settle(&gateway, push_of(device & 1)) != 0 ||
                        !board_holds(&board, programs[device & 1].bytes,
                                        programs[device & 1].length))
                fail("the device takes no push any more");
        judge();
        return 0;
}

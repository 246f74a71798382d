/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The patch decoder with a timer around it, for a machine of QEMU that has memory for whole images
 * (mps2-an385); the code is that of a Cortex-M0. tests/bench/decode puts the case, the old image,
 * the stream and the wanted image into memory, and reads what is printed.
 */

#include <stdbool.h>
#include <string.h>

#include "../bare.h"
#include "device/rkd-patch.h"

#define CASE     ((const Case *)0x21c00000)
#define FLASH    ((uint8_t *)0x21000000)
#define STREAM   ((const uint8_t *)0x21400000)
#define WANTED   ((const uint8_t *)0x21800000)
#define UNIT_MAX 4096u
#define RING     512u

typedef struct Case {
        uint32_t image_length, stream_length, base, space, unit, profile, isa;
} Case;

static RkdPatch patch;
static uint8_t page[UNIT_MAX], ring[RING];
static uint32_t total, most, taken;

void start(void);

static int flash_read(void *user, uint32_t address, void *out, size_t n) {
        memcpy(out, FLASH + (address - CASE->base), n);
        return 0;
}

/* Fills the ring with what comes next, then lets the decoder work with the timer running. */
static RkdPatchEvent step(RkdPatchEvent (*work)(uint32_t), uint32_t arg) {
        static uint32_t in;
        uint32_t left = rkd_patch_left(&patch), before;
        RkdPatchEvent event;

        for (; left < RING && taken < CASE->stream_length; left++, taken++) {
                ring[in++] = STREAM[taken];
                in %= RING;
        }
        rkd_patch_offer(&patch, (in + RING - left) % RING, left);
        before = BARE_TIMER;
        event = work(arg);
        total += before - BARE_TIMER;
        return event;
}

static RkdPatchEvent next(uint32_t arg) {
        return rkd_patch_next(&patch);
}

static RkdPatchEvent fill(uint32_t n) {
        return rkd_patch_fill(&patch, n);
}

static RkdPatchEvent write_unit(void) {
        uint32_t end, start = rkd_patch_unit(&patch, &end), n = end - start, before = total;
        RkdPatchEvent event;

        do
                event = step(fill, n);
        while (event == RKD_PATCH_GOING);
        if (event != RKD_PATCH_DONE)
                return event;
        rkd_patch_written(&patch);
        memset(FLASH + start, 0xff, CASE->unit);
        memcpy(FLASH + start, page, n);
        if (total - before > most)
                most = total - before;
        return RKD_PATCH_GOING;
}

static RkdPatchEvent decode(const RkdPlatform *platform) {
        RkdPatchEvent event = RKD_PATCH_GOING;

        rkd_patch_begin(&patch, platform, CASE->image_length, CASE->stream_length);
        while (event == RKD_PATCH_GOING) {
                event = step(next, 0);
                if (event == RKD_PATCH_DONE)
                        event = write_unit();
        }
        return event;
}

void start(void) {
        RkdPlatform platform = {
                .instruction_set = (uint8_t)CASE->isa,
                .unit_size = CASE->unit,
                .program_base = CASE->base,
                .program_space = CASE->space,
                .ram_base = 0x20000000,
                .ram_size = 0x80000,
                .page = page,
                .page_bytes = CASE->unit,
                .ring = ring,
                .ring_bytes = RING,
                .patch = &patch,
                .patch_profile = (uint8_t)CASE->profile,
                .flash_read = flash_read,
        };

        bare_begin();
        if (decode(&platform) == RKD_PATCH_END && memcmp(FLASH, WANTED, CASE->image_length) == 0) {
                bare_print("ticks ", total);
                bare_print("most ", most);
        }
        bare_end();
}

__attribute__((section(".vectors"), used)) static void (*const vectors[])(void) = {
        (void (*)(void))0x20400000, start, /* top of the stack, reset */
};

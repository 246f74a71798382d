/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The decoder of the patch stream (rekindle-patch(7)): bytes out of the receive ring, flash as it
 * is, the page buffer full of what belongs there next.
 *
 * It never waits: a position is decoded when all bytes that it can take are there. It never
 * leaves the program space: what it reads is checked byte by byte, and where a page goes was
 * checked when its unit began. Writing is its caller's.
 */

#include "device/rkd-context.h"

/* The most that one step takes from the stream; the ring holds more. */
#define RKD_PATCH_STEP_BYTES 32u

typedef enum RkdPatchEvent {
        RKD_PATCH_MORE,  /* nothing can be done without more of the stream */
        RKD_PATCH_DONE,  /* what was asked for: a unit has begun, or the piece is full */
        RKD_PATCH_GOING, /* there is more to do */
        RKD_PATCH_END,   /* that was the last unit */
        RKD_PATCH_BAD,   /* no such stream can be meant for this device */
        RKD_PATCH_FAULT, /* flash cannot be read */
} RkdPatchEvent;

/* Whether the platform can take patches at all. */
bool rkd_patch_fits(const RkdPlatform *platform);
/* codec_profile of the identity */
static inline uint8_t rkd_patch_profile(const RkdPlatform *platform) {
        bool first = platform->page_bytes < platform->unit_size;

        return (uint8_t)(platform->patch_profile | (first ? RKD_PATCH_ERASES_FIRST : 0));
}

void rkd_patch_begin(RkdPatch *patch, const RkdPlatform *platform, uint32_t image_length,
                uint32_t stream_length);
#if RKD_WITH_SLOTS
/* The flash that is read begins here, and not at the program base. */
void rkd_patch_read_at(RkdPatch *patch, uint32_t address);
#endif
/* The ring holds n bytes of the stream, from `at` on. */
void rkd_patch_offer(RkdPatch *patch, uint32_t at, uint32_t n);
/* How many of them were not taken. */
uint32_t rkd_patch_left(const RkdPatch *patch);

/* Towards the next unit: DONE when one has begun. */
RkdPatchEvent rkd_patch_next(RkdPatch *patch);
/* Where it begins, and ends: at the end of the image or of the unit. */
uint32_t rkd_patch_unit(const RkdPatch *patch, uint32_t *ret_end);
/* Towards n bytes in the page. Where a unit is larger than the page it has been erased by then,
 * else it is still as it was. */
RkdPatchEvent rkd_patch_fill(RkdPatch *patch, uint32_t n);
uint32_t rkd_patch_filled(const RkdPatch *patch);
/* These n bytes are in flash, or will be before the next call. */
void rkd_patch_written(RkdPatch *patch);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PatchPlayer: the device's decoder over a flash in memory that holds exactly what a device's
 * would at that moment: erased before it is written, read only where it exists. */
#pragma once

#include "device/rkd-patch.h"
#include "image/plan.h"

typedef struct PatchPlayer {
        RkdPlatform platform; /* geometry is taken from here; page_bytes 0: one unit */
        RkdPatch patch;
        uint8_t *flash; /* program_space bytes, caller's */
        uint8_t *page, *ring;
        unsigned erases;
        uint32_t stop_after; /* power fails after so many units; 0: never */
        bool out_of_bounds;  /* a read or write outside the program space */
} PatchPlayer;

/* The geometry that in describes; flash is borrowed. -EINVAL: no decoder has room for it. What
 * was begun is to be done in any case. */
int patch_player_init(PatchPlayer *p, const PlanInput *in, uint8_t *flash, uint32_t ring_bytes);
void patch_player_done(PatchPlayer *p);
/* Plays a whole stream, at most `piece` bytes of it put into the ring at a time. Returns how the
 * decoder ended: END, BAD, FAULT; MORE: the stream is too short, or power failed. */
RkdPatchEvent patch_player_run(PatchPlayer *p, const uint8_t *stream, uint32_t n,
                uint32_t image_length, uint32_t piece);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The memory of the patch decoder. Private: only rkd-patch.c may touch its members.
 */

#include "proto/patch-trail.h"
#include "rekindle/platform.h"

#ifndef RKD_PATCH_UNITS_MAX
#define RKD_PATCH_UNITS_MAX 512u /* flash units of the program space; a multiple of 8 */
#endif

/* rkd-patch.c: the decoder of patches. Offsets count from the program base. What is used most
 * lies where one instruction of a small machine reaches it: bytes first, the model last. */
typedef struct RkdPatch {
        RkdPatchTrail trail;
        uint8_t phase;
        uint8_t unit_shift;
        uint8_t n_spill;
        bool erases_first, fault;
        uint32_t at;               /* the present position */
        uint32_t piece, piece_end; /* what the page buffer is for */
        uint32_t unit, unit_end;
        uint32_t range, code;
        uint32_t ring_at, ring_have;
        uint32_t stream_left; /* bytes not taken yet, in the ring or to come */
        const RkdPlatform *platform;
#if RKD_WITH_SLOTS
        uint32_t flash_at; /* where what is read begins */
#endif
        uint32_t image_length;
        uint32_t n_told;             /* units of which was told whether they are known */
        uint32_t span;               /* bytes of flash that addresses may point into */
        uint32_t spill;              /* what did not fit into the piece, n_spill bytes */
        uint32_t old_distance;       /* of the last source of that kind */
        int32_t source, last_source; /* distance, times two, plus the kind */
        uint8_t rewritten[RKD_PATCH_UNITS_MAX / 8]; /* by this stream */
        uint8_t readable[RKD_PATCH_UNITS_MAX / 8];  /* both ends know what is there */
        RkdPatchModel model;
} RkdPatch;

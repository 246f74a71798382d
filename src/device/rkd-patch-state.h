/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The memory of the patch decoder. Private: only rkd-patch.c may touch its members.
 */

#include "proto/patch-model.h"
#include "rekindle/platform.h"

#ifndef RKD_PATCH_UNITS_MAX
#define RKD_PATCH_UNITS_MAX 512u /* flash units of the program space; a multiple of 8 */
#endif

/* rkd-patch.c: the decoder of patches. Offsets count from the program base. */
typedef struct RkdPatch {
        RkdPatchModel model;
        const RkdPlatform *platform;
        uint32_t stream_left; /* bytes not taken yet, in the ring or to come */
        uint32_t ring_at, ring_have;
        uint32_t range, code;
        uint32_t image_length;
        uint32_t n_units, units_left;
        uint32_t n_known, n_told; /* units whose content the gateway may know; told so far */
        uint32_t span;            /* bytes of flash that addresses may point into */
        uint32_t unit, unit_start, unit_end;
        uint32_t piece, piece_bytes; /* what the page buffer is for */
        uint32_t at;                 /* the present position */
        uint32_t before;             /* the bytes before it in this unit */
        uint32_t last_old;
        int32_t sources[RKD_PATCH_SOURCES];
        RkdPatchTrail trail;
        uint8_t phase;
        uint8_t unit_shift;
        uint8_t n_spill;
        uint8_t spill[3]; /* of a word that began in this piece */
        bool backward, erases_first, is_unknown, fault;
        uint8_t told[RKD_PATCH_UNITS_MAX / 8];     /* units that have begun in this stream */
        uint8_t readable[RKD_PATCH_UNITS_MAX / 8]; /* whose content both ends know */
} RkdPatch;

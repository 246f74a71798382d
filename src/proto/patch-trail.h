/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What happened before the present position, as far as the patch codec remembers it, and the
 * contexts that follow from it (rekindle-patch(7), "Positions").
 */

#include "proto/patch-model.h"

typedef struct RkdPatchTrail {
        uint8_t streak; /* 0 after a jump, 1 to 3 after as many literals, then 3 + bytes copied */
        uint8_t broken; /* whether there was a literal since the last jump */
        uint8_t was_wrong; /* whether the last predicted word was */
} RkdPatchTrail;

#define RKD_PATCH_STREAK_MAX 255u

static inline void rkd_patch_trail_copy(RkdPatchTrail *t, unsigned n) {
        unsigned streak = (t->streak < 3 ? 3 : t->streak) + n;

        t->streak = (uint8_t)(streak < RKD_PATCH_STREAK_MAX ? streak : RKD_PATCH_STREAK_MAX);
}

static inline void rkd_patch_trail_jump(RkdPatchTrail *t) {
        t->streak = t->broken = 0;
}

static inline void rkd_patch_trail_literal(RkdPatchTrail *t) {
        if (t->streak > 3)
                t->streak = 0;
        if (t->streak < 3)
                t->streak++;
        t->broken = 1;
}

/* class: rkd_code_class() */
static inline unsigned rkd_patch_miss(const RkdPatchTrail *t, unsigned class) {
        unsigned streak = t->streak, halved = 0;

        for (; streak >= 16 && halved < 3; halved++)
                streak >>= 1;
        if (streak > 8)
                streak = 8;
        return RKD_PATCH_MISS + ((streak + halved) * 2 + t->broken) * RKD_CODE_CLASSES + class;
}

static inline unsigned rkd_patch_stays(const RkdPatchTrail *t) { /* not after a jump */
        return RKD_PATCH_STAYS + (t->streak < 4u ? t->streak : 4u) - 1;
}

/* class: RkdMapClass or RKD_PATCH_REWRITTEN */
static inline unsigned rkd_patch_wrong(const RkdPatchTrail *t, unsigned what, unsigned class) {
        return RKD_PATCH_WRONG + (what * 6 + class) * 2 + t->was_wrong;
}

static inline unsigned rkd_patch_abandoned(const RkdPatchTrail *t, unsigned what) {
        return RKD_PATCH_ABANDONED + what * 2 + (t->streak == 0);
}

/* Whether the map learns of a word: it was corrected, or right where two moves were possible. */
static inline bool rkd_patch_learns(unsigned class, bool wrong) {
        return class != RKD_PATCH_REWRITTEN && (wrong || class == RKD_MAP_BETWEEN);
}

/* Whether a literal is told by its difference from the source's byte; with this literal counted. */
static inline bool rkd_patch_is_difference(const RkdPatchTrail *t, unsigned kind) {
        return kind == RKD_PATCH_OLD && t->streak <= 2;
}

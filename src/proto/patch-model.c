/* SPDX-License-Identifier: MIT */
/* Probabilities, contexts and learning of the patch codec, see patch-model.h. */

#include "proto/patch-model.h"

#include <string.h>

#define EVEN       32768u
#define LEAST      16  /* no probability is nearer to 0 or 65536 */
#define STAYS      30u /* after so many, a decision counts as much as the last one */
#define STREAK_MAX 255u

static const uint8_t rates[STAYS + 1];

void rkd_patch_model_init(RkdPatchModel *m, uint8_t profile) {
        memset(m, 0, sizeof(*m));
        for (unsigned i = 0; i < _RKD_PATCH_CONTEXTS; i++)
                m->chance[i] = EVEN;
        m->profile = profile;
}

void rkd_patch_learn(RkdPatchModel *m, unsigned context, unsigned bit) {
        int32_t chance = m->chance[context], aim = bit ? 65536 - LEAST : LEAST;
        unsigned seen = m->seen[context];

        m->chance[context] = (uint16_t)(chance + ((aim - chance) * rates[seen] >> 8));
        if (seen < STAYS)
                m->seen[context]++;
}

unsigned rkd_patch_miss(const RkdPatchTrail *t, unsigned class) {
        unsigned streak = t->streak, halved = 0;

        for (; streak >= 16 && halved < 3; halved++)
                streak >>= 1;
        if (streak > 8)
                streak = 8;
        return RKD_PATCH_MISS + ((streak + halved) * 2 + t->broken) * RKD_CODE_CLASSES + class;
}

bool rkd_patch_is_difference(const RkdPatchTrail *t, unsigned kind) {
        return kind == RKD_PATCH_OLD && t->streak <= 2;
}

unsigned rkd_patch_literal(const RkdPatchModel *m, bool difference, uint32_t to) {
        unsigned odd = RKD_PATCH_IS_FULL(m->profile) ? to & 1 : 0;

        return RKD_PATCH_LITERALS + (odd * 2 + !difference) * RKD_PATCH_TREE;
}

void rkd_patch_trail_copy(RkdPatchTrail *t, unsigned n) {
        unsigned streak = (t->streak < 3 ? 3 : t->streak) + n;

        t->streak = (uint8_t)(streak < STREAK_MAX ? streak : STREAK_MAX);
}

void rkd_patch_trail_jump(RkdPatchTrail *t) {
        t->streak = t->broken = 0;
}

void rkd_patch_trail_literal(RkdPatchTrail *t) {
        if (t->streak > 3)
                t->streak = 0;
        if (t->streak < 3)
                t->streak++;
        t->broken = 1;
}

/* 256 / (n + 1.5) */
static const uint8_t rates[STAYS + 1] = { 171, 102, 73, 57, 47, 39, 34, 30, 27, 24, 22, 20, 19, 18,
        17, 16, 15, 14, 13, 12, 12, 11, 11, 10, 10, 10, 9, 9, 9, 8, 8 };

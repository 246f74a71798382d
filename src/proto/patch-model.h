/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The models of the patch codec: every adaptive probability, and how it learns
 * (rekindle-patch(7), "Contexts"). This, patch-trail.h, the map and the instructions are all that
 * encoder and decoder share. What is called for every decision is inline: a device has it once.
 *
 * A probability is always that of a one, in 65536ths. A one is what happens seldom.
 */

#include <stdbool.h>

#include "proto/patch-map.h"

typedef enum RkdPatchKind {
        RKD_PATCH_OLD = 0, /* flash as it is at that moment */
        RKD_PATCH_NEW = 1, /* the same, but what this unit has so far comes first */
} RkdPatchKind;

/* Four bytes that are predicted as a whole. */
typedef enum RkdPatchWord {
        RKD_PATCH_BRANCH = 0,
        RKD_PATCH_POINTER = 1,
        _RKD_PATCH_WORD_MAX,
        RKD_PATCH_NO_WORD = _RKD_PATCH_WORD_MAX,
} RkdPatchWord;

typedef enum RkdPatchNumber {
        RKD_PATCH_NUMBER_OLD = RKD_PATCH_OLD, /* distance of such a source */
        RKD_PATCH_NUMBER_NEW = RKD_PATCH_NEW,
        RKD_PATCH_NUMBER_BRANCH, /* from the move that was guessed */
        RKD_PATCH_NUMBER_POINTER,
        RKD_PATCH_NUMBER_UNIT,
        _RKD_PATCH_NUMBER_MAX,
} RkdPatchNumber;

#define RKD_PATCH_REWRITTEN   5u  /* class of a word whose source is no old content */
#define RKD_PATCH_STREAKS     12u /* as contexts count them */
#define RKD_CODE_CLASSES      7u
#define RKD_PATCH_TREE        256u
#define RKD_PATCH_NUMBER_SIZE 62u
#define RKD_PATCH_NUMBER_BITS 32u /* from there on */

/* The contexts of each question, by the first one. */
enum {
        RKD_PATCH_MISS = 0, /* the source's byte is wrong */
        /* after a wrong byte: a literal follows, no other source */
        RKD_PATCH_STAYS = RKD_PATCH_MISS + RKD_PATCH_STREAKS * 2 * RKD_CODE_CLASSES,
        RKD_PATCH_FOREIGN = RKD_PATCH_STAYS + 4, /* the source is not the one before */
        RKD_PATCH_KIND = RKD_PATCH_FOREIGN + 2,  /* its RkdPatchKind */
        RKD_PATCH_WRONG = RKD_PATCH_KIND + 2,    /* the predicted word is wrong */
        RKD_PATCH_ABANDONED = RKD_PATCH_WRONG + _RKD_PATCH_WORD_MAX * 6 * 2, /* and left to bytes */
        RKD_PATCH_FAR = RKD_PATCH_ABANDONED + _RKD_PATCH_WORD_MAX * 2, /* it moved as the other */
        RKD_PATCH_NUMBERS = RKD_PATCH_FAR + _RKD_PATCH_WORD_MAX,
        RKD_PATCH_LITERALS = RKD_PATCH_NUMBERS + _RKD_PATCH_NUMBER_MAX * RKD_PATCH_NUMBER_SIZE,
        _RKD_PATCH_CONTEXTS = RKD_PATCH_LITERALS + RKD_PATCH_TREES_MOST * RKD_PATCH_TREE,
};

typedef struct RkdPatchModel {
        uint8_t profile;
        RkdMap map;
        uint16_t chance[_RKD_PATCH_CONTEXTS];
        uint8_t seen[_RKD_PATCH_CONTEXTS]; /* how often */
} RkdPatchModel;

void rkd_patch_model_init(RkdPatchModel *model, uint8_t profile);

#define RKD_PATCH_LEAST 16  /* no probability is nearer to 0 or 65536 */
#define RKD_PATCH_TRUST 30u /* after so many, a decision counts as much as the last one */

/* 256 / (n + 1.5) */
extern const uint8_t rkd_patch_rates[RKD_PATCH_TRUST + 1];

static inline void rkd_patch_learn(RkdPatchModel *m, unsigned context, unsigned bit) {
        int32_t aim = bit ? 65536 - RKD_PATCH_LEAST : RKD_PATCH_LEAST;
        uint16_t *chance = m->chance + context;
        uint8_t *seen = m->seen + context;

        *chance = (uint16_t)(*chance + ((aim - *chance) * rkd_patch_rates[*seen] >> 8));
        if (*seen < RKD_PATCH_TRUST)
                (*seen)++;
}

static inline unsigned rkd_patch_map_room(const RkdPatchModel *m) {
        return RKD_PATCH_IS_FULL(m->profile) ? RKD_PATCH_MAP_FULL : RKD_PATCH_MAP_COMPACT;
}

/* The contexts of a number: its sign, a tree of 5 bits for its length in bits, then its bits from
 * the second one up to the lowest, which comes first. */
static inline unsigned rkd_patch_number(RkdPatchNumber which) {
        return RKD_PATCH_NUMBERS + which * RKD_PATCH_NUMBER_SIZE;
}

/* The tree of a literal. */
static inline unsigned rkd_patch_literal(const RkdPatchModel *m, bool difference, uint32_t to) {
        unsigned odd = RKD_PATCH_IS_FULL(m->profile) ? to & 1 : 0;

        return RKD_PATCH_LITERALS + (odd * 2 + !difference) * RKD_PATCH_TREE;
}

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The models of the patch codec: every adaptive probability, the contexts that choose among
 * them, and how they learn (rekindle-patch(7), "Contexts"). Encoder and decoder share this and
 * nothing else.
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

/* What happened before the present position. */
typedef struct RkdPatchTrail {
        uint8_t streak; /* 0 after a jump, 1 to 3 after as many literals, then 3 + bytes copied */
        uint8_t broken; /* whether there was a literal since the last jump */
        uint8_t was_wrong; /* whether the last predicted word was */
} RkdPatchTrail;

void rkd_patch_model_init(RkdPatchModel *model, uint8_t profile);
void rkd_patch_learn(RkdPatchModel *m, unsigned context, unsigned bit);

/* class: rkd_code_class() */
unsigned rkd_patch_miss(const RkdPatchTrail *t, unsigned class);

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

static inline unsigned rkd_patch_map_room(const RkdPatchModel *m) {
        return RKD_PATCH_IS_FULL(m->profile) ? RKD_PATCH_MAP_FULL : RKD_PATCH_MAP_COMPACT;
}

/* The contexts of a number: its sign, a tree of 5 bits for its length in bits, then its bits from
 * the second one up to the lowest, which comes first. */
static inline unsigned rkd_patch_number(RkdPatchNumber which) {
        return RKD_PATCH_NUMBERS + which * RKD_PATCH_NUMBER_SIZE;
}

/* Whether a literal is told by its difference from the source's byte, and its tree; t: with this
 * literal counted. */
bool rkd_patch_is_difference(const RkdPatchTrail *t, unsigned kind);
unsigned rkd_patch_literal(const RkdPatchModel *m, bool difference, uint32_t to);

void rkd_patch_trail_copy(RkdPatchTrail *t, unsigned n);
void rkd_patch_trail_jump(RkdPatchTrail *t);
void rkd_patch_trail_literal(RkdPatchTrail *t);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The models of the patch codec: every adaptive probability, the contexts that choose among
 * them, and how they learn (rekindle-patch(7), "Models"). Encoder and decoder share this and
 * nothing else.
 *
 * A probability is always that of a one, in 65536ths. A device is built for one profile
 * (RKD_PATCH_PROFILE: 0 no patches, 1 compact, 2 full) and has no memory or code for another's;
 * without that definition the model has room for the full one and is told its profile when it
 * begins.
 */

#include <stdbool.h>
#include <stdint.h>

#include "proto/patch-map.h"

typedef enum RkdPatchProfile {
        RKD_PATCH_NONE = 0,
        RKD_PATCH_COMPACT = 1,
        RKD_PATCH_FULL = 2,
        _RKD_PATCH_PROFILE_MAX,
} RkdPatchProfile;

#ifndef RKD_PATCH_PROFILE
#define RKD_PATCH_IS_FULL(model) ((model)->profile == RKD_PATCH_FULL)
#define RKD_PATCH_FULL_SIZES     1
#define RKD_PATCH_IS_BUILT       1
#else
#define RKD_PATCH_IS_FULL(model) ((void)(model), RKD_PATCH_PROFILE == 2)
#define RKD_PATCH_FULL_SIZES     (RKD_PATCH_PROFILE == 2)
#define RKD_PATCH_IS_BUILT       (RKD_PATCH_PROFILE != 0)
#endif

/* codec_profile of the identity: the profile, and this bit where a unit is larger than the page
 * buffer, so that it is erased before it is filled. */
#define RKD_PATCH_ERASES_FIRST 0x80u
/* The first byte of a stream. */
#define RKD_PATCH_FORMAT(codec_profile, isa) ((uint32_t)(codec_profile) | (uint32_t)(isa) << 4)

#define RKD_PATCH_SPACE_MAX   (UINT32_C(1) << 23) /* of flash, and of RAM that is known */
#define RKD_PATCH_MAP_COMPACT 128u
#define RKD_PATCH_MAP_FULL    320u
#define RKD_PATCH_SOURCES     4u /* copy sources that are remembered */
#define RKD_PATCH_MIXED       4u /* predictions of a literal's bit, full profile */
#define RKD_PATCH_SLOTS       512u
#define RKD_PATCH_RUNS        12u
#define RKD_PATCH_PLACES      7u

#if RKD_PATCH_FULL_SIZES
#define RKD_PATCH_HISTORIES 3u
#define RKD_PATCH_LITERALS  RKD_PATCH_MIXED
#define RKD_PATCH_MAP_ROOM  RKD_PATCH_MAP_FULL
#else
#define RKD_PATCH_HISTORIES 1u
#define RKD_PATCH_LITERALS  1u
#define RKD_PATCH_MAP_ROOM  RKD_PATCH_MAP_COMPACT
#endif

typedef enum RkdPatchKind {
        RKD_PATCH_OLD = 0, /* flash as it is at that moment */
        RKD_PATCH_NEW = 1, /* the same, but what this unit has so far comes first */
} RkdPatchKind;

/* Units of four bytes that are predicted as a whole. */
typedef enum RkdPatchWord {
        RKD_PATCH_BRANCH = 0,
        RKD_PATCH_POINTER = 1,
        _RKD_PATCH_WORD_MAX,
        RKD_PATCH_NO_WORD = _RKD_PATCH_WORD_MAX,
} RkdPatchWord;

enum { /* numbers */
        RKD_PATCH_NUMBER_OLD,
        RKD_PATCH_NUMBER_NEW,
        RKD_PATCH_NUMBER_BRANCH,
        RKD_PATCH_NUMBER_POINTER,
        _RKD_PATCH_NUMBER_MAX,
};

#define RKD_PATCH_REWRITTEN 5u /* class of a word whose source is no old content */

/* A decision: 22 bits of probability, 10 bits of how often it was taken. */
typedef uint32_t RkdPatchFlag;
/* A bit of a number or literal: 12 bits of probability, 4 bits of how often it was seen. */
typedef uint16_t RkdPatchBit;

typedef struct RkdPatchNumber {
        RkdPatchBit size[32];   /* tree over the length in bits, 5 bits */
        RkdPatchBit sign[3];    /* by length */
        RkdPatchBit top[18][3]; /* the two bits below the first one, by length */
        RkdPatchBit low[3];     /* the last two */
} RkdPatchNumber;

typedef struct RkdPatchModel {
        RkdPatchFlag hit[2][RKD_PATCH_RUNS][RKD_PATCH_PLACES][RKD_PATCH_HISTORIES];
        RkdPatchFlag jump[2][RKD_PATCH_RUNS];
        RkdPatchFlag again[2], which[2], kind[2];
        RkdPatchFlag word[_RKD_PATCH_WORD_MAX][6][2];
        RkdPatchFlag corrected[_RKD_PATCH_WORD_MAX][2];
        RkdPatchFlag other[_RKD_PATCH_WORD_MAX];
        RkdPatchFlag unknown[2]; /* unit of flash, after a known or unknown one */
        RkdPatchNumber number[_RKD_PATCH_NUMBER_MAX];
        RkdPatchBit literal[RKD_PATCH_LITERALS][RKD_PATCH_SLOTS];
#if RKD_PATCH_FULL_SIZES
        int32_t weight[4][RKD_PATCH_MIXED]; /* 65536ths */
#endif
        uint8_t map[RKD_PATCH_MAP_ROOM * RKD_MAP_ENTRY_BYTES];
        uint16_t n_map;
        uint8_t profile;
} RkdPatchModel;

/* What happened before the present position. */
typedef struct RkdPatchTrail {
        uint16_t history;  /* 16 bytes: 1 literal, 0 copied; the last one lowest */
        uint8_t run;       /* bytes copied since the last literal or jump, at most 255 */
        uint8_t literals;  /* since the last copied byte or jump, at most 255 */
        uint8_t last_word; /* whether the last predicted word was right */
        uint8_t jumped;    /* just now */
} RkdPatchTrail;

/* The literal that is being coded. */
typedef struct RkdPatchLiteral {
        uint32_t hash[RKD_PATCH_LITERALS];
        uint32_t node; /* a one, then the bits so far */
        uint16_t slot[RKD_PATCH_LITERALS];
        int16_t stretched[RKD_PATCH_LITERALS];
        uint8_t set;
        uint16_t mixed; /* the probability, in 4096ths */
} RkdPatchLiteral;

void rkd_patch_model_init(RkdPatchModel *model, uint8_t profile);

uint32_t rkd_patch_flag_chance(RkdPatchFlag flag);
void rkd_patch_flag_learn(RkdPatchFlag *flag, unsigned bit);
uint32_t rkd_patch_bit_chance(RkdPatchBit bit);
void rkd_patch_bit_learn(RkdPatchBit *state, unsigned bit);

/* The contexts of a copied byte and of a jump; class: rkd_code_class(). */
RkdPatchFlag *rkd_patch_hit(
                RkdPatchModel *m, const RkdPatchTrail *t, unsigned kind, unsigned class);
RkdPatchFlag *rkd_patch_jump(RkdPatchModel *m, const RkdPatchTrail *t, unsigned kind);
/* Bits of a number: its sign, and bit `i` (below the first one) of a number of n bits of which
 * `value` is known; NULL: that bit has an even chance. */
RkdPatchBit *rkd_patch_sign(RkdPatchNumber *number, unsigned n);
RkdPatchBit *rkd_patch_mantissa(RkdPatchNumber *number, unsigned n, unsigned i, uint32_t value);

/* before: the bytes before it in its unit, the last one lowest, zero where there is none;
 * source: what the present source holds there; t: with this literal counted. */
void rkd_patch_literal_begin(RkdPatchLiteral *l, const RkdPatchTrail *t, uint32_t to,
                uint32_t before, uint8_t source);
uint32_t rkd_patch_literal_chance(const RkdPatchModel *m, RkdPatchLiteral *l);
/* Learns, and goes on to the next bit. */
void rkd_patch_literal_learn(RkdPatchModel *m, RkdPatchLiteral *l, unsigned bit);

uint32_t rkd_patch_map_room(const RkdPatchModel *m);

void rkd_patch_trail_word(RkdPatchTrail *t);
void rkd_patch_trail_hit(RkdPatchTrail *t);
void rkd_patch_trail_jump(RkdPatchTrail *t);
void rkd_patch_trail_literal(RkdPatchTrail *t); /* before it is coded */

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the patch encoder: what one stream is made of (Patch), the paths through a unit
 * that are weighed against each other (PatchPath), the search for copies. Private to
 * src/image/patch*.c. */
#pragma once

#include "image/patch-range.h"
#include "image/patch.h"
#include "proto/patch-code.h"
#include "proto/patch-trail.h"

#define PATCH_COST_BIT 1024u /* one bit, as costs count */
#define PATCH_PAD      8     /* zero bytes behind every text */

/* What is told of the device's flash, and what the stream has done to it so far. */
typedef struct PatchFlash {
        uint8_t *bytes;   /* span, 0xff where nothing is known, then PATCH_PAD */
        bool *unknown;    /* by unit, n_known of them */
        uint32_t n_known; /* units, from the base, of which something may be known */
        uint32_t n_units; /* of the span: these, or the image's where it is longer */
        uint32_t span;    /* bytes that addresses may point into */
        uint32_t size;    /* bytes that may be read: the span, and units that are free */
        uint32_t length;  /* bytes up to the last known one */
} PatchFlash;

/* A state that the decoder may be in at a position, and how it got there. */
typedef struct PatchPath {
        uint32_t cost;
        uint32_t last_old;
        int32_t sources[2];
        RkdPatchTrail trail;
        int32_t from;    /* the path that it goes on, -1: none */
        int32_t jump_at; /* the offset of the jump between, to sources[0]; -1: none */
} PatchPath;

/* Copies to be found in a text: chains of the places with the same hash. */
typedef struct PatchIndex {
        const uint8_t *text;
        uint32_t length;
        unsigned bytes; /* that are hashed */
        int32_t *head, *next;
} PatchIndex;

typedef struct PatchCandidate {
        int32_t source;
        uint32_t length;
} PatchCandidate;

#define PATCH_CANDIDATES 32u
typedef struct PatchCandidates {
        PatchCandidate list[PATCH_CANDIDATES];
        unsigned n;
} PatchCandidates;

/* Texts with their branches made comparable: absolute targets, or none at all. */
typedef struct PatchSearch {
        uint8_t *old_absolute, *old_masked, *new_absolute, *new_masked;
        PatchIndex absolute, masked, produced;
        PatchCandidate (*ahead)[2]; /* of masked text at each place of the segment */
        uint8_t *n_ahead;           /* 0xff: not looked up yet */
        uint32_t ahead_from, ahead_to;
} PatchSearch;

typedef struct Patch {
        const PlanInput *in;
        const uint8_t *wanted; /* the image; where units are parked, parked: also these */
        uint8_t *parked;
        uint32_t length, image_length, n_units; /* of wanted; of the image, the units too */
        uint32_t first_free;                    /* unit behind the image and all that is known */
        uint32_t parked_at; /* the copy of this unit, counted from it; 0: there is none */
        uint8_t isa, profile, unit_shift;
        bool erases_first;
        PatchFlash flash;
        bool *rewritten; /* by unit of the span */
        RkdPatchModel model;
        PatchPath state;
        uint32_t at, unit, unit_start, unit_end;
        PatchRange range;
        PatchSearch search;
        PatchPath *paths; /* of a segment: beam, per place */
        uint8_t *n_paths;
        int32_t *jumps; /* of a segment: source of the jump at each place */
        bool *has_jump;
        uint32_t literal_at,
                        literal_cost; /* of one that is no difference, the same for all paths */
} Patch;

static inline unsigned patch_kind(int32_t source) {
        return (unsigned)source & 1;
}

static inline uint32_t patch_from(uint32_t at, int32_t source) {
        return at - (uint32_t)(source >> 1);
}

static inline int32_t patch_source(uint32_t at, uint32_t from, unsigned kind) {
        return (int32_t)((at - from) << 1 | kind);
}

static inline uint32_t patch_load_u32(const uint8_t *p) {
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline void patch_store_u32(uint8_t *p, uint32_t word) {
        for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t)(word >> (8 * i));
}

static inline bool patch_is_address(const Patch *e, uint32_t word) {
        return word - e->in->program_base < e->flash.span ||
               word - e->in->ram_base < e->in->ram_size;
}

/* patch-step.c: what the decoder does at one position, weighed or written. */
/* The bytes passed; with only_copies 0 when this position takes a literal. */
uint32_t patch_weigh(Patch *e, PatchPath *x, uint32_t at, bool only_copies);
/* The cost of leaving the present source for another one here. */
uint32_t patch_weigh_leaving(Patch *e, const PatchPath *x, uint32_t at, bool *ret_is_word);
uint32_t patch_weigh_jump(const Patch *e, const PatchPath *x, int32_t source);
void patch_jump(PatchPath *x, int32_t source);
/* Writes the decisions of the positions up to `to` at least, with the planned jumps. */
void patch_emit(Patch *e, uint32_t to, uint32_t segment);
void patch_emit_number(Patch *e, RkdPatchNumber which, int32_t number);
uint8_t patch_source_byte(const Patch *e, uint32_t from, unsigned kind, uint32_t at);

/* patch-search.c */
int patch_search_init(Patch *e);
void patch_search_done(PatchSearch *s);
/* The image with branches masked, for comparison. */
uint8_t *patch_masked(const Patch *e, const uint8_t *text, uint32_t length);
void patch_search_segment(Patch *e, uint32_t from, uint32_t to);
void patch_search_at(Patch *e, uint32_t at, PatchCandidates *ret);
/* From now on the byte at this place of the image can be copied. */
void patch_search_add(Patch *e, uint32_t at);

/* patch-parse.c */
#define PATCH_SEGMENT 512u
int patch_parse_init(Patch *e);
/* Finds the cheapest way from `from` to about `to`; its jumps are left in e->jumps. Returns where
 * it ends. */
uint32_t patch_parse(Patch *e, uint32_t from, uint32_t to);

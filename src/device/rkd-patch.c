/* SPDX-License-Identifier: MIT */
/*
 * Decoder of the patch stream, see rkd-patch.h.
 *
 * Everything is a sequence of binary decisions out of one range coder. A step (a part of the
 * header, or one position) takes at most RKD_PATCH_STEP_BYTES of the stream, and is only begun
 * when so many are there or the stream's end is.
 *
 * Offsets count from the program base.
 */

#include "device/rkd-patch.h"

#include <string.h>

#include "device/rkd-device.h"
#include "proto/patch-code.h"

enum {
        PHASE_OPENING,
        PHASE_KNOWN, /* which units the gateway knows */
        PHASE_BETWEEN,
        PHASE_UNIT,
        PHASE_END,
};

#define POSITIONS 8u /* decoded at a time */
#define RANGE_MIN (UINT32_C(1) << 24)

/* A known platform costs no code (RKD_PLATFORM_H of rkd-config.h). */
#ifdef RKD_PLATFORM_H
#define KNOWN(platform) ((void)(platform), &rkd_platform)
#define UNIT_OF(p, at)  ((at) / rkd_platform.unit_size)
#define ERASES_FIRST(p) (rkd_platform.page_bytes < rkd_platform.unit_size)
#else
#define KNOWN(platform) (platform)
#define UNIT_OF(p, at)  ((at) >> (p)->unit_shift)
#define ERASES_FIRST(p) ((p)->erases_first)
#endif

/* Stream and range coder. */

static uint8_t next_byte(RkdPatch *p) {
        uint8_t byte;

        if (p->ring_have == 0)
                return 0; /* the end: the rest is zero */
        byte = RKD_PLATFORM(p)->ring[p->ring_at++];
        if (p->ring_at == RKD_PLATFORM(p)->ring_bytes)
                p->ring_at = 0;
        p->ring_have--;
        p->stream_left--;
        return byte;
}

static bool may_step(const RkdPatch *p) {
        return p->ring_have >= RKD_PATCH_STEP_BYTES || p->ring_have == p->stream_left;
}

static unsigned decode(RkdPatch *p, unsigned context) {
        uint32_t bound = (p->range >> 16) * p->model.chance[context];
        unsigned bit = p->code < bound;

        if (!bit) {
                p->code -= bound;
                bound = p->range - bound;
        }
        p->range = bound;
        rkd_patch_learn(&p->model, context, bit);
        while (p->range < RANGE_MIN) {
                p->range <<= 8;
                p->code = p->code << 8 | next_byte(p);
        }
        return bit;
}

static uint32_t decode_tree(RkdPatch *p, unsigned tree, uint32_t leaves) {
        uint32_t node = 1;

        while (node < leaves)
                node = node << 1 | decode(p, tree + node);
        return node - leaves;
}

static uint32_t decode_number(RkdPatch *p, RkdPatchNumber which) {
        unsigned first = rkd_patch_number(which), negative;
        uint32_t n = decode_tree(p, first, 32), value = 1;

        if (n == 0)
                return 0;
        negative = decode(p, first);
        for (first += RKD_PATCH_NUMBER_BITS; --n > 0;)
                value = value << 1 | decode(p, first + n - 1);
        return negative ? 0 - value : value;
}

/* Flash. */

#if RKD_WITH_SLOTS
#define FLASH_AT(p) ((p)->flash_at)
#else
#define FLASH_AT(p) (RKD_PLATFORM(p)->program_base)
#endif

static bool unit_has(const RkdPatch *p, const uint8_t *bits, uint32_t unit) {
        return unit < UNIT_OF(p, RKD_PLATFORM(p)->program_space) &&
               bits[unit / 8] >> (unit % 8) & 1;
}

static void set_bit(uint8_t *bits, uint32_t i) {
        bits[i / 8] |= (uint8_t)(1u << (i % 8));
}

/* What both ends take for rewritten from now on, and know. */
static void note_rewritten(RkdPatch *p) {
        set_bit(p->rewritten, p->unit);
        set_bit(p->readable, p->unit);
}

static unsigned kind_of(const RkdPatch *p) {
        return (unsigned)p->source & 1;
}

/* How far behind the present position the source is. */
static uint32_t distance_of(const RkdPatch *p) {
        return (uint32_t)(p->source >> 1);
}

static void read_flash(RkdPatch *p, uint32_t from, uint8_t *ret, unsigned n) {
        uint32_t address = FLASH_AT(p) + from;

#if RKD_FLASH_MAPPED
        memcpy(ret, (const void *)(uintptr_t)address, n);
#else
        if (rkd_flash_read(RKD_PLATFORM(p), address, ret, n) < 0)
                p->fault = true;
#endif
}

/* n bytes, of one unit: what this one has so far, or else flash. */
static void read_bytes(RkdPatch *p, uint32_t from, bool fresh, uint8_t *ret, unsigned n) {
        if (fresh)
                *ret = RKD_PLATFORM(p)->page[from - p->piece];
        else if (unit_has(p, p->readable, UNIT_OF(p, from)))
                read_flash(p, from, ret, n);
}

/* The n bytes of the source that begin here, one or four, as a number. */
static uint32_t read_source(RkdPatch *p, uint32_t from, unsigned n) {
        bool fresh = kind_of(p) == RKD_PATCH_NEW || ERASES_FIRST(p);
        uint32_t have = fresh ? p->at - p->piece : 0, behind = from + n - 1;
        uint8_t bytes[4] = { 0xff, 0xff, 0xff, 0xff };

        if (UNIT_OF(p, from) == UNIT_OF(p, behind) && from - p->piece + 3 >= have + 3)
                read_bytes(p, from, false, bytes, n);
        else
                for (unsigned i = 0; i < n; i++)
                        read_bytes(p, from + i, from + i - p->piece < have, bytes + i, 1);
        return rkd_load_u32(bytes);
}

/* Never beyond the piece. */
static void put(RkdPatch *p, uint32_t bytes, unsigned n) {
        for (; n > 0 && p->at < p->piece_end; n--, bytes >>= 8)
                RKD_PLATFORM(p)->page[p->at++ - p->piece] = (uint8_t)bytes;
        p->spill = bytes;
        p->n_spill = (uint8_t)n;
}

/* Words. */

static bool is_address(const RkdPatch *p, uint32_t value) {
        const RkdPlatform *platform = RKD_PLATFORM(p);

        return value - platform->program_base < p->span ||
               value - platform->ram_base < platform->ram_size;
}

/* The base of a low part. */
static bool find_base(RkdPatch *p, uint32_t from, uint32_t word, RkdCodeOrigin *ret) {
        const RkdPlatform *platform = RKD_PLATFORM(p);
        uint8_t isa = platform->instruction_set;

        for (uint32_t i = 1; i <= RKD_CODE_REACH(isa); i++) {
                uint32_t place = rkd_code_base_place(isa, i), base;
                RkdCodeBase found =
                                rkd_code_base(isa, word, read_source(p, from + place, 4), &base);

                if (found == RKD_CODE_NO_BASE)
                        return false;
                if (found == RKD_CODE_NOT_YET)
                        continue;
                ret->here = ret->there = base + place;
                if (found == RKD_CODE_FIXED) {
                        ret->here = base - platform->program_base - from;
                        ret->there = base - platform->program_base - p->at;
                }
                return true;
        }
        return false;
}

/* What the four bytes at this source are. */
static RkdPatchWord find_word(RkdPatch *p, uint32_t from, uint32_t word, RkdCodeOrigin *ret) {
        uint8_t isa = RKD_PLATFORM(p)->instruction_set;
        uint32_t both = from | p->at;

        if (both % 2 != 0 || p->unit_end - p->at < 4)
                return RKD_PATCH_NO_WORD;
        if (rkd_code_is_branch(isa, word))
                return RKD_PATCH_BRANCH;
        if (RKD_CODE_HAS_LOW_PARTS(isa) && rkd_code_is_low_part(isa, word) &&
                        find_base(p, from, word, ret))
                return RKD_PATCH_BRANCH;
        if (both % 4 == 0 && RKD_CODE_ISA(isa) != RKD_ISA_AVR && is_address(p, word))
                return RKD_PATCH_POINTER;
        return RKD_PATCH_NO_WORD;
}

static RkdMapGuess guess_move(const RkdPatch *p, uint32_t from, uint32_t target) {
        if (kind_of(p) == RKD_PATCH_OLD && !unit_has(p, p->rewritten, UNIT_OF(p, from)))
                return rkd_map_look_up(&p->model.map, target);
        return (RkdMapGuess){ 0, 0, RKD_PATCH_REWRITTEN };
}

/* The move of a word that was not guessed right; false: it has none. */
static bool decode_move(RkdPatch *p, RkdPatchWord what, RkdMapGuess *guess) {
        if (guess->class == RKD_PATCH_REWRITTEN && what == RKD_PATCH_POINTER)
                return false;
        if (decode(p, rkd_patch_abandoned(&p->trail, what)))
                return false;
        if (guess->class == RKD_MAP_BETWEEN && decode(p, RKD_PATCH_FAR + what))
                guess->move = guess->other;
        else
                guess->move += decode_number(p, RKD_PATCH_NUMBER_BRANCH + what);
        return true;
}

/* True when the position was a word that was predicted, or nearly so. */
static bool decode_word(RkdPatch *p, uint32_t from, uint32_t word) {
        const RkdPlatform *platform = RKD_PLATFORM(p);
        RkdCodeOrigin origin = { 0, 0 };
        RkdPatchWord what = find_word(p, from, word, &origin);
        uint32_t target = word;
        RkdMapGuess guess;
        unsigned wrong;

        if (what == RKD_PATCH_NO_WORD)
                return false;
        if (what == RKD_PATCH_BRANCH)
                target = rkd_code_target(platform->instruction_set, word,
                                platform->program_base + from + origin.here);
        guess = guess_move(p, from, target);
        wrong = decode(p, rkd_patch_wrong(&p->trail, what, guess.class));
        p->trail.was_wrong = (uint8_t)wrong;
        if (wrong && !decode_move(p, what, &guess))
                return false;
        if (rkd_patch_learns(guess.class, wrong))
                rkd_map_learn(&p->model.map, rkd_patch_map_room(&p->model), target, guess.move);
        target += guess.move;
        if (what == RKD_PATCH_BRANCH)
                target = rkd_code_retarget(platform->instruction_set, word,
                                platform->program_base + p->at + origin.there, target);
        put(p, target, 4);
        rkd_patch_trail_copy(&p->trail, 4);
        return true;
}

/* Positions. */

/* The source before this one, or another. */
static void decode_source(RkdPatch *p) {
        int32_t source = p->last_source;
        unsigned kind = kind_of(p);

        if (decode(p, RKD_PATCH_FOREIGN + kind)) {
                uint32_t distance;

                kind = decode(p, RKD_PATCH_KIND + kind);
                distance = decode_number(p, kind);
                if (kind == RKD_PATCH_OLD)
                        distance += p->old_distance;
                source = (int32_t)(distance << 1 | kind);
        }
        p->last_source = p->source;
        p->source = source;
        if (kind_of(p) == RKD_PATCH_OLD)
                p->old_distance = distance_of(p);
        rkd_patch_trail_jump(&p->trail);
}

static void decode_literal(RkdPatch *p, uint32_t byte) {
        uint32_t literal;
        bool difference;

        rkd_patch_trail_literal(&p->trail);
        difference = rkd_patch_is_difference(&p->trail, kind_of(p));
        literal = decode_tree(p, rkd_patch_literal(&p->model, difference, p->at), RKD_PATCH_TREE);
        put(p, difference ? byte + literal : literal, 1);
}

static void decode_position(RkdPatch *p) {
        uint32_t from = p->at - distance_of(p);
        uint32_t bytes = read_source(p, from, (from | p->at) % 2 == 0 ? 4 : 1);
        uint8_t isa = RKD_PLATFORM(p)->instruction_set, low = (uint8_t)bytes;
        unsigned class;

        if (decode_word(p, from, bytes))
                return;
        if (RKD_CODE_ISA(isa) == RKD_ISA_RISCV && from % 2 != 0 && p->at % 2 != 0)
                low = RKD_PLATFORM(p)->page[p->at - 1 - p->piece];
        class = rkd_code_class(isa, from, p->at, low, (uint8_t)(bytes >> 8));
        if (!decode(p, rkd_patch_miss(&p->trail, class))) {
                put(p, bytes, 1);
                rkd_patch_trail_copy(&p->trail, 1);
        } else if (p->trail.streak > 0 && !decode(p, rkd_patch_stays(&p->trail)))
                decode_source(p);
        else
                decode_literal(p, bytes);
}

/* Units. */

static RkdPatchEvent open_stream(RkdPatch *p) {
        const RkdPlatform *platform = RKD_PLATFORM(p);
        uint8_t format = next_byte(p);

        for (unsigned i = 0; i < 4; i++)
                p->code = p->code << 8 | next_byte(p);
        p->phase = PHASE_KNOWN;
        if (format != RKD_PATCH_FORMAT(rkd_patch_profile(platform), platform->instruction_set))
                return RKD_PATCH_BAD;
        return RKD_PATCH_GOING;
}

/* A run of units that the gateway knows, or (negative) does not; none: nor the others. */
static RkdPatchEvent read_run(RkdPatch *p) {
        uint32_t run = decode_number(p, RKD_PATCH_NUMBER_UNIT);
        bool unknown = (int32_t)run < 0;

        if (unknown)
                run = 0 - run;
        if (run > UNIT_OF(p, RKD_PLATFORM(p)->program_space) - p->n_told)
                return RKD_PATCH_BAD;
        if (run == 0) {
                if (p->span < p->n_told)
                        p->span = p->n_told;
                p->span *= RKD_PLATFORM(p)->unit_size;
                p->phase = PHASE_BETWEEN;
        }
        for (; run > 0; run--, p->n_told++)
                if (!unknown)
                        set_bit(p->readable, p->n_told);
        return RKD_PATCH_GOING;
}

static RkdPatchEvent begin_unit(RkdPatch *p) {
        uint32_t step = decode_number(p, RKD_PATCH_NUMBER_UNIT);

        if (step == 0) {
                p->phase = PHASE_END;
                return RKD_PATCH_GOING;
        }
        p->unit += step;
        if (p->unit >= UNIT_OF(p, RKD_PLATFORM(p)->program_space) ||
                        unit_has(p, p->rewritten, p->unit))
                return RKD_PATCH_BAD;
        p->at = p->piece = p->unit * RKD_PLATFORM(p)->unit_size;
        p->unit_end = p->at + RKD_PLATFORM(p)->unit_size;
        if (p->at < p->image_length && p->unit_end > p->image_length)
                p->unit_end = p->image_length;
        if (ERASES_FIRST(p))
                note_rewritten(p);
        p->phase = PHASE_UNIT;
        return RKD_PATCH_DONE;
}

bool rkd_patch_fits(const RkdPlatform *p) {
        const RkdPlatform *platform = KNOWN(p);
        uint32_t unit = platform->unit_size;

#ifdef RKD_PATCH_PROFILE
        if (platform->patch_profile != RKD_PATCH_PROFILE)
                return false;
#endif
        return platform->patch && platform->patch_profile > RKD_PATCH_NONE &&
               platform->patch_profile < _RKD_PATCH_PROFILE_MAX &&
               RKD_CODE_KNOWS(platform->instruction_set) && (unit & (unit - 1)) == 0 &&
               unit <= UINT32_MAX / RKD_PATCH_UNITS_MAX &&
               platform->program_space <= unit * RKD_PATCH_UNITS_MAX;
}

void rkd_patch_begin(RkdPatch *p, const RkdPlatform *platform, uint32_t image_length,
                uint32_t stream_length) {
        memset(p, 0, sizeof(*p));
        rkd_patch_model_init(&p->model, KNOWN(platform)->patch_profile);
        p->image_length = image_length;
        p->stream_left = stream_length;
#ifndef RKD_PLATFORM_H
        p->platform = platform;
        p->erases_first = platform->page_bytes < platform->unit_size;
        while (platform->unit_size >> p->unit_shift > 1)
                p->unit_shift++;
#endif
#if RKD_WITH_SLOTS
        p->flash_at = RKD_PLATFORM(p)->program_base;
#endif
        p->span = UNIT_OF(p, image_length - 1) + 1;
        p->range = UINT32_MAX;
        p->unit = UINT32_MAX;
        p->trail.streak = 1;
        p->last_source = RKD_PATCH_NEW;
}

#if RKD_WITH_SLOTS
void rkd_patch_read_at(RkdPatch *p, uint32_t address) {
        p->flash_at = address;
}
#endif

void rkd_patch_offer(RkdPatch *p, uint32_t at, uint32_t n) {
        p->ring_at = at;
        p->ring_have = n;
}

uint32_t rkd_patch_left(const RkdPatch *p) {
        return p->ring_have;
}

uint32_t rkd_patch_unit(const RkdPatch *p, uint32_t *ret_end) {
        *ret_end = p->unit_end;
        return p->piece;
}

RkdPatchEvent rkd_patch_next(RkdPatch *p) {
        if (!may_step(p))
                return RKD_PATCH_MORE;
        switch (p->phase) {
        case PHASE_OPENING:
                return open_stream(p);
        case PHASE_KNOWN:
                return read_run(p);
        case PHASE_BETWEEN:
                return begin_unit(p);
        default:
                return p->stream_left == 0 ? RKD_PATCH_END : RKD_PATCH_BAD;
        }
}

uint32_t rkd_patch_filled(const RkdPatch *p) {
        return p->at - p->piece;
}

RkdPatchEvent rkd_patch_fill(RkdPatch *p, uint32_t n) {
        p->piece_end = p->piece + n;
        put(p, p->spill, p->n_spill);
        for (unsigned i = 0; i < POSITIONS; i++) {
                if (p->at == p->piece_end)
                        return RKD_PATCH_DONE;
                if (!may_step(p))
                        return RKD_PATCH_MORE;
                decode_position(p);
                if (p->fault)
                        return RKD_PATCH_FAULT;
        }
        return RKD_PATCH_GOING;
}

void rkd_patch_written(RkdPatch *p) {
        p->piece = p->at;
        if (p->at < p->unit_end)
                return;
        note_rewritten(p);
        p->phase = PHASE_BETWEEN;
}

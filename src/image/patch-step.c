/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the decoder does at one position (rekindle-patch(7)), in two forms out of one source: the
 * costs of a path, with the models as they are, or the decisions themselves, with the models
 * learning. */
#include "image/patch-private.h"

typedef struct Word {
        uint32_t value, target;
        RkdCodeOrigin origin;
        uint32_t wanted_move;
        RkdMapGuess guess;
        RkdPatchWord what;
        bool right, correctable;
} Word;

#define NUMBER_TOO_LONG UINT32_C(0x80000000) /* of 32 bits */
#define INLINE          static inline __attribute__((always_inline))

/* Decisions. */

INLINE void code(Patch *e, PatchPath *x, unsigned context, unsigned bit, bool emit) {
        uint32_t chance = e->model.chance[context];

        if (!emit) {
                x->cost += patch_cost(chance, bit);
                return;
        }
        patch_range_put(&e->range, chance, bit);
        rkd_patch_learn(&e->model, context, bit);
}

INLINE void code_tree(
                Patch *e, PatchPath *x, unsigned tree, unsigned bits, unsigned value, bool emit) {
        unsigned node = 1;

        while (bits-- > 0) {
                unsigned bit = value >> bits & 1;

                code(e, x, tree + node, bit, emit);
                node = node << 1 | bit;
        }
}

INLINE void code_number(Patch *e, PatchPath *x, RkdPatchNumber which, int32_t number, bool emit) {
        uint32_t size = number < 0 ? 0 - (uint32_t)number : (uint32_t)number;
        unsigned n = size == 0 ? 0 : 32 - (unsigned)__builtin_clz(size);
        unsigned first = rkd_patch_number(which);

        code_tree(e, x, first, 5, n, emit);
        if (n == 0)
                return;
        code(e, x, first, number < 0, emit);
        for (first += RKD_PATCH_NUMBER_BITS; --n > 0;)
                code(e, x, first + n - 1, size >> (n - 1) & 1, emit);
}

void patch_emit_number(Patch *e, RkdPatchNumber which, int32_t number) {
        code_number(e, NULL, which, number, true);
}

INLINE void code_literal(Patch *e, PatchPath *x, uint32_t at, uint8_t source, bool emit) {
        bool difference = rkd_patch_is_difference(&x->trail, patch_kind(x->sources[0]));
        unsigned tree = rkd_patch_literal(&e->model, difference, at);

        code_tree(e, x, tree, 8, (uint8_t)(e->wanted[at] - (difference ? source : 0)), emit);
}

static void weigh_literal(Patch *e, PatchPath *x, uint32_t at, uint8_t source) {
        PatchPath plain = *x;

        if (rkd_patch_is_difference(&x->trail, patch_kind(x->sources[0]))) {
                code_literal(e, x, at, source, false);
                return;
        }
        if (e->literal_at != at) {
                plain.cost = 0;
                code_literal(e, &plain, at, source, false);
                e->literal_at = at;
                e->literal_cost = plain.cost;
        }
        x->cost += e->literal_cost;
}

/* Sources. */

static bool is_fresh(const Patch *e, uint32_t from, unsigned kind, uint32_t at) {
        return (kind == RKD_PATCH_NEW || e->erases_first) && from >= e->unit_start && from < at;
}

uint8_t patch_source_byte(const Patch *e, uint32_t from, unsigned kind, uint32_t at) {
        if (is_fresh(e, from, kind, at))
                return e->wanted[from];
        return from < e->flash.size ? e->flash.bytes[from] : 0xff;
}

static uint32_t source_word(const Patch *e, uint32_t from, unsigned kind, uint32_t at) {
        uint32_t word = 0;

        if (from < e->flash.size && !is_fresh(e, from, kind, at) &&
                        !is_fresh(e, from + 3, kind, at))
                return patch_load_u32(e->flash.bytes + from);
        for (uint32_t i = 0; i < 4; i++)
                word |= (uint32_t)patch_source_byte(e, from + i, kind, at) << (8 * i);
        return word;
}

/* Words. */

static uint32_t word_with(const Patch *e, const Word *w, uint32_t at, uint32_t move) {
        uint32_t target = w->target + move;

        if (w->what == RKD_PATCH_POINTER)
                return target;
        return rkd_code_retarget(
                        e->isa, w->value, e->in->program_base + at + w->origin.there, target);
}

/* A word of the path's source, or (NULL) of the image. */
static uint32_t text_word(const Patch *e, const PatchPath *x, uint32_t from, uint32_t at) {
        if (x)
                return source_word(e, from, patch_kind(x->sources[0]), at);
        return from < e->length && e->length - from >= 4 ? patch_load_u32(e->wanted + from)
                                                         : UINT32_MAX;
}

/* What a branch or low part at `from` counts from; false: it is neither. */
static bool find_origin(const Patch *e, const PatchPath *x, uint32_t from, uint32_t word,
                RkdCodeOrigin *ret, uint32_t at) {
        *ret = (RkdCodeOrigin){ 0, 0 };
        if (rkd_code_is_branch(e->isa, word))
                return true;
        if (!RKD_CODE_HAS_LOW_PARTS(e->isa) || !rkd_code_is_low_part(e->isa, word))
                return false;
        for (uint32_t i = 1; i <= RKD_CODE_REACH(e->isa); i++) {
                uint32_t place = rkd_code_base_place(e->isa, i), base;
                RkdCodeBase found = rkd_code_base(
                                e->isa, word, text_word(e, x, from + place, at), &base);

                if (found == RKD_CODE_NO_BASE)
                        return false;
                if (found == RKD_CODE_FIXED)
                        *ret = (RkdCodeOrigin){ base - e->in->program_base - from,
                                base - e->in->program_base - at };
                if (found == RKD_CODE_RELATIVE)
                        *ret = (RkdCodeOrigin){ base + place, base + place };
                if (found != RKD_CODE_NOT_YET)
                        return true;
        }
        return false;
}

static bool look_at_source(const Patch *e, const PatchPath *x, uint32_t at, Word *w) {
        uint32_t from = patch_from(at, x->sources[0]);

        if (((from | at) & 1) != 0 || e->unit_end - at < 4)
                return false;
        w->value = source_word(e, from, patch_kind(x->sources[0]), at);
        if (find_origin(e, x, from, w->value, &w->origin, at)) {
                w->what = RKD_PATCH_BRANCH;
                w->target = rkd_code_target(
                                e->isa, w->value, e->in->program_base + from + w->origin.here);
                return true;
        }
        w->what = RKD_PATCH_POINTER;
        w->target = w->value;
        return ((from | at) & 3) == 0 && e->isa != RKD_ISA_AVR && patch_is_address(e, w->value);
}

static bool is_rewritten(const Patch *e, uint32_t from) {
        return from < e->flash.size && e->rewritten[from >> e->unit_shift];
}

/* False: no word begins in the source here. */
static bool find_word(const Patch *e, const PatchPath *x, uint32_t at, Word *w) {
        uint32_t wanted, target;
        RkdCodeOrigin origin;

        if (!look_at_source(e, x, at, w))
                return false;
        w->guess = (RkdMapGuess){ 0, 0, RKD_PATCH_REWRITTEN };
        if (patch_kind(x->sources[0]) == RKD_PATCH_OLD &&
                        !is_rewritten(e, patch_from(at, x->sources[0])))
                w->guess = rkd_map_look_up(&e->model.map, w->target);
        wanted = target = patch_load_u32(e->wanted + at);
        w->right = word_with(e, w, at, w->guess.move) == wanted;
        if (w->what == RKD_PATCH_BRANCH && find_origin(e, NULL, at, wanted, &origin, at))
                target = rkd_code_target(e->isa, wanted, e->in->program_base + at + origin.here);
        w->wanted_move = target - w->target;
        w->correctable = w->wanted_move - w->guess.move != NUMBER_TOO_LONG &&
                         (w->what == RKD_PATCH_BRANCH || patch_is_address(e, wanted)) &&
                         word_with(e, w, at, w->wanted_move) == wanted;
        return true;
}

INLINE void code_move(Patch *e, PatchPath *x, const Word *w, bool emit) {
        if (w->guess.class == RKD_MAP_BETWEEN) {
                bool is_other = w->wanted_move == w->guess.other;

                code(e, x, RKD_PATCH_FAR + w->what, is_other, emit);
                if (is_other)
                        return;
        }
        code_number(e, x, RKD_PATCH_NUMBER_BRANCH + w->what,
                        (int32_t)(w->wanted_move - w->guess.move), emit);
}

/* wanted: whether it is to be taken as a word if that can be. */
INLINE bool code_word(Patch *e, PatchPath *x, const Word *w, bool wanted, bool emit) {
        bool wrong = !wanted || !w->right, left = !wanted || !w->correctable;
        RkdPatchModel *m = &e->model;

        code(e, x, rkd_patch_wrong(&x->trail, w->what, w->guess.class), wrong, emit);
        x->trail.was_wrong = wrong;
        if (wrong) {
                if (w->guess.class == RKD_PATCH_REWRITTEN && w->what == RKD_PATCH_POINTER)
                        return false;
                code(e, x, rkd_patch_abandoned(&x->trail, w->what), left, emit);
                if (left)
                        return false;
                code_move(e, x, w, emit);
        }
        rkd_patch_trail_copy(&x->trail, 4);
        if (emit && rkd_patch_learns(w->guess.class, wrong))
                rkd_map_learn(&m->map, rkd_patch_map_room(m), w->target,
                                wrong ? w->wanted_move : w->guess.move);
        return true;
}

static unsigned miss(Patch *e, const PatchPath *x, uint32_t at, uint8_t byte) {
        unsigned kind = patch_kind(x->sources[0]), class;
        uint32_t from = patch_from(at, x->sources[0]);
        uint8_t high = 0;

        if (((from | at) & 1) == 0)
                high = patch_source_byte(e, from + 1, kind, at);
        if (e->isa == RKD_ISA_RISCV && (from & at & 1) != 0)
                byte = e->wanted[at - 1];
        class = rkd_code_class(e->isa, from, at, byte, high);
        return rkd_patch_miss(&x->trail, class);
}

uint32_t patch_weigh(Patch *e, PatchPath *x, uint32_t at, bool only_copies) {
        unsigned kind = patch_kind(x->sources[0]);
        uint8_t byte;
        Word w;

        if (find_word(e, x, at, &w) && code_word(e, x, &w, true, false))
                return 4;
        byte = patch_source_byte(e, patch_from(at, x->sources[0]), kind, at);
        code(e, x, miss(e, x, at, byte), byte != e->wanted[at], false);
        if (byte == e->wanted[at]) {
                rkd_patch_trail_copy(&x->trail, 1);
                return 1;
        }
        if (only_copies)
                return 0;
        if (x->trail.streak != 0)
                code(e, x, rkd_patch_stays(&x->trail), 1, false);
        rkd_patch_trail_literal(&x->trail);
        weigh_literal(e, x, at, byte);
        return 1;
}

uint32_t patch_weigh_leaving(Patch *e, const PatchPath *path, uint32_t at, bool *ret_is_word) {
        unsigned kind = patch_kind(path->sources[0]);
        PatchPath x = *path;
        uint8_t byte;
        Word w;

        *ret_is_word = find_word(e, &x, at, &w);
        if (*ret_is_word)
                (void)code_word(e, &x, &w, false, false);
        byte = patch_source_byte(e, patch_from(at, x.sources[0]), kind, at);
        code(e, &x, miss(e, &x, at, byte), 1, false);
        code(e, &x, rkd_patch_stays(&x.trail), 0, false);
        return x.cost;
}

INLINE void code_source(Patch *e, PatchPath *x, int32_t source, bool emit) {
        unsigned kind = patch_kind(x->sources[0]);
        uint32_t distance = (uint32_t)(source >> 1);

        code(e, x, RKD_PATCH_FOREIGN + kind, source != x->sources[1], emit);
        if (source == x->sources[1])
                return;
        kind = patch_kind(source);
        code(e, x, RKD_PATCH_KIND + patch_kind(x->sources[0]), kind, emit);
        if (kind == RKD_PATCH_OLD)
                distance -= x->last_old;
        code_number(e, x, kind, (int32_t)distance, emit);
}

uint32_t patch_weigh_jump(const Patch *e, const PatchPath *path, int32_t source) {
        PatchPath x = *path;

        x.cost = 0;
        code_source((Patch *)e, &x, source, false);
        return x.cost;
}

void patch_jump(PatchPath *x, int32_t source) {
        x->sources[1] = x->sources[0];
        x->sources[0] = source;
        if (patch_kind(source) == RKD_PATCH_OLD)
                x->last_old = (uint32_t)(source >> 1);
        rkd_patch_trail_jump(&x->trail);
}

static uint32_t emit_position(Patch *e, bool jump, int32_t source) {
        PatchPath *x = &e->state;
        unsigned kind = patch_kind(x->sources[0]);
        bool hit;
        uint8_t byte;
        Word w;

        if (find_word(e, x, e->at, &w) && code_word(e, x, &w, !jump, true))
                return 4;
        byte = patch_source_byte(e, patch_from(e->at, x->sources[0]), kind, e->at);
        hit = !jump && byte == e->wanted[e->at];
        code(e, x, miss(e, x, e->at, byte), !hit, true);
        if (hit) {
                rkd_patch_trail_copy(&x->trail, 1);
                return 1;
        }
        if (x->trail.streak != 0)
                code(e, x, rkd_patch_stays(&x->trail), !jump, true);
        if (jump) {
                code_source(e, x, source, true);
                patch_jump(x, source);
                return 0;
        }
        rkd_patch_trail_literal(&x->trail);
        code_literal(e, x, e->at, byte, true);
        return 1;
}

void patch_emit(Patch *e, uint32_t to, uint32_t segment) {
        while (e->at < to) {
                uint32_t i = e->at - segment;
                bool jump = e->has_jump[i];

                e->has_jump[i] = false;
                e->at += emit_position(e, jump, e->jumps[i]);
        }
}

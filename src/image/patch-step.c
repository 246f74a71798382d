/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the decoder does at one position (rekindle-patch(7)), in two forms out of one source: the
 * costs of a path, with the models as they are, or the decisions themselves, with the models
 * learning. */
#include "image/patch-private.h"

typedef struct Word {
        uint32_t value, target;
        uint32_t wanted_target;
        int32_t move, other;
        uint32_t place;
        RkdPatchWord what;
        uint8_t class;
        bool old, right, correctable;
} Word;

#define NO_PLACE        UINT32_MAX
#define NUMBER_TOO_LONG UINT32_C(0x80000000) /* of 32 bits */
#define INLINE          static inline __attribute__((always_inline))

/* Decisions. */

INLINE void code_flag(Patch *e, PatchPath *x, RkdPatchFlag *flag, unsigned bit, bool emit) {
        uint32_t chance = rkd_patch_flag_chance(*flag);

        if (!emit) {
                x->cost += patch_cost(chance, bit);
                return;
        }
        patch_range_put(&e->range, chance, bit);
        rkd_patch_flag_learn(flag, bit);
}

INLINE void code_bit(Patch *e, PatchPath *x, RkdPatchBit *state, unsigned bit, bool emit) {
        uint32_t chance = state ? rkd_patch_bit_chance(*state) : 32768;

        if (!emit) {
                x->cost += patch_cost(chance, bit);
                return;
        }
        patch_range_put(&e->range, chance, bit);
        if (state)
                rkd_patch_bit_learn(state, bit);
}

INLINE void code_number(Patch *e, PatchPath *x, unsigned which, int32_t number, bool emit) {
        RkdPatchNumber *model = &e->model.number[which];
        uint32_t size = number < 0 ? 0 - (uint32_t)number : (uint32_t)number, value = 1;
        unsigned n = size == 0 ? 0 : 32 - (unsigned)__builtin_clz(size), node = 1;

        for (unsigned i = 5; i-- > 0;) {
                unsigned bit = n >> i & 1;

                code_bit(e, x, &model->size[node], bit, emit);
                node = node << 1 | bit;
        }
        if (n == 0)
                return;
        code_bit(e, x, rkd_patch_sign(model, n), number < 0, emit);
        for (unsigned i = n - 1; i-- > 0;) {
                unsigned bit = size >> i & 1;

                code_bit(e, x, rkd_patch_mantissa(model, n, i, value), bit, emit);
                value = value << 1 | bit;
        }
}

static uint32_t bytes_before(const Patch *e, uint32_t at) {
        uint32_t before = 0;

        for (uint32_t i = 1; i <= 3 && at - e->unit_start >= i; i++)
                before |= (uint32_t)e->wanted[at - i] << (8 * (i - 1));
        return before;
}

static uint32_t weigh_literal(Patch *e, const RkdPatchTrail *t, uint32_t at, uint8_t source) {
        RkdPatchLiteral l;
        uint32_t cost = 0, i;
        uint8_t byte = e->wanted[at];
        RkdPatchModel *m = &e->model;

        rkd_patch_literal_begin(&l, t, at, bytes_before(e, at), source);
        for (i = 8; i-- > 0;) {
                unsigned bit = byte >> i & 1;

                cost += patch_cost(rkd_patch_literal_chance(m, &l), bit);
                l.node = l.node << 1 | bit;
        }
        return cost;
}

/* The same for all paths whose last byte was a literal too; otherwise it depends on the source. */
static uint32_t literal_cost(Patch *e, const RkdPatchTrail *t, uint32_t at, uint8_t source) {
        if (e->literal_at != at) {
                e->literal_at = at;
                e->literal_later = 0;
                e->n_literal_first = 0;
        }
        if (t->literals > 1) {
                if (e->literal_later == 0)
                        e->literal_later = weigh_literal(e, t, at, source);
                return e->literal_later;
        }
        for (unsigned i = 0; i < e->n_literal_first; i++)
                if (e->literal_source[i] == source)
                        return e->literal_first[i];
        if (e->n_literal_first == ELEMENTSOF(e->literal_first))
                return weigh_literal(e, t, at, source);
        e->literal_source[e->n_literal_first] = source;
        return e->literal_first[e->n_literal_first++] = weigh_literal(e, t, at, source);
}

static void emit_literal(Patch *e, const RkdPatchTrail *t, uint32_t at, uint8_t source) {
        RkdPatchLiteral l;

        rkd_patch_literal_begin(&l, t, at, bytes_before(e, at), source);
        for (unsigned i = 8; i-- > 0;) {
                unsigned bit = e->wanted[at] >> i & 1;

                patch_range_put(&e->range, rkd_patch_literal_chance(&e->model, &l), bit);
                rkd_patch_literal_learn(&e->model, &l, bit);
        }
}

/* Sources. */

static bool is_fresh(const Patch *e, uint32_t from, unsigned kind, uint32_t at) {
        return (kind == RKD_PATCH_NEW || e->erases_first) && from >= e->unit_start && from < at;
}

uint8_t patch_source_byte(const Patch *e, uint32_t from, unsigned kind, uint32_t at) {
        if (is_fresh(e, from, kind, at))
                return e->wanted[from];
        return from < e->flash.span ? e->flash.bytes[from] : 0xff;
}

static uint32_t source_word(const Patch *e, uint32_t from, unsigned kind, uint32_t at) {
        uint32_t word = 0;

        if (!is_fresh(e, from, kind, at) && !is_fresh(e, from + 3, kind, at))
                return patch_load_u32(e->flash.bytes + from);
        for (uint32_t i = 0; i < 4; i++)
                word |= (uint32_t)patch_source_byte(e, from + i, kind, at) << (8 * i);
        return word;
}

/* Words. */

static uint32_t place_of(const Patch *e, uint32_t target) {
        if (target - e->in->program_base < e->flash.span)
                return target - e->in->program_base;
        return patch_is_address(e, target) ? RKD_PATCH_SPACE_MAX + (target - e->in->ram_base)
                                           : NO_PLACE;
}

static uint32_t word_with(const Patch *e, const Word *w, uint32_t at, int32_t move) {
        uint32_t target = w->target + (uint32_t)move;

        if (w->what == RKD_PATCH_POINTER)
                return target;
        return rkd_code_retarget(e->isa, w->value, e->in->program_base + at, target);
}

static bool look_at_source(const Patch *e, const PatchPath *x, uint32_t at, Word *w) {
        uint32_t from = patch_from(at, x->sources[0]);

        if (((from | at) & 1) != 0 || e->unit_end - at < 4 || from >= e->flash.span ||
                        e->flash.span - from < 4)
                return false;
        w->value = source_word(e, from, patch_kind(x->sources[0]), at);
        if (rkd_code_is_branch(e->isa, w->value)) {
                w->what = RKD_PATCH_BRANCH;
                w->target = rkd_code_target(e->isa, w->value, e->in->program_base + from);
                return true;
        }
        w->what = RKD_PATCH_POINTER;
        w->target = w->value;
        return ((from | at) & 3) == 0 && e->isa != RKD_ISA_AVR && patch_is_address(e, w->value);
}

static void look_up(const Patch *e, Word *w) {
        RkdMapGuess guess = { 0, 0, RKD_MAP_UNKNOWN };

        if (w->place != NO_PLACE)
                guess = rkd_map_look_up(e->model.map, e->model.n_map, w->place);
        w->class = guess.class;
        w->move = w->what == RKD_PATCH_BRANCH ? guess.move & ~1 : guess.move;
        w->other = w->what == RKD_PATCH_BRANCH ? guess.other & ~1 : guess.other;
}

/* False: no word begins in the source here. */
static bool find_word(const Patch *e, const PatchPath *x, uint32_t at, Word *w) {
        uint32_t from = patch_from(at, x->sources[0]), wanted;

        if (!look_at_source(e, x, at, w))
                return false;
        w->place = place_of(e, w->target);
        w->old = patch_kind(x->sources[0]) == RKD_PATCH_OLD && !e->rewritten[from >> e->unit_shift];
        w->class = RKD_PATCH_REWRITTEN;
        w->move = w->other = 0;
        if (w->old)
                look_up(e, w);
        wanted = patch_load_u32(e->wanted + at);
        w->right = word_with(e, w, at, w->move) == wanted;
        w->wanted_target = wanted;
        if (w->what == RKD_PATCH_BRANCH && rkd_code_is_branch(e->isa, wanted))
                w->wanted_target = rkd_code_target(e->isa, wanted, e->in->program_base + at);
        w->correctable = w->wanted_target - w->target - (uint32_t)w->move != NUMBER_TOO_LONG &&
                         (w->what == RKD_PATCH_BRANCH || patch_is_address(e, wanted)) &&
                         word_with(e, w, at, (int32_t)(w->wanted_target - w->target)) == wanted;
        return true;
}

INLINE void code_move(Patch *e, PatchPath *x, const Word *w, bool emit) {
        int32_t move = (int32_t)(w->wanted_target - w->target);
        int32_t by = (int32_t)((uint32_t)move - (uint32_t)w->move);

        if (w->class == RKD_MAP_BETWEEN) {
                code_flag(e, x, &e->model.other[w->what], move == w->other, emit);
                if (move == w->other)
                        return;
        }
        if (w->what == RKD_PATCH_BRANCH)
                code_number(e, x, RKD_PATCH_NUMBER_BRANCH, by / 2, emit);
        else
                code_number(e, x, RKD_PATCH_NUMBER_POINTER, by, emit);
}

/* wanted: whether it is to be taken as a word if that can be. */
INLINE bool code_word(Patch *e, PatchPath *x, const Word *w, bool wanted, bool emit) {
        RkdPatchModel *m = &e->model;
        bool right = wanted && w->right, corrected = wanted && w->correctable;

        code_flag(e, x, &m->word[w->what][w->class][x->trail.last_word], right, emit);
        x->trail.last_word = right;
        if (!right) {
                if (!w->old && w->what == RKD_PATCH_POINTER)
                        return false;
                code_flag(e, x, &m->corrected[w->what][x->trail.jumped], corrected, emit);
                if (!corrected)
                        return false;
                code_move(e, x, w, emit);
        }
        rkd_patch_trail_word(&x->trail);
        if (emit && !right && w->old && w->place != NO_PLACE)
                m->n_map = (uint16_t)rkd_map_learn(m->map, m->n_map, rkd_patch_map_room(m),
                                w->place, (int32_t)(w->wanted_target - w->target));
        return true;
}

static RkdPatchFlag *hit_flag(Patch *e, const PatchPath *x, uint32_t at, uint8_t byte) {
        unsigned kind = patch_kind(x->sources[0]), class;
        uint32_t from = patch_from(at, x->sources[0]);
        uint8_t high = 0;

        if (((from | at) & 1) == 0)
                high = patch_source_byte(e, from + 1, kind, at);
        class = rkd_code_class(e->isa, from, at, byte, high);
        return rkd_patch_hit(&e->model, &x->trail, kind, class);
}

uint32_t patch_weigh(Patch *e, PatchPath *x, uint32_t at, bool only_copies) {
        unsigned kind = patch_kind(x->sources[0]);
        uint8_t byte;
        Word w;

        if (find_word(e, x, at, &w) && code_word(e, x, &w, true, false))
                return 4;
        byte = patch_source_byte(e, patch_from(at, x->sources[0]), kind, at);
        code_flag(e, x, hit_flag(e, x, at, byte), byte == e->wanted[at], false);
        if (byte == e->wanted[at]) {
                rkd_patch_trail_hit(&x->trail);
                return 1;
        }
        if (only_copies)
                return 0;
        if (!x->trail.jumped)
                code_flag(e, x, rkd_patch_jump(&e->model, &x->trail, kind), 0, false);
        rkd_patch_trail_literal(&x->trail);
        x->cost += literal_cost(e, &x->trail, at, byte);
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
        code_flag(e, &x, hit_flag(e, &x, at, byte), 0, false);
        code_flag(e, &x, rkd_patch_jump(&e->model, &x.trail, kind), 1, false);
        return x.cost;
}

INLINE void code_source(Patch *e, PatchPath *x, int32_t source, bool emit) {
        RkdPatchModel *m = &e->model;
        unsigned kind = patch_kind(x->sources[0]), i = 1;
        uint32_t distance = (uint32_t)(source >> 1);

        while (i < RKD_PATCH_SOURCES && x->sources[i] != source)
                i++;
        code_flag(e, x, &m->again[kind], i < RKD_PATCH_SOURCES, emit);
        if (i < RKD_PATCH_SOURCES) {
                code_flag(e, x, &m->which[0], i == 1, emit);
                if (i > 1)
                        code_flag(e, x, &m->which[1], i == 2, emit);
                return;
        }
        code_flag(e, x, &m->kind[kind], patch_kind(source), emit);
        if (patch_kind(source) == RKD_PATCH_OLD)
                code_number(e, x, RKD_PATCH_NUMBER_OLD, (int32_t)(distance - x->last_old), emit);
        else
                code_number(e, x, RKD_PATCH_NUMBER_NEW, (int32_t)distance, emit);
}

uint32_t patch_weigh_jump(const Patch *e, const PatchPath *path, int32_t source) {
        PatchPath x = *path;

        x.cost = 0;
        code_source((Patch *)e, &x, source, false);
        return x.cost;
}

void patch_jump(PatchPath *x, int32_t source) {
        unsigned i = 1;

        while (i < RKD_PATCH_SOURCES - 1 && x->sources[i] != source)
                i++;
        for (; i > 0; i--)
                x->sources[i] = x->sources[i - 1];
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
        code_flag(e, x, hit_flag(e, x, e->at, byte), hit, true);
        if (hit) {
                rkd_patch_trail_hit(&x->trail);
                return 1;
        }
        if (!x->trail.jumped)
                code_flag(e, x, rkd_patch_jump(&e->model, &x->trail, kind), jump, true);
        if (jump) {
                code_source(e, x, source, true);
                patch_jump(x, source);
                return 0;
        }
        rkd_patch_trail_literal(&x->trail);
        emit_literal(e, &x->trail, e->at, byte);
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

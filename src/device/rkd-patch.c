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

#include "device/rkd-flash.h"
#include "proto/bytes.h"
#include "proto/patch-code.h"

enum {
        PHASE_OPENING,
        PHASE_UNKNOWN, /* which units the gateway knows nothing of */
        PHASE_BETWEEN, /* units */
        PHASE_UNIT,
        PHASE_END,
};

#define POSITIONS 8u /* decoded at a time */
#define RANGE_MIN (UINT32_C(1) << 24)
#define EVEN      32768u
#define NO_PLACE  UINT32_MAX

typedef struct Word {
        uint32_t value;  /* as the source has it */
        uint32_t target; /* absolute */
        uint32_t place;  /* of the target in the map */
        RkdMapGuess guess;
        uint8_t what; /* RkdPatchWord */
        bool old;     /* the source was not rewritten yet */
} Word;

/* Stream and range coder. */

static uint8_t next_byte(RkdPatch *p) {
        uint8_t byte;

        if (p->ring_have == 0)
                return 0; /* the end: the rest is zero */
        byte = p->platform->ring[p->ring_at++];
        if (p->ring_at == p->platform->ring_bytes)
                p->ring_at = 0;
        p->ring_have--;
        p->stream_left--;
        return byte;
}

static bool may_step(const RkdPatch *p) {
        return p->ring_have >= RKD_PATCH_STEP_BYTES || p->ring_have == p->stream_left;
}

static unsigned decode(RkdPatch *p, uint32_t chance) {
        uint32_t bound = (p->range >> 16) * chance;
        unsigned bit = p->code < bound;

        if (bit)
                p->range = bound;
        else {
                p->code -= bound;
                p->range -= bound;
        }
        while (p->range < RANGE_MIN) {
                p->range <<= 8;
                p->code = p->code << 8 | next_byte(p);
        }
        return bit;
}

static unsigned decode_flag(RkdPatch *p, RkdPatchFlag *flag) {
        unsigned bit = decode(p, rkd_patch_flag_chance(*flag));

        rkd_patch_flag_learn(flag, bit);
        return bit;
}

static unsigned decode_bit(RkdPatch *p, RkdPatchBit *state) {
        unsigned bit;

        if (!state)
                return decode(p, EVEN);
        bit = decode(p, rkd_patch_bit_chance(*state));
        rkd_patch_bit_learn(state, bit);
        return bit;
}

static uint32_t decode_plain(RkdPatch *p, unsigned n) {
        uint32_t value = 0;

        while (n-- > 0)
                value = value << 1 | decode(p, EVEN);
        return value;
}

static int32_t decode_number(RkdPatch *p, unsigned which) {
        RkdPatchNumber *number = &p->model.number[which];
        unsigned n = 1, negative;
        uint32_t value = 1;

        while (n < 32)
                n = n << 1 | decode_bit(p, &number->size[n]);
        n -= 32;
        if (n == 0)
                return 0;
        negative = decode_bit(p, rkd_patch_sign(number, n));
        for (unsigned i = n - 1; i-- > 0;)
                value = value << 1 | decode_bit(p, rkd_patch_mantissa(number, n, i, value));
        return (int32_t)(negative ? 0 - value : value);
}

/* Flash. */

static bool has_bit(const uint8_t *bits, uint32_t i) {
        return bits[i / 8] >> (i % 8) & 1;
}

static void set_bit(uint8_t *bits, uint32_t i) {
        bits[i / 8] |= (uint8_t)(1u << (i % 8));
}

static void read_flash(RkdPatch *p, uint32_t offset, uint8_t *out, uint32_t n) {
        const RkdPlatform *platform = p->platform;

        if (rkd_flash_read(platform, platform->program_base + offset, out, n) < 0)
                p->fault = true;
}

/* Within a unit: whether a unit holds what this stream put there. */
static bool is_rewritten(const RkdPatch *p, uint32_t unit) {
        return has_bit(p->told, unit) && (unit != p->unit || p->erases_first);
}

/* What this unit has so far, or else flash. */
static void read_byte(RkdPatch *p, uint32_t from, bool fresh, uint8_t *out) {
        *out = 0xff;
        if (fresh && from >= p->unit_start && from < p->at && from >= p->piece)
                *out = p->platform->page[from - p->piece];
        else if (from < p->platform->program_space && has_bit(p->readable, from >> p->unit_shift))
                read_flash(p, from, out, 1);
}

/* n bytes of the source, one or four, as one number. */
static uint32_t read_source(RkdPatch *p, uint32_t from, unsigned kind, uint32_t n) {
        uint32_t mask = (UINT32_C(1) << p->unit_shift) - 1, unit = from >> p->unit_shift;
        bool fresh = kind == RKD_PATCH_NEW || p->erases_first;
        uint8_t bytes[4] = { 0 };

        if (from < p->platform->program_space && (from & mask) + n <= mask + 1 &&
                        has_bit(p->readable, unit) && (!fresh || unit != p->unit))
                read_flash(p, from, bytes, n);
        else
                for (uint32_t i = 0; i < n; i++)
                        read_byte(p, from + i, fresh, bytes + i);
        return rkd_load_u32(bytes);
}

static void put(RkdPatch *p, uint32_t bytes, unsigned n) {
        for (; n > 0; n--, bytes >>= 8) {
                uint32_t i = p->at++ - p->piece;

                p->before = p->before << 8 | (bytes & 0xff);
                if (i < p->piece_bytes)
                        p->platform->page[i] = (uint8_t)bytes;
                else
                        p->spill[p->n_spill++] = (uint8_t)bytes;
        }
}

/* Words. */

static uint32_t place_of(const RkdPatch *p, uint32_t target) {
        const RkdPlatform *platform = p->platform;

        if (target - platform->program_base < p->span)
                return target - platform->program_base;
        if (target - platform->ram_base < platform->ram_size &&
                        target - platform->ram_base < RKD_PATCH_SPACE_MAX)
                return RKD_PATCH_SPACE_MAX + (target - platform->ram_base);
        return NO_PLACE;
}

static uint8_t what_is(const RkdPatch *p, uint32_t from, Word *w) {
        const RkdPlatform *platform = p->platform;

        if (rkd_code_is_branch(platform->instruction_set, w->value)) {
                w->target = rkd_code_target(
                                platform->instruction_set, w->value, platform->program_base + from);
                w->place = place_of(p, w->target);
                return RKD_PATCH_BRANCH;
        }
        w->target = w->value;
        if (((from | p->at) & 3) != 0 || platform->instruction_set == RKD_ISA_AVR)
                return RKD_PATCH_NO_WORD;
        w->place = place_of(p, w->target);
        return w->place == NO_PLACE ? RKD_PATCH_NO_WORD : RKD_PATCH_POINTER;
}

static void find_word(RkdPatch *p, uint32_t from, unsigned kind, Word *w) {
        w->what = RKD_PATCH_NO_WORD;
        if (((from | p->at) & 1) != 0 || p->unit_end - p->at < 4 || from >= p->span ||
                        p->span - from < 4)
                return;
        w->value = read_source(p, from, kind, 4);
        w->what = what_is(p, from, w);
        if (w->what == RKD_PATCH_NO_WORD)
                return;
        w->old = kind == RKD_PATCH_OLD && !is_rewritten(p, from >> p->unit_shift);
        w->guess = (RkdMapGuess){ 0, 0, RKD_PATCH_REWRITTEN };
        if (w->old)
                w->guess = w->place == NO_PLACE ? (RkdMapGuess){ 0, 0, RKD_MAP_UNKNOWN }
                                                : rkd_map_look_up(p->model.map, p->model.n_map,
                                                                  w->place);
        if (w->what == RKD_PATCH_BRANCH) {
                w->guess.move &= ~1;
                w->guess.other &= ~1;
        }
}

static void put_word(RkdPatch *p, const Word *w, int32_t move) {
        const RkdPlatform *platform = p->platform;
        uint32_t target = w->target + (uint32_t)move;

        if (w->what == RKD_PATCH_BRANCH)
                target = rkd_code_retarget(platform->instruction_set, w->value,
                                platform->program_base + p->at, target);
        put(p, target, 4);
        rkd_patch_trail_word(&p->trail);
}

static int32_t decode_move(RkdPatch *p, const Word *w) {
        int32_t by;

        if (w->guess.class == RKD_MAP_BETWEEN && decode_flag(p, &p->model.other[w->what]))
                return w->guess.other;
        by = decode_number(p, w->what == RKD_PATCH_BRANCH ? RKD_PATCH_NUMBER_BRANCH
                                                          : RKD_PATCH_NUMBER_POINTER);
        if (w->what == RKD_PATCH_BRANCH)
                by = (int32_t)((uint32_t)by * 2);
        return (int32_t)((uint32_t)w->guess.move + (uint32_t)by);
}

/* True when the position was a word that was predicted, or nearly so. */
static bool decode_word(RkdPatch *p, const Word *w) {
        RkdPatchModel *m = &p->model;
        unsigned right;
        int32_t move;

        right = decode_flag(p, &m->word[w->what][w->guess.class][p->trail.last_word]);
        p->trail.last_word = (uint8_t)right;
        if (right) {
                put_word(p, w, w->guess.move);
                return true;
        }
        if (!w->old && w->what == RKD_PATCH_POINTER)
                return false;
        if (!decode_flag(p, &m->corrected[w->what][p->trail.jumped]))
                return false;
        move = decode_move(p, w);
        put_word(p, w, move);
        if (w->old && w->place != NO_PLACE)
                m->n_map = (uint16_t)rkd_map_learn(
                                m->map, m->n_map, rkd_patch_map_room(m), w->place, move);
        return true;
}

/* Sources: how far behind, times two, plus the kind. */

static unsigned kind_of(int32_t source) {
        return (unsigned)source & 1;
}

static uint32_t distance_of(int32_t source) {
        return (uint32_t)(source >> 1);
}

static void use_source(RkdPatch *p, int32_t source) {
        unsigned i = 1;

        while (i < RKD_PATCH_SOURCES - 1 && p->sources[i] != source)
                i++;
        for (; i > 0; i--)
                p->sources[i] = p->sources[i - 1];
        p->sources[0] = source;
        if (kind_of(source) == RKD_PATCH_OLD)
                p->last_old = (uint32_t)(source >> 1);
}

static int32_t decode_source(RkdPatch *p) {
        RkdPatchModel *m = &p->model;
        unsigned kind = kind_of(p->sources[0]);
        uint32_t distance;

        if (decode_flag(p, &m->again[kind])) {
                if (decode_flag(p, &m->which[0]))
                        return p->sources[1];
                return decode_flag(p, &m->which[1]) ? p->sources[2] : p->sources[3];
        }
        kind = decode_flag(p, &m->kind[kind]);
        distance = (uint32_t)decode_number(
                        p, kind == RKD_PATCH_OLD ? RKD_PATCH_NUMBER_OLD : RKD_PATCH_NUMBER_NEW);
        if (kind == RKD_PATCH_OLD)
                distance += p->last_old;
        return (int32_t)(distance << 1 | kind);
}

static void decode_literal(RkdPatch *p, uint8_t source) {
        RkdPatchLiteral l;

        rkd_patch_trail_literal(&p->trail);
        rkd_patch_literal_begin(&l, &p->trail, p->at, p->before, source);
        for (unsigned i = 0; i < 8; i++)
                rkd_patch_literal_learn(
                                &p->model, &l, decode(p, rkd_patch_literal_chance(&p->model, &l)));
        put(p, l.node & 0xff, 1);
}

static void decode_position(RkdPatch *p) {
        unsigned kind = kind_of(p->sources[0]), class;
        uint32_t from = p->at - distance_of(p->sources[0]), bytes;
        Word w;

        find_word(p, from, kind, &w);
        if (w.what != RKD_PATCH_NO_WORD && decode_word(p, &w))
                return;
        bytes = read_source(p, from, kind, 1);
        if (((from | p->at) & 1) == 0)
                bytes |= read_source(p, from + 1, kind, 1) << 8;
        class = rkd_code_class(p->platform->instruction_set, from, p->at, (uint8_t)bytes,
                        (uint8_t)(bytes >> 8));
        if (decode_flag(p, rkd_patch_hit(&p->model, &p->trail, kind, class))) {
                put(p, bytes, 1);
                rkd_patch_trail_hit(&p->trail);
        } else if (!p->trail.jumped && decode_flag(p, rkd_patch_jump(&p->model, &p->trail, kind))) {
                use_source(p, decode_source(p));
                rkd_patch_trail_jump(&p->trail);
        } else
                decode_literal(p, (uint8_t)bytes);
}

/* Units. */

static unsigned width_of(uint32_t n) {
        unsigned width = 0;

        for (; n > 0; n >>= 1)
                width++;
        return width;
}

static RkdPatchEvent open_stream(RkdPatch *p) {
        const RkdPlatform *platform = p->platform;
        uint32_t space = platform->program_space >> p->unit_shift, known;
        bool some_unknown;

        for (unsigned i = 0; i < 4; i++)
                p->code = p->code << 8 | next_byte(p);
        if (decode_plain(p, 8) !=
                        RKD_PATCH_FORMAT(rkd_patch_profile(platform), platform->instruction_set))
                return RKD_PATCH_BAD;
        p->units_left = decode_plain(p, width_of(p->n_units));
        p->backward = decode_plain(p, 1) != 0;
        known = decode_plain(p, width_of(space));
        some_unknown = decode_plain(p, 1) != 0;
        if (known > space || p->units_left > p->n_units)
                return RKD_PATCH_BAD;
        p->n_known = known;
        p->span = (known > p->n_units ? known : p->n_units) << p->unit_shift;
        for (uint32_t i = 0; i < known && !some_unknown; i++)
                set_bit(p->readable, i);
        p->unit = p->backward ? p->n_units : UINT32_MAX;
        p->phase = some_unknown ? PHASE_UNKNOWN : PHASE_BETWEEN;
        return RKD_PATCH_GOING;
}

static RkdPatchEvent read_unknown(RkdPatch *p) {
        p->is_unknown = decode_flag(p, &p->model.unknown[p->is_unknown]) != 0;
        if (!p->is_unknown)
                set_bit(p->readable, p->n_told);
        if (++p->n_told == p->n_known)
                p->phase = PHASE_BETWEEN;
        return RKD_PATCH_GOING;
}

static void begin_unit(RkdPatch *p) {
        uint32_t size = UINT32_C(1) << p->unit_shift;

        p->at = p->piece = p->unit_start = p->unit << p->unit_shift;
        p->unit_end = p->image_length - p->at < size ? p->image_length : p->at + size;
        p->before = 0;
        p->phase = PHASE_UNIT;
        if (p->erases_first)
                set_bit(p->readable, p->unit);
}

static RkdPatchEvent find_unit(RkdPatch *p) {
        uint32_t next = p->backward ? p->unit - 1 : p->unit + 1;

        if (p->units_left == 0) {
                p->phase = PHASE_END;
                return RKD_PATCH_GOING;
        }
        p->unit = decode_plain(p, 1) ? next : decode_plain(p, width_of(p->n_units - 1));
        if (p->unit >= p->n_units || has_bit(p->told, p->unit))
                return RKD_PATCH_BAD;
        set_bit(p->told, p->unit);
        p->units_left--;
        begin_unit(p);
        return RKD_PATCH_DONE;
}

bool rkd_patch_fits(const RkdPlatform *platform) {
        uint32_t unit = platform->unit_size;

#ifdef RKD_PATCH_PROFILE
        if (platform->patch_profile != RKD_PATCH_PROFILE)
                return false;
#endif
        return platform->patch && platform->patch_profile > RKD_PATCH_NONE &&
               platform->patch_profile < _RKD_PATCH_PROFILE_MAX &&
               platform->instruction_set <= RKD_ISA_AVR && (unit & (unit - 1)) == 0 &&
               platform->program_space <= RKD_PATCH_SPACE_MAX &&
               platform->program_space / unit <= RKD_PATCH_UNITS_MAX;
}

void rkd_patch_begin(RkdPatch *p, const RkdPlatform *platform, uint32_t image_length,
                uint32_t stream_length) {
        memset(p, 0, sizeof(*p));
        rkd_patch_model_init(&p->model, platform->patch_profile);
        p->platform = platform;
        p->image_length = image_length;
        p->stream_left = stream_length;
        p->erases_first = platform->page_bytes < platform->unit_size;
        p->unit_shift = (uint8_t)(width_of(platform->unit_size) - 1);
        p->n_units = ((image_length - 1) >> p->unit_shift) + 1;
        p->range = UINT32_MAX;
        p->trail.literals = 1;
        for (unsigned i = 0; i < RKD_PATCH_SOURCES; i++)
                p->sources[i] = (int32_t)(i & 1);
}

void rkd_patch_offer(RkdPatch *p, uint32_t at, uint32_t n) {
        p->ring_at = at;
        p->ring_have = n;
}

uint32_t rkd_patch_left(const RkdPatch *p) {
        return p->ring_have;
}

uint32_t rkd_patch_unit(const RkdPatch *p) {
        return p->unit;
}

RkdPatchEvent rkd_patch_next(RkdPatch *p) {
        if (p->phase == PHASE_END)
                return p->stream_left == 0 ? RKD_PATCH_END : RKD_PATCH_BAD;
        if (!may_step(p))
                return RKD_PATCH_MORE;
        if (p->phase == PHASE_OPENING)
                return open_stream(p);
        if (p->phase == PHASE_UNKNOWN)
                return read_unknown(p);
        return find_unit(p);
}

uint32_t rkd_patch_filled(const RkdPatch *p) {
        uint32_t n = p->at - p->piece;

        return n < p->piece_bytes ? n : p->piece_bytes;
}

RkdPatchEvent rkd_patch_fill(RkdPatch *p, uint32_t n) {
        p->piece_bytes = n;
        for (unsigned i = 0; i < POSITIONS; i++) {
                if (p->at - p->piece >= n)
                        return RKD_PATCH_DONE;
                for (; p->n_spill > 0; p->n_spill--)
                        p->platform->page[p->n_spill - 1] = p->spill[p->n_spill - 1];
                if (!may_step(p))
                        return RKD_PATCH_MORE;
                decode_position(p);
                if (p->fault)
                        return RKD_PATCH_FAULT;
        }
        return RKD_PATCH_GOING;
}

void rkd_patch_written(RkdPatch *p) {
        p->piece += p->piece_bytes;
        if (p->piece < p->unit_end)
                return;
        set_bit(p->readable, p->unit);
        p->phase = PHASE_BETWEEN;
}

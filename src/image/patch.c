/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One patch stream, see patch.h: what the flash holds, which units have to be written, in which
 * order, and each of them parsed and coded while the flash is followed as the device will have
 * it. */
#include "image/patch.h"

#include <assert.h>

#include "image/patch-order.h"

#define SPACE_MAX    (64u * 1024 * 1024)
#define PARKED_WORTH 8u /* a part of the unit that parking one has to save */

static unsigned width_of(uint32_t n) {
        return n == 0 ? 0 : 32 - (unsigned)__builtin_clz(n);
}

bool plan_patch_is_possible(const PlanInput *in) {
        uint8_t profile = in->codec_profile & (uint8_t)~RKD_PATCH_ERASES_FIRST;

        return (in->codecs & 1u << RKD_CODEC_PATCH) != 0 && !in->trust_nothing &&
               profile > RKD_PATCH_NONE && profile < _RKD_PATCH_PROFILE_MAX &&
               in->instruction_set <= RKD_ISA_THUMB2 && in->program_space <= SPACE_MAX &&
               in->program_space % in->unit_size == 0 && in->wanted_length <= in->program_space;
}

static int init(Patch *e, const PlanInput *in) {
        uint32_t units;

        *e = (Patch){
                .in = in,
                .wanted = in->wanted,
                .length = (uint32_t)in->wanted_length,
                .image_length = (uint32_t)in->wanted_length,
                .isa = in->instruction_set,
                .profile = in->codec_profile & (uint8_t)~RKD_PATCH_ERASES_FIRST,
                .erases_first = (in->codec_profile & RKD_PATCH_ERASES_FIRST) != 0,
                .unit_shift = (uint8_t)(width_of(in->unit_size) - 1),
        };
        e->n_units = ((e->length - 1) >> e->unit_shift) + 1;
        units = in->program_space >> e->unit_shift;
        e->rewritten = new0(bool, units);
        e->flash.unknown = new0(bool, units);
        e->flash.bytes = malloc((size_t)in->program_space + PATCH_PAD);
        if (!e->rewritten || !e->flash.unknown || !e->flash.bytes)
                return -ENOMEM;
        memset(e->flash.bytes, 0xff, (size_t)in->program_space + PATCH_PAD);
        return 0;
}

static bool is_erased(const uint8_t *bytes, uint32_t n) {
        while (n > 0 && bytes[n - 1] == 0xff)
                n--;
        return n == 0;
}

/* What is known of the units from the base on. */
static void fill_flash(Patch *e) {
        const PlanInput *in = e->in;
        uint32_t units = in->program_space >> e->unit_shift;

        for (uint32_t i = 0; i < units; i++) {
                uint8_t *bytes = e->flash.bytes + ((size_t)i << e->unit_shift);

                e->flash.unknown[i] = !plan_unit_content(in, i, bytes);
                if (e->flash.unknown[i])
                        continue;
                e->flash.n_known = i + 1;
                if (!is_erased(bytes, in->unit_size))
                        e->first_free = i + 1;
        }
        e->flash.n_units = MAX(e->flash.n_known, e->n_units);
        e->flash.size = e->flash.span = e->flash.n_units << e->unit_shift;
        e->flash.length = e->flash.n_known << e->unit_shift;
        e->first_free = MAX(e->first_free, e->n_units);
}

static void done(Patch *e) {
        free(e->parked);
        free(e->flash.bytes);
        free(e->flash.unknown);
        free(e->rewritten);
        free(e->range.out);
        free(e->paths);
        free(e->n_paths);
        free(e->jumps);
        free(e->has_jump);
        patch_search_done(&e->search);
}

/* Runs of units that are known, or (negative) are not. */
static void tell_known(Patch *e) {
        for (uint32_t i = 0, n; i < e->flash.n_known; i += n) {
                bool unknown = e->flash.unknown[i];

                for (n = 1; i + n < e->flash.n_known && e->flash.unknown[i + n] == unknown;)
                        n++;
                patch_emit_number(e, RKD_PATCH_NUMBER_UNIT, unknown ? -(int32_t)n : (int32_t)n);
        }
        patch_emit_number(e, RKD_PATCH_NUMBER_UNIT, 0);
}

static void begin(Patch *e) {
        rkd_patch_model_init(&e->model, e->profile);
        e->state = (PatchPath){ .trail = { .streak = 1 },
                .sources = { RKD_PATCH_OLD, RKD_PATCH_NEW } };
        tell_known(e);
        e->unit = UINT32_MAX;
}

static void begin_unit(Patch *e, uint32_t unit) {
        uint32_t size = UINT32_C(1) << e->unit_shift;

        patch_emit_number(e, RKD_PATCH_NUMBER_UNIT, (int32_t)(unit - e->unit));
        e->unit = unit;
        e->at = e->unit_start = unit << e->unit_shift;
        e->unit_end = e->at + size;
        if (e->at < e->image_length)
                e->unit_end = MIN(e->image_length, e->unit_end);
        if (!e->erases_first)
                return;
        memset(e->flash.bytes + e->at, 0xff, size);
        e->rewritten[unit] = true;
}

static void write_unit(Patch *e, uint32_t unit) {
        uint32_t size = UINT32_C(1) << e->unit_shift, to, segment;

        begin_unit(e, unit);
        while (e->at < e->unit_end) {
                segment = e->at;
                to = patch_parse(e, segment, MIN(segment + PATCH_SEGMENT, e->unit_end));
                patch_emit(e, to, segment);
        }
        memset(e->flash.bytes + e->unit_start, 0xff, size);
        memcpy(e->flash.bytes + e->unit_start, e->wanted + e->unit_start,
                        e->unit_end - e->unit_start);
        e->rewritten[unit] = true;
}

/* A unit's branches, moved to another place, go where they went. */
static void move_branches(const Patch *e, uint8_t *bytes, uint32_t from, uint32_t to) {
        for (uint32_t i = 0; i + 4 <= e->in->unit_size; i += 2) {
                uint32_t word = patch_load_u32(bytes + i), target;

                if (!rkd_code_is_branch(e->isa, word))
                        continue;
                target = rkd_code_target(e->isa, word, from + i);
                patch_store_u32(bytes + i, rkd_code_retarget(e->isa, word, to + i, target));
                i += 2;
        }
}

/* What these units of the image are is wanted where flash is free, too. */
static int park(Patch *e, const uint32_t *units, uint32_t n) {
        uint32_t size = e->in->unit_size;
        uint8_t *to;

        if (n == 0)
                return 0;
        e->length = (e->first_free + n) << e->unit_shift;
        e->flash.size = MAX(e->flash.span, e->length);
        e->parked = malloc(e->length);
        if (!e->parked)
                return -ENOMEM;
        memset(e->parked, 0xff, e->length);
        memcpy(e->parked, e->wanted, e->image_length);
        e->wanted = e->parked;
        to = e->parked + ((size_t)e->first_free << e->unit_shift);
        for (uint32_t i = 0; i < n; i++, to += size) {
                uint32_t from = units[i] << e->unit_shift;

                memcpy(to, e->wanted + from, size);
                move_branches(e, to, from, (e->first_free + i) << e->unit_shift);
        }
        return 0;
}

static void write_units(Patch *e, const PatchOrder *o) {
        uint32_t first_parked = o->n - o->n_parked;

        for (uint32_t i = 0; i < o->n_parked; i++)
                write_unit(e, e->first_free + i);
        for (uint32_t i = 0; i < o->n; i++) {
                if (i >= first_parked)
                        e->parked_at = (e->first_free + i - first_parked - o->units[i])
                                       << e->unit_shift;
                write_unit(e, o->units[i]);
        }
}

/* One whole stream; e->flash is used up. */
static int encode(Patch *e, const PatchOrder *o) {
        if (park(e, o->units + o->n - o->n_parked, o->n_parked) < 0 ||
                        patch_range_init(&e->range, (size_t)o->n * e->in->unit_size / 2 + 64) < 0 ||
                        patch_search_init(e) < 0 || patch_parse_init(e) < 0)
                return -ENOMEM;
        begin(e);
        write_units(e, o);
        patch_emit_number(e, RKD_PATCH_NUMBER_UNIT, 0);
        patch_range_finish(&e->range);
        if (e->range.failed)
                return -ENOMEM;
        e->range.out[0] = RKD_PATCH_FORMAT(e->in->codec_profile, e->isa);
        return 0;
}

static int plan_order(const PlanInput *in, uint32_t *units, uint32_t n,
                PatchOrder ret_orders[PATCH_ORDERS]) {
        Patch e;
        int r;

        r = init(&e, in);
        if (r >= 0) {
                fill_flash(&e);
                r = patch_order(&e, units, n, ret_orders);
        }
        done(&e);
        return r;
}

static PlanOrder name_order(const PatchOrder *o) {
        uint32_t down = 0;

        for (uint32_t i = 1; i < o->n; i++)
                down += o->units[i] < o->units[i - 1];
        if (down == 0 && o->n_parked == 0)
                return PLAN_UP;
        return down == o->n - 1 ? PLAN_DOWN : PLAN_GRAPH;
}

/* The stream of this order, if it is shorter than what there is; one that parks units, by as much
 * as it is worth to erase and write them once more. */
static int try_order(const PlanInput *in, const PatchOrder *o, PlanOutput *out) {
        size_t worth = (size_t)o->n_parked * in->unit_size / PARKED_WORTH;
        Patch e;
        int r;

        r = init(&e, in);
        if (r >= 0) {
                fill_flash(&e);
                r = encode(&e, o);
        }
        if (r >= 0 && (!out->stream || e.range.n + worth < out->length)) {
                free(out->stream);
                out->stream = TAKE_PTR(e.range.out);
                out->length = e.range.n;
                out->order = name_order(o);
                out->units_parked = o->n_parked;
        }
        done(&e);
        return r;
}

static uint32_t list_units(const PlanInput *in, uint32_t n_units, uint32_t *units) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < n_units; i++)
                if (!plan_unit_is_kept(in, i))
                        units[n++] = i;
        return n;
}

int plan_patch(const PlanInput *in, PlanOutput *ret, Why *w) {
        uint32_t n_units = (uint32_t)((in->wanted_length + in->unit_size - 1) / in->unit_size), n;
        _cleanup_free_ uint32_t *lists = new0(uint32_t, (PATCH_ORDERS + 1) * (size_t)n_units);
        PatchOrder orders[PATCH_ORDERS];
        PlanOutput out = { .codec = RKD_CODEC_PATCH };
        int count, r = 0;

        assert(plan_patch_is_possible(in));
        if (!lists)
                return why_oom(w);
        n = list_units(in, n_units, lists);
        out.units_sent = n;
        out.units_kept = n_units - n;
        for (uint32_t i = 0; i < PATCH_ORDERS; i++)
                orders[i] = (PatchOrder){ .units = lists + (size_t)(i + 1) * n_units, .n = n };
        count = plan_order(in, lists, n, orders);
        for (int i = 0; i < count && r >= 0; i++)
                r = try_order(in, orders + i, &out);
        if (count < 0 || r < 0) {
                free(out.stream);
                return why_oom(w);
        }
        *ret = out;
        return 0;
}

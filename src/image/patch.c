/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One patch stream, see patch.h: what the flash holds, which units have to be written, in which
 * order, and each of them parsed and coded while the flash is followed as the device will have
 * it. */
#include "image/patch.h"

#include <assert.h>

#include "image/patch-private.h"

#define SPACE_MAX (64u * 1024 * 1024)

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

/* What is known of the units from the base on. */
static void fill_flash(Patch *e) {
        const PlanInput *in = e->in;
        uint32_t units = in->program_space >> e->unit_shift;

        for (uint32_t i = 0; i < units; i++) {
                uint8_t *bytes = e->flash.bytes + ((size_t)i << e->unit_shift);

                e->flash.unknown[i] = !plan_unit_content(in, i, bytes);
                if (!e->flash.unknown[i])
                        e->flash.n_known = i + 1;
        }
        e->flash.n_units = MAX(e->flash.n_known, e->n_units);
        e->flash.span = e->flash.n_units << e->unit_shift;
        e->flash.length = e->flash.n_known << e->unit_shift;
}

static void done(Patch *e) {
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
        e->unit_end = MIN(e->length, e->at + size);
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

/* One whole stream; e->flash is used up. */
static int encode(Patch *e, const uint32_t *order, uint32_t n) {
        if (patch_range_init(&e->range, (size_t)n * e->in->unit_size / 2 + 64) < 0 ||
                        patch_search_init(e) < 0 || patch_parse_init(e) < 0)
                return -ENOMEM;
        begin(e);
        for (uint32_t i = 0; i < n; i++)
                write_unit(e, order[i]);
        patch_emit_number(e, RKD_PATCH_NUMBER_UNIT, 0);
        patch_range_finish(&e->range);
        if (e->range.failed)
                return -ENOMEM;
        e->range.out[0] = RKD_PATCH_FORMAT(e->in->codec_profile, e->isa);
        return 0;
}

static int plan_order(const PlanInput *in, uint32_t *units, uint32_t n,
                uint32_t *ret_orders[PATCH_ORDERS]) {
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

static PlanOrder name_order(const uint32_t *order, uint32_t n) {
        uint32_t down = 0;

        for (uint32_t i = 1; i < n; i++)
                down += order[i] < order[i - 1];
        if (down == 0)
                return PLAN_UP;
        return down == n - 1 ? PLAN_DOWN : PLAN_GRAPH;
}

/* The stream of this order, if it is shorter than what there is. */
static int try_order(const PlanInput *in, const uint32_t *order, uint32_t n, PlanOutput *out) {
        Patch e;
        int r;

        r = init(&e, in);
        if (r >= 0) {
                fill_flash(&e);
                r = encode(&e, order, n);
        }
        if (r >= 0 && (!out->stream || e.range.n < out->length)) {
                free(out->stream);
                out->stream = TAKE_PTR(e.range.out);
                out->length = e.range.n;
                out->order = name_order(order, n);
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
        _cleanup_free_ uint32_t *units = new0(uint32_t, n_units);
        _cleanup_free_ uint32_t *first = new0(uint32_t, n_units);
        _cleanup_free_ uint32_t *second = new0(uint32_t, n_units);
        uint32_t *orders[PATCH_ORDERS] = { first, second };
        PlanOutput out = { .codec = RKD_CODEC_PATCH };
        int count, r = 0;

        assert(plan_patch_is_possible(in));
        if (!units || !first || !second)
                return why_oom(w);
        n = list_units(in, n_units, units);
        out.units_sent = n;
        out.units_kept = n_units - n;
        count = plan_order(in, units, n, orders);
        for (int i = 0; i < count && r >= 0; i++)
                r = try_order(in, orders[i], n, &out);
        if (count < 0 || r < 0) {
                free(out.stream);
                return why_oom(w);
        }
        *ret = out;
        return 0;
}

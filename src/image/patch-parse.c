/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parser: of all the ways in which the decoder could be led through a segment, the cheapest
 * of a beam. At every place the best few states live on, each with a source of its own. Where the
 * best one goes on copying, nothing else is looked at. */
#include "image/patch-private.h"

#define BEAM   10u
#define WALK   8u /* bytes that a new source is followed before it is compared */
#define QUIET  32u
#define CALM   16u
#define MARGIN (40 * PATCH_COST_BIT) /* what is dearer than the best by so much is given up */
#define PLACES (PATCH_SEGMENT + 8u)

int patch_parse_init(Patch *e) {
        e->paths = malloc(sizeof(PatchPath) * BEAM * PLACES);
        e->n_paths = malloc(PLACES);
        e->jumps = calloc(PLACES, sizeof(*e->jumps));
        e->has_jump = calloc(PLACES, sizeof(*e->has_jump));
        return e->paths && e->n_paths && e->jumps && e->has_jump ? 0 : -ENOMEM;
}

static PatchPath *paths_at(Patch *e, uint32_t i) {
        return e->paths + (size_t)i * BEAM;
}

static void insert(Patch *e, uint32_t i, const PatchPath *x) {
        PatchPath *list = paths_at(e, i);
        unsigned n = e->n_paths[i], worst = 0;

        for (unsigned k = 0; k < n; k++) {
                if (list[k].sources[0] == x->sources[0] &&
                                (list[k].trail.streak == 0) == (x->trail.streak == 0)) {
                        if (x->cost < list[k].cost)
                                list[k] = *x;
                        return;
                }
                if (list[k].cost > list[worst].cost)
                        worst = k;
        }
        if (n < BEAM) {
                list[n] = *x;
                e->n_paths[i]++;
        } else if (x->cost < list[worst].cost)
                list[worst] = *x;
}

static unsigned best_of(Patch *e, uint32_t i) {
        const PatchPath *list = paths_at(e, i);
        unsigned best = 0;

        for (unsigned k = 1; k < e->n_paths[i]; k++)
                if (list[k].cost < list[best].cost)
                        best = k;
        return best;
}

/* A jump at `at`, followed until it has shown what it is worth. */
static void walk(Patch *e, PatchPath *x, uint32_t at, uint32_t segment, uint32_t end) {
        uint32_t place = at, n;

        while (place < end && place < at + WALK) {
                n = patch_weigh(e, x, place, true);
                if (n == 0)
                        return;
                place += n;
                if (place >= at + 2)
                        insert(e, place - segment, x);
        }
}

/* A path that may jump. */
typedef struct Leap {
        const PatchPath *path;
        int32_t index; /* of the path */
        uint32_t at, segment;
        uint32_t leaving; /* what it costs to get away */
        bool is_word;
} Leap;

static void try_source(Patch *e, const Leap *leap, int32_t source) {
        uint32_t at = leap->at, end = MIN(leap->segment + PATCH_SEGMENT, e->unit_end);
        PatchPath x = *leap->path;

        if (source == x.sources[0] || patch_source_byte(e, patch_from(at, source),
                                                      patch_kind(source), at) != e->wanted[at])
                return;
        x.cost = leap->leaving + patch_weigh_jump(e, leap->path, source);
        patch_jump(&x, source);
        if (leap->is_word)
                x.trail.was_wrong = 1;
        x.from = leap->index;
        x.jump_at = (int32_t)(at - leap->segment);
        walk(e, &x, at, leap->segment, end);
}

static void offer_mapped(Patch *e, const PatchPath *x, uint32_t at, PatchCandidates *c) {
        uint32_t address = e->in->program_base + at - x->last_old;
        RkdMapGuess guess = rkd_map_look_up(&e->model.map, address);

        if (guess.class == RKD_MAP_UNKNOWN)
                return;
        for (unsigned i = 0; i < 2 && c->n < PATCH_CANDIDATES; i++)
                c->list[c->n++] = (PatchCandidate){
                        (int32_t)((uint32_t)(i == 0 ? guess.move : guess.other) << 1), 8
                };
}

static void try_jumps(Patch *e, Leap *leap) {
        PatchCandidates c;

        if (leap->path->trail.streak == 0)
                return;
        leap->leaving = patch_weigh_leaving(e, leap->path, leap->at, &leap->is_word);
        patch_search_at(e, leap->at, &c);
        offer_mapped(e, leap->path, leap->at, &c);
        try_source(e, leap, leap->path->sources[1]);
        for (unsigned i = 0; i < c.n; i++)
                try_source(e, leap, c.list[i].source);
}

/* How far the path can go on copying, up to QUIET bytes. */
static uint32_t copies_until(Patch *e, const PatchPath *path, uint32_t at) {
        PatchPath x = *path;
        uint32_t end = MIN(at + QUIET, e->unit_end), n;

        while (at < end) {
                n = patch_weigh(e, &x, at, true);
                if (n == 0)
                        break;
                at += n;
        }
        return at;
}

static void go_on(Patch *e, uint32_t at, uint32_t segment, uint32_t best_cost) {
        uint32_t i = at - segment;

        for (unsigned k = 0; k < e->n_paths[i]; k++) {
                PatchPath x = paths_at(e, i)[k];
                uint32_t n;

                if (x.cost > best_cost + MARGIN)
                        continue;
                x.from = (int32_t)(i * BEAM + k);
                x.jump_at = -1;
                n = patch_weigh(e, &x, at, false);
                insert(e, i + n, &x);
        }
}

static void plan_jumps(Patch *e, int32_t last) {
        for (int32_t k = last; k >= 0; k = e->paths[k].from) {
                const PatchPath *x = e->paths + k;

                if (x->from < 0 || x->jump_at < 0)
                        continue;
                e->has_jump[x->jump_at] = true;
                e->jumps[x->jump_at] = x->sources[0];
        }
}

uint32_t patch_parse(Patch *e, uint32_t segment, uint32_t to) {
        uint32_t quiet_to = segment, at, end = to;
        int32_t quiet_source = 0, last = -1;
        PatchPath first = e->state;

        memset(e->n_paths, 0, PLACES);
        first.cost = 0;
        first.from = first.jump_at = -1;
        insert(e, 0, &first);
        patch_search_segment(e, segment, to);
        e->literal_at = UINT32_MAX;
        for (at = segment; at < to; at++) {
                uint32_t i = at - segment;
                unsigned best = best_of(e, i);
                const PatchPath *x = paths_at(e, i) + best;

                patch_search_add(e, at);
                if (e->n_paths[i] == 0)
                        continue; /* every path passes over it inside a word */
                if (x->sources[0] != quiet_source ||
                                (at + CALM >= quiet_to && quiet_to < e->unit_end)) {
                        quiet_source = x->sources[0];
                        quiet_to = copies_until(e, x, at);
                }
                if (at + CALM >= quiet_to && quiet_to < e->unit_end)
                        try_jumps(e, &(Leap){ x, (int32_t)(i * BEAM + best), at, segment, 0,
                                                     false });
                go_on(e, at, segment, x->cost);
        }
        for (uint32_t i = to - segment; last < 0; i++)
                if (e->n_paths[i] > 0) {
                        last = (int32_t)(i * BEAM + best_of(e, i));
                        end = segment + i;
                }
        for (at = to; at < end; at++)
                patch_search_add(e, at);
        plan_jumps(e, last);
        return end;
}

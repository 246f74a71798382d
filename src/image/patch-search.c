/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The search for copies. Code that moved differs in its branches, so three texts are searched:
 * the old one with absolute branch targets, the old one without any addresses (longer matches,
 * and from them backwards over differences), and what the stream has produced so far. */
#include "image/patch-private.h"

#define HASH_BITS    16u
#define CHAIN_MAX    128u
#define LENGTH_MAX   400u
#define MASKED_BYTES 8u
#define AHEAD_MAX    64u
#define AHEAD_LENGTH 12u
#define SLACK        8u /* shorter than the longest by so much is worth a look too */

static uint32_t hash(const PatchIndex *x, const uint8_t *p) {
        uint64_t word;

        memcpy(&word, p, sizeof(word)); /* every text has PATCH_PAD bytes behind it */
        word <<= 64 - 8 * x->bytes;
        return (uint32_t)(word * UINT64_C(0x9e3779b97f4a7c15) >> (64 - HASH_BITS));
}

static void add(PatchIndex *x, uint32_t at) {
        uint32_t slot;

        if (at + x->bytes > x->length)
                return;
        slot = hash(x, x->text + at);
        x->next[at] = x->head[slot];
        x->head[slot] = (int32_t)at;
}

static int index_init(PatchIndex *x, const uint8_t *text, uint32_t length, unsigned bytes) {
        *x = (PatchIndex){ .text = text, .length = length, .bytes = bytes };
        x->head = malloc(sizeof(int32_t) << HASH_BITS);
        x->next = malloc(sizeof(int32_t) * ((size_t)length + 1));
        if (!x->head || !x->next)
                return -ENOMEM;
        memset(x->head, 0xff, sizeof(int32_t) << HASH_BITS);
        return 0;
}

static void index_done(PatchIndex *x) {
        free(x->head);
        free(x->next);
}

static uint8_t *copy(const Patch *e, const uint8_t *text, uint32_t length, bool masked) {
        uint8_t *out = calloc(1, (size_t)length + PATCH_PAD);

        if (!out)
                return NULL;
        memcpy(out, text, length);
        for (uint32_t i = 0; i + 4 <= length; i += 2) {
                uint32_t word = patch_load_u32(text + i), target;

                if (rkd_code_is_branch(e->isa, word)) {
                        target = masked ? 0 : rkd_code_target(e->isa, word, i);
                        patch_store_u32(out + i, rkd_code_retarget(e->isa, word, 0, target));
                        i += 2;
                } else if (masked && i % 4 == 0 && e->isa != RKD_ISA_AVR &&
                                patch_is_address(e, word)) {
                        patch_store_u32(out + i, word & UINT32_C(0xfff00000));
                        i += 2;
                }
        }
        return out;
}

uint8_t *patch_masked(const Patch *e, const uint8_t *text, uint32_t length) {
        return copy(e, text, length, true);
}

int patch_search_init(Patch *e) {
        PatchSearch *s = &e->search;
        uint32_t old = e->flash.length;

        *s = (PatchSearch){
                .old_absolute = copy(e, e->flash.bytes, old, false),
                .old_masked = copy(e, e->flash.bytes, old, true),
                .new_absolute = copy(e, e->wanted, e->length, false),
                .new_masked = copy(e, e->wanted, e->length, true),
                .ahead = calloc(PATCH_SEGMENT + AHEAD_MAX + 1, sizeof(*s->ahead)),
                .n_ahead = malloc(PATCH_SEGMENT + AHEAD_MAX + 1),
        };
        if (!s->old_absolute || !s->old_masked || !s->new_absolute || !s->new_masked || !s->ahead ||
                        !s->n_ahead)
                return -ENOMEM;
        if (index_init(&s->absolute, s->old_absolute, old, 5) < 0 ||
                        index_init(&s->masked, s->old_masked, old, MASKED_BYTES) < 0 ||
                        index_init(&s->produced, s->new_absolute, e->length, 3) < 0)
                return -ENOMEM;
        for (uint32_t i = 0; i < old; i++) {
                add(&s->absolute, i);
                add(&s->masked, i);
        }
        return 0;
}

void patch_search_done(PatchSearch *s) {
        free(s->old_absolute);
        free(s->old_masked);
        free(s->new_absolute);
        free(s->new_masked);
        free(s->ahead);
        free(s->n_ahead);
        index_done(&s->absolute);
        index_done(&s->masked);
        index_done(&s->produced);
}

static void offer(PatchCandidates *c, int32_t source, uint32_t length) {
        unsigned shortest = 0;

        for (unsigned i = 0; i < c->n; i++) {
                if (c->list[i].source == source) {
                        c->list[i].length = MAX(c->list[i].length, length);
                        return;
                }
                if (c->list[i].length < c->list[shortest].length)
                        shortest = i;
        }
        if (c->n < PATCH_CANDIDATES)
                c->list[c->n++] = (PatchCandidate){ source, length };
        else if (length > c->list[shortest].length)
                c->list[shortest] = (PatchCandidate){ source, length };
}

/* Whether what lies there now is what was indexed. */
static bool is_usable(const Patch *e, uint32_t from, unsigned kind, uint32_t at) {
        uint32_t unit = from >> e->unit_shift;

        if (kind == RKD_PATCH_OLD)
                return !e->rewritten[unit] && (unit >= e->flash.n_known || !e->flash.unknown[unit]);
        return (from >= e->unit_start && from < at) || (e->rewritten[unit] && unit != e->unit);
}

static void find(const Patch *e, const PatchIndex *x, const uint8_t *text, unsigned kind,
                uint32_t at, PatchCandidates *ret) {
        uint32_t best = 0, left = e->length - at;

        if (left < x->bytes)
                return;
        for (int32_t p = x->head[hash(x, text + at)], n = CHAIN_MAX; p >= 0 && n > 0;
                        p = x->next[p], n--) {
                uint32_t from = (uint32_t)p, length = 0, most;

                if (!is_usable(e, from, kind, at))
                        continue;
                most = MIN(MIN(x->length - from, left), LENGTH_MAX);
                while (length < most && x->text[from + length] == text[at + length])
                        length++;
                if (length < x->bytes || length + SLACK <= best)
                        continue;
                offer(ret, patch_source(at, from, kind), length);
                best = MAX(best, length);
        }
}

void patch_search_segment(Patch *e, uint32_t from, uint32_t to) {
        PatchSearch *s = &e->search;

        s->ahead_from = from;
        s->ahead_to = MIN(to + AHEAD_MAX, e->length);
        memset(s->n_ahead, 0xff, s->ahead_to - from + 1);
}

/* The two longest masked copies at a place. */
static unsigned look_ahead(Patch *e, uint32_t at, PatchCandidate **ret) {
        PatchSearch *s = &e->search;
        uint32_t i = at - s->ahead_from;
        PatchCandidates found = { .n = 0 };
        PatchCandidate *best = s->ahead[i];

        *ret = best;
        if (s->n_ahead[i] != 0xff)
                return s->n_ahead[i];
        find(e, &s->masked, s->new_masked, RKD_PATCH_OLD, at, &found);
        best[0] = best[1] = (PatchCandidate){ 0, 0 };
        for (unsigned k = 0; k < found.n; k++) {
                if (found.list[k].length > best[0].length) {
                        best[1] = best[0];
                        best[0] = found.list[k];
                } else if (found.list[k].length > best[1].length)
                        best[1] = found.list[k];
        }
        s->n_ahead[i] = (uint8_t)MIN(found.n, 2u);
        return s->n_ahead[i];
}

/* Whether at least half of the n bytes from `at` on are alike. */
static bool is_half_alike(const Patch *e, uint32_t at, uint32_t from, uint32_t n) {
        const PatchSearch *s = &e->search;
        uint32_t alike = 0;

        for (uint32_t i = 0; i < n; i++)
                alike += s->old_masked[from + i] == s->new_masked[at + i];
        return alike * 2 >= n;
}

/* Copies that begin a little later, and may be worth to begin here. */
static void offer_ahead(Patch *e, uint32_t at, uint32_t n, PatchCandidates *ret) {
        PatchCandidate *list;
        unsigned count;

        if (at + n >= e->search.ahead_to)
                return;
        count = look_ahead(e, at + n, &list);
        for (unsigned k = 0; k < count; k++) {
                uint32_t from = patch_from(at, list[k].source);

                if (n > 0 && (list[k].length < AHEAD_LENGTH || from >= e->flash.length ||
                                             !is_half_alike(e, at, from, n)))
                        continue;
                offer(ret, list[k].source, list[k].length);
        }
}

void patch_search_at(Patch *e, uint32_t at, PatchCandidates *ret) {
        PatchSearch *s = &e->search;

        ret->n = 0;
        offer(ret, patch_source(at, at, RKD_PATCH_OLD), 1);
        if (e->parked_at > 0)
                offer(ret, patch_source(at, at + e->parked_at, RKD_PATCH_NEW), LENGTH_MAX);
        if (e->flash.length > 0) {
                find(e, &s->absolute, s->new_absolute, RKD_PATCH_OLD, at, ret);
                offer_ahead(e, at, 0, ret);
                for (uint32_t n = 4; n <= AHEAD_MAX; n *= 2) {
                        offer_ahead(e, at, n, ret);
                        offer_ahead(e, at, n - 2, ret);
                }
        }
        find(e, &s->produced, s->new_absolute, RKD_PATCH_NEW, at, ret);
}

void patch_search_add(Patch *e, uint32_t at) {
        add(&e->search.produced, at);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The range encoder of patches (rekindle-patch(7), "Range coder").. */
#pragma once

#include "basic/error.h"

typedef struct PatchRange {
        uint64_t low;
        uint32_t range;
        uint64_t pending; /* bytes that a carry may still change */
        uint8_t first;
        uint8_t *out;
        size_t n, room;
        bool failed; /* no memory */
} PatchRange;

int patch_range_init(PatchRange *r, size_t room);
void patch_range_put(PatchRange *r, uint32_t chance, unsigned bit);
/* The shortest end; the first byte is zero, and no decoder needs it. */
void patch_range_finish(PatchRange *r);
extern uint32_t patch_costs[4096];

/* Cost of a bit whose probability is chance / 65536. */
static inline uint32_t patch_cost(uint32_t chance, unsigned bit) {
        return patch_costs[(bit ? chance : 65536 - chance) >> 4 & 4095];
}

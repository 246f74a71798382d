/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Range encoder with carry, and what a bit costs. Zeros at the end are left out: a decoder reads
 * zeros there. */
#include "image/patch-range.h"

#include "image/patch-private.h"

#define RANGE_MIN (UINT32_C(1) << 24)

int patch_range_init(PatchRange *r, size_t room) {
        *r = (PatchRange){ .range = UINT32_MAX, .pending = 1, .room = room };
        r->out = malloc(room);
        return r->out ? 0 : -ENOMEM;
}

static void put_byte(PatchRange *r, uint8_t byte) {
        uint8_t *out;

        if (r->n == r->room) {
                out = r->failed ? NULL : realloc(r->out, r->room * 2);
                if (!out) {
                        r->failed = true;
                        return;
                }
                r->out = out;
                r->room *= 2;
        }
        r->out[r->n++] = byte;
}

static void shift(PatchRange *r) {
        if ((uint32_t)r->low < UINT32_C(0xff000000) || r->low >> 32) {
                uint8_t carry = (uint8_t)(r->low >> 32), byte = r->first;

                for (; r->pending > 0; r->pending--) {
                        put_byte(r, (uint8_t)(byte + carry));
                        byte = 0xff;
                }
                r->first = (uint8_t)(r->low >> 24);
        }
        r->pending++;
        r->low = (r->low & 0xffffff) << 8;
}

void patch_range_put(PatchRange *r, uint32_t chance, unsigned bit) {
        uint32_t bound = (r->range >> 16) * chance;

        if (bit)
                r->range = bound;
        else {
                r->low += bound;
                r->range -= bound;
        }
        while (r->range < RANGE_MIN) {
                r->range <<= 8;
                shift(r);
        }
}

void patch_range_finish(PatchRange *r) {
        /* Of all values that decode alike, the one with the most zeros at its end. */
        for (unsigned bits = 32;; bits -= 8) {
                uint64_t mask = (UINT64_C(1) << bits) - 1, value = (r->low + mask) & ~mask;

                if (value < r->low + r->range) {
                        r->low = value;
                        break;
                }
        }
        for (unsigned i = 0; i < 5; i++)
                shift(r);
        while (r->n > 2 && r->out[r->n - 1] == 0)
                r->n--;
}

/* log2(x) for 1 <= x < 4096, in PATCH_COST_BITths: the fraction by squaring. */
static uint32_t logarithm(uint32_t x) {
        uint32_t whole = 31 - (uint32_t)__builtin_clz(x), result = whole * PATCH_COST_BIT;
        uint64_t y = (uint64_t)x << (31 - whole);

        for (uint32_t bit = PATCH_COST_BIT / 2; bit > 0; bit /= 2) {
                y = y * y >> 31;
                if (y >> 32) {
                        y >>= 1;
                        result += bit;
                }
        }
        return result;
}

uint32_t patch_costs[4096];

__attribute__((constructor)) static void fill_costs(void) {
        patch_costs[0] = 13 * PATCH_COST_BIT;
        for (uint32_t i = 1; i < ELEMENTSOF(patch_costs); i++)
                patch_costs[i] = 12 * PATCH_COST_BIT - logarithm(i);
}

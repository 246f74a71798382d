/* SPDX-License-Identifier: MIT */
/* The learnt map, see patch-map.h. An entry is place u24, move s24. */

#include "proto/patch-map.h"

#include <string.h>

#define NEAR UINT32_C(0x40000)

static const uint8_t *entry(const uint8_t *entries, uint32_t i) {
        return entries + (size_t)i * RKD_MAP_ENTRY_BYTES;
}

static uint32_t load_u24(const uint8_t *p) {
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

static void store_u24(uint8_t *p, uint32_t value) {
        p[0] = (uint8_t)value;
        p[1] = (uint8_t)(value >> 8);
        p[2] = (uint8_t)(value >> 16);
}

static uint32_t place_of(const uint8_t *entries, uint32_t i) {
        return load_u24(entry(entries, i));
}

static int32_t move_of(const uint8_t *entries, uint32_t i) {
        uint32_t value = load_u24(entry(entries, i) + 3);

        return (int32_t)(value ^ 0x800000) - 0x800000;
}

/* The first entry above the place. */
static uint32_t find(const uint8_t *entries, uint32_t n, uint32_t place) {
        uint32_t low = 0, high = n;

        while (low < high) {
                uint32_t middle = (low + high) / 2;

                if (place_of(entries, middle) <= place)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static RkdMapGuess between(int32_t near, int32_t far) {
        return (RkdMapGuess){ near, far, near == far ? RKD_MAP_INSIDE : RKD_MAP_BETWEEN };
}

RkdMapGuess rkd_map_look_up(const uint8_t *entries, uint32_t n, uint32_t place) {
        uint32_t i = find(entries, n, place), below = NEAR, above = NEAR;
        int32_t low = 0, high = 0;

        if (i > 0) {
                below = place - place_of(entries, i - 1);
                low = move_of(entries, i - 1);
        }
        if (i < n) {
                above = place_of(entries, i) - place;
                high = move_of(entries, i);
        }
        if (below == 0)
                return (RkdMapGuess){ low, low, RKD_MAP_EXACT };
        if (below < NEAR && above < NEAR)
                return above < below ? between(high, low) : between(low, high);
        if (below < NEAR)
                return (RkdMapGuess){ low, low, RKD_MAP_EDGE };
        if (above < NEAR)
                return (RkdMapGuess){ high, high, RKD_MAP_EDGE };
        return (RkdMapGuess){ 0, 0, RKD_MAP_UNKNOWN };
}

/* The first inner entry that says no more than its neighbours do; n when there is none. */
static uint32_t find_idle(const uint8_t *entries, uint32_t n) {
        for (uint32_t i = 1; i + 1 < n; i++) {
                int32_t move = move_of(entries, i);

                if (move_of(entries, i - 1) == move && move_of(entries, i + 1) == move)
                        return i;
        }
        return n;
}

static void shift(uint8_t *entries, uint32_t to, uint32_t from, uint32_t n) {
        memmove(entries + (size_t)to * RKD_MAP_ENTRY_BYTES, entry(entries, from),
                        (size_t)n * RKD_MAP_ENTRY_BYTES);
}

uint32_t rkd_map_learn(uint8_t *entries, uint32_t n, uint32_t most, uint32_t place, int32_t move) {
        uint32_t i = find(entries, n, place), idle;

        if (place > RKD_MAP_PLACE_MAX || move > RKD_MAP_MOVE_MAX || move < -RKD_MAP_MOVE_MAX)
                return n;
        if (i > 0 && place_of(entries, i - 1) == place) {
                store_u24(entries + (size_t)(i - 1) * RKD_MAP_ENTRY_BYTES + 3, (uint32_t)move);
                return n;
        }
        if (n == most) {
                idle = find_idle(entries, n);
                if (idle == n)
                        return n;
                shift(entries, idle, idle + 1, n - idle - 1);
                n--;
                i -= idle < i;
        }
        shift(entries, i + 1, i, n - i);
        store_u24(entries + (size_t)i * RKD_MAP_ENTRY_BYTES, place);
        store_u24(entries + (size_t)i * RKD_MAP_ENTRY_BYTES + 3, (uint32_t)move);
        return n + 1;
}

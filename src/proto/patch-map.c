/* SPDX-License-Identifier: MIT */
/* The learnt map, see patch-map.h. */

#include "proto/patch-map.h"

#include <string.h>

#define NEAR UINT32_C(0x40000)

/* The first entry that is not below the address. */
static RkdMapEntry *find(RkdMap *map, uint32_t address) {
        RkdMapEntry *low = map->entries;

        for (unsigned n = map->n; n > 0;) {
                unsigned half = n / 2;

                if (low[half].address < address) {
                        low += half + 1;
                        n -= half + 1;
                } else
                        n = half;
        }
        return low;
}

RkdMapGuess rkd_map_look_up(const RkdMap *map, uint32_t address) {
        const RkdMapEntry *e = find((RkdMap *)map, address);
        uint32_t above = NEAR, below = NEAR, move = 0, other = 0;
        uint8_t class = RKD_MAP_UNKNOWN;

        if (e < map->entries + map->n && e->address - address < NEAR) {
                above = e->address - address;
                move = e->move;
                class = RKD_MAP_EDGE;
        }
        if (above == 0)
                class = RKD_MAP_EXACT;
        else if (e > map->entries && address - e[-1].address < NEAR) {
                below = address - e[-1].address;
                other = e[-1].move;
                if (class == RKD_MAP_EDGE)
                        class = move == other ? RKD_MAP_INSIDE : RKD_MAP_BETWEEN;
                else
                        class = RKD_MAP_EDGE;
        }
        if (below <= above && below < NEAR)
                return (RkdMapGuess){ other, move, class };
        return (RkdMapGuess){ move, other, class };
}

void rkd_map_learn(RkdMap *map, unsigned room, uint32_t address, uint32_t move) {
        RkdMapEntry *e = find(map, address), *end = map->entries + map->n, *gap = end;

        if (e == end || e->address != address) {
                if (map->n < room)
                        map->n++;
                else {
                        gap = map->entries + map->leaves;
                        map->leaves = (uint16_t)(map->leaves + 1u < room ? map->leaves + 1 : 0);
                }
                if (gap < e) {
                        e--;
                        memmove(gap, gap + 1, (size_t)((uint8_t *)e - (uint8_t *)gap));
                } else
                        memmove(e + 1, e, (size_t)((uint8_t *)gap - (uint8_t *)e));
        }
        e->address = address;
        e->move = move;
}

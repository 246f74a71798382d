/* SPDX-License-Identifier: MIT */
/* The learnt map, see patch-map.h. */

#include "proto/patch-map.h"

#define NEAR UINT32_C(0x40000)

RkdMapGuess rkd_map_look_up(const RkdMap *map, uint32_t address) {
        RkdMapGuess guess = { 0, 0, RKD_MAP_UNKNOWN };
        uint32_t below = NEAR, above = NEAR, low = 0, high = 0;
        const RkdMapEntry *e = map->entries;

        for (unsigned n = map->n; n > 0; n--, e++) {
                uint32_t gap = address - e->address;

                if (gap < below) {
                        below = gap;
                        low = e->move;
                }
                if (0 - gap < above) {
                        above = 0 - gap;
                        high = e->move;
                }
        }
        guess.move = below < NEAR && below <= above ? low : high;
        guess.other = low ^ high ^ guess.move;
        if (below == 0)
                guess.class = RKD_MAP_EXACT;
        else if (below < NEAR && above < NEAR)
                guess.class = low == high ? RKD_MAP_INSIDE : RKD_MAP_BETWEEN;
        else if (below < NEAR || above < NEAR)
                guess.class = RKD_MAP_EDGE;
        return guess;
}

void rkd_map_learn(RkdMap *map, unsigned room, uint32_t address, uint32_t move) {
        unsigned i = 0;

        while (i < map->n && map->entries[i].address != address)
                i++;
        if (i == map->n) {
                i = map->next;
                map->next = (uint16_t)(i + 1 < room ? i + 1 : 0);
                if (map->n < room)
                        map->n++;
        }
        map->entries[i].address = address;
        map->entries[i].move = move;
}

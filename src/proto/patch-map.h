/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The map of the patch codec: where old addresses went, as far as both ends have learnt it
 * (rekindle-patch(7), "Map"). A sorted table of places (24 bits) and how far each has moved;
 * what lies between two entries moved like its neighbours, probably.
 */

#include <stdbool.h>
#include <stdint.h>

#define RKD_MAP_ENTRY_BYTES 6u
#define RKD_MAP_PLACE_MAX   UINT32_C(0xffffff)
#define RKD_MAP_MOVE_MAX    INT32_C(0x7fffff) /* either way */

typedef enum RkdMapClass {
        RKD_MAP_EXACT = 0,   /* this very place */
        RKD_MAP_INSIDE = 1,  /* both neighbours moved alike */
        RKD_MAP_BETWEEN = 2, /* they moved differently */
        RKD_MAP_EDGE = 3,    /* one neighbour is near */
        RKD_MAP_UNKNOWN = 4,
} RkdMapClass;

typedef struct RkdMapGuess {
        int32_t move;
        int32_t other; /* BETWEEN: of the neighbour farther away */
        uint8_t class; /* RkdMapClass */
} RkdMapGuess;

/* entries: n sorted entries of RKD_MAP_ENTRY_BYTES each. */
RkdMapGuess rkd_map_look_up(const uint8_t *entries, uint32_t n, uint32_t place);
/* Returns the new n, at most `most`. What cannot be held is ignored. */
uint32_t rkd_map_learn(uint8_t *entries, uint32_t n, uint32_t most, uint32_t place, int32_t move);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The map of the patch codec: where old addresses went, as far as both ends have learnt it
 * (rekindle-patch(7), "Map"). Addresses in their order, and how far each has moved; one after
 * the other makes room when the map is full. What lies between two entries moved like its
 * neighbours, probably.
 */

#include "proto/patch-profile.h"

typedef enum RkdMapClass {
        RKD_MAP_EXACT = 0,   /* this very address */
        RKD_MAP_INSIDE = 1,  /* both neighbours moved alike */
        RKD_MAP_BETWEEN = 2, /* they moved differently */
        RKD_MAP_EDGE = 3,    /* one neighbour is near */
        RKD_MAP_UNKNOWN = 4,
} RkdMapClass;

typedef struct RkdMapEntry {
        uint32_t address, move;
} RkdMapEntry;

/* All zero: nothing is known. */
typedef struct RkdMap {
        uint16_t n;
        uint16_t leaves; /* the entry that makes room next */
        RkdMapEntry entries[RKD_PATCH_MAP_MOST];
} RkdMap;

typedef struct RkdMapGuess {
        uint32_t move;  /* of the nearest neighbour; modulo 2^32, as all addresses count */
        uint32_t other; /* BETWEEN: of the neighbour farther away */
        uint8_t class;  /* RkdMapClass */
} RkdMapGuess;

RkdMapGuess rkd_map_look_up(const RkdMap *map, uint32_t address);
/* room: entries that it may have. */
void rkd_map_learn(RkdMap *map, unsigned room, uint32_t address, uint32_t move);

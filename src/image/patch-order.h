/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order of the units of a patch stream. Private to src/image/patch*.c. */
#pragma once

#include "image/patch-private.h"

/* The order in which units are written. Those that need what others destroy may be made first
 * where flash is free, one behind the other, to be copied from there in the end: the last n_parked
 * of the order. */
typedef struct PatchOrder {
        uint32_t *units;
        uint32_t n, n_parked;
} PatchOrder;

/* The orders of these n units that are worth a try. Returns how many; only the last one parks
 * units. */
#define PATCH_ORDERS 3u
int patch_order(const Patch *e, const uint32_t *units, uint32_t n,
                PatchOrder ret_orders[PATCH_ORDERS]);

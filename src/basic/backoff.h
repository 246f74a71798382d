/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backoff: growing pauses between tries, doubled from min to max, with up to a quarter of random
 * spread added (so at most 1.25 max). Pure. */
#pragma once

#include "cleanup.h"

typedef struct Backoff {
        uint64_t min_usec, max_usec;
        unsigned tries;
} Backoff;

#define BACKOFF_INIT(min, max)                                                                     \
        { .min_usec = (min), .max_usec = (max) }

/* Pause before the next try, and counts it. random: any 32 random bits. */
uint64_t backoff_next(Backoff *b, uint32_t random);
void backoff_reset(Backoff *b);

/* 32 or 64 bits from the kernel (getrandom(2)). */
uint32_t random_u32(void);
uint64_t random_u64(void);

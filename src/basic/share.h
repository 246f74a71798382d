/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Share: how often something happened within a period that begins with the first time: of what
 * comes again and again, only so much is told. */
#pragma once

#include <limits.h>
#include <stdint.h>

typedef struct Share {
        uint64_t since_usec;
        unsigned n; /* 0: never */
} Share;

/* Counts once more; says how many that makes in this period. */
static inline unsigned share_count(Share *s, uint64_t period_usec, uint64_t now_usec) {
        if (s->n == 0 || now_usec - s->since_usec > period_usec)
                *s = (Share){ .since_usec = now_usec };
        if (s->n < UINT_MAX)
                s->n++;
        return s->n;
}

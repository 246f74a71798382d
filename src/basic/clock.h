/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clock: the one place where the daemon asks for the time, so that tests can replace it; and RFC
 * 3339 text in UTC. */
#pragma once

#include <time.h>

#include "cleanup.h"

typedef struct Clock {
        /* Seconds since 1970 in UTC. */
        int64_t (*realtime)(void *userdata);
        /* True when the kernel says that the clock is synchronised (adjtimex(2) without
         * STA_UNSYNC). */
        bool (*is_synchronised)(void *userdata);
        void *userdata;
} Clock;

extern const Clock clock_system;

static inline int64_t clock_now(const Clock *c) {
        return c->realtime(c->userdata);
}

uint64_t monotonic_usec(void);

#define RFC3339_MAX 32
/* "2026-01-31T12:00:00Z"; times outside the years 1970-9999 are shown as the nearest one inside. */
void rfc3339_format(int64_t seconds, char ret[static RFC3339_MAX]);
/* Strict YYYY-MM-DDTHH:MM:SSZ with real dates only, years 1970-9999. -EINVAL. */
int rfc3339_parse(const char *s, int64_t *ret_seconds);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Preloaded: shifts the time of day of a program by CLOCK_SHIFT seconds. The monotonic clocks stay
 * as they are. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static long shift(void) {
        const char *s = getenv("CLOCK_SHIFT");

        return s ? atol(s) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
        static int (*real)(clockid_t, struct timespec *);
        int r;

        if (!real)
                *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
        r = real(clock, ret);
        if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
                ret->tv_sec += shift();
        return r;
}

time_t time(time_t *ret) {
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_REALTIME, &now);
        if (ret)
                *ret = now.tv_sec;
        return now.tv_sec;
}

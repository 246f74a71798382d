/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Preloaded: shifts the time of day of a program by CLOCK_SHIFT seconds, or by what the file
 * CLOCK_FILE says at that moment: "SECONDS synchronised" or "SECONDS free". The monotonic clocks
 * stay as they are, and timers with them. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static long shift(bool *ret_synchronised) {
        const char *s = getenv("CLOCK_SHIFT"), *path = getenv("CLOCK_FILE");
        char text[64] = "";
        int fd;

        *ret_synchronised = true;
        if (!path)
                return s ? atol(s) : 0;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
                abort();
        (void)close(fd);
        *ret_synchronised = strstr(text, "synchronised") != NULL;
        return atol(text);
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
        static int (*real)(clockid_t, struct timespec *);
        bool synchronised;
        int r;

        if (!real)
                *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
        r = real(clock, ret);
        if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
                ret->tv_sec += shift(&synchronised);
        return r;
}

time_t time(time_t *ret) {
        struct timespec now = { 0 };

        (void)clock_gettime(CLOCK_REALTIME, &now);
        if (ret)
                *ret = now.tv_sec;
        return now.tv_sec;
}

int adjtimex(struct timex *t) {
        bool synchronised;

        (void)shift(&synchronised);
        *t = (struct timex){ .status = synchronised ? 0 : STA_UNSYNC };
        return synchronised ? TIME_OK : TIME_ERROR;
}

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Small things that every part of the simulator uses: the clock, a seeded generator, owned
 * descriptors. The simulator lies below the host libraries, so it brings its own.
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SIM_NEVER_USEC UINT64_MAX

#define SIM_MIN(a, b) ((a) < (b) ? (a) : (b))

static inline uint64_t sim_now_usec(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
}

/* xorshift64*; the state must not be zero */
static inline uint32_t sim_random(uint64_t *state) {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        return (uint32_t)((*state * UINT64_C(2685821657736338717)) >> 32);
}

static inline bool sim_one_in(uint64_t *state, uint32_t n) {
        return n > 0 && sim_random(state) % n == 0;
}

/* Removes what a simulator that was killed has left at its path, if it is of this kind (S_IFSOCK,
 * S_IFLNK). -EEXIST: something else is there, and stays. */
static inline int sim_clear_path(const char *path, mode_t kind) {
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if ((st.st_mode & S_IFMT) != kind)
                return -EEXIST;
        return unlink(path) < 0 ? -errno : 0;
}

static inline int sim_close(int fd) {
        if (fd >= 0)
                (void)close(fd);
        return -1;
}

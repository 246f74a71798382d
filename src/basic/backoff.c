/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backoff: min, 2 min, 4 min ... max, each made up to a quarter longer, the longest too: many
 * that failed together shall not come again together. */
#include <assert.h>
#include <limits.h>
#include <sys/random.h>

#include "backoff.h"

static uint64_t saturating_add(uint64_t a, uint64_t b) {
        return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* min doubled `tries` times, at most max. */
static uint64_t pause_at(const Backoff *b) {
        uint64_t v = MIN(b->min_usec, b->max_usec);

        for (unsigned i = 0; i < b->tries && v != 0 && v < b->max_usec; i++)
                v = v > b->max_usec / 2 ? b->max_usec : v * 2;
        return v;
}

uint64_t backoff_next(Backoff *b, uint32_t random) {
        uint64_t base = pause_at(b), quarter = base / 4;
        uint64_t spread = (quarter >> 32) * random + ((quarter & UINT32_MAX) * random >> 32);

        if (b->tries < UINT_MAX)
                b->tries++;
        return saturating_add(base, spread);
}

void backoff_reset(Backoff *b) {
        b->tries = 0;
}

static void random_bytes(void *ret, size_t n) {
        ssize_t got;

        do
                got = getrandom(ret, n, 0);
        while (got < 0 && errno == EINTR);
        /* Up to 256 bytes come whole, and the call exists in every kernel that we run on. */
        assert(got == (ssize_t)n);
}

uint32_t random_u32(void) {
        uint32_t v;

        random_bytes(&v, sizeof(v));
        return v;
}

uint64_t random_u64(void) {
        uint64_t v;

        random_bytes(&v, sizeof(v));
        return v;
}

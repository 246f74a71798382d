/* SPDX-License-Identifier: MIT */
/*
 * The four functions that the device library, and any compiler, take for granted. As small as
 * can be: what they move is never on the critical path. Compile with
 * -fno-tree-loop-distribute-patterns, or the loops become calls to themselves.
 */

#include <stdint.h>
#include <string.h>

/* The overlapping kind serves for both: nothing here is worth a second loop. */
void *memmove(void *to, const void *from, size_t n) {
        uint8_t *out = to;
        const uint8_t *in = from;

        if (out < in) {
                for (size_t i = 0; i < n; i++)
                        out[i] = in[i];
        } else {
                while (n-- > 0)
                        out[n] = in[n];
        }
        return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
                __attribute__((alias("memmove")));

void *memset(void *to, int byte, size_t n) {
        uint8_t *out = to;

        while (n-- > 0)
                out[n] = (uint8_t)byte;
        return to;
}

int memcmp(const void *a, const void *b, size_t n) {
        const uint8_t *x = a, *y = b;

        for (size_t i = 0; i < n; i++)
                if (x[i] != y[i])
                        return x[i] - y[i];
        return 0;
}

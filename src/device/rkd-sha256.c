/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 with a sixteen-word schedule that is computed as it goes, in place of the block. As small
 * as can be: what is hashed are some hundred KiB, once at a start.
 */

#include "device/rkd-sha256.h"

#include <string.h>

/* FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t sha256_k[64] = {
        0x428a2f98,
        0x71374491,
        0xb5c0fbcf,
        0xe9b5dba5,
        0x3956c25b,
        0x59f111f1,
        0x923f82a4,
        0xab1c5ed5,
        0xd807aa98,
        0x12835b01,
        0x243185be,
        0x550c7dc3,
        0x72be5d74,
        0x80deb1fe,
        0x9bdc06a7,
        0xc19bf174,
        0xe49b69c1,
        0xefbe4786,
        0x0fc19dc6,
        0x240ca1cc,
        0x2de92c6f,
        0x4a7484aa,
        0x5cb0a9dc,
        0x76f988da,
        0x983e5152,
        0xa831c66d,
        0xb00327c8,
        0xbf597fc7,
        0xc6e00bf3,
        0xd5a79147,
        0x06ca6351,
        0x14292967,
        0x27b70a85,
        0x2e1b2138,
        0x4d2c6dfc,
        0x53380d13,
        0x650a7354,
        0x766a0abb,
        0x81c2c92e,
        0x92722c85,
        0xa2bfe8a1,
        0xa81a664b,
        0xc24b8b70,
        0xc76c51a3,
        0xd192e819,
        0xd6990624,
        0xf40e3585,
        0x106aa070,
        0x19a4c116,
        0x1e376c08,
        0x2748774c,
        0x34b0bcb5,
        0x391c0cb3,
        0x4ed8aa4a,
        0x5b9cca4f,
        0x682e6ff3,
        0x748f82ee,
        0x78a5636f,
        0x84c87814,
        0x8cc70208,
        0x90befffa,
        0xa4506ceb,
        0xbef9a3f7,
        0xc67178f2,
};

/* FIPS 180-4, 5.3.3 */
static const uint32_t sha256_start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

/* Byte n of a block in its words, of which the last comes first. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PLACE_OF(n) (63 - (n))
#else
#define PLACE_OF(n) (60 - (n) / 4 * 4 + (n) % 4)
#endif

static uint32_t rotate(uint32_t x, unsigned n) {
        return x >> n | x << (32 - n);
}

static uint32_t from_big(uint32_t x) {
        const uint8_t *p = (const uint8_t *)&x;

        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* s: the state, and behind it the words of the schedule, the next one last. Each round goes down by
 * one word: what was h makes room for the word of sixteen rounds later. Nothing is moved but where
 * the window has no room left; FIPS 180-4, 6.2.2. */
static void compress(RkdSha256 *sha) {
        uint32_t window[RKD_SHA256_SLIDE + 24], *s = window + RKD_SHA256_SLIDE;

        memcpy(s, sha->h, sizeof(sha->h));
        memcpy(s + 8, sha->block, sizeof(sha->block));
        for (unsigned i = 0; i < 64; i++) {
                uint32_t e, a, t, x, y, w;

                if (RKD_SHA256_SLIDE < 64 && s == window)
                        s = memmove(s + RKD_SHA256_SLIDE, s, 24 * sizeof(*s));
                a = s[0];
                e = s[4];
                y = s[9];
                x = s[22];
                t = s[23];
                w = t + (rotate(x ^ rotate(x, 11), 7) ^ x >> 3) + s[14] +
                    (rotate(y ^ rotate(y, 2), 17) ^ y >> 10);
                t += s[7] + rotate(e ^ rotate(e ^ rotate(e, 14), 5), 6) +
                     (s[6] ^ (e & (s[5] ^ s[6]))) + sha256_k[i];
                s[7] = w;
                s[3] += t;
                t += rotate(a ^ rotate(a ^ rotate(a, 9), 11), 2) +
                     ((a & s[1]) | (s[2] & (a | s[1])));
                *--s = t;
        }
        for (unsigned i = 0; i < 8; i++)
                sha->h[i] += s[i];
}

void rkd_sha256_init(RkdSha256 *sha) {
        memcpy(sha->h, sha256_start, sizeof(sha->h));
        sha->n_bytes = 0;
}

void rkd_sha256_add(RkdSha256 *sha, const void *data, size_t n) {
        const uint8_t *p = data;

        for (; n > 0; n--) {
                ((uint8_t *)sha->block)[PLACE_OF(sha->n_bytes++ % 64)] = *p++;
                if (sha->n_bytes % 64 == 0)
                        compress(sha);
        }
}

void rkd_sha256_finish(RkdSha256 *sha, uint8_t *ret_digest) {
        uint32_t bits = sha->n_bytes << 3;
        uint8_t end = 0x80;

        do {
                rkd_sha256_add(sha, &end, 1);
                end = 0;
        } while (sha->n_bytes % 64 != 56);
        sha->block[1] = 0;
        sha->block[0] = bits;
        compress(sha);
        for (unsigned i = 0; i < 8; i++)
                sha->block[i] = from_big(sha->h[i]);
        memmove(ret_digest, sha->block, RKD_SHA256_BYTES);
}

/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 with a sixteen-word schedule that is computed as it goes, in place of the block.
 */

#include "device/rkd-sha256.h"

#include <string.h>

/* FIPS 180-4, 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t k[64] = {
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

static uint32_t rotate(uint32_t x, unsigned n) {
        return x >> n | x << (32 - n);
}

static uint32_t load_big(const uint8_t *p) {
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void store_big(uint8_t *p, uint32_t x) {
        for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t)(x >> (24 - 8 * i));
}

static uint32_t mix(uint32_t x, unsigned a, unsigned b, unsigned c) {
        return rotate(x, a) ^ rotate(x, b) ^ rotate(x, c);
}

static uint32_t schedule(uint32_t *w, unsigned i) {
        uint32_t a = w[(i + 1) & 15], b = w[(i + 14) & 15];

        w[i & 15] += (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[(i + 9) & 15] +
                     (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
        return w[i & 15];
}

static void compress(RkdSha256 *sha) {
        uint32_t *w = sha->block, s[8];

        for (unsigned i = 0; i < 16; i++)
                w[i] = load_big((const uint8_t *)&w[i]);
        for (unsigned i = 0; i < 8; i++)
                s[i] = sha->h[i];
        for (unsigned i = 0; i < 64; i++) {
                uint32_t x = s[4], y = s[0], t;

                t = s[7] + mix(x, 6, 11, 25) + ((x & s[5]) ^ (~x & s[6])) + k[i] +
                    (i < 16 ? w[i] : schedule(w, i));
                for (unsigned j = 7; j > 0; j--)
                        s[j] = s[j - 1];
                s[4] += t;
                s[0] = t + mix(y, 2, 13, 22) + ((y & s[2]) ^ (y & s[3]) ^ (s[2] & s[3]));
        }
        for (unsigned i = 0; i < 8; i++)
                sha->h[i] += s[i];
}

void rkd_sha256_init(RkdSha256 *sha) {
        /* FIPS 180-4, 5.3.3 */
        static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

        memcpy(sha->h, start, sizeof(sha->h));
        sha->n_bytes = 0;
}

void rkd_sha256_add(RkdSha256 *sha, const void *data, size_t n) {
        const uint8_t *p = data;

        while (n > 0) {
                size_t at = sha->n_bytes % 64, take = 64 - at < n ? 64 - at : n;

                memcpy((uint8_t *)sha->block + at, p, take);
                sha->n_bytes += (uint32_t)take;
                p += take;
                n -= take;
                if (at + take == 64)
                        compress(sha);
        }
}

void rkd_sha256_finish(RkdSha256 *sha, uint8_t *ret_digest) {
        uint32_t n = sha->n_bytes;
        uint8_t end[8] = { 0 };

        rkd_sha256_add(sha, "\x80", 1);
        while (sha->n_bytes % 64 != 56)
                rkd_sha256_add(sha, "", 1);
        store_big(end + 4, n << 3);
        rkd_sha256_add(sha, end, sizeof(end));
        for (unsigned i = 0; i < 8; i++)
                store_big(ret_digest + 4 * i, sha->h[i]);
}

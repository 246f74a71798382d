/* SPDX-License-Identifier: MIT */
/*
 * Ed25519, see rkd-ed25519.h: small before fast, for machines that multiply 16 bits by 16.
 *
 * The phases are those of RFC 8032, 5.1.7: SHA-512 of R, key and message, a block a step; that
 * modulo the order L; the key's x, of which the square root is a power, a bit a step; then
 * S B - h A, both scalars at once, a bit a step; and its inverse Z for the comparison with R.
 *
 * Numbers modulo p = 2^255 - 19 are anything below 2^256 until reduce() makes them the one: as
 * 2^256 is 38 then, what is carried out at the top comes in again below, times 38.
 */

#include "device/rkd-ed25519.h"

#include <stdbool.h>
#include <string.h>

#define LIMBS      16u
#define HASH_BITS  512u
#define HASH_SLICE 64u  /* of its bits are reduced in a step */
#define ROOT_BITS  252u /* of (p - 5) / 8, of which all but the last byte are ones */
#define ROOT_LAST  0xfdu
#define TURN_BITS  255u /* of p - 2, the same */
#define TURN_LAST  0xebu
#define L_BITS     253u

enum {
        PHASE_HASH,
        PHASE_REDUCE,
        PHASE_KEY,
        PHASE_ROOT,
        PHASE_POINT,
        PHASE_LADDER,
        PHASE_TURN,
        PHASE_REFUSED
};

static const RkdEdNumber ed_p = { 0xffed, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
        0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0x7fff };
static const RkdEdNumber ed_l = { 0xd3ed, 0x5cf5, 0x631a, 0x5812, 0x9cd6, 0xa2f7, 0xf9de, 0x14de, 0,
        0, 0, 0, 0, 0, 0, 0x1000 };
static const RkdEdNumber ed_d = { 0x78a3, 0x1359, 0x4dca, 0x75eb, 0xd8ab, 0x4141, 0x0a4d, 0x0070,
        0xe898, 0x7779, 0x4079, 0x8cc7, 0xfe73, 0x2b6f, 0x6cee, 0x5203 };
/* the square root of -1 */
static const RkdEdNumber ed_root = { 0xa0b0, 0x4a0e, 0x1b27, 0xc4ee, 0xe478, 0xad2f, 0x1806, 0x2f43,
        0xd7a7, 0x3dfb, 0x0099, 0x2b4d, 0xdf0b, 0x4fc1, 0x2480, 0x2b83 };
/* the base point */
static const RkdEdNumber ed_x = { 0xd51a, 0x8f25, 0x2d60, 0xc956, 0xa7b2, 0x9525, 0xc760, 0x692c,
        0xdc5c, 0xfdd6, 0xe231, 0xc0a4, 0x53fe, 0xcd6e, 0x36d3, 0x2169 };
static const RkdEdNumber ed_y = { 0x6658, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666,
        0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666, 0x6666 };

/* FIPS 180-4, 4.2.3 */
static const uint64_t sha_k[80] = {
        UINT64_C(0x428a2f98d728ae22),
        UINT64_C(0x7137449123ef65cd),
        UINT64_C(0xb5c0fbcfec4d3b2f),
        UINT64_C(0xe9b5dba58189dbbc),
        UINT64_C(0x3956c25bf348b538),
        UINT64_C(0x59f111f1b605d019),
        UINT64_C(0x923f82a4af194f9b),
        UINT64_C(0xab1c5ed5da6d8118),
        UINT64_C(0xd807aa98a3030242),
        UINT64_C(0x12835b0145706fbe),
        UINT64_C(0x243185be4ee4b28c),
        UINT64_C(0x550c7dc3d5ffb4e2),
        UINT64_C(0x72be5d74f27b896f),
        UINT64_C(0x80deb1fe3b1696b1),
        UINT64_C(0x9bdc06a725c71235),
        UINT64_C(0xc19bf174cf692694),
        UINT64_C(0xe49b69c19ef14ad2),
        UINT64_C(0xefbe4786384f25e3),
        UINT64_C(0x0fc19dc68b8cd5b5),
        UINT64_C(0x240ca1cc77ac9c65),
        UINT64_C(0x2de92c6f592b0275),
        UINT64_C(0x4a7484aa6ea6e483),
        UINT64_C(0x5cb0a9dcbd41fbd4),
        UINT64_C(0x76f988da831153b5),
        UINT64_C(0x983e5152ee66dfab),
        UINT64_C(0xa831c66d2db43210),
        UINT64_C(0xb00327c898fb213f),
        UINT64_C(0xbf597fc7beef0ee4),
        UINT64_C(0xc6e00bf33da88fc2),
        UINT64_C(0xd5a79147930aa725),
        UINT64_C(0x06ca6351e003826f),
        UINT64_C(0x142929670a0e6e70),
        UINT64_C(0x27b70a8546d22ffc),
        UINT64_C(0x2e1b21385c26c926),
        UINT64_C(0x4d2c6dfc5ac42aed),
        UINT64_C(0x53380d139d95b3df),
        UINT64_C(0x650a73548baf63de),
        UINT64_C(0x766a0abb3c77b2a8),
        UINT64_C(0x81c2c92e47edaee6),
        UINT64_C(0x92722c851482353b),
        UINT64_C(0xa2bfe8a14cf10364),
        UINT64_C(0xa81a664bbc423001),
        UINT64_C(0xc24b8b70d0f89791),
        UINT64_C(0xc76c51a30654be30),
        UINT64_C(0xd192e819d6ef5218),
        UINT64_C(0xd69906245565a910),
        UINT64_C(0xf40e35855771202a),
        UINT64_C(0x106aa07032bbd1b8),
        UINT64_C(0x19a4c116b8d2d0c8),
        UINT64_C(0x1e376c085141ab53),
        UINT64_C(0x2748774cdf8eeb99),
        UINT64_C(0x34b0bcb5e19b48a8),
        UINT64_C(0x391c0cb3c5c95a63),
        UINT64_C(0x4ed8aa4ae3418acb),
        UINT64_C(0x5b9cca4f7763e373),
        UINT64_C(0x682e6ff3d6b2b8a3),
        UINT64_C(0x748f82ee5defb2fc),
        UINT64_C(0x78a5636f43172f60),
        UINT64_C(0x84c87814a1f0ab72),
        UINT64_C(0x8cc702081a6439ec),
        UINT64_C(0x90befffa23631e28),
        UINT64_C(0xa4506cebde82bde9),
        UINT64_C(0xbef9a3f7b2c67915),
        UINT64_C(0xc67178f2e372532b),
        UINT64_C(0xca273eceea26619c),
        UINT64_C(0xd186b8c721c0c207),
        UINT64_C(0xeada7dd6cde0eb1e),
        UINT64_C(0xf57d4f7fee6ed178),
        UINT64_C(0x06f067aa72176fba),
        UINT64_C(0x0a637dc5a2c898a6),
        UINT64_C(0x113f9804bef90dae),
        UINT64_C(0x1b710b35131c471b),
        UINT64_C(0x28db77f523047d84),
        UINT64_C(0x32caab7b40c72493),
        UINT64_C(0x3c9ebe0a15c9bebc),
        UINT64_C(0x431d67c49c100d4c),
        UINT64_C(0x4cc5d4becb3e42b6),
        UINT64_C(0x597f299cfc657e2a),
        UINT64_C(0x5fcb6fab3ad6faec),
        UINT64_C(0x6c44198c4a475817),
};

/* FIPS 180-4, 5.3.5 */
static const uint64_t sha_start[8] = {
        UINT64_C(0x6a09e667f3bcc908),
        UINT64_C(0xbb67ae8584caa73b),
        UINT64_C(0x3c6ef372fe94f82b),
        UINT64_C(0xa54ff53a5f1d36f1),
        UINT64_C(0x510e527fade682d1),
        UINT64_C(0x9b05688c2b3e6c1f),
        UINT64_C(0x1f83d9abfb41bd6b),
        UINT64_C(0x5be0cd19137e2179),
};

/* --- SHA-512 --- */

/* Byte i of what is hashed, to the end of the last block. */
static unsigned padded_byte(const RkdEd25519 *v, uint32_t i, uint32_t total) {
        uint32_t n = v->n_message + 64, from_end = total - 1 - i;

        if (i < 32)
                return v->signature[i];
        if (i < 64)
                return v->key[i - 32];
        if (i < n)
                return v->message[i - 64];
        if (i == n)
                return 0x80;
        return from_end < 4 ? (n << 3) >> 8 * from_end & 0xff : 0;
}

/* Three turns to the right, by the bytes of `by`, of 1 to 63 but not 32; where 0x80 is set, the
 * bits that fall out are gone. Halves, because a small machine has no others. */
static uint64_t mix(uint64_t x, uint32_t by) {
        uint32_t low = 0, high = 0;

        for (; by != 0; by >>= 8) {
                uint32_t a = (uint32_t)x, b = (uint32_t)(x >> 32), n = by & 31;

                if ((by & 32) != 0) {
                        uint32_t c = a;

                        a = b;
                        b = c;
                }
                low ^= a >> n | b << (32 - n);
                high ^= b >> n;
                if ((by & 0x80) == 0)
                        high ^= a << (32 - n);
        }
        return (uint64_t)high << 32 | low;
}

/* The state, and behind it the words of the schedule, the next one last, as in rkd-sha256.c. */
static void sha_compress(uint64_t *state, uint64_t *window) {
        uint64_t *s = window + RKD_ED25519_SLIDE;

        memcpy(s, state, 8 * sizeof(*s));
        for (unsigned i = 0; i < 80; i++) {
                uint64_t t;

                if (s == window)
                        s = memmove(s + RKD_ED25519_SLIDE, s, 24 * sizeof(*s));
                t = s[23] + s[7] + sha_k[i] + mix(s[4], 0x29120e) +
                    ((s[4] & s[5]) ^ (~s[4] & s[6]));
                s[7] = s[23] + mix(s[22], 0x870801) + s[14] + mix(s[9], 0x863d13);
                s[3] += t;
                t += mix(s[0], 0x27221c) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
                *--s = t;
        }
        for (unsigned i = 0; i < 8; i++)
                state[i] += s[i];
}

/* `left` counts the blocks that were hashed; true after the last. */
static bool hash_block(RkdEd25519 *v) {
        uint32_t total = (v->n_message + 64 + 17 + 127) & ~UINT32_C(127), at = v->left++ * 128u;
        uint64_t word = 0;

        for (unsigned i = 0; i < 128; i++) {
                word = word << 8 | padded_byte(v, at + i, total);
                v->u.sha.window[RKD_ED25519_SLIDE + 23 - i / 8] = word;
        }
        sha_compress(v->u.sha.state, v->u.sha.window);
        return at + 128 == total;
}

/* --- numbers --- */

static void load(RkdEdNumber r, const uint8_t *bytes) {
        for (unsigned i = 0; i < LIMBS; i++)
                r[i] = (uint16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
}

static void copy(RkdEdNumber r, const RkdEdNumber a) {
        memcpy(r, a, sizeof(RkdEdNumber));
}

static void set(RkdEdNumber r, unsigned a) {
        memset(r, 0, sizeof(RkdEdNumber));
        r[0] = (uint16_t)a;
}

static unsigned bit(const RkdEdNumber a, unsigned i) {
        return a[i / 16] >> i % 16 & 1;
}

/* Takes m away once where r is not below it; says whether. */
static bool take_away(RkdEdNumber r, const RkdEdNumber m) {
        RkdEdNumber rest;
        uint32_t t = 1;

        for (unsigned i = 0; i < LIMBS; i++) {
                t += (uint32_t)r[i] + 0xffff - m[i];
                rest[i] = (uint16_t)t;
                t >>= 16;
        }
        if (t != 0)
                copy(r, rest);
        return t != 0;
}

/* To the one below p. */
static void reduce(RkdEdNumber r) {
        while (take_away(r, ed_p))
                ;
}

/* Adds what was carried out at the top. */
static void fold(RkdEdNumber r, uint32_t carry) {
        while (carry != 0) {
                uint32_t t = carry * 38;

                for (unsigned i = 0; i < LIMBS; i++) {
                        t += r[i];
                        r[i] = (uint16_t)t;
                        t >>= 16;
                }
                carry = t;
        }
}

static void add(RkdEdNumber r, const RkdEdNumber a, const RkdEdNumber b) {
        uint32_t t = 0;

        for (unsigned i = 0; i < LIMBS; i++) {
                t += (uint32_t)a[i] + b[i];
                r[i] = (uint16_t)t;
                t >>= 16;
        }
        fold(r, t);
}

/* a - b + 4 p: no limb is below zero, but for the 74 at the beginning, which 2^256 - 38 lacks. */
static void subtract(RkdEdNumber r, const RkdEdNumber a, const RkdEdNumber b) {
        uint32_t t = (uint32_t)0 - 74;

        for (unsigned i = 0; i < LIMBS; i++) {
                t += (uint32_t)a[i] + 0x1fffe - b[i];
                r[i] = (uint16_t)t;
                t >>= 16;
        }
        fold(r, t);
}

static void multiply(RkdEdNumber r, const RkdEdNumber a, const RkdEdNumber b) {
        uint16_t product[2 * LIMBS];
        uint32_t t;

        memset(product, 0, sizeof(product));
        for (unsigned i = 0; i < LIMBS; i++) {
                uint16_t *to = product + i;
                uint32_t x = a[i];

                t = 0;
                for (unsigned k = 0; k < LIMBS; k++) {
                        t += x * b[k] + to[k];
                        to[k] = (uint16_t)t;
                        t >>= 16;
                }
                to[LIMBS] = (uint16_t)t;
        }
        t = 0;
        for (unsigned i = 0; i < LIMBS; i++) {
                t += product[i] + 38u * product[i + LIMBS];
                r[i] = (uint16_t)t;
                t >>= 16;
        }
        fold(r, t);
}

static bool is_zero(const RkdEdNumber a) {
        RkdEdNumber r;
        unsigned any = 0;

        copy(r, a);
        reduce(r);
        for (unsigned i = 0; i < LIMBS; i++)
                any |= r[i];
        return any == 0;
}

/* The next bit of a power of `base`, from the top; the exponent is ones and the last byte. True
 * when it was the last. */
static bool power_bit(RkdEd25519 *v, const RkdEdNumber base, unsigned last) {
        uint16_t *r = v->u.points.work[5];
        unsigned i = --v->left;

        multiply(r, r, r);
        if (i >= 8 || (last >> i & 1) != 0)
                multiply(r, r, base);
        return i == 0;
}

static void begin_power(RkdEd25519 *v, unsigned phase, unsigned bits) {
        set(v->u.points.work[5], 1);
        v->phase = (uint8_t)phase;
        v->left = (uint16_t)bits;
}

/* --- points --- */

/* RFC 8032, 5.1.4, which holds for all pairs, equal ones too. */
static void add_points(RkdEd25519 *v, RkdEdPoint *r, const RkdEdPoint *a, const RkdEdPoint *b) {
        RkdEdNumber *w = v->u.points.work;

        subtract(w[0], a->y, a->x);
        subtract(w[1], b->y, b->x);
        multiply(w[0], w[0], w[1]);
        add(w[1], a->y, a->x);
        add(w[2], b->y, b->x);
        multiply(w[1], w[1], w[2]);
        multiply(w[2], a->t, b->t);
        multiply(w[2], w[2], ed_d);
        add(w[2], w[2], w[2]);
        multiply(w[3], a->z, b->z);
        add(w[3], w[3], w[3]);
        subtract(w[4], w[1], w[0]);
        add(w[1], w[1], w[0]);
        subtract(w[0], w[3], w[2]);
        add(w[3], w[3], w[2]);
        multiply(r->x, w[4], w[0]);
        multiply(r->y, w[3], w[1]);
        multiply(r->t, w[4], w[1]);
        multiply(r->z, w[0], w[3]);
}

static void set_point(RkdEdPoint *r, const RkdEdNumber x, const RkdEdNumber y) {
        copy(r->x, x);
        copy(r->y, y);
        set(r->z, 1);
        multiply(r->t, x, y);
}

/* --- phases --- */

/* h = h * 2 + bit, modulo L; the highest bit first. True after the last. */
static bool reduce_hash(RkdEd25519 *v) {
        for (unsigned n = 0; n < HASH_SLICE; n++) {
                unsigned i = --v->left;
                uint32_t t = (uint32_t)(v->u.sha.state[i / 64] >> (56 - i / 8 % 8 * 8 + i % 8)) & 1;

                for (unsigned k = 0; k < LIMBS; k++) {
                        t |= (uint32_t)v->h[k] << 1;
                        v->h[k] = (uint16_t)t;
                        t >>= 16;
                }
                (void)take_away(v->h, ed_l);
        }
        return v->left == 0;
}

/* RFC 8032, 5.1.3, up to the power: x^2 = u / v, of which the root is u v^3 (u v^7)^((p - 5) / 8),
 * if there is one. False: y is not below p. */
static bool begin_key(RkdEd25519 *v) {
        RkdEdNumber *w = v->u.points.work;
        uint16_t *y = v->u.points.table[1].y;

        load(y, v->key);
        y[LIMBS - 1] &= 0x7fff;
        if (take_away(y, ed_p))
                return false;
        set(w[2], 1);
        multiply(w[0], y, y);
        multiply(w[1], w[0], ed_d);
        subtract(w[0], w[0], w[2]); /* u */
        add(w[1], w[1], w[2]);      /* v */
        multiply(w[2], w[1], w[1]);
        multiply(w[2], w[2], w[1]); /* v^3 */
        multiply(w[3], w[2], w[0]); /* u v^3 */
        multiply(w[4], w[2], w[1]);
        multiply(w[4], w[4], w[3]); /* u v^7 */
        begin_power(v, PHASE_ROOT, ROOT_BITS);
        return true;
}

/* The point -A from its y and what the power has given. No x is 0 with a sign: begin_ladder()
 * refuses both points that have that x. */
static bool end_key(RkdEd25519 *v) {
        RkdEdNumber *w = v->u.points.work;
        RkdEdPoint *minus_a = &v->u.points.table[1];
        unsigned sign = v->key[31] >> 7;

        multiply(w[3], w[3], w[5]);
        multiply(w[4], w[3], w[3]);
        multiply(w[4], w[4], w[1]);
        subtract(w[5], w[4], w[0]);
        if (!is_zero(w[5])) {
                add(w[5], w[4], w[0]);
                if (!is_zero(w[5]))
                        return false;
                multiply(w[3], w[3], ed_root);
        }
        reduce(w[3]);
        if (bit(w[3], 0) == sign)
                subtract(w[3], ed_p, w[3]);
        copy(w[4], minus_a->y);
        set_point(minus_a, w[3], w[4]);
        v->u.points.sum = *minus_a;
        v->phase = PHASE_POINT;
        v->left = 3;
        return true;
}

/* What the ladder needs. False: the key eight times, which is the sum now, is nothing. */
static bool begin_ladder(RkdEd25519 *v) {
        RkdEdPoint *sum = &v->u.points.sum, *table = v->u.points.table;

        if (is_zero(sum->x))
                return false;
        set_point(&table[0], ed_x, ed_y);
        add_points(v, &table[2], &table[0], &table[1]);
        memset(sum, 0, sizeof(*sum));
        sum->y[0] = sum->z[0] = 1;
        v->phase = PHASE_LADDER;
        v->left = L_BITS;
        return true;
}

static bool climb(RkdEd25519 *v) {
        RkdEdPoint *sum = &v->u.points.sum;
        unsigned i = --v->left, which = bit(v->s, i) | bit(v->h, i) << 1;

        add_points(v, sum, sum, sum);
        if (which != 0)
                add_points(v, sum, sum, &v->u.points.table[which - 1]);
        return i == 0;
}

/* The sum as RFC 8032 writes it, beside R as it came. */
static bool is_r(RkdEd25519 *v) {
        RkdEdPoint *sum = &v->u.points.sum;
        uint16_t *turn = v->u.points.work[5], *wanted = v->u.points.work[0];

        multiply(sum->x, sum->x, turn);
        multiply(sum->y, sum->y, turn);
        reduce(sum->x);
        reduce(sum->y);
        sum->y[LIMBS - 1] |= (uint16_t)(sum->x[0] << 15);
        load(wanted, v->signature);
        return memcmp(wanted, sum->y, sizeof(RkdEdNumber)) == 0;
}

void rkd_ed25519_begin(RkdEd25519 *v, const uint8_t *key, const uint8_t *signature,
                const uint8_t *message, size_t n_message) {
        v->key = key;
        v->signature = signature;
        v->message = message;
        v->n_message = (uint32_t)n_message;
        v->left = 0;
        memcpy(v->u.sha.state, sha_start, sizeof(v->u.sha.state));
        set(v->h, 0);
        load(v->s, signature + 32);
        v->phase = take_away(v->s, ed_l) ? PHASE_REFUSED : PHASE_HASH;
}

int rkd_ed25519_step(RkdEd25519 *v) {
        bool good = true;

        switch (v->phase) {
        case PHASE_HASH:
                if (hash_block(v)) {
                        v->phase = PHASE_REDUCE;
                        v->left = HASH_BITS;
                }
                break;
        case PHASE_REDUCE:
                if (reduce_hash(v))
                        v->phase = PHASE_KEY;
                break;
        case PHASE_KEY:
                good = begin_key(v);
                break;
        case PHASE_ROOT:
                if (power_bit(v, v->u.points.work[4], ROOT_LAST))
                        good = end_key(v);
                break;
        case PHASE_POINT:
                add_points(v, &v->u.points.sum, &v->u.points.sum, &v->u.points.sum);
                if (--v->left == 0)
                        good = begin_ladder(v);
                break;
        case PHASE_LADDER:
                if (climb(v))
                        begin_power(v, PHASE_TURN, TURN_BITS);
                break;
        case PHASE_TURN:
                if (!power_bit(v, v->u.points.sum.z, TURN_LAST))
                        break;
                good = is_r(v);
                v->phase = PHASE_REFUSED;
                return good ? 0 : -1;
        default:
                good = false;
        }
        if (!good)
                v->phase = PHASE_REFUSED;
        return good ? RKD_ED25519_AGAIN : -1;
}

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Verification of Ed25519 signatures (RFC 8032), a part of its own: nothing else of the library
 * needs it, and it needs nothing of them. It fits under `verify_signature` of the platform.
 *
 * The caller owns the memory, which may be that of the patch decoder: the two never work at once.
 * The work is done in steps of 2 to 7 milliseconds on a Cortex-M0 at 16 MHz, less than 800 in all,
 * so that a device answers in between. Everything in it is public: the time depends on the
 * signature.
 *
 * Refused are: S that is not below the order, keys that are not points or not written the one way,
 * keys of small order (anybody can sign for those), and every R but the one that belongs to the
 * equation without the cofactor.
 */

#include <stddef.h>
#include <stdint.h>

#define RKD_ED25519_KEY_BYTES       32u
#define RKD_ED25519_SIGNATURE_BYTES 64u
#define RKD_ED25519_AGAIN           1
#define RKD_ED25519_SLIDE           56u /* what the points leave room for */

/* A number below 2^256, the lowest 16 bits first. */
typedef uint16_t RkdEdNumber[16];

/* A point: x = X / Z, y = Y / Z, x y = T / Z. */
typedef struct RkdEdPoint {
        RkdEdNumber x, y, z, t;
} RkdEdPoint;

/* Private. */
typedef struct RkdEd25519 {
        const uint8_t *key, *signature, *message;
        uint32_t n_message;
        uint16_t left; /* of the phase: bytes, bits */
        uint8_t phase;
        RkdEdNumber s, h; /* the scalars */
        union {
                struct {
                        uint64_t state[8], window[RKD_ED25519_SLIDE + 24];
                } sha;
                struct {
                        RkdEdNumber work[6];
                        RkdEdPoint sum, table[3]; /* B, -A, B - A */
                } points;
        } u;
} RkdEd25519;

/* Key, signature and message (shorter than 2^28 bytes) stay what and where they are until a step
 * has said 0 or -1. */
void rkd_ed25519_begin(RkdEd25519 *v, const uint8_t *key, const uint8_t *signature,
                const uint8_t *message, size_t n_message);
/* RKD_ED25519_AGAIN: not known yet; 0: the owner of the key signed the message; -1: not. */
int rkd_ed25519_step(RkdEd25519 *v);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verifier of signatures with a timer around it, for a machine of QEMU whose clock is known
 * (mps2-an385); the code is that of a Cortex-M0. tests/bench/verify puts the case into memory and
 * reads what is printed.
 */

#include <stdint.h>

#include "../bare.h"
#include "device/rkd-ed25519.h"

#define CASE ((const Case *)0x21000000)

typedef struct Case {
        uint8_t key[RKD_ED25519_KEY_BYTES], signature[RKD_ED25519_SIGNATURE_BYTES];
        uint32_t n_message;
        uint8_t message[1024];
} Case;

static RkdEd25519 verifier;

void start(void);

__attribute__((noreturn)) void start(void) {
        uint32_t total = 0, most = 0, steps = 0, began;
        int r;

        bare_begin();
        began = BARE_TIMER;
        rkd_ed25519_begin(&verifier, CASE->key, CASE->signature, CASE->message, CASE->n_message);
        do {
                uint32_t ticks;

                r = rkd_ed25519_step(&verifier);
                ticks = began - BARE_TIMER;
                began -= ticks;
                total += ticks;
                most = ticks > most ? ticks : most;
                steps++;
        } while (r == RKD_ED25519_AGAIN);
        bare_print("good ", r == 0);
        bare_print("ticks ", total);
        bare_print("most ", most);
        bare_print("steps ", steps);
        bare_print("ram ", sizeof(verifier));
        bare_end();
}

__attribute__((section(".vectors"), used)) static const struct {
        uint32_t stack;
        void (*start)(void);
} vectors = { 0x20010000, start };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The verifier of signatures with a timer around it, for a machine of QEMU whose clock is known
 * (mps2-an385); the code is that of a Cortex-M0. tests/bench/verify puts the case into memory and
 * reads what is printed.
 */

#include <stdint.h>

#include "device/rkd-ed25519.h"

#define CASE    ((const Case *)0x21000000)
#define TIMER   ((volatile Timer *)0x40000000)
#define ENABLED 1u

enum { /* semihosting */
        WRITE0 = 0x04,
        EXIT = 0x18,
        STOPPED = 0x20026,
};

typedef struct Case {
        uint8_t key[RKD_ED25519_KEY_BYTES], signature[RKD_ED25519_SIGNATURE_BYTES];
        uint32_t n_message;
        uint8_t message[1024];
} Case;

typedef struct Timer {
        uint32_t control, value, reload;
} Timer;

static RkdEd25519 verifier;

void start(void);

static void semihosting(uint32_t what, const void *with) {
        register uint32_t r0 __asm__("r0") = what;
        register const void *r1 __asm__("r1") = with;

        __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *name, uint32_t value) {
        char text[12], *p = text + sizeof(text);

        semihosting(WRITE0, name);
        *--p = '\0';
        *--p = '\n';
        do
                *--p = (char)('0' + value % 10);
        while ((value /= 10) > 0);
        semihosting(WRITE0, p);
}

__attribute__((noreturn)) void start(void) {
        uint32_t total = 0, most = 0, steps = 0, began;
        int r;

        TIMER->reload = TIMER->value = UINT32_MAX;
        TIMER->control = ENABLED;
        began = TIMER->value;
        rkd_ed25519_begin(&verifier, CASE->key, CASE->signature, CASE->message, CASE->n_message);
        do {
                uint32_t ticks;

                r = rkd_ed25519_step(&verifier);
                ticks = began - TIMER->value;
                began -= ticks;
                total += ticks;
                most = ticks > most ? ticks : most;
                steps++;
        } while (r == RKD_ED25519_AGAIN);
        print("good ", r == 0);
        print("ticks ", total);
        print("most ", most);
        print("steps ", steps);
        print("ram ", sizeof(verifier));
        semihosting(EXIT, (const void *)STOPPED);
        for (;;)
                ;
}

__attribute__((section(".vectors"), used)) static const struct {
        uint32_t stack;
        void (*start)(void);
} vectors = { 0x20010000, start };

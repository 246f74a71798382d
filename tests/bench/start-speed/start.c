/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The bootloader's library with a timer around a start, from reset to the program, for a machine of
 * QEMU whose clock is known (mps2-an385); the code is that of a Cortex-M0. tests/bench/start puts
 * the program and its record into memory and reads what is printed.
 */

#include "../bare.h"
#include "platform.h"

#define TICKS_MS 25000u

uint32_t bench_page[UNIT / 4], bench_rx[(RKD_RX_BYTES(PAYLOAD) + 3) / 4], bench_ring[RING / 4];
uint32_t bench_tx[(RKD_TX_BYTES(ANSWER) + 3) / 4], bench_retained[RKD_RETAINED_BYTES / 4];
static RkdBoot boot;

void start(void);

/* A confirmed program is started without any of it. */
int bench_flash_change(void *user, uint32_t address, uint32_t n) {
        return -1;
}

int bench_flash_write(void *user, uint32_t address, const void *data, size_t n) {
        return -1;
}

size_t bench_send(void *user, const uint8_t *data, size_t n) {
        return n;
}

uint32_t bench_milliseconds(void *user) {
        return (UINT32_MAX - BARE_TIMER) / TICKS_MS;
}

void bench_reset(void *user) {
        bare_end();
}

void bench_start_program(void *user, const RkdStart *how) {
        bare_print("ticks ", UINT32_MAX - BARE_TIMER);
        bare_print("bytes ", how->program_bytes);
        bare_end();
}

__attribute__((noreturn)) void start(void) {
        bare_begin();
        (void)rkd_boot_init(&boot, &rkd_platform, RKD_CAUSE_POWER);
        for (;;)
                rkd_boot_poll(&boot);
}

__attribute__((section(".vectors"), used)) static const struct {
        uint32_t stack;
        void (*start)(void);
} vectors = { 0x20010000, start };

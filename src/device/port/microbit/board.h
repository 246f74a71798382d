/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The micro:bit as bootloader and program see it: clock, line, flash, and what leads back into
 * the bootloader. One copy in each.
 *
 * TIMER0 belongs to the bootloader, even while a program runs: it counts at 31250 Hz from the
 * reset on and is never stopped. Compare 0 ends a trial, 1 is the watchdog, 2 wakes a sleeper, 3
 * is for reading the count. Its interrupt, and the hard fault, are the bootloader's; all other
 * vectors are those of who runs.
 */

#include "rekindle/platform.h"

#include "nrf51.h"

#define BOARD_TICKS(ms)   ((ms)*125u / 4u)
#define BOARD_WATCHDOG_MS 2000u

enum {
        BOARD_COMPARE_TRIAL,
        BOARD_COMPARE_WATCHDOG,
        BOARD_COMPARE_WAKE,
        BOARD_COMPARE_READ
};

/* At the end of RAM; nothing clears it but the loss of power. */
typedef struct BoardShared {
        uint32_t vectors; /* of who runs */
        uint32_t cause;   /* why the reset was made, BOARD_CAUSE | RkdCause */
        uint8_t retained[RKD_RETAINED_BYTES];
} BoardShared;

/* A vector that the core does not have: there the bootloader tells which of RKD_CAN_SIGNED and
 * RKD_CAN_FLOOR it insists on, for programs to tell the same. */
#define BOARD_VECTOR_DEMANDS 7u

#define BOARD_CAUSE  0xca5e0000u
#define board_shared ((volatile BoardShared *)(uintptr_t)BOARD_SHARED)

/* Line, with interrupts. The clock runs already. */
void board_init(void);
/* Up to n bytes that came in. */
size_t board_take(uint8_t *out, size_t n);
/* Until an interrupt, `ms` milliseconds at most; not at all when bytes wait to be taken. */
void board_sleep(uint32_t ms);
uint32_t board_ticks(void);
/* Lets the compare of the timer come in so many milliseconds. */
void board_arm(uint32_t compare, uint32_t ms);
void board_feed_watchdog(void *user);
void board_interrupt_uart(void);
_Noreturn void board_reset_for(uint8_t cause);

/* Members of an RkdPlatform. */
int board_flash_erase(void *user, uint32_t address, uint32_t n);
int board_flash_write(void *user, uint32_t address, const void *data, size_t n);
size_t board_send(void *user, const uint8_t *data, size_t n);
uint32_t board_milliseconds(void *user);
void board_reset(void *user);

extern const RkdRegion board_region;
extern const uint32_t board_speed;
/* What the factory gave the board: its number, in hexadecimal digits, and its address, with
 * which it is on a bus and silent unless it is polled. The factory page has a word of address,
 * two of number, and eight that are the publisher's Ed25519 key where the bootloader demands its
 * signature; where they are erased the board is alone on its line, has the number of its chip, and
 * no key. */
void board_serial(char *out);
uint8_t board_address(void *user);
#define BOARD_SERIAL_BYTES 17u

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A board in memory for tests of the device library: NOR flash that only clears bits, write units
 * that take one write between two erases, operations that take time, power that can fail inside any
 * of them; a line; and a program that runs the program side.
 *
 * Whatever the library does against the rules is counted in `violations`, with the first one
 * named.
 */

#include "rekindle/device.h"

#define BOARD_BASE   0x08000000u
#define BOARD_UNIT   1024u
#define BOARD_UNITS  16u
#define BOARD_SPACE  (BOARD_UNIT * BOARD_UNITS)
#define BOARD_RECORD BOARD_UNIT
#define BOARD_FLASH  (BOARD_SPACE + 2 * BOARD_RECORD)
#define BOARD_WRITE  8u
#define BOARD_LINE   65536u

typedef enum BoardRuns {
        BOARD_OFF,
        BOARD_BOOTLOADER,
        BOARD_PROGRAM,
} BoardRuns;

typedef enum BoardProgram {
        PROGRAM_HEALTHY, /* reports healthy after some ms */
        PROGRAM_SILENT,  /* runs, never reports */
        PROGRAM_CRASHES,
} BoardProgram;

typedef enum BoardCut {
        CUT_BEFORE, /* the operation has done nothing yet */
        CUT_INSIDE, /* half of it, and one unit torn */
        CUT_AFTER,  /* all of it, but nobody learnt of it */
        _BOARD_CUT_MAX,
} BoardCut;

typedef struct Board {
        RkdPlatform platform;
        RkdBoot boot;
        RkdProgram program;
        BoardRuns runs;
        BoardProgram behaviour;
        RkdDescriptor *descriptor; /* of the program, or NULL */
        uint32_t now_ms;
        uint32_t up_ms; /* when the present context began */
        RkdStart start;
        unsigned starts;

        uint8_t flash[BOARD_FLASH];
        uint8_t written[BOARD_FLASH / BOARD_WRITE]; /* write units since their erase */
        uint32_t busy_until_ms;
        uint32_t flash_ms;   /* of one operation */
        unsigned operations; /* begun so far */
        unsigned cut_at;     /* the operation in which power fails; 0: none */
        BoardCut cut;
        uint32_t random;
        unsigned fail_at; /* the operation that fails; 0: none */
        bool verifies;    /* answer of verify_signature */

        uint8_t to_device[BOARD_LINE], from_device[BOARD_LINE];
        size_t n_to_device, n_from_device;
        size_t rate;    /* bytes to the device in one ms */
        unsigned noise; /* one byte in so many is flipped or lost, both ways; 0: none */
        uint32_t baud;

        uint8_t page[1024], ring[4096], tx[RKD_FRAME_ENCODED(256)], retained[RKD_RETAINED_BYTES];
        uint32_t speeds[2];
        RkdRegion region;

        unsigned violations;
        const char *violation;
} Board;

/* Blank flash, off. Members of platform may be changed until board_power_on(). */
void board_init(Board *b);
void board_power_on(Board *b);
void board_power_off(Board *b);
void board_reset(Board *b, RkdCause cause);
/* One millisecond: bytes in, one poll. */
void board_step(Board *b);
void board_run(Board *b, unsigned ms);
/* Puts an image there as a debug probe does. */
void board_load(Board *b, const uint8_t *image, size_t n);
bool board_holds(const Board *b, const uint8_t *image, size_t n);
void board_violate(Board *b, const char *what);

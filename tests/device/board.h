/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A board in memory for tests of the device library: flash (board-flash.h), power that can fail
 * inside any of its operations, a line, and a program that runs the program side.
 * What the library does against the rules is counted in `violations`; the first one is named.
 */

#include "rekindle/device.h"

/* The usual geometry; board_init_as() has others, up to the limits below it. */
#define BOARD_BASE   0x08000000u
#define BOARD_UNIT   1024u
#define BOARD_UNITS  16u
#define BOARD_SPACE  (BOARD_UNIT * BOARD_UNITS)
#define BOARD_RECORD BOARD_UNIT
#define BOARD_WRITE  8u

#define BOARD_SPACE_MAX (128u * 1024)
#define BOARD_FLASH_MAX (BOARD_SPACE_MAX + 2u * 4096)
#define BOARD_PAGE_MAX  1024u
#define BOARD_LINE      65536u
#define BOARD_IMAGES    2u
#define BOARD_RING      4096u
#define BOARD_TX        RKD_TX_BYTES(256)
#define BOARD_RX        RKD_RX_BYTES(1024)
#define BOARD_GUARD     16u /* behind each buffer, for nobody to write */

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

/* What is left of the operation in which power failed. */
typedef enum BoardCut {
        CUT_BEFORE, /* it has done nothing yet */
        CUT_INSIDE, /* done up to somewhere, and there something half: bits of one write unit, or
                     * a stretch of an erase unit that holds anything now */
        CUT_AFTER,  /* all of it, but nobody learnt of it */
        CUT_EDGE,   /* done up to somewhere, cleanly */
        CUT_SPREAD, /* everywhere a part of the bits */
        CUT_ZERO,   /* bits of the first write unit; an erase: zeros, as cells are charged first */
        _BOARD_CUT_MAX,
} BoardCut;

/* Faults for a test to find. */
typedef enum BoardFault {
        FAULT_NONE,
        FAULT_LATE_DATA,  /* the last write to the program lands only after the next operation */
        FAULT_ONE_RECORD, /* both record pages are the same flash */
        FAULT_ONE_SLOT,   /* both slots have the same program space */
} BoardFault;

typedef struct BoardGeometry {
        const char *name;
        uint32_t unit, units; /* of the program space, as SUMS and runs count */
        uint32_t erase;       /* bytes of an erase unit in the program space, at most a unit */
        uint32_t page;        /* page buffer */
        uint32_t record;      /* bytes of a record page; erased at once */
        uint16_t write, record_write, slots; /* slots: 0, 1: one */
} BoardGeometry;

typedef struct BoardImage {
        const uint8_t *bytes;
        size_t n;
        bool crashes; /* whatever `behaviour` says */
} BoardImage;

/* Flash operations that were begun. */
typedef struct BoardWear {
        unsigned erases, writes;               /* of the program space */
        unsigned record_erases, record_writes; /* a mark is a write of one slot */
} BoardWear;

typedef struct Board {
        RkdPlatform platform;
        RkdBoot boot;
        RkdProgram program;
        BoardRuns runs;
        BoardProgram behaviour;
        RkdDescriptor *descriptor; /* of the program, or NULL */
        uint32_t now_ms, up_ms;    /* up: when the present context began */
        RkdStart start;
        unsigned starts;
        /* With any, nothing else may ever run. */
        BoardImage images[BOARD_IMAGES];
        unsigned n_images;
        bool crashes; /* the one that runs */

        BoardGeometry geometry;
        uint8_t flash[BOARD_FLASH_MAX]; /* of each slot the program space, then its record pages */
        uint8_t written[BOARD_FLASH_MAX / 2]; /* write units since their erase, at address / 2 */
        bool had_record;                      /* a good record page was there once */
        uint32_t busy_until_ms, flash_ms;     /* flash: of one operation */
        unsigned operations, cut_at;          /* begun so far; that in which power fails, 0: none */
        BoardCut cut;
        BoardFault fault;
        uint32_t late_at, late_n;         /* FAULT_LATE_DATA: what is not there yet … */
        uint8_t late_was[BOARD_PAGE_MAX]; /* … but this */
        uint32_t random;
        unsigned fail_at;             /* the operation that fails; 0: none */
        bool fails_torn;              /* and does what `cut` says; else the whole of it */
        unsigned reads, fail_read_at; /* so far; the one that fails; 0: none */
        uint32_t dead;                /* the byte that cannot be read, from the first on; 0: none */
        BoardWear wear;
        bool verifies; /* answer of verify_signature */

        uint8_t to_device[BOARD_LINE], from_device[BOARD_LINE];
        size_t n_to_device, n_from_device;
        size_t rate;    /* bytes to the device in one ms */
        unsigned noise; /* one byte in so many is flipped or lost, both ways; 0: none */
        uint32_t baud;

        uint8_t ring[BOARD_RING + BOARD_GUARD];
        _Alignas(4) uint8_t page[BOARD_PAGE_MAX + BOARD_GUARD], tx[BOARD_TX + BOARD_GUARD];
        _Alignas(4) uint8_t rx[BOARD_RX + BOARD_GUARD], retained[RKD_RETAINED_BYTES + BOARD_GUARD];
        uint32_t speeds[2];
        RkdRegion regions[2];
        RkdPatch patch;

        unsigned violations;
        const char *violation;
} Board;

/* Blank flash, off. Members of platform may be changed until board_power_on(). */
void board_init(Board *b);
void board_init_as(Board *b, const BoardGeometry *geometry);
/* Patches of this profile are taken; RKD_PATCH_NONE: none. */
void board_take_patches(Board *b, uint8_t profile);
/* *to becomes what *from is, off. */
void board_copy(Board *to, const Board *from);
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
uint32_t board_random(Board *b);

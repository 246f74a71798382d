/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_FLASH_WRITE_MAX 65536U /* bytes of one write */

typedef struct SimFlash SimFlash;

typedef struct SimFlashConfig {
        const char *path;
        uint32_t slots;         /* 1 or 2, one behind the other */
        uint32_t program_bytes; /* program area, with which a slot begins */
        uint32_t erase_bytes;   /* erase unit; two of them follow the program area: the record */
        uint32_t write_bytes;   /* write unit */
        uint32_t erase_usec;    /* time of one erase; 0: at once */
        uint32_t write_usec;    /* time of one write unit; 0: at once */
        uint64_t seed;          /* of the bits that a cut leaves behind */
} SimFlashConfig;

typedef struct SimFlashCounts {
        uint64_t erases;
        uint64_t writes;     /* write units */
        uint64_t overwrites; /* write units that were not erased before */
        uint64_t operations; /* calls of sim_flash_erase() and sim_flash_write() */
} SimFlashCounts;

/* Creates the file filled with 0xff when it is missing. -EINVAL: another size, -EWOULDBLOCK: in
 * use by another process. */
int sim_flash_new(SimFlash **ret, const SimFlashConfig *config);
SimFlash *sim_flash_free(SimFlash *flash);

uint32_t sim_flash_size(const SimFlash *flash);
uint32_t sim_flash_slot_size(const SimFlash *flash);
const uint8_t *sim_flash_bytes(const SimFlash *flash);
const SimFlashCounts *sim_flash_counts(const SimFlash *flash);
uint32_t sim_flash_units(const SimFlash *flash);
/* Of the erase unit with this index since the process started: erases, and write units written. */
uint32_t sim_flash_unit_erases(const SimFlash *flash, uint32_t unit);
uint32_t sim_flash_unit_writes(const SimFlash *flash, uint32_t unit);

/* Both start an operation; -EBUSY: one is under way, -EINVAL: not aligned or outside, -EIO:
 * there is no power. */
int sim_flash_erase(SimFlash *flash, uint32_t address, uint64_t now_usec);
int sim_flash_write(SimFlash *flash, uint32_t address, const void *data, uint32_t length,
                uint64_t now_usec);
/* Lets time pass; true while an operation is under way. */
bool sim_flash_run(SimFlash *flash, uint64_t now_usec);
bool sim_flash_is_busy(const SimFlash *flash);
uint64_t sim_flash_deadline_usec(const SimFlash *flash);

/* The count-th operation from now does not end, 0: each does; one that was stalled goes on. */
void sim_flash_stall_after(SimFlash *flash, uint32_t count);
bool sim_flash_is_stalled(const SimFlash *flash);
/* The power fails at the count-th operation from now, in the middle of it; 0: not at all. */
void sim_flash_cut_after(SimFlash *flash, uint32_t count);
/* The power fails now: what is under way stays half done; everything is refused until
 * sim_flash_power_on(). */
void sim_flash_cut(SimFlash *flash);
void sim_flash_power_on(SimFlash *flash);
bool sim_flash_has_power(const SimFlash *flash);

/* "Other means": a programmer or a particle, takes no time. */
void sim_flash_load(SimFlash *flash, const void *data, uint32_t length);
void sim_flash_wipe(SimFlash *flash, uint32_t offset, uint32_t length);
/* Flips one bit; -ERANGE: outside. */
int sim_flash_corrupt(SimFlash *flash, uint32_t offset);

/* SPDX-License-Identifier: MIT */

/*
 * NOR flash in a file.
 *
 * A write only clears bits, an erase sets those of a whole unit; both take real time, during which
 * the file shows what a real part would hold: arbitrary bits in a unit that is being erased, and
 * only the first write units of a page that is being written. So a killed process leaves exactly a
 * power cut behind. The file is mapped; the kernel keeps it when the process dies.
 *
 * States: idle, erasing, writing; and without power, where every operation is refused. An operation
 * that is stalled stays as it began until it is told to go on.
 */

#include "sim-flash.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "sim-util.h"

#define FLASH_ERASE_STEPS     8U
#define FLASH_WRITE_STEP_USEC 1000U

enum {
        FLASH_IDLE,
        FLASH_ERASING,
        FLASH_WRITING,
};

struct SimFlash {
        SimFlashConfig config;
        int fd;
        uint8_t *map;
        uint32_t size;

        int state;
        uint32_t address;
        uint32_t length;
        uint32_t done; /* erase: steps, write: bytes */
        uint64_t start_usec;
        uint8_t *page; /* data of a write */

        uint64_t seed;
        uint32_t cut_after;
        uint32_t stall_after;
        bool stalled;
        bool off;
        SimFlashCounts counts;
        uint32_t *unit_erases;
        uint32_t *unit_writes;
};

static void flash_scramble(SimFlash *flash, uint32_t address, uint32_t length) {
        uint32_t i;

        for (i = 0; i < length; i++)
                flash->map[address + i] = (uint8_t)sim_random(&flash->seed);
}

static void flash_program(SimFlash *flash, uint32_t length) {
        uint32_t at;

        for (at = 0; at < length; at += flash->config.write_bytes) {
                uint8_t *cell = flash->map + flash->address + flash->done + at;
                bool erased = true;
                uint32_t i;

                for (i = 0; i < flash->config.write_bytes; i++) {
                        erased = erased && cell[i] == 0xff;
                        cell[i] &= flash->page[flash->done + at + i];
                }
                flash->counts.writes++;
                flash->unit_writes[(flash->address + flash->done + at) /
                                   flash->config.erase_bytes]++;
                if (!erased)
                        flash->counts.overwrites++;
        }
        flash->done += length;
}

/* One write unit loses its power: some of its bits have been cleared already. */
static void flash_tear(SimFlash *flash) {
        uint32_t i;

        for (i = 0; i < flash->config.write_bytes && flash->done + i < flash->length; i++)
                flash->map[flash->address + flash->done + i] &=
                                flash->page[flash->done + i] | (uint8_t)sim_random(&flash->seed);
}

static void flash_run_erase(SimFlash *flash, uint64_t now_usec) {
        uint64_t step_usec = flash->config.erase_usec / FLASH_ERASE_STEPS + 1;
        uint64_t spent_usec = now_usec - flash->start_usec;

        if (spent_usec >= flash->config.erase_usec) {
                memset(flash->map + flash->address, 0xff, flash->length);
                flash->state = FLASH_IDLE;
        } else if (spent_usec >= (flash->done + 1) * step_usec) {
                flash_scramble(flash, flash->address, flash->length);
                flash->done = (uint32_t)(spent_usec / step_usec);
        }
}

static void flash_run_write(SimFlash *flash, uint64_t now_usec) {
        uint64_t units = flash->length / flash->config.write_bytes;
        uint32_t until;

        if (flash->config.write_usec > 0)
                units = SIM_MIN(units, (now_usec - flash->start_usec) / flash->config.write_usec);
        until = (uint32_t)units * flash->config.write_bytes;
        if (until > flash->done)
                flash_program(flash, until - flash->done);
        if (flash->done == flash->length)
                flash->state = FLASH_IDLE;
}

/* Counts an operation; lets it stall, or the power fail in it, when its turn has come. */
static void flash_begin(
                SimFlash *flash, int state, uint32_t address, uint32_t length, uint64_t now_usec) {
        flash->state = state;
        flash->address = address;
        flash->length = length;
        flash->done = 0;
        flash->start_usec = now_usec;
        flash->counts.operations++;

        if (flash->stall_after > 0 && --flash->stall_after == 0)
                flash->stalled = true;
        if (flash->cut_after == 0 || --flash->cut_after > 0)
                return;
        if (state == FLASH_WRITING) {
                uint32_t units = length / flash->config.write_bytes;

                flash_program(flash, sim_random(&flash->seed) % units * flash->config.write_bytes);
        }
        sim_flash_cut(flash);
}

static int flash_open(SimFlash *flash) {
        struct stat st;

        flash->fd = open(flash->config.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
        if (flash->fd < 0)
                return -errno;
        if (flock(flash->fd, LOCK_EX | LOCK_NB) < 0 || fstat(flash->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode) || (st.st_size != 0 && st.st_size != (off_t)flash->size))
                return -EINVAL;
        if (st.st_size == 0 && ftruncate(flash->fd, (off_t)flash->size) < 0)
                return -errno;

        flash->map = mmap(NULL, flash->size, PROT_READ | PROT_WRITE, MAP_SHARED, flash->fd, 0);
        if (flash->map == MAP_FAILED) {
                flash->map = NULL;
                return -errno;
        }
        if (st.st_size == 0)
                memset(flash->map, 0xff, flash->size);
        return 0;
}

int sim_flash_new(SimFlash **ret, const SimFlashConfig *config) {
        SimFlash *flash;
        int r;

        assert(ret);
        assert(config->erase_bytes > 0 && config->program_bytes % config->erase_bytes == 0);
        assert(config->write_bytes > 0 && config->erase_bytes % config->write_bytes == 0);

        flash = calloc(1, sizeof(*flash));
        if (!flash)
                return -ENOMEM;
        flash->config = *config;
        flash->fd = -1;
        flash->seed = config->seed ? config->seed : 1;
        flash->size = config->slots * sim_flash_slot_size(flash);
        flash->page = malloc(SIM_FLASH_WRITE_MAX);
        flash->unit_erases = calloc(flash->size / config->erase_bytes, sizeof(uint32_t));
        flash->unit_writes = calloc(flash->size / config->erase_bytes, sizeof(uint32_t));
        r = flash->page && flash->unit_erases && flash->unit_writes ? flash_open(flash) : -ENOMEM;
        if (r < 0) {
                (void)sim_flash_free(flash);
                return r;
        }
        *ret = flash;
        return 0;
}

SimFlash *sim_flash_free(SimFlash *flash) {
        if (!flash)
                return NULL;
        if (flash->map)
                (void)munmap(flash->map, flash->size);
        (void)sim_close(flash->fd);
        free(flash->unit_writes);
        free(flash->unit_erases);
        free(flash->page);
        free(flash);
        return NULL;
}

uint32_t sim_flash_size(const SimFlash *flash) {
        return flash->size;
}

uint32_t sim_flash_slot_size(const SimFlash *flash) {
        return flash->config.program_bytes + 2 * flash->config.erase_bytes;
}

const uint8_t *sim_flash_bytes(const SimFlash *flash) {
        return flash->map;
}

const SimFlashCounts *sim_flash_counts(const SimFlash *flash) {
        return &flash->counts;
}

uint32_t sim_flash_unit_erases(const SimFlash *flash, uint32_t unit) {
        return flash->unit_erases[unit];
}

uint32_t sim_flash_unit_writes(const SimFlash *flash, uint32_t unit) {
        return flash->unit_writes[unit];
}

uint32_t sim_flash_units(const SimFlash *flash) {
        return flash->size / flash->config.erase_bytes;
}

int sim_flash_erase(SimFlash *flash, uint32_t address, uint64_t now_usec) {
        if (flash->off)
                return -EIO;
        if (flash->state != FLASH_IDLE)
                return -EBUSY;
        if (address >= flash->size || address % flash->config.erase_bytes != 0)
                return -EINVAL;

        flash->counts.erases++;
        flash->unit_erases[address / flash->config.erase_bytes]++;
        flash_begin(flash, FLASH_ERASING, address, flash->config.erase_bytes, now_usec);
        (void)sim_flash_run(flash, now_usec);
        return 0;
}

int sim_flash_write(SimFlash *flash, uint32_t address, const void *data, uint32_t length,
                uint64_t now_usec) {
        if (flash->off)
                return -EIO;
        if (flash->state != FLASH_IDLE)
                return -EBUSY;
        if (length == 0 || length > SIM_FLASH_WRITE_MAX || address >= flash->size ||
                        length > flash->size - address ||
                        address % flash->config.write_bytes != 0 ||
                        length % flash->config.write_bytes != 0)
                return -EINVAL;

        memcpy(flash->page, data, length);
        flash_begin(flash, FLASH_WRITING, address, length, now_usec);
        (void)sim_flash_run(flash, now_usec);
        return 0;
}

bool sim_flash_run(SimFlash *flash, uint64_t now_usec) {
        if (flash->stalled)
                return true;
        if (flash->state == FLASH_ERASING)
                flash_run_erase(flash, now_usec);
        else if (flash->state == FLASH_WRITING)
                flash_run_write(flash, now_usec);
        return sim_flash_is_busy(flash);
}

bool sim_flash_is_busy(const SimFlash *flash) {
        return flash->state != FLASH_IDLE;
}

uint64_t sim_flash_deadline_usec(const SimFlash *flash) {
        uint64_t step_usec, end_usec, units;

        if (flash->stalled)
                return SIM_NEVER_USEC;
        switch (flash->state) {
        case FLASH_ERASING:
                step_usec = flash->config.erase_usec / FLASH_ERASE_STEPS + 1;
                end_usec = flash->start_usec + flash->config.erase_usec;
                return SIM_MIN(flash->start_usec + (flash->done + 1) * step_usec, end_usec);
        case FLASH_WRITING:
                units = flash->length / flash->config.write_bytes;
                end_usec = flash->start_usec + units * flash->config.write_usec;
                units = flash->done / flash->config.write_bytes;
                step_usec = units * flash->config.write_usec + FLASH_WRITE_STEP_USEC;
                return SIM_MIN(flash->start_usec + step_usec, end_usec);
        default:
                return SIM_NEVER_USEC;
        }
}

void sim_flash_stall_after(SimFlash *flash, uint32_t count) {
        flash->stall_after = count;
        flash->stalled = false;
}

bool sim_flash_is_stalled(const SimFlash *flash) {
        return flash->stalled;
}

void sim_flash_cut_after(SimFlash *flash, uint32_t count) {
        flash->cut_after = count;
}

void sim_flash_cut(SimFlash *flash) {
        if (flash->state == FLASH_ERASING)
                flash_scramble(flash, flash->address, flash->length);
        else if (flash->state == FLASH_WRITING)
                flash_tear(flash);
        flash->state = FLASH_IDLE;
        flash->stalled = false;
        flash->off = true;
}

void sim_flash_power_on(SimFlash *flash) {
        flash->off = false;
}

bool sim_flash_has_power(const SimFlash *flash) {
        return !flash->off;
}

void sim_flash_load(SimFlash *flash, const void *data, uint32_t length) {
        assert(length <= flash->config.program_bytes);

        memset(flash->map, 0xff, flash->size);
        if (length > 0)
                memcpy(flash->map, data, length);
}

void sim_flash_wipe(SimFlash *flash, uint32_t offset, uint32_t length) {
        assert(offset <= flash->size && length <= flash->size - offset);
        memset(flash->map + offset, 0xff, length);
}

int sim_flash_corrupt(SimFlash *flash, uint32_t offset) {
        if (offset >= flash->size)
                return -ERANGE;
        flash->map[offset] ^= 0x01;
        return 0;
}

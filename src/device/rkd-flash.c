/* SPDX-License-Identifier: MIT */
/*
 * Flash operations, see rkd-flash.h. The bounds are checked here, at the lowest place, so that
 * nothing above can get them wrong.
 */

#include "device/rkd-flash.h"

int rkd_flash_read(const RkdPlatform *p, uint32_t address, void *out, uint32_t n) {
        return p->flash_read(p->user, address, out, n);
}

uint32_t rkd_now_ms(const RkdPlatform *p) {
        return p->milliseconds(p->user);
}

void rkd_flash_init(RkdFlash *flash, const RkdPlatform *platform) {
        *flash = (RkdFlash){ .platform = platform };
}

static bool is_inside(uint32_t address, uint32_t n, uint32_t start, uint32_t size) {
        return n > 0 && address >= start && address - start < size && n <= size - (address - start);
}

static bool is_allowed(const RkdPlatform *p, RkdArea area, uint32_t address, uint32_t n) {
        if (area == RKD_AREA_PROGRAM)
                return is_inside(address, n, p->program_base, p->program_space);
        return is_inside(address, n, p->record_pages[0], p->record_size) ||
               is_inside(address, n, p->record_pages[1], p->record_size);
}

static uint32_t erase_size(const RkdPlatform *p, uint32_t address) {
        if (address == p->record_pages[0] || address == p->record_pages[1])
                return p->record_size;
        for (uint8_t i = 0; i < p->n_regions; i++) {
                const RkdRegion *r = &p->regions[i];

                if (address - r->start < r->erase_size * r->count)
                        return r->erase_size;
        }
        return 0;
}

uint32_t rkd_flash_count_units(const RkdPlatform *p, uint32_t address, uint32_t n) {
        uint32_t count = 0, done = 0;

        while (done < n) {
                uint32_t size = erase_size(p, address + done);

                if (size == 0)
                        break;
                done += size;
                count++;
        }
        return count;
}

void rkd_flash_forgive(RkdFlash *f) {
        f->failed = false;
}

#if RKD_FLASH_BLOCKS
void rkd_flash_erase(RkdFlash *f, RkdArea area, uint32_t address, uint32_t n) {
        const RkdPlatform *p = f->platform;
        uint32_t end = address + n, size;

        f->failed = !is_allowed(p, area, address, n);
        for (; !f->failed && address < end; address += size) {
                size = erase_size(p, address);
                f->failed = size == 0 || p->flash_erase(p->user, address) < 0;
                if (p->feed_watchdog)
                        p->feed_watchdog(p->user);
        }
}

void rkd_flash_write(RkdFlash *f, RkdArea area, uint32_t address, const void *data, uint32_t n) {
        const RkdPlatform *p = f->platform;

        f->failed = !is_allowed(p, area, address, n) ||
                    p->flash_write(p->user, address, data, n) < 0;
}
#else
enum {
        OPERATION_NONE,
        OPERATION_ERASE,
        OPERATION_WRITE
};

static void begin(RkdFlash *f, uint8_t operation, RkdArea area, uint32_t address, uint32_t n) {
        f->failed = !is_allowed(f->platform, area, address, n);
        if (f->failed)
                return;
        f->operation = operation;
        f->at = address;
        f->end = address + n;
        f->started = false;
}

void rkd_flash_erase(RkdFlash *f, RkdArea area, uint32_t address, uint32_t n) {
        begin(f, OPERATION_ERASE, area, address, n);
}

void rkd_flash_write(RkdFlash *f, RkdArea area, uint32_t address, const void *data, uint32_t n) {
        f->data = data;
        begin(f, OPERATION_WRITE, area, address, n);
}

static int fail(RkdFlash *f) {
        f->operation = OPERATION_NONE;
        f->failed = true;
        return -1;
}

static int start_piece(RkdFlash *f) {
        const RkdPlatform *p = f->platform;

        f->started = true;
        if (f->operation == OPERATION_ERASE)
                return p->flash_erase(p->user, f->at);
        return p->flash_write(p->user, f->at, f->data, f->end - f->at);
}

static void finish_piece(RkdFlash *f) {
        uint32_t n = f->end - f->at;

        f->started = false;
        if (f->operation == OPERATION_ERASE) {
                uint32_t size = erase_size(f->platform, f->at);

                n = size > 0 && size < n ? size : n;
        }
        f->at += n;
        if (f->at == f->end)
                f->operation = OPERATION_NONE;
}

int rkd_flash_poll(RkdFlash *f) {
        const RkdPlatform *p = f->platform;
        int r;

        if (f->operation == OPERATION_NONE)
                return f->failed ? -1 : 0;
        if (!f->started && start_piece(f) < 0)
                return fail(f);
        r = p->flash_poll(p->user);
        if (r < 0)
                return fail(f);
        if (r == 0)
                finish_piece(f);
        return f->operation == OPERATION_NONE ? 0 : 1;
}

bool rkd_flash_is_busy(const RkdFlash *f) {
        return f->operation != OPERATION_NONE;
}

bool rkd_flash_is_writing(const RkdFlash *f) {
        return f->operation == OPERATION_WRITE;
}
#endif

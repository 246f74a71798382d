/* SPDX-License-Identifier: MIT */
/*
 * Flash, see rkd-device.h. The bounds are checked here, at the lowest place, so that nothing above
 * can get them wrong.
 */

#include <string.h>

#include "device/rkd-device.h"
#include "proto/crc.h"

int rkd_flash_read(const RkdPlatform *p, uint32_t address, void *out, uint32_t n) {
#if RKD_FLASH_MAPPED
        memcpy(out, (const void *)(uintptr_t)address, n);
        return 0;
#else
        return p->flash_read(p->user, address, out, n);
#endif
}

#if !RKD_FLASH_MAPPED
const uint8_t *rkd_flash_view(const RkdDevice *d, uint32_t address, uint8_t *buffer, uint32_t n) {
        if (rkd_flash_read(RKD_PLATFORM(d), address, buffer, n) < 0)
                memset(buffer, 0, n);
        return buffer;
}
#endif

static uint32_t piece_of(uint32_t n) {
        return n < RKD_VIEW_MAX ? n : RKD_VIEW_MAX;
}

uint32_t rkd_flash_crc(const RkdDevice *d, uint32_t address, uint32_t n) {
        uint32_t crc = RKD_CRC32_START;
        uint8_t buffer[RKD_VIEW_BYTES];

        for (uint32_t piece; n > 0; address += piece, n -= piece) {
                piece = piece_of(n);
                crc = rkd_crc32_add(crc, rkd_flash_view(d, address, buffer, piece), piece);
        }
        return rkd_crc32_finish(crc);
}

bool rkd_flash_is_blank(const RkdDevice *d, uint32_t address, uint32_t n) {
        uint8_t buffer[4];

        for (; n > 0; address++, n--)
                if (*rkd_flash_view(d, address, buffer, 1) != 0xff)
                        return false;
        return true;
}

void rkd_flash_put(const RkdDevice *d, RkdWriter *w, uint32_t address, uint32_t n) {
        uint8_t buffer[RKD_VIEW_BYTES];

        for (uint32_t piece; n > 0; address += piece, n -= piece) {
                piece = piece_of(n);
                rkd_put_bytes(w, rkd_flash_view(d, address, buffer, piece), piece);
        }
}

static void fail(RkdDevice *d, bool is_write) {
        if (!d->failed)
                rkd_log(d, RKD_LOG_FLASH, is_write);
        d->failed = true;
}

void rkd_flash_work(RkdDevice *d, unsigned area, uint32_t offset, const void *data, uint32_t n) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t start = rkd_page_address(d, area & (RKD_AREA_PROGRAM - 1)), size = p->record_size;

        if (area == RKD_AREA_PROGRAM) {
                start = rkd_program_address(d, 0);
                size = p->program_space;
        }
        if (d->failed || offset > size || n > size - offset ||
                        (data ? p->flash_write(p->user, start + offset, data, n)
                              : p->flash_erase(p->user, start + offset, n)) < 0)
                fail(d, data != NULL);
#if !RKD_FLASH_BLOCKS
        else
                d->working = data ? RKD_WORK_WRITE : RKD_WORK_ERASE;
#endif
        /* Whoever works on flash is deaf meanwhile: that is no silence of the gateway. */
        d->heard_ms = rkd_now_ms(d);
}

#if !RKD_FLASH_BLOCKS
void rkd_flash_poll(RkdDevice *d) {
        const RkdPlatform *p = d->platform;
        int r;

        if (d->working == RKD_WORK_NONE)
                return;
        r = p->flash_poll(p->user);
        d->heard_ms = rkd_now_ms(d);
        if (r > 0)
                return;
        if (r < 0)
                fail(d, d->working == RKD_WORK_WRITE);
        d->working = RKD_WORK_NONE;
}
#endif

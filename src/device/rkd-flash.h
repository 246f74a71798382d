/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Flash of the program space and the record pages: one operation at a time, in the platform's
 * steps, never outside its area.
 */

#include "device/rkd-context.h"

typedef enum RkdArea {
        RKD_AREA_PROGRAM,
        RKD_AREA_RECORD,
} RkdArea;

/* What flash holds, and what time it is: shorter than to ask the platform. */
int rkd_flash_read(const RkdPlatform *platform, uint32_t address, void *out, uint32_t n);
uint32_t rkd_now_ms(const RkdPlatform *platform);

void rkd_flash_init(RkdFlash *flash, const RkdPlatform *platform);
/* Begin an operation; only while none is under way. What lies outside the area fails, and is not
 * begun. The data of a write stays untouched until the operation is over. */
void rkd_flash_erase(RkdFlash *flash, RkdArea area, uint32_t address, uint32_t n);
void rkd_flash_write(RkdFlash *flash, RkdArea area, uint32_t address, const void *data, uint32_t n);
/* The next poll does not tell of a failure before this. */
void rkd_flash_forgive(RkdFlash *flash);
#if RKD_FLASH_BLOCKS
static inline int rkd_flash_poll(RkdFlash *flash) {
        return flash->failed ? -1 : 0;
}

static inline bool rkd_flash_is_busy(const RkdFlash *flash) {
        return false;
}

static inline bool rkd_flash_is_writing(const RkdFlash *flash) {
        return false;
}
#else
/* Goes on: 1 busy, 0 the last operation is done, -1 it failed (until the next begins). */
int rkd_flash_poll(RkdFlash *flash);
bool rkd_flash_is_busy(const RkdFlash *flash);
bool rkd_flash_is_writing(const RkdFlash *flash);
#endif
/* Erase units from this address on, n bytes long. */
uint32_t rkd_flash_count_units(const RkdPlatform *platform, uint32_t address, uint32_t n);

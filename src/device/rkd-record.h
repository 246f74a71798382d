/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The record of the device: two pages, written in turn, and mark words.
 *
 * Page: body, then marks from byte 512 on, one to a slot of max(4, write size) bytes.
 * Body: "RKR1" | sequence u32 | crc32 u32 (over the body without itself) | boots u16 (starts before
 * this page) | floor length u8 | 0 |
 *       begin area as it was received | floor in force.
 * Marks: verified, confirmed, then pairs (start, healthy). A slot that is not all ones is set,
 * however torn: a mark is only written once what it says is true. The good page with the higher
 * sequence counts. A page is good when its CRC is; the other one is only erased while the good
 * one stays, so that at every moment one of them tells the truth.
 */

#include "device/rkd-context.h"

#define RKD_RECORD_PREFIX 16u
#define RKD_RECORD_MARKS  512u
/* Of the image, counted from the begin area. */
#define RKD_RECORD_SHA256 (RKD_BEGIN_FIXED + 12u)

#define RKD_LATER 0xffu /* a command's result: not yet, try again at the next poll */

enum {
        RKD_RECORD_NONE,
        RKD_RECORD_GOOD,
        RKD_RECORD_DAMAGED
};

void rkd_record_init(RkdRecord *record, const RkdPlatform *platform, RkdFlash *flash);
/* Slots for starts in a page of this platform; more than the start attempts are needed. */
uint8_t rkd_record_count_pairs(const RkdPlatform *platform);

/* What a gateway would be told; only for a good record. */
uint8_t rkd_record_state(const RkdRecord *record);
/* Starts since the last healthy one. */
uint8_t rkd_record_used(const RkdRecord *record);
uint8_t rkd_record_attempts(const RkdPlatform *platform);
uint16_t rkd_record_boots(const RkdRecord *record);

/* Copies bytes of the good page; offset counts from its begin area. Each: 0, or -1 when flash
 * cannot be read. */
int rkd_record_read(const RkdRecord *record, uint32_t offset, void *out, size_t n);
int rkd_record_put(const RkdRecord *record, RkdWriter *w, uint32_t offset, uint32_t n);
/* As texts; empty without a record. floor: the floor in force. */
int rkd_record_put_version(const RkdRecord *record, RkdWriter *w);
int rkd_record_put_floor(const RkdRecord *record, RkdWriter *w);
/* Whether n bytes there are the same. */
bool rkd_record_holds(const RkdRecord *record, uint32_t offset, const uint8_t *data, uint32_t n);
/* Texts into out[RKD_TEXT_MAX]; empty without a record. */
RkdText rkd_record_floor(const RkdRecord *record, char *out);
RkdText rkd_record_header_floor(const RkdRecord *record, char *out);

/* Writes a new record from platform->page: the begin area, n bytes, lies there at
 * RKD_RECORD_PREFIX, and behind it the floor in force. */
void rkd_record_write(RkdRecord *record, uint32_t n, uint8_t n_floor);
/* Writes the same record to the other page, because the slots for starts are used up. Uses
 * platform->page. */
void rkd_record_renew(RkdRecord *record);

/* Marks: 1 when a write was begun, 0 when there was nothing to do (any more). Only while
 * rkd_record_is_busy() is false. */
int rkd_record_mark_verified(RkdRecord *record);
int rkd_record_mark_start(RkdRecord *record);
int rkd_record_mark_healthy(RkdRecord *record);
int rkd_record_mark_confirmed(RkdRecord *record);
/* Does what CONFIRM asks for: RKD_OK, RKD_FLASH, or RKD_LATER (to be called again when not
 * busy). */
uint8_t rkd_record_confirm(RkdRecord *record);

#if RKD_FLASH_BLOCKS
static inline int rkd_record_poll(RkdRecord *record) {
        return record->failed ? -1 : 0;
}

static inline bool rkd_record_is_busy(const RkdRecord *record) {
        return false;
}
#else
/* Goes on with what was begun: 1 busy, 0 done, -1 failed (until the next begins). */
int rkd_record_poll(RkdRecord *record);
bool rkd_record_is_busy(const RkdRecord *record);
#endif

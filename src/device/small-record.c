/* SPDX-License-Identifier: MIT */
/*
 * Part of small.c: flash, the record and the block of RAM that survives a reset.
 *
 * The rules of the record are those of rkd-record.c: a mark is written once what it says is true;
 * a page is written while the other one stays; a damaged page is the proof of a push.
 */

#include "device/small.h"

static uint32_t add_crc(uint32_t crc, const void *data, uint32_t n) {
        const uint8_t *p = data;

        for (; n > 0; n--) {
                crc ^= *p++;
                for (unsigned i = 0; i < 8; i++)
                        crc = crc >> 1 ^ ((0u - (crc & 1)) & 0xedb88320u);
        }
        return crc;
}

uint32_t crc_of(const void *data, uint32_t n) {
        return ~add_crc(RKD_CRC32_START, data, n);
}

#if !RKD_FLASH_MAPPED
const uint8_t *view(RkdBoot *d, uint32_t address, uint32_t n) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        if (p->flash_read(p->user, address, d->view, n) < 0) {
                memset(d->view, 0, n);
                d->misread = true;
        }
        return (const uint8_t *)d->view;
}

uint32_t crc_there(RkdBoot *d, uint32_t address, uint32_t n) {
        uint32_t crc = RKD_CRC32_START;

        for (uint32_t piece; n > 0; address += piece, n -= piece) {
                piece = n < RKD_SMALL_VIEW ? n : RKD_SMALL_VIEW;
                crc = add_crc(crc, view(d, address, piece), piece);
        }
        return ~crc;
}
#endif

static bool is_blank(RkdBoot *d, uint32_t address, uint32_t n) {
        for (; n > 0; address++, n--)
                if (*view(d, address, 1) != 0xff)
                        return false;
        return true;
}

uint32_t now_ms(const RkdBoot *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        return p->milliseconds(p->user);
}

bool replace(const RkdBoot *d, uint32_t address, uint32_t erase, const void *data, uint32_t n) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        return (erase == 0 || p->flash_erase(p->user, address, erase) >= 0) &&
               p->flash_write(p->user, address, data, n) >= 0;
}

/* --- record --- */

static uint32_t slot_bytes(const RkdBoot *d) {
        return SLOT_BYTES(RKD_PLATFORM(d));
}

static uint32_t page_address(const RkdBoot *d, unsigned page) {
        return RKD_PLATFORM(d)->record_pages[page];
}

static uint32_t mark_address(const RkdBoot *d, unsigned mark) {
        return page_address(d, d->page) + RKD_RECORD_MARKS + mark * slot_bytes(d);
}

void load_record(RkdBoot *d) {
        d->status = RKD_RECORD_NONE;
        d->sequence = d->marks = d->starts = d->healthy = 0;
        for (unsigned page = 0; page < 2; page++) {
                uint32_t address = page_address(d, page), crc, sequence;
                const RkdBody *body = (const RkdBody *)(const void *)view(d, address, 8);

                crc = body->crc;
                sequence = body->sequence;
                if (crc_there(d, address + 4, RKD_BODY_BYTES - 4) == crc) {
                        if (d->status != RKD_RECORD_GOOD ||
                                        (int32_t)(sequence - d->sequence) >= 0) {
                                d->page = (uint8_t)page;
                                d->sequence = sequence;
                        }
                        d->status = RKD_RECORD_GOOD;
                } else if (d->status == RKD_RECORD_NONE &&
                                !is_blank(d, address, RKD_RECORD_SIZE_MIN)) {
                        d->page = (uint8_t)page;
                        d->status = RKD_RECORD_DAMAGED;
                }
        }
        if (d->status != RKD_RECORD_GOOD)
                return;
#if RKD_FLASH_MAPPED
        d->body = (const RkdBody *)(uintptr_t)page_address(d, d->page);
#else
        d->misread = false;
        for (uint32_t at = 0; at < RKD_BODY_BYTES; at += RKD_SMALL_VIEW)
                memcpy((uint8_t *)d->copy + at,
                                view(d, page_address(d, d->page) + at, RKD_SMALL_VIEW),
                                RKD_SMALL_VIEW);
        d->body = (const RkdBody *)(const void *)d->copy;
#endif
        for (unsigned mark = 0; mark < RKD_MARKS_MAX; mark++) {
                if (is_blank(d, mark_address(d, mark), slot_bytes(d)))
                        continue;
                d->marks |= UINT32_C(1) << mark;
                d->starts = (uint8_t)(mark / 2);
                if ((mark & 1) != 0)
                        d->healthy = d->starts;
        }
#if !RKD_FLASH_MAPPED
        if (d->misread) { /* no mark is believed that cannot be read */
                d->status = RKD_RECORD_DAMAGED;
                d->marks = d->starts = d->healthy = 0;
        }
#endif
}

static const uint8_t *record_id(const RkdBoot *d) {
        static const uint8_t none[8];

        return d->status == RKD_RECORD_GOOD ? (const uint8_t *)d->body->push_id : none;
}

bool is_ours(const RkdBoot *d, const void *push_id) {
        return memcmp(push_id, record_id(d), 8) == 0;
}

uint8_t write_record(RkdBoot *d) {
        RkdBody *body = (RkdBody *)(void *)RKD_PLATFORM(d)->page;
        unsigned target = 1u - d->page;
        uint32_t address = page_address(d, target);

        body->sequence = d->sequence + 1;
        body->boots = body->reserved = 0;
        body->crc = crc_of(&body->sequence, RKD_BODY_BYTES - 4);
        (void)replace(d, address, RKD_PLATFORM(d)->record_size, body, RKD_BODY_BYTES);
        load_record(d);
        return d->status == RKD_RECORD_GOOD && d->page == target ? RKD_OK : RKD_FLASH;
}

uint8_t set_mark(RkdBoot *d, unsigned mark) {
        static const uint8_t zeros[RKD_WRITE_SIZE_MAX];

        if (mark >= RKD_MARKS_MAX)
                return RKD_FLASH;
        if (!IS_MARKED(d, mark)) {
                (void)replace(d, mark_address(d, mark), 0, zeros, slot_bytes(d));
                load_record(d);
        }
        return IS_MARKED(d, mark) ? RKD_OK : RKD_FLASH;
}

Block *retained(const RkdBoot *d) {
        return (Block *)(void *)RKD_PLATFORM(d)->retained;
}

void close_retained(const RkdBoot *d) {
        retained(d)->crc = crc_of(retained(d), sizeof(RkdRetained));
}

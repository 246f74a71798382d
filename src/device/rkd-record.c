/* SPDX-License-Identifier: MIT */
/*
 * The record of the device: two pages, written in turn, and mark words; see RECORD PAGES of
 * rekindle-link(7), and RkdBody. And the block of RAM that survives a reset.
 *
 * A slot that is not all ones is set, however torn: a mark is only written once what it says is
 * true. A page is good when its CRC is; the other one is only erased while the good one stays, so
 * that at every moment one of them tells the truth. While no page is good, a damaged one is left
 * standing as long as possible: it is the proof that this device was pushed to, without which a
 * half-written program would pass for one that never was.
 *
 * Writing a page: erase, marks that shall be set from the start, body. The page is good only once
 * its body is whole, so marks and body appear at one moment. Whatever was written, and whether it
 * failed or not: afterwards the flash is asked what is true.
 */

#include <string.h>

#include "device/rkd-device.h"
#include "proto/crc.h"

#define TEXTS_AT (RKD_BODY_BEGIN + RKD_BEGIN_FIXED + 44u) /* of the header, in a page */

static uint32_t slot_bytes(const RkdPlatform *p) {
        return p->record_write_size < 4 ? 4 : p->record_write_size;
}

static uint32_t mark_offset(const RkdDevice *d, unsigned mark) {
        return RKD_RECORD_MARKS + mark * slot_bytes(RKD_PLATFORM(d));
}

/* Whether the page has a slot for it. */
static bool has_slot(const RkdDevice *d, unsigned mark) {
        return mark < RKD_MARKS_MAX && mark_offset(d, mark + 1) <= RKD_PLATFORM(d)->record_size;
}

uint32_t rkd_record_address(const RkdDevice *d, uint32_t offset) {
        return rkd_page_address(d, d->page) + offset;
}

/* 1 or 0; -1: it cannot be read. */
static int is_set(const RkdDevice *d, unsigned mark) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t address = rkd_record_address(d, mark_offset(d, mark)), n = slot_bytes(p);
#if RKD_FLASH_MAPPED
        return !rkd_flash_is_blank(d, address, n);
#else
        uint8_t slot[RKD_WRITE_SIZE_MAX];

        if (rkd_flash_read(p, address, slot, n) < 0)
                return -1;
        while (n > 0)
                if (slot[--n] != 0xff)
                        return 1;
        return 0;
#endif
}

static const RkdBody *view_body(RkdDevice *d, unsigned page) {
#if RKD_FLASH_MAPPED
        return (const RkdBody *)(uintptr_t)rkd_page_address(d, page);
#else
        (void)rkd_flash_view(d, rkd_page_address(d, page), (uint8_t *)&d->copy, sizeof(d->copy));
        return &d->copy;
#endif
}

/* A page whose marks cannot be read is that of a push which nobody knows. */
static void load_marks(RkdDevice *d) {
        for (unsigned mark = 0; has_slot(d, mark); mark++) {
                int set = is_set(d, mark);

                if (set < 0) {
                        memset(d->push_id, 0, sizeof(d->push_id));
                        d->marks = d->starts = d->healthy = 0;
                        return;
                }
                if (set == 0)
                        continue;
                if (mark < RKD_MARK_PAIRS)
                        d->marks |= (uint8_t)(1u << mark);
                /* slots 2 and 3 are the first start and its healthy mark */
                d->starts = (uint8_t)(mark / 2);
                if ((mark & 1) != 0)
                        d->healthy = d->starts;
        }
}

void rkd_record_load(RkdDevice *d) {
        uint32_t sequence = 0;

        d->status = RKD_RECORD_NONE;
        for (unsigned page = rkd_first_page(d); page < rkd_end_page(d); page++) {
                uint32_t address = rkd_page_address(d, page);
                const RkdBody *body = view_body(d, page);

                if (rkd_flash_crc(d, address + 4, RKD_BODY_BYTES - 4) == rkd_le32(body->crc)) {
                        if (d->status == RKD_RECORD_GOOD &&
                                        (int32_t)(rkd_le32(body->sequence) - sequence) < 0)
                                continue;
                        sequence = rkd_le32(body->sequence);
                        d->page = (uint8_t)page;
                        d->status = RKD_RECORD_GOOD;
                } else if (d->status == RKD_RECORD_NONE &&
                                !rkd_flash_is_blank(d, address, RKD_RECORD_SIZE_MIN))
                        d->status = RKD_RECORD_DAMAGED;
        }
        rkd_slot_note(d);
        memset(d->push_id, 0, sizeof(d->push_id));
        d->marks = d->starts = d->healthy = 0;
        if (d->status != RKD_RECORD_GOOD)
                return;
        d->body = view_body(d, d->page);
        memcpy(d->push_id, d->body->push_id, sizeof(d->push_id));
        load_marks(d);
}

unsigned rkd_attempts(const RkdDevice *d) {
        unsigned n = RKD_PLATFORM(d)->start_attempts;

        return n ? n : RKD_ATTEMPTS;
}

unsigned rkd_record_used(const RkdDevice *d) {
        return (unsigned)(d->starts - d->healthy);
}

static unsigned record_boots(const RkdDevice *d) {
        return d->status == RKD_RECORD_GOOD ? d->starts + (unsigned)rkd_le16(d->body->boots) : 0;
}

unsigned rkd_boots(const RkdDevice *d) {
        return record_boots(d) + d->retained.boots;
}

unsigned rkd_record_state(const RkdDevice *d) {
        if ((d->marks & 1 << RKD_MARK_VERIFIED) == 0)
                return RKD_PUSHING;
        if (rkd_record_used(d) >= rkd_attempts(d))
                return RKD_FAILED;
        if ((d->marks & 1 << RKD_MARK_CONFIRMED) != 0)
                return RKD_CONFIRMED;
        return record_boots(d) == 0 ? RKD_VERIFIED : RKD_TRIAL;
}

bool rkd_record_is_ours(const RkdDevice *d, const uint8_t *push_id) {
        return memcmp(push_id, d->push_id, sizeof(d->push_id)) == 0;
}

uint32_t rkd_record_text(const RkdDevice *d, unsigned i) {
        uint32_t address = rkd_record_address(d, TEXTS_AT);
        uint8_t buffer[4];

        for (; i > 0; i--)
                address += 1u + *rkd_flash_view(d, address, buffer, 1);
        return address;
}

/* Writing. Where flash works on its own, each AWAIT leaves, and the next poll goes on behind it:
 * what lives longer is in *d. */
#if RKD_FLASH_BLOCKS
#define TASK_BEGIN(d) {
#define TASK_AWAIT(d, at)
#else
#define TASK_BEGIN(d)                                                                              \
        switch ((d)->step) {                                                                       \
        default:
#define TASK_AWAIT(d, at)                                                                          \
        (d)->step = (at);                                                                          \
        return;                                                                                    \
        case (at):;
#endif
#define TASK_END }

static const uint8_t set_mark[RKD_WRITE_SIZE_MAX] = { 0 };

/* Marks, and the page buffer as body of the other page, or one mark on the good page. */
static void work(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        bool whole = d->target != d->page || d->status != RKD_RECORD_GOOD;

        TASK_BEGIN(d)
        if (whole) {
                rkd_flash_work(d, d->target, 0, NULL, p->record_size);
                TASK_AWAIT(d, 1)
        }
        for (; d->marks_due != 0; d->mark++, d->marks_due >>= 1)
                if ((d->marks_due & 1) != 0) {
                        rkd_flash_work(d, d->target, mark_offset(d, d->mark), set_mark,
                                        slot_bytes(p));
                        TASK_AWAIT(d, 2)
                }
        if (whole) {
                rkd_flash_work(d, d->target, 0, p->page, RKD_BODY_BYTES);
                TASK_AWAIT(d, 3)
        }
        TASK_END
#if !RKD_FLASH_BLOCKS
        d->step = 0;
#endif
        /* What counts is what can be read now, whatever the writing said. */
        rkd_record_load(d);
        d->failed = d->status != RKD_RECORD_GOOD || d->page != d->target ||
                    (!whole && is_set(d, d->mark - 1u) <= 0);
        if (!whole && !d->failed)
                rkd_log(d, RKD_LOG_MARK, d->mark - 1u);
}

#if !RKD_FLASH_BLOCKS
void rkd_record_poll(RkdDevice *d) {
        if (d->step != 0 && !rkd_flash_is_busy(d))
                work(d);
}
#endif

static void write_page(RkdDevice *d, unsigned boots, uint32_t marks) {
        RkdBody *body = (RkdBody *)(void *)RKD_PLATFORM(d)->page;
        unsigned target;
        uint32_t sequence = 0;

#if RKD_WITH_SLOTS
        target = rkd_slot_free_page(d);
        if (d->status == RKD_RECORD_GOOD)
                sequence = rkd_le32(d->body->sequence);
#else
        if (d->status == RKD_RECORD_GOOD) {
                target = 1u - d->page;
                sequence = rkd_le32(d->body->sequence);
        } else /* a proof is left standing */
                target = !rkd_flash_is_blank(d, rkd_page_address(d, 0), RKD_RECORD_SIZE_MIN);
#endif
        body->sequence = rkd_le32(sequence + 1);
        body->boots = rkd_le16((uint16_t)boots);
        body->reserved = 0;
        body->crc = rkd_le32(rkd_crc32(&body->sequence, RKD_BODY_BYTES - 4));
        d->target = (uint8_t)target;
        d->marks_due = marks;
        d->mark = 0;
        d->failed = false;
        work(d);
}

void rkd_record_write(RkdDevice *d) {
        write_page(d, 0, 0);
}

/* Verified, confirmed if it is, and the starts since the last healthy one; the others are in the
 * number of boots. */
void rkd_record_renew(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        unsigned used = rkd_record_used(d);
        uint32_t starts = 0x55555555 & ((UINT32_C(1) << 2 * used) - 1);

        (void)rkd_flash_read(p, rkd_record_address(d, 0), p->page, RKD_BODY_BYTES);
        write_page(d, record_boots(d) - used, starts << RKD_MARK_PAIRS | d->marks);
}

uint8_t rkd_record_mark(RkdDevice *d, unsigned mark) {
        if (d->failed) {
                d->failed = false; /* who asks again wants another try */
                return RKD_FLASH;
        }
        d->target = d->page;
        d->marks_due = 1;
        d->mark = (uint8_t)mark;
        work(d);
        return RKD_LATER;
}

bool rkd_record_has_room(const RkdDevice *d) {
        return has_slot(d, RKD_MARK_PAIRS + 2u * d->starts + 1u);
}

uint8_t rkd_record_mark_healthy(RkdDevice *d) {
        return rkd_record_used(d) == 0 ? RKD_OK : rkd_record_mark(d, 2u * d->starts + 1u);
}

/* First what resets the count: a confirmed program has all its starts. */
uint8_t rkd_record_confirm(RkdDevice *d) {
        uint8_t result;

        if ((d->marks & 1 << RKD_MARK_CONFIRMED) != 0)
                return RKD_OK;
        result = rkd_record_mark_healthy(d);
        return result == RKD_OK ? rkd_record_mark(d, RKD_MARK_CONFIRMED) : result;
}

/* --- retained RAM: RkdRetained, CRC-32 of it --- */

void rkd_retained_load(RkdDevice *d) {
        const uint8_t *block = RKD_PLATFORM(d)->retained;
        const uint32_t n = sizeof(d->retained);

        if (block && rkd_load_u32(block + n) == rkd_crc32(block, n))
                memcpy(&d->retained, block, n);
}

void rkd_retained_store(const RkdDevice *d) {
        uint8_t *block = RKD_PLATFORM(d)->retained;
        const uint32_t n = sizeof(d->retained);

        if (!block)
                return;
        memcpy(block, &d->retained, n);
        rkd_store_u32(block + n, rkd_crc32(block, n));
}

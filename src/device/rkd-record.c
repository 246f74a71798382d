/* SPDX-License-Identifier: MIT */
/*
 * The record pages, see rkd-record.h.
 *
 * Writing a page: erase, marks that shall be set from the start, body. The page is good only
 * once its body is whole, so marks and body appear at one moment. While no page is good, a
 * damaged one is left standing as long as possible: it is the proof that this device was pushed
 * to, without which a half-written program would pass for one that never was.
 */

#include "device/rkd-record.h"

#include <string.h>

#include "device/rkd-flash.h"
#include "proto/bytes.h"
#include "proto/crc.h"
#include "proto/header.h"

enum {
        MARK_VERIFIED,
        MARK_CONFIRMED,
        MARK_PAIRS
};
#if !RKD_FLASH_BLOCKS
enum {
        STEP_IDLE,
        STEP_MARK,
        STEP_ERASE,
        STEP_PRESET,
        STEP_BODY
};
#endif

#define CRC_AT       8u
#define HEADER_AT    (RKD_RECORD_PREFIX + RKD_BEGIN_FIXED) /* of the device header in the page */
#define LENGTH_AT    8u                                    /* in the device header */
#define SHA256_AT    12u
#define TEXTS_AT     44u
#define TEXT_VERSION 1u /* the texts of the header, in their order */
#define TEXT_FLOOR   2u
#define PAIRS_MAX    15u /* marks_due has a bit for each mark */
#define CHUNK        8u

static const uint8_t magic[4] = { 'R', 'K', 'R', '1' };
static const uint8_t set_mark[RKD_WRITE_SIZE_MAX] = { 0 };

static uint32_t slot_bytes(const RkdPlatform *p) {
        return p->record_write_size < 4 ? 4 : p->record_write_size;
}

static uint8_t start_mark(uint8_t pair) {
        return (uint8_t)(MARK_PAIRS + 2 * pair);
}

static uint8_t healthy_mark(uint8_t pair) {
        return (uint8_t)(MARK_PAIRS + 2 * pair + 1);
}

static uint32_t mark_address(const RkdPlatform *p, uint8_t page, uint8_t mark) {
        return p->record_pages[page] + RKD_RECORD_MARKS + mark * slot_bytes(p);
}

uint8_t rkd_record_count_pairs(const RkdPlatform *p) {
        uint8_t pairs = 0;

        while (pairs < PAIRS_MAX && RKD_RECORD_MARKS + (healthy_mark(pairs) + 1u) * slot_bytes(p) <=
                                                    p->record_size)
                pairs++;
        return pairs;
}

/* Also says "not blank" of what cannot be read. */
static bool is_blank(const RkdPlatform *p, uint32_t address, uint32_t n) {
        uint8_t chunk[CHUNK];

        for (uint32_t at = 0; at < n; at += sizeof(chunk)) {
                uint32_t take = n - at < sizeof(chunk) ? n - at : sizeof(chunk);

                if (rkd_flash_read(p, address + at, chunk, take) < 0)
                        return false;
                for (uint32_t i = 0; i < take; i++)
                        if (chunk[i] != 0xff)
                                return false;
        }
        return true;
}

static bool is_page_blank(const RkdPlatform *p, uint8_t page) {
        uint32_t marks = (MARK_PAIRS + 2u * rkd_record_count_pairs(p)) * slot_bytes(p);

        return is_blank(p, p->record_pages[page], RKD_RECORD_MARKS + marks);
}

static bool is_set(const RkdRecord *r, uint8_t mark) {
        return !is_blank(r->platform, mark_address(r->platform, r->page, mark),
                        slot_bytes(r->platform));
}

static bool is_crc_good(const RkdPlatform *p, uint32_t address, uint32_t n, uint32_t wanted) {
        uint32_t crc = RKD_CRC32_START;
        uint8_t chunk[CHUNK];

        for (uint32_t at = 0; at < n;) {
                uint32_t take = n - at < sizeof(chunk) ? n - at : sizeof(chunk);

                /* the first piece is what lies before the CRC, the second begins behind it */
                if (at == 0)
                        take = CRC_AT;
                if (rkd_flash_read(p, address + at, chunk, take) < 0)
                        return false;
                crc = rkd_crc32_add(crc, chunk, take);
                at += at == 0 ? CRC_AT + 4 : take;
        }
        return rkd_crc32_finish(crc) == wanted;
}

/* Reads the body of a page into *r; false when it is no good one. What is inside the header was
 * judged before it was written. */
static bool load_body(RkdRecord *r, uint8_t page) {
        const RkdPlatform *p = r->platform;
        uint32_t address = p->record_pages[page];
        const uint8_t *begin;
        uint8_t b[HEADER_AT + SHA256_AT];

        if (rkd_flash_read(p, address, b, sizeof(b)) < 0 || memcmp(b, magic, sizeof(magic)) != 0)
                return false;
        begin = b + RKD_RECORD_PREFIX;
        r->page = page;
        r->sequence = rkd_load_u32(b + 4);
        r->boots_base = rkd_load_u16(b + 12);
        r->n_floor = b[14];
        r->trial_seconds = rkd_load_u16(begin + 2);
        memcpy(r->push_id, begin + 4, sizeof(r->push_id));
        r->n_header = rkd_load_u16(begin + 20);
        r->n_signature = rkd_load_u16(begin + 22);
        r->image_length = rkd_load_u32(b + HEADER_AT + LENGTH_AT);
        if (r->n_header < TEXTS_AT || r->n_header > RKD_HEADER_MAX ||
                        r->n_signature > RKD_SIGNATURE_BYTES || r->n_floor > RKD_TEXT_MAX)
                return false;
        r->n_body = (uint16_t)(HEADER_AT + r->n_header + r->n_signature + r->n_floor);
        return is_crc_good(p, address, r->n_body, rkd_load_u32(b + CRC_AT));
}

static void load_marks(RkdRecord *r) {
        r->verified = is_set(r, MARK_VERIFIED);
        r->confirmed = is_set(r, MARK_CONFIRMED);
        r->starts = r->healthy = 0;
        for (uint8_t i = 0; i < r->n_pairs; i++) {
                if (is_set(r, start_mark(i)))
                        r->starts = (uint8_t)(i + 1);
                if (is_set(r, healthy_mark(i)))
                        r->healthy = (uint8_t)(i + 1);
        }
        if (r->starts < r->healthy)
                r->starts = r->healthy;
}

static void clear(RkdRecord *r, const RkdPlatform *p, RkdFlash *flash) {
        *r = (RkdRecord){ .platform = p, .flash = flash, .n_pairs = rkd_record_count_pairs(p) };
}

void rkd_record_init(RkdRecord *r, const RkdPlatform *p, RkdFlash *flash) {
        bool first, second;
        uint32_t sequence;

        clear(r, p, flash);
        second = load_body(r, 1);
        sequence = r->sequence;
        first = load_body(r, 0);
        if (second && (!first || (int32_t)(sequence - r->sequence) > 0))
                first = load_body(r, 1);
        if (first) {
                r->status = RKD_RECORD_GOOD;
                load_marks(r);
                return;
        }
        clear(r, p, flash);
        if (!is_page_blank(p, 0) || !is_page_blank(p, 1))
                r->status = RKD_RECORD_DAMAGED;
}

uint8_t rkd_record_attempts(const RkdPlatform *p) {
        return p->start_attempts ? p->start_attempts : RKD_ATTEMPTS;
}

uint8_t rkd_record_used(const RkdRecord *r) {
        return (uint8_t)(r->starts - r->healthy);
}

uint16_t rkd_record_boots(const RkdRecord *r) {
        return (uint16_t)(r->boots_base + r->starts);
}

uint8_t rkd_record_state(const RkdRecord *r) {
        if (!r->verified)
                return RKD_PUSHING;
        if (rkd_record_used(r) >= rkd_record_attempts(r->platform))
                return RKD_FAILED;
        if (r->confirmed)
                return RKD_CONFIRMED;
        return rkd_record_boots(r) == 0 ? RKD_VERIFIED : RKD_TRIAL;
}

int rkd_record_read(const RkdRecord *r, uint32_t offset, void *out, size_t n) {
        const RkdPlatform *p = r->platform;

        return rkd_flash_read(p, p->record_pages[r->page] + RKD_RECORD_PREFIX + offset, out, n);
}

int rkd_record_put(const RkdRecord *r, RkdWriter *w, uint32_t offset, uint32_t n) {
        uint8_t chunk[CHUNK];

        for (uint32_t at = 0; at < n; at += sizeof(chunk)) {
                uint32_t take = n - at < sizeof(chunk) ? n - at : sizeof(chunk);

                if (rkd_record_read(r, offset + at, chunk, take) < 0)
                        return -1;
                rkd_put_bytes(w, chunk, take);
        }
        return 0;
}

bool rkd_record_holds(const RkdRecord *r, uint32_t offset, const uint8_t *data, uint32_t n) {
        uint8_t byte;

        for (uint32_t at = 0; at < n; at++)
                if (rkd_record_read(r, offset + at, &byte, 1) < 0 || byte != data[at])
                        return false;
        return true;
}

/* Where text i of the header is, in front of it its length; n_body stays ahead of it. */
static uint32_t find_text(const RkdRecord *r, uint8_t i, uint8_t *ret_n) {
        uint32_t at = RKD_BEGIN_FIXED + TEXTS_AT;

        for (*ret_n = 0;; at += *ret_n) {
                if (rkd_record_read(r, at++, ret_n, 1) < 0 || *ret_n > RKD_TEXT_MAX)
                        *ret_n = 0;
                if (i-- == 0)
                        return at;
        }
}

static int put_text(const RkdRecord *r, RkdWriter *w, uint32_t at, uint8_t n) {
        rkd_put_u8(w, n);
        return rkd_record_put(r, w, at, n);
}

int rkd_record_put_version(const RkdRecord *r, RkdWriter *w) {
        uint32_t at = 0;
        uint8_t n = 0;

        if (r->status == RKD_RECORD_GOOD)
                at = find_text(r, TEXT_VERSION, &n);
        return put_text(r, w, at, n);
}

static uint32_t floor_at(const RkdRecord *r) {
        return (uint32_t)(r->n_body - RKD_RECORD_PREFIX - r->n_floor);
}

int rkd_record_put_floor(const RkdRecord *r, RkdWriter *w) {
        return put_text(r, w, floor_at(r), r->n_floor);
}

RkdText rkd_record_floor(const RkdRecord *r, char *out) {
        RkdText text = { out, r->n_floor };

        if (rkd_record_read(r, floor_at(r), out, text.length) < 0)
                text.length = 0;
        return text;
}

RkdText rkd_record_header_floor(const RkdRecord *r, char *out) {
        RkdText text = { out, 0 };
        uint32_t at = find_text(r, TEXT_FLOOR, &text.length);

        if (rkd_record_read(r, at, out, text.length) < 0)
                text.length = 0;
        return text;
}

/* The page that may be erased now. */
static uint8_t choose_target(const RkdRecord *r) {
        if (r->status == RKD_RECORD_GOOD)
                return (uint8_t)(1 - r->page);
        return !is_page_blank(r->platform, 0) && is_page_blank(r->platform, 1) ? 1 : 0;
}

static void write_mark(RkdRecord *r, uint8_t page, uint8_t mark) {
        rkd_flash_write(r->flash, RKD_AREA_RECORD, mark_address(r->platform, page, mark), set_mark,
                        slot_bytes(r->platform));
}

static void note_mark(RkdRecord *r) {
        if (r->mark == MARK_VERIFIED)
                r->verified = true;
        else if (r->mark == MARK_CONFIRMED)
                r->confirmed = true;
        else if ((r->mark - MARK_PAIRS) % 2 == 0)
                r->starts++;
        else
                r->healthy = r->starts;
}

/* A mark whose write failed may stand all the same; it is never written again. */
static bool stands(const RkdRecord *r) {
        return !r->flash->failed || is_set(r, r->mark);
}

/* A page is what can be read of it, whatever its write said. */
static void read_back(RkdRecord *r) {
        uint8_t target = r->target;

        rkd_record_init(r, r->platform, r->flash);
        r->failed = r->status != RKD_RECORD_GOOD || r->page != target;
}

#if RKD_FLASH_BLOCKS
static void start_page(RkdRecord *r) {
        const RkdPlatform *p = r->platform;
        uint32_t address = p->record_pages[r->target];
        RkdFlash *f = r->flash;

        rkd_flash_erase(f, RKD_AREA_RECORD, address, p->record_size);
        for (uint8_t mark = 0; r->marks_due != 0 && !f->failed; mark++, r->marks_due >>= 1)
                if ((r->marks_due & 1) != 0)
                        write_mark(r, r->target, mark);
        r->failed = f->failed;
        if (r->failed)
                return;
        rkd_flash_write(f, RKD_AREA_RECORD, address, p->page, r->n_write);
        read_back(r);
}

static int begin_mark(RkdRecord *r, uint8_t mark) {
        r->mark = mark;
        write_mark(r, r->page, mark);
        r->failed = !stands(r);
        if (!r->failed)
                note_mark(r);
        return 1;
}
#else
static void start_page(RkdRecord *r) {
        const RkdPlatform *p = r->platform;

        r->failed = false;
        r->step = STEP_ERASE;
        rkd_flash_erase(r->flash, RKD_AREA_RECORD, p->record_pages[r->target], p->record_size);
}

static int begin_mark(RkdRecord *r, uint8_t mark) {
        r->failed = false;
        r->step = STEP_MARK;
        r->mark = mark;
        write_mark(r, r->page, mark);
        return 1;
}

static uint8_t lowest_bit(uint32_t bits) {
        uint8_t n = 0;

        while ((bits >> n & 1) == 0)
                n++;
        return n;
}

/* The operation of the present step is done. */
static void next_step(RkdRecord *r) {
        const RkdPlatform *p = r->platform;

        if (r->step == STEP_MARK) {
                note_mark(r);
                r->step = STEP_IDLE;
        } else if (r->step == STEP_BODY) {
                read_back(r);
        } else if (r->marks_due != 0) {
                uint8_t mark = lowest_bit(r->marks_due);

                r->marks_due &= r->marks_due - 1;
                r->step = STEP_PRESET;
                write_mark(r, r->target, mark);
        } else {
                r->step = STEP_BODY;
                rkd_flash_write(r->flash, RKD_AREA_RECORD, p->record_pages[r->target], p->page,
                                r->n_write);
        }
}

int rkd_record_poll(RkdRecord *r) {
        int busy;

        if (r->step == STEP_IDLE)
                return r->failed ? -1 : 0;
        busy = rkd_flash_poll(r->flash);
        if (busy > 0)
                return 1;
        if (busy < 0 && r->step != STEP_BODY && (r->step != STEP_MARK || !stands(r))) {
                r->step = STEP_IDLE;
                r->failed = true;
                return -1;
        }
        next_step(r);
        if (r->step != STEP_IDLE)
                return 1;
        return r->failed ? -1 : 0;
}

bool rkd_record_is_busy(const RkdRecord *r) {
        return r->step != STEP_IDLE;
}
#endif

/* Gives the body in the page buffer its prefix and begins; n_body counts all but the filling up. */
static void begin_page(RkdRecord *r, uint16_t boots, uint8_t n_floor, uint32_t n_body) {
        const RkdPlatform *p = r->platform;
        uint8_t *page = p->page;
        uint32_t crc;

        memcpy(page, magic, sizeof(magic));
        rkd_store_u32(page + 4, r->sequence + 1);
        rkd_store_u16(page + 12, boots);
        page[14] = n_floor;
        page[15] = 0;
        crc = rkd_crc32_add(RKD_CRC32_START, page, CRC_AT);
        crc = rkd_crc32_add(crc, page + CRC_AT + 4, n_body - CRC_AT - 4);
        rkd_store_u32(page + CRC_AT, rkd_crc32_finish(crc));
        for (; (n_body & (p->record_write_size - 1u)) != 0; n_body++)
                page[n_body] = 0xff;
        r->n_write = (uint16_t)n_body;
        r->target = choose_target(r);
        start_page(r);
}

void rkd_record_write(RkdRecord *r, uint32_t n, uint8_t n_floor) {
        r->marks_due = 0;
        begin_page(r, 0, n_floor, RKD_RECORD_PREFIX + n + n_floor);
}

void rkd_record_renew(RkdRecord *r) {
        const RkdPlatform *p = r->platform;
        uint8_t starts = rkd_record_used(r), pair = 0;

        if (rkd_flash_read(p, p->record_pages[r->page], p->page, r->n_body) < 0) {
                r->failed = true;
                return;
        }
        r->marks_due = 1u << MARK_VERIFIED;
        if (r->confirmed)
                r->marks_due |= 1u << MARK_CONFIRMED;
        if (r->healthy > 0) {
                r->marks_due |= 1u << start_mark(0) | 1u << healthy_mark(0);
                pair = 1;
        }
        for (starts = (uint8_t)(starts + pair); pair < starts; pair++)
                r->marks_due |= 1u << start_mark(pair);
        begin_page(r, (uint16_t)(rkd_record_boots(r) - starts), r->n_floor, r->n_body);
}

int rkd_record_mark_verified(RkdRecord *r) {
        return r->verified ? 0 : begin_mark(r, MARK_VERIFIED);
}

int rkd_record_mark_start(RkdRecord *r) {
        return r->starts >= r->n_pairs ? 0 : begin_mark(r, start_mark(r->starts));
}

int rkd_record_mark_healthy(RkdRecord *r) {
        return rkd_record_used(r) == 0 ? 0 : begin_mark(r, healthy_mark((uint8_t)(r->starts - 1)));
}

int rkd_record_mark_confirmed(RkdRecord *r) {
        return r->confirmed ? 0 : begin_mark(r, MARK_CONFIRMED);
}

uint8_t rkd_record_confirm(RkdRecord *r) {
        if (r->confirmed)
                return RKD_OK;
        if (r->failed) {
                r->failed = false; /* who asks again wants another try */
                return RKD_FLASH;
        }
        /* first what resets the count: a confirmed program has all its starts */
        if (rkd_record_mark_healthy(r) == 0)
                (void)rkd_record_mark_confirmed(r);
        return RKD_LATER;
}

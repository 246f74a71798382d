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
enum {
        STEP_IDLE,
        STEP_MARK,
        STEP_ERASE,
        STEP_PRESET,
        STEP_BODY
};

#define CRC_AT    8u
#define HEADER_AT (RKD_RECORD_PREFIX + RKD_BEGIN_FIXED) /* of the device header in the page */
#define LENGTH_AT 8u                                    /* in the device header */
#define SHA256_AT 12u
#define TEXTS_AT  44u
#define PAIRS_MAX 15u /* marks_due has a bit for each mark */
#define CHUNK     32u

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
        uint32_t slots = (p->record_size - RKD_RECORD_MARKS) / slot_bytes(p);
        uint32_t pairs = slots < MARK_PAIRS ? 0 : (slots - MARK_PAIRS) / 2;

        return (uint8_t)(pairs < PAIRS_MAX ? pairs : PAIRS_MAX);
}

/* Also says "not blank" of what cannot be read. */
static bool is_blank(const RkdPlatform *p, uint32_t address, uint32_t n) {
        uint8_t chunk[CHUNK];

        for (uint32_t at = 0; at < n; at += sizeof(chunk)) {
                uint32_t take = n - at < sizeof(chunk) ? n - at : sizeof(chunk);

                if (p->flash_read(p->user, address + at, chunk, take) < 0)
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
                if (p->flash_read(p->user, address + at, chunk, take) < 0)
                        return false;
                crc = rkd_crc32_add(crc, chunk, take);
                at += at == 0 ? CRC_AT + 4 : take;
        }
        return rkd_crc32_finish(crc) == wanted;
}

/* Finds version and floor in the header, length byte before each; false when they do not lie
 * inside it. */
static bool find_texts(RkdRecord *r, const RkdPlatform *p, uint32_t page) {
        uint32_t at = TEXTS_AT, found[3];
        uint8_t n[3];

        for (unsigned i = 0; i < 3; i++) {
                if (at >= r->n_header ||
                                p->flash_read(p->user, page + HEADER_AT + at, &n[i], 1) < 0)
                        return false;
                found[i] = at + 1;
                at += 1u + n[i];
                if (n[i] > RKD_TEXT_MAX || at > r->n_header)
                        return false;
        }
        r->version_at = (uint16_t)(RKD_BEGIN_FIXED + found[1]);
        r->n_version = n[1];
        r->floor_at = (uint16_t)(RKD_BEGIN_FIXED + found[2]);
        r->n_floor = n[2];
        return true;
}

/* Reads the body of a page into *r; false when it is no good one. */
static bool load_body(RkdRecord *r, uint8_t page) {
        const RkdPlatform *p = r->platform;
        uint32_t address = p->record_pages[page];
        uint8_t b[HEADER_AT], length[4];
        RkdReader in = { .at = b + sizeof(magic), .left = sizeof(b) - sizeof(magic) };
        uint32_t crc;

        if (p->flash_read(p->user, address, b, sizeof(b)) < 0 ||
                        memcmp(b, magic, sizeof(magic)) != 0)
                return false;
        r->page = page;
        r->sequence = rkd_get_u32(&in);
        crc = rkd_get_u32(&in);
        r->boots_base = rkd_get_u16(&in);
        r->n_floor_in_force = rkd_get_u8(&in);
        (void)rkd_get_bytes(&in, 3); /* zero, format, flags */
        r->trial_seconds = rkd_get_u16(&in);
        r->push_id = rkd_get_u64(&in);
        (void)rkd_get_u64(&in);
        r->n_header = rkd_get_u16(&in);
        r->n_signature = rkd_get_u16(&in);
        if (r->n_header < TEXTS_AT || r->n_header > RKD_HEADER_MAX ||
                        r->n_signature > RKD_SIGNATURE_BYTES || r->n_floor_in_force > RKD_TEXT_MAX)
                return false;
        r->n_body = (uint16_t)(HEADER_AT + r->n_header + r->n_signature + r->n_floor_in_force);
        if (!is_crc_good(p, address, r->n_body, crc) || !find_texts(r, p, address) ||
                        p->flash_read(p->user, address + HEADER_AT + LENGTH_AT, length, 4) < 0)
                return false;
        r->image_length = rkd_load_u32(length);
        return true;
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
        RkdRecord first, second;
        bool good, good_second;

        clear(&first, p, flash);
        clear(&second, p, flash);
        good = load_body(&first, 0);
        good_second = load_body(&second, 1);
        if (good_second && (!good || (int32_t)(second.sequence - first.sequence) > 0))
                *r = second;
        else
                *r = first;
        if (good || good_second) {
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

        return p->flash_read(
                        p->user, p->record_pages[r->page] + RKD_RECORD_PREFIX + offset, out, n);
}

int rkd_record_read_sha256(const RkdRecord *r, uint8_t *out) {
        return rkd_record_read(r, RKD_BEGIN_FIXED + SHA256_AT, out, RKD_SHA256_BYTES);
}

static RkdText read_text(const RkdRecord *r, uint32_t offset, uint8_t n, char *out) {
        RkdText text = { out, n };

        if (r->status != RKD_RECORD_GOOD || rkd_record_read(r, offset, out, n) < 0)
                text.length = 0;
        return text;
}

RkdText rkd_record_version(const RkdRecord *r, char *out) {
        return read_text(r, r->version_at, r->n_version, out);
}

RkdText rkd_record_header_floor(const RkdRecord *r, char *out) {
        return read_text(r, r->floor_at, r->n_floor, out);
}

RkdText rkd_record_floor(const RkdRecord *r, char *out) {
        uint32_t end = (uint32_t)(r->n_body - RKD_RECORD_PREFIX - r->n_floor_in_force);

        return read_text(r, end, r->n_floor_in_force, out);
}

/* The page that may be erased now. */
static uint8_t choose_target(const RkdRecord *r) {
        if (r->status == RKD_RECORD_GOOD)
                return (uint8_t)(1 - r->page);
        return !is_page_blank(r->platform, 0) && is_page_blank(r->platform, 1) ? 1 : 0;
}

/* Gives the body in the page buffer its prefix and begins; n_body counts all but the filling up. */
static void begin_page(RkdRecord *r, uint16_t boots, uint8_t n_floor, uint32_t n_body) {
        const RkdPlatform *p = r->platform;
        RkdWriter w = { .out = p->page, .room = RKD_RECORD_PREFIX };
        uint32_t crc;

        rkd_put_bytes(&w, magic, sizeof(magic));
        rkd_put_u32(&w, r->status == RKD_RECORD_GOOD ? r->sequence + 1 : 1);
        rkd_put_u32(&w, 0);
        rkd_put_u16(&w, boots);
        rkd_put_u8(&w, n_floor);
        rkd_put_u8(&w, 0);
        crc = rkd_crc32_add(RKD_CRC32_START, p->page, CRC_AT);
        crc = rkd_crc32_add(crc, p->page + CRC_AT + 4, n_body - CRC_AT - 4);
        rkd_store_u32(p->page + CRC_AT, rkd_crc32_finish(crc));
        for (; n_body % p->record_write_size != 0; n_body++)
                p->page[n_body] = 0xff;
        r->n_body = (uint16_t)n_body;
        r->target = choose_target(r);
        r->failed = false;
        r->step = STEP_ERASE;
        rkd_flash_erase(r->flash, RKD_AREA_RECORD, p->record_pages[r->target], p->record_size);
}

void rkd_record_write(RkdRecord *r, uint32_t n, RkdText floor) {
        uint8_t *end = r->platform->page + RKD_RECORD_PREFIX + n;

        memmove(end, floor.text, floor.length);
        r->marks_due = 0;
        begin_page(r, 0, floor.length, RKD_RECORD_PREFIX + n + floor.length);
}

void rkd_record_renew(RkdRecord *r) {
        const RkdPlatform *p = r->platform;
        uint8_t starts = rkd_record_used(r), pair = 0;

        if (p->flash_read(p->user, p->record_pages[r->page], p->page, r->n_body) < 0) {
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
        begin_page(r, (uint16_t)(rkd_record_boots(r) - starts), r->n_floor_in_force, r->n_body);
}

static void write_mark(RkdRecord *r, uint8_t page, uint8_t mark) {
        rkd_flash_write(r->flash, RKD_AREA_RECORD, mark_address(r->platform, page, mark), set_mark,
                        slot_bytes(r->platform));
}

static int begin_mark(RkdRecord *r, uint8_t mark) {
        r->failed = false;
        r->step = STEP_MARK;
        r->mark = mark;
        write_mark(r, r->page, mark);
        return 1;
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
                rkd_record_init(r, p, r->flash);
        } else if (r->marks_due != 0) {
                uint8_t mark = lowest_bit(r->marks_due);

                r->marks_due &= r->marks_due - 1;
                r->step = STEP_PRESET;
                write_mark(r, r->target, mark);
        } else {
                r->step = STEP_BODY;
                rkd_flash_write(r->flash, RKD_AREA_RECORD, p->record_pages[r->target], p->page,
                                r->n_body);
        }
}

int rkd_record_poll(RkdRecord *r) {
        int busy;

        if (r->step == STEP_IDLE)
                return r->failed ? -1 : 0;
        busy = rkd_flash_poll(r->flash);
        if (busy > 0)
                return 1;
        /* A mark whose write failed may stand all the same; it is never written again. */
        if (busy < 0 && (r->step != STEP_MARK || !is_set(r, r->mark))) {
                r->step = STEP_IDLE;
                r->failed = true;
                return -1;
        }
        next_step(r);
        return r->step == STEP_IDLE ? 0 : 1;
}

bool rkd_record_is_busy(const RkdRecord *r) {
        return r->step != STEP_IDLE;
}

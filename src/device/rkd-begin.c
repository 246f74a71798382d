/* SPDX-License-Identifier: MIT */
/*
 * BEGIN: the begin area comes in pieces into the page buffer; when it is complete it is judged, and
 * the record is written from where it lies.
 *
 * In the buffer: room for the prefix of the record | begin area | floor in force.
 */

#include <string.h>

#include "device/rkd-boot.h"
#include "device/rkd-digest.h"
#include "device/rkd-flash.h"
#include "device/rkd-record.h"
#include "device/rkd-retained.h"
#include "device/rkd-stream.h"
#include "proto/header.h"

#define BUSY_MAX_MS 60000u
#define RESULT_OPEN 0xfeu /* the begin area was not judged yet */

/* Where things lie in the begin area … */
enum {
        AREA_FORMAT = 0,
        AREA_FLAGS = 1,
        AREA_TRIAL = 2,
        AREA_PUSH_ID = 4,
        AREA_REPLACES = 12,
        AREA_N_HEADER = 20,
        AREA_N_SIGNATURE = 22
};
/* … and in the device header. */
enum {
        HEADER_FORMAT = 4,
        HEADER_LENGTH = 8,
        HEADER_TEXTS = 44
};

static uint8_t *begin_area(const RkdBoot *b) {
        return b->platform->page + RKD_RECORD_PREFIX;
}

static bool is_same_id(const uint8_t *a, const uint8_t *b) {
        return memcmp(a, b, 8) == 0;
}

static bool is_foreign(const RkdBoot *b) {
        const RkdRecord *r = &b->record;
        const uint8_t *area = begin_area(b);

        if (r->status == RKD_RECORD_NONE || r->confirmed)
                return false;
        return !is_same_id(area + AREA_REPLACES, r->push_id) &&
               !is_same_id(area + AREA_PUSH_ID, r->push_id);
}

#if RKD_WITH_FLOOR
/* The highest floor that was ever confirmed here: the one in force, or that of the confirmed
 * program. Puts it behind the begin area. */
static RkdText find_floor(RkdBoot *b) {
        char *end = (char *)begin_area(b) + b->begin_total, other[RKD_TEXT_MAX];
        RkdText floor = rkd_record_floor(&b->record, end), header;

        if (b->platform->compare_versions && b->record.confirmed) {
                header = rkd_record_header_floor(&b->record, other);
                if (header.length > 0 && (floor.length == 0 || b->platform->compare_versions(header,
                                                                               floor) > 0)) {
                        memcpy(end, other, header.length);
                        floor.length = header.length;
                }
        }
        b->n_floor = floor.length;
        return floor;
}
#endif

/* Strict, as rkd_header_decode() is, but without a place for all that it finds. */
static uint8_t judge_header(RkdBoot *b, const uint8_t *header) {
        const RkdPlatform *p = b->platform;
        uint16_t n = rkd_load_u16(begin_area(b) + AREA_N_HEADER);
        uint16_t n_signature = rkd_load_u16(begin_area(b) + AREA_N_SIGNATURE);
        RkdReader r = { .at = header + HEADER_TEXTS, .left = (size_t)(n - HEADER_TEXTS) };
        RkdText model, version, hardware;
        uint8_t n_hardware;
        bool fits;

        if (n < HEADER_TEXTS)
                return RKD_BAD_HEADER;
        model = rkd_get_text(&r, RKD_TEXT_MAX);
        version = rkd_get_text(&r, RKD_TEXT_MAX);
        (void)rkd_get_text(&r, RKD_TEXT_MAX);
        n_hardware = rkd_get_u8(&r);
        fits = n_hardware == 0;
        if (memcmp(header, "RKH1\1", 5) != 0 || header[5] >= _RKD_ALGORITHM_MAX ||
                        rkd_load_u16(header + 6) != 0 || model.length == 0 || version.length == 0 ||
                        n_hardware > RKD_HARDWARE_MAX ||
                        n_signature != (header[5] == 0 ? 0 : RKD_SIGNATURE_BYTES))
                return RKD_BAD_HEADER;
        while (n_hardware-- > 0) {
                hardware = rkd_get_text(&r, RKD_TEXT_MAX);
                if (hardware.length == 0)
                        return RKD_BAD_HEADER;
                if (rkd_text_equal(hardware, rkd_text(p->hardware)))
                        fits = true;
        }
        if (!rkd_reader_is_done(&r) || rkd_load_u32(header + HEADER_LENGTH) == 0)
                return RKD_BAD_HEADER;
        if (!rkd_text_equal(model, rkd_text(p->model)))
                return RKD_WRONG_MODEL;
        if (!fits)
                return RKD_WRONG_HARDWARE;
        if (rkd_load_u32(header + HEADER_LENGTH) > p->program_space)
                return RKD_TOO_LARGE;
#if RKD_WITH_FLOOR
        {
                RkdText floor = find_floor(b);

                if (p->compare_versions && floor.length > 0 &&
                                p->compare_versions(version, floor) < 0)
                        return RKD_BELOW_FLOOR;
        }
#endif
        return rkd_boot_verify(b, header, n, n_signature);
}

/* The begin area is complete. */
static uint8_t judge_begin(RkdBoot *b) {
        const RkdRecord *r = &b->record;
        const uint8_t *area = begin_area(b), *header = area + RKD_BEGIN_FIXED;
        uint16_t n_header = rkd_load_u16(area + AREA_N_HEADER);
        uint16_t n_signature = rkd_load_u16(area + AREA_N_SIGNATURE);
        uint16_t trial = (uint16_t)(rkd_load_u16(area + AREA_TRIAL) - 1u);
        static const uint8_t none[8];
        uint8_t result;

        if (b->begin_total < RKD_BEGIN_FIXED || n_header > RKD_HEADER_MAX ||
                        n_signature > RKD_SIGNATURE_BYTES ||
                        b->begin_total != RKD_BEGIN_FIXED + n_header + n_signature ||
                        area[AREA_FORMAT] != 1 || (area[AREA_FLAGS] & ~RKD_BEGIN_RESTORE) != 0 ||
                        trial >= RKD_TRIAL_SECONDS_MAX || is_same_id(area + AREA_PUSH_ID, none))
                return RKD_BAD_LENGTH;
        if (is_foreign(b))
                return RKD_FOREIGN_PUSH;
        if (is_same_id(area + AREA_PUSH_ID, r->push_id))
                return !r->verified && n_header == r->n_header &&
                                                       rkd_record_holds(r, RKD_BEGIN_FIXED, header,
                                                                       n_header)
                                       ? RKD_OK
                                       : RKD_BAD_STATE;
        result = judge_header(b, header);
        if (result != RKD_OK)
                return result;
        b->record_due = true;
        return RKD_LATER;
}

static uint16_t record_ms(const RkdPlatform *p) {
        uint32_t ms = p->erase_ms + p->write_ms;

        return (uint16_t)(ms < BUSY_MAX_MS ? ms : BUSY_MAX_MS);
}

/* The record is written from here on; *a says BUSY first where flash blocks the CPU. */
static uint8_t finish_begin(RkdBoot *b, RkdReply *a) {
        if (b->begin_result == RESULT_OPEN)
                b->begin_result = judge_begin(b);
        if (b->record_due && rkd_stream_is_blocking(&b->stream)) {
                a->busy_ms = record_ms(b->platform);
                return RKD_BUSY;
        }
        return b->begin_result;
}

/* total u16, offset u16, bytes; answer: have u16 */
uint8_t rkd_boot_on_begin(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        uint16_t total = rkd_load_u16(in), offset = rkd_load_u16(in + 2);
        uint8_t n = (uint8_t)(b->link.n_command - 4);
        bool is_known;

        if (n > RKD_BEGIN_PIECE || offset + n > total)
                return RKD_BAD_LENGTH;
        is_known = total == b->begin_total && b->begin_have == total && offset + n == total;
        if (!is_known) {
                if (!rkd_boot_is_at_rest(b))
                        return RKD_LATER;
                if (total > RKD_BEGIN_MAX)
                        return RKD_BAD_LENGTH;
                if (offset == 0 || total != b->begin_total) {
                        rkd_stream_stop(&b->stream);
                        b->begin_have = 0;
                        b->begin_total = total;
                        b->begin_result = RESULT_OPEN;
                }
                if (offset == b->begin_have) {
                        memcpy(begin_area(b) + offset, in + 4, n);
                        b->begin_have = (uint16_t)(offset + n);
                        is_known = b->begin_have == total;
                }
        }
        rkd_store_u16(a->out, b->begin_have);
        a->n = 2;
        return is_known ? finish_begin(b, a) : RKD_OK;
}

/* A new push is open: nothing that was known of the old program holds. */
static void open_push(RkdBoot *b) {
        rkd_boot_forget_check(b);
        b->retained.boots = 0;
        b->retained.retries = 0;
        rkd_retained_store(&b->retained, b->platform);
}

void rkd_boot_poll_begin(RkdBoot *b) {
        if (b->record_due && !rkd_flash_is_busy(&b->flash)) {
                b->record_due = false;
                rkd_record_write(&b->record, b->begin_total, b->n_floor);
                b->record_open = true;
        }
        if (!b->record_open || rkd_record_is_busy(&b->record))
                return;
        b->record_open = false;
        /* The page buffer still holds what was written: that must be what the record says now. */
        b->begin_result = RKD_FLASH;
        if (b->record.failed || !is_same_id(b->record.push_id, begin_area(b) + AREA_PUSH_ID))
                return;
        open_push(b);
        b->begin_result = RKD_OK;
}

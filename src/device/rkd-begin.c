/* SPDX-License-Identifier: MIT */
/*
 * BEGIN: the begin area comes in pieces into the page buffer, to its place in an RkdBody; when
 * it is complete it is judged, and the record is written from where it lies.
 */

#include <string.h>

#include "device/rkd-engine.h"
#include "proto/crc.h"
#include "proto/header.h"

#define RESULT_OPEN 0xfeu /* the begin area was not judged yet */
#define HEAD_TEXTS  44u   /* in the device header */

static RkdBody *page_body(const RkdDevice *d) {
        return (RkdBody *)(void *)RKD_PLATFORM(d)->page;
}

/* The byte behind a text, which begins with its length; beyond `end` when there is no good one. */
static const uint8_t *skip_text(const uint8_t *at, const uint8_t *end) {
        unsigned n;

        if (at >= end || *at > RKD_TEXT_MAX)
                return end + 1;
        for (n = *at++; n > 0; n--, at++)
                if (at >= end || *at < 0x20 || *at > 0x7e)
                        return end + 1;
        return at;
}

static bool is_text(const uint8_t *at, const char *wanted) {
        unsigned n = 0;

        while (wanted && wanted[n] != '\0')
                n++;
        return *at == n && memcmp(at + 1, wanted, n) == 0;
}

#if RKD_WITH_FLOOR
static RkdText to_text(const uint8_t *at) {
        return (RkdText){ (const char *)at + 1, *at };
}

/* Into the page: the highest floor that was ever confirmed here, the one in force or that of the
 * confirmed program. False when the version is below it. */
static bool is_above_floor(RkdDevice *d, const uint8_t *version) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint8_t *floor = p->page + RKD_BODY_FLOOR, buffer[1 + RKD_TEXT_MAX];
        const uint8_t *other;

        if (d->status != RKD_RECORD_GOOD)
                return true;
        (void)rkd_flash_read(p, rkd_record_address(d, RKD_BODY_FLOOR), floor, sizeof(buffer));
        if (!p->compare_versions)
                return true;
        if ((d->marks & 1 << RKD_MARK_CONFIRMED) != 0) {
                other = rkd_flash_view(d, rkd_record_text(d, 2), buffer, sizeof(buffer));
                if (*other > 0 && (*floor == 0 || p->compare_versions(to_text(other),
                                                                  to_text(floor)) > 0))
                        memcpy(floor, other, 1u + *other);
        }
        return *floor == 0 || p->compare_versions(to_text(version), to_text(floor)) >= 0;
}
#endif

/* What of the header a device has to understand. */
static uint8_t judge_header(RkdDevice *d, const RkdBody *body) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        const RkdHead *h = &body->header;
        const uint8_t *end = (const uint8_t *)h + rkd_le16(body->n_header), *at, *model, *version;
        bool fits;

        model = (const uint8_t *)h + HEAD_TEXTS;
        version = skip_text(model, end);
        at = skip_text(skip_text(version, end), end);
        if (at >= end)
                return RKD_BAD_HEADER;
        fits = *at == 0;
        for (unsigned n = *at++; n > 0; n--) {
                if (at < end && is_text(at, p->hardware))
                        fits = true;
                at = skip_text(at, end);
        }
        if (at != end || memcmp(h->magic, "RKH1\1", 5) != 0 || h->reserved != 0 || h->length == 0 ||
                        *version == 0 || h->algorithm >= _RKD_ALGORITHM_MAX ||
                        rkd_le16(body->n_signature) !=
                                        (h->algorithm == 0 ? 0 : RKD_SIGNATURE_BYTES))
                return RKD_BAD_HEADER;
        if (!is_text(model, p->model))
                return RKD_WRONG_MODEL;
        if (!fits)
                return RKD_WRONG_HARDWARE;
        if (rkd_le32(h->length) > p->program_space)
                return RKD_TOO_LARGE;
#if RKD_WITH_FLOOR
        if (!is_above_floor(d, version))
                return RKD_BELOW_FLOOR;
#endif
        return rkd_boot_verify(d);
}

/* The begin area is complete. */
static uint8_t judge(RkdDevice *d) {
        const RkdBody *body = page_body(d);
        uint32_t n_header = rkd_le16(body->n_header);
        bool ours;

        if (d->begin_total != RKD_BEGIN_FIXED + n_header + rkd_le16(body->n_signature) ||
                        body->format != 1 || (body->flags & ~RKD_BEGIN_RESTORE) != 0 ||
                        rkd_le16(body->trial_seconds) - 1u >= RKD_TRIAL_SECONDS_MAX ||
                        (body->push_id[0] | body->push_id[1]) == 0)
                return RKD_BAD_LENGTH;
#if RKD_WITH_SLOTS
        /* Where it goes depends on whether the program at hand is whole. */
        if (rkd_has_slots(d) && (d->marks & 1 << RKD_MARK_VERIFIED) != 0 &&
                        rkd_boot_check(d) == RKD_LATER)
                return RKD_LATER;
#endif
        ours = rkd_record_is_ours(d, (const uint8_t *)body->push_id);
        if (d->status != RKD_RECORD_NONE && (d->marks & 1 << RKD_MARK_CONFIRMED) == 0 && !ours &&
                        !rkd_record_is_ours(d, (const uint8_t *)body->replaces))
                return RKD_FOREIGN_PUSH;
        if (ours) {
                uint32_t address = rkd_record_address(d, RKD_BODY_BEGIN + RKD_BEGIN_FIXED);

                if (d->marks != 0 || rkd_flash_crc(d, address, n_header) !=
                                                     rkd_crc32(&body->header, n_header))
                        return RKD_BAD_STATE;
                return RKD_OK;
        }
        return judge_header(d, body);
}

/* total u16, offset u16, bytes; answer: have u16 */
uint8_t rkd_boot_on_begin(RkdDevice *d, const uint8_t *in, uint32_t n) {
        uint32_t total = rkd_load_u16(in), offset = rkd_load_u16(in + 2);
        uint8_t *area = RKD_PLATFORM(d)->page + RKD_BODY_BEGIN;

        n -= 4;
        if (n - 1 >= RKD_BEGIN_PIECE || offset + n > total || total > RKD_BEGIN_MAX)
                return RKD_BAD_LENGTH;
        /* The last piece once more asks for the result. */
        if (total != d->begin_total || d->begin_have != total || offset + n != total) {
                if (!rkd_boot_is_at_rest(d))
                        return RKD_LATER;
                if (offset == 0 || total != d->begin_total) {
                        rkd_stream_stop(d);
                        rkd_boot_void_verdict(d);
                        memset(area, 0, RKD_BODY_BYTES - RKD_BODY_BEGIN);
                        d->begin_have = 0;
                        d->begin_total = (uint16_t)total;
                        d->begin_result = RESULT_OPEN;
                }
                if (offset == d->begin_have) {
                        memcpy(area + offset, in + 4, n);
                        d->begin_have = (uint16_t)(offset + n);
                }
        }
        rkd_store_u16(rkd_link_answer(d), d->begin_have);
        d->n_answer = 2;
        if (d->begin_have != total)
                return RKD_OK;
        if (d->begin_result == RESULT_OPEN) {
                uint8_t result = judge(d);

                if (result == RKD_LATER) /* program or signature are looked at */
                        return result;
                d->begin_result = result;
                if (d->begin_result == RKD_OK && !rkd_record_is_ours(d, area + 4)) {
                        rkd_slot_choose(d);
                        d->record_due = true;
                        d->begin_result = RKD_LATER;
                }
        }
        /* First BUSY, where the record is written from then on. */
        return d->begin_result == RKD_LATER && rkd_is_blocking(d) ? RKD_BUSY : d->begin_result;
}

void rkd_boot_poll_begin(RkdDevice *d) {
        if (d->record_due && !rkd_flash_is_busy(d)) {
                d->record_due = false;
                rkd_record_write(d);
        }
        if (d->begin_result != RKD_LATER || d->record_due || rkd_record_is_busy(d))
                return;
        d->begin_result = RKD_FLASH;
        if (d->failed)
                return;
        /* A new push is open: nothing that was known of the old program holds. */
        rkd_boot_forget_check(d);
        d->retained.boots = 0;
        d->retained.retries = 0;
        rkd_retained_store(d);
        rkd_log(d, RKD_LOG_PUSH, rkd_le32(d->body->header.length));
        d->begin_result = RKD_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * What the bootloader does for each command. A handler gives a result, or RKD_LATER: then it is
 * called again at each poll, and after LATER_MS the gateway is told BUSY and asks again. All
 * commands may be repeated.
 */

#include <string.h>

#include "device/rkd-boot.h"
#include "device/rkd-digest.h"
#include "device/rkd-flash.h"
#include "device/rkd-identity.h"
#include "device/rkd-link.h"
#include "device/rkd-record.h"
#include "device/rkd-retained.h"
#include "device/rkd-stream.h"
#include "proto/crc.h"
#include "proto/header.h"

#define LATER_MS    100u /* how long an answer is held back while the work goes on */
#define BUSY_MS     50u
#define CHUNK       64u
#define SUMS_FIXED  6u
#define READ_FIXED  4u
#define PUSH_ID_AT  4u /* in the begin area */
#define BUSY_MAX_MS 60000u
#define RESULT_OPEN 0xfeu /* the begin area was not judged yet */
#define IDENT_FIXED 4u

typedef uint8_t (*Handler)(RkdBoot *b, const RkdRequest *q, RkdAnswer *a);

/* Where the bytes of an answer go that has `fixed` bytes before them; *ret_n: room. */
static uint8_t *answer_bytes(RkdBoot *b, size_t fixed, size_t *ret_n) {
        uint8_t *out = rkd_link_room(&b->link, ret_n);

        *ret_n -= RKD_ANSWER_FIXED + fixed;
        return out + RKD_ANSWER_FIXED + fixed;
}

static bool is_at_rest(const RkdBoot *b) {
        return !rkd_flash_is_busy(&b->flash) && !rkd_record_is_busy(&b->record) && !b->record_due;
}

/* Of a program without a record: what it says of itself, or its digest. */
static uint8_t inspect(RkdBoot *b, RkdIdentity *id, RkdIdentityTexts *texts) {
        if (id->state != RKD_UNMANAGED)
                return RKD_OK;
        if (!rkd_digest_is_done(&b->digest)) {
                if (!rkd_digest_is_busy(&b->digest))
                        rkd_digest_search(&b->digest);
                return RKD_LATER;
        }
        id->digest_source = b->digest.source;
        if (b->digest.source == RKD_DIGEST_NONE)
                return RKD_OK;
        id->image_length = b->digest.length;
        memcpy(id->image_sha256, b->digest.sha256, sizeof(id->image_sha256));
        id->version = rkd_digest_version(&b->digest, texts->version);
        return RKD_OK;
}

static uint8_t identify(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        RkdIdentityTexts texts;
        RkdIdentity id;
        size_t room, whole;
        uint8_t *out = answer_bytes(b, IDENT_FIXED, &room);

        /* The state is only true once the program was looked at. */
        if (b->record.status == RKD_RECORD_GOOD && b->record.verified &&
                        rkd_boot_check(b) == RKD_LATER)
                return RKD_LATER;
        (void)rkd_link_room(&b->link, &whole);
        rkd_identity_fill(&id, &texts, &b->record, whole);
        id.who = RKD_WHO_BOOTLOADER;
        id.state = rkd_boot_state(b);
        id.reset_cause = b->cause;
        id.boots = rkd_boot_boots(b);
        if (inspect(b, &id, &texts) == RKD_LATER)
                return RKD_LATER;
        room = room < q->want ? room : q->want;
        a->total = (uint16_t)rkd_identity_encode(&id, q->offset, out, room);
        a->offset = q->offset < a->total ? q->offset : a->total;
        a->bytes = out;
        a->n_bytes = a->total - a->offset < room ? a->total - a->offset : room;
        return RKD_OK;
}

/* n_header u16 | n_signature u16 | header | signature; nothing without a record. */
static uint8_t release(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        const RkdRecord *r = &b->record;
        size_t room, left;
        uint8_t *out = answer_bytes(b, IDENT_FIXED, &room);

        a->bytes = out;
        if (r->status != RKD_RECORD_GOOD)
                return RKD_OK;
        a->total = (uint16_t)(4 + r->n_header + r->n_signature);
        a->offset = q->offset < a->total ? q->offset : a->total;
        left = a->total - a->offset;
        room = room < q->want ? room : q->want;
        a->n_bytes = left < room ? left : room;
        /* The lengths are the last four bytes of the begin area's fixed part. */
        return rkd_record_read(r, RKD_BEGIN_FIXED - 4 + a->offset, out, a->n_bytes) < 0 ? RKD_FLASH
                                                                                        : RKD_OK;
}

static uint8_t on_identify(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        if (!is_at_rest(b))
                return RKD_LATER;
        if (q->what == RKD_IDENTIFY_IDENTITY)
                return identify(b, q, a);
        return q->what == RKD_IDENTIFY_RELEASE ? release(b, q, a) : RKD_UNKNOWN;
}

static uint8_t on_nop(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        rkd_boot_fill_status(b, &a->status);
        rkd_stream_note_told(&b->stream, b->stream.gap);
        return RKD_OK;
}

static uint8_t *begin_area(const RkdBoot *b) {
        return b->platform->page + RKD_RECORD_PREFIX;
}

static bool has_same_header(const RkdBoot *b, const RkdBegin *begin) {
        const RkdRecord *r = &b->record;
        uint8_t chunk[CHUNK];

        if (begin->n_header != r->n_header)
                return false;
        for (uint32_t at = 0; at < r->n_header; at += sizeof(chunk)) {
                uint32_t n = r->n_header - at < sizeof(chunk) ? r->n_header - at : sizeof(chunk);

                if (rkd_record_read(r, RKD_BEGIN_FIXED + at, chunk, n) < 0 ||
                                memcmp(chunk, begin->header + at, n) != 0)
                        return false;
        }
        return true;
}

/* The highest floor that was ever confirmed here: the one in force, or that of the confirmed
 * program. */
static RkdText find_floor(const RkdBoot *b, char *in_force, char *of_header) {
        RkdText floor = rkd_record_floor(&b->record, in_force), other;

        if (!b->platform->compare_versions || !b->record.confirmed)
                return floor;
        other = rkd_record_header_floor(&b->record, of_header);
        if (other.length == 0 ||
                        (floor.length > 0 && b->platform->compare_versions(other, floor) <= 0))
                return floor;
        return other;
}

/* Whether the release may be put on this device at all. */
static uint8_t judge_header(const RkdBoot *b, const RkdBegin *begin, RkdText floor) {
        const RkdPlatform *p = b->platform;
        RkdHeader h;

        if (rkd_header_decode(&h, begin->header, begin->n_header) != 0 ||
                        !rkd_header_takes_signature(&h, begin->n_signature))
                return RKD_BAD_HEADER;
        if (!rkd_text_equal(h.model, rkd_text(p->model)))
                return RKD_WRONG_MODEL;
        if (!rkd_header_fits_hardware(&h, rkd_text(p->hardware)))
                return RKD_WRONG_HARDWARE;
        if (h.length > p->program_space)
                return RKD_TOO_LARGE;
        if (p->compare_versions && floor.length > 0 && p->compare_versions(h.version, floor) < 0)
                return RKD_BELOW_FLOOR;
        if (p->verify_signature &&
                        (h.algorithm == RKD_ALGORITHM_NONE ||
                                        p->verify_signature(p->user, h.algorithm, begin->header,
                                                        begin->n_header, begin->signature,
                                                        begin->n_signature) != 0))
                return RKD_BAD_SIGNATURE;
        return RKD_OK;
}

static bool is_foreign(const RkdBoot *b, const RkdBegin *begin) {
        const RkdRecord *r = &b->record;

        if (r->status == RKD_RECORD_NONE || (r->status == RKD_RECORD_GOOD && r->confirmed))
                return false;
        return begin->replaces != r->push_id && begin->push_id != r->push_id;
}

/* The begin area is complete. */
static uint8_t judge_begin(RkdBoot *b) {
        char in_force[RKD_TEXT_MAX], of_header[RKD_TEXT_MAX];
        RkdText floor = find_floor(b, in_force, of_header);
        const RkdRecord *r = &b->record;
        RkdBegin begin;
        uint8_t result;

        if (rkd_begin_decode(&begin, begin_area(b), b->begin_total) != 0)
                return RKD_BAD_LENGTH;
        if (is_foreign(b, &begin))
                return RKD_FOREIGN_PUSH;
        if (r->status == RKD_RECORD_GOOD && begin.push_id == r->push_id)
                return !r->verified && has_same_header(b, &begin) ? RKD_OK : RKD_BAD_STATE;
        result = judge_header(b, &begin, floor);
        if (result != RKD_OK)
                return result;
        memmove(begin_area(b) + b->begin_total, floor.text, floor.length);
        b->n_floor = floor.length;
        b->record_due = true;
        return RKD_LATER;
}

static uint16_t record_ms(const RkdPlatform *p) {
        uint32_t ms = p->erase_ms + p->write_ms;

        return (uint16_t)(ms < BUSY_MAX_MS ? ms : BUSY_MAX_MS);
}

/* The record is written from here on; *a says BUSY first where flash blocks the CPU. */
static uint8_t finish_begin(RkdBoot *b, RkdAnswer *a) {
        if (b->begin_result == RESULT_OPEN)
                b->begin_result = judge_begin(b);
        a->offset = b->begin_total;
        if (b->record_due && (b->platform->capabilities & RKD_CAN_FLASH_BLOCKS_CPU) != 0) {
                a->busy_ms = record_ms(b->platform);
                return RKD_BUSY;
        }
        return b->begin_result;
}

static void restart_begin(RkdBoot *b, uint16_t total) {
        rkd_stream_stop(&b->stream);
        b->begin_have = 0;
        b->begin_total = total;
        b->begin_result = RESULT_OPEN;
}

static uint8_t on_begin(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        bool is_last = q->offset + q->n_bytes == q->total;

        if (q->total == b->begin_total && b->begin_have == b->begin_total && is_last)
                return finish_begin(b, a);
        if (!is_at_rest(b))
                return RKD_LATER;
        if (q->total > RKD_BEGIN_MAX)
                return RKD_BAD_LENGTH;
        if (q->offset == 0 || q->total != b->begin_total)
                restart_begin(b, q->total);
        if (q->offset == b->begin_have) {
                memcpy(begin_area(b) + q->offset, q->bytes, q->n_bytes);
                b->begin_have = (uint16_t)(b->begin_have + q->n_bytes);
                if (b->begin_have == b->begin_total)
                        return finish_begin(b, a);
        }
        a->offset = b->begin_have;
        return RKD_OK;
}

/* A new push is open: nothing that was known of the old program holds. */
static void open_push(RkdBoot *b) {
        b->check = RKD_CHECK_UNKNOWN;
        rkd_digest_init(&b->digest, b->platform);
        b->retained.boots = 0;
        b->retained.retries = 0;
        rkd_retained_store(&b->retained, b->platform);
}

void rkd_boot_poll_begin(RkdBoot *b) {
        RkdReader in = { .at = begin_area(b) + PUSH_ID_AT, .left = 8 };

        if (b->record_due && !rkd_flash_is_busy(&b->flash)) {
                RkdText floor = { (const char *)begin_area(b) + b->begin_total, b->n_floor };

                b->record_due = false;
                rkd_record_write(&b->record, b->begin_total, floor);
                b->record_open = true;
        }
        if (!b->record_open || rkd_record_is_busy(&b->record))
                return;
        b->record_open = false;
        /* The page buffer still holds what was written: that must be what the record says now. */
        b->begin_result = RKD_FLASH;
        if (b->record.failed || b->record.status != RKD_RECORD_GOOD ||
                        b->record.push_id != rkd_get_u64(&in))
                return;
        open_push(b);
        b->begin_result = RKD_OK;
}

static int sum_unit(const RkdBoot *b, uint32_t unit, uint32_t *ret) {
        const RkdPlatform *p = b->platform;
        uint32_t crc = RKD_CRC32_START, address = p->program_base + unit * p->unit_size;
        uint8_t chunk[CHUNK];

        for (uint32_t at = 0; at < p->unit_size; at += sizeof(chunk)) {
                uint32_t n = p->unit_size - at < sizeof(chunk) ? p->unit_size - at : sizeof(chunk);

                if (p->flash_read(p->user, address + at, chunk, n) < 0)
                        return -1;
                crc = rkd_crc32_add(crc, chunk, n);
        }
        *ret = rkd_crc32_finish(crc);
        return 0;
}

/* One unit at each call, straight into the answer. */
static uint8_t on_sums(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        const RkdPlatform *p = b->platform;
        uint32_t units = p->program_space / p->unit_size, crc;
        size_t room;
        uint8_t *out = answer_bytes(b, SUMS_FIXED, &room);
        uint16_t want = q->count < room / 4 ? q->count : (uint16_t)(room / 4);

        if (q->count == 0 || q->first >= units || q->count > units - q->first)
                return RKD_RANGE;
        if (!is_at_rest(b))
                return RKD_LATER;
        if (sum_unit(b, q->first + b->sums_done, &crc) < 0)
                return RKD_FLASH;
        rkd_store_u32(out + 4u * b->sums_done++, crc);
        if (b->sums_done < want && p->milliseconds(p->user) - b->command_ms < LATER_MS)
                return RKD_LATER;
        a->first = q->first;
        a->count = b->sums_done;
        a->bytes = out;
        a->n_bytes = 4u * b->sums_done;
        return RKD_OK;
}

static uint8_t on_stream(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        RkdStream *s = &b->stream;

        if (q->codec != RKD_CODEC_RAW && (q->codec != RKD_CODEC_PATCH || !b->platform->patch))
                return RKD_UNKNOWN;
        if (b->record.status != RKD_RECORD_GOOD || b->record.verified)
                return RKD_BAD_STATE;
        if (!rkd_stream_has_id(s, q->stream_id)) {
                if (!is_at_rest(b))
                        return RKD_LATER;
                b->begin_total = b->begin_have = 0;
                rkd_stream_begin(s, q->stream_id, q->codec, q->length, b->record.image_length);
        }
        a->credit = s->credit;
        rkd_stream_note_told(s, false);
        return s->error;
}

/* The header and its signature as they lie in the record. */
static uint8_t verify_signature(RkdBoot *b) {
        const RkdPlatform *p = b->platform;
        const RkdRecord *r = &b->record;
        RkdHeader h;

        b->begin_total = b->begin_have = 0;
        if (rkd_record_read(r, RKD_BEGIN_FIXED, p->page, (size_t)r->n_header + r->n_signature) < 0)
                return RKD_FLASH;
        if (rkd_header_decode(&h, p->page, r->n_header) != 0)
                return RKD_BAD_HEADER;
        return p->verify_signature(p->user, h.algorithm, p->page, r->n_header,
                               p->page + r->n_header, r->n_signature) == 0
                               ? RKD_OK
                               : RKD_BAD_SIGNATURE;
}

/* All is in flash: is it what the header says? */
static uint8_t complete_push(RkdBoot *b) {
        uint8_t result;

        if (!is_at_rest(b))
                return RKD_LATER;
        if (b->record.failed)
                return RKD_FLASH;
        result = rkd_boot_check(b);
        if (result == RKD_BAD_DIGEST) {
                b->check = RKD_CHECK_UNKNOWN;
                rkd_digest_init(&b->digest, b->platform);
        }
        if (result == RKD_OK && b->platform->verify_signature)
                result = verify_signature(b);
        if (result != RKD_OK)
                return result;
        return rkd_record_mark_verified(&b->record) > 0 ? RKD_LATER : RKD_OK;
}

static uint8_t on_end(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        const RkdStream *s = &b->stream;

        if (b->record.status != RKD_RECORD_GOOD)
                return RKD_BAD_STATE;
        if (q->push_id != b->record.push_id)
                return RKD_FOREIGN_PUSH;
        if (b->record.verified)
                return RKD_OK;
        if (s->error != RKD_OK)
                return s->error;
        if (rkd_stream_is_open(s))
                return s->received == s->length ? RKD_LATER : RKD_BAD_STATE;
        return complete_push(b);
}

static uint8_t on_start(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        uint8_t result;

        if (q->push_id != 0 && q->push_id != b->record.push_id)
                return RKD_FOREIGN_PUSH;
        if (!rkd_boot_is_runnable(b))
                return RKD_NOT_RUNNABLE;
        if (!is_at_rest(b))
                return RKD_LATER;
        result = rkd_boot_check(b);
        if (result == RKD_OK)
                rkd_boot_start(b);
        return result == RKD_BAD_DIGEST ? RKD_NOT_RUNNABLE : result;
}

static uint8_t on_confirm(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        uint8_t state = rkd_boot_state(b);

        if (b->record.status == RKD_RECORD_GOOD && q->push_id != b->record.push_id)
                return RKD_FOREIGN_PUSH;
        if (state != RKD_TRIAL && state != RKD_CONFIRMED)
                return RKD_BAD_STATE;
        return is_at_rest(b) ? rkd_record_confirm(&b->record) : RKD_LATER;
}

static uint8_t on_enter(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        return RKD_OK;
}

static uint8_t on_set_baud(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        a->baud = q->baud;
        return rkd_link_change_speed(&b->link, q->baud);
}

static uint8_t on_read(RkdBoot *b, const RkdRequest *q, RkdAnswer *a) {
        const RkdPlatform *p = b->platform;
        size_t room;
        uint8_t *out = answer_bytes(b, READ_FIXED, &room);

        if ((p->capabilities & RKD_CAN_READ) == 0)
                return RKD_DENIED;
        if (q->offset > p->program_space || q->want > p->program_space - q->offset)
                return RKD_RANGE;
        if (!is_at_rest(b))
                return RKD_LATER;
        a->offset = q->offset;
        a->bytes = out;
        a->n_bytes = room < q->want ? room : q->want;
        return p->flash_read(p->user, p->program_base + q->offset, out, a->n_bytes) < 0 ? RKD_FLASH
                                                                                        : RKD_OK;
}

static const struct {
        Handler handle;
        bool stays; /* whoever sends it wants the bootloader */
} commands[] = {
        [RKD_IDENTIFY] = { on_identify, false },
        [RKD_NOP] = { on_nop, false },
        [RKD_BEGIN] = { on_begin, true },
        [RKD_SUMS] = { on_sums, true },
        [RKD_STREAM] = { on_stream, true },
        [RKD_END] = { on_end, true },
        [RKD_START] = { on_start, false },
        [RKD_CONFIRM] = { on_confirm, true },
        [RKD_ENTER] = { on_enter, true },
        [RKD_SET_BAUD] = { on_set_baud, true },
        [RKD_READ] = { on_read, true },
};

static uint8_t dispatch(RkdBoot *b, RkdAnswer *a) {
        const RkdLink *link = &b->link;
        uint8_t type = link->head.type;
        RkdRequest q;

        if (type >= sizeof(commands) / sizeof(commands[0]) || !commands[type].handle)
                return RKD_UNKNOWN;
        if (rkd_request_decode(&q, type, link->command, link->n_command) != 0)
                return RKD_BAD_LENGTH;
        if (commands[type].stays)
                b->staying = true;
        return commands[type].handle(b, &q, a);
}

void rkd_boot_command(RkdBoot *b) {
        const RkdPlatform *p = b->platform;
        RkdAnswer a = { .type = b->link.head.type };
        size_t room;
        uint8_t *out = rkd_link_room(&b->link, &room);

        if (!b->command_open) {
                b->command_open = true;
                b->command_ms = p->milliseconds(p->user);
                b->sums_done = 0;
                if ((b->link.head.flags & RKD_FLAG_POLL) != 0)
                        rkd_stream_note_poll(&b->stream);
        }
        a.result = dispatch(b, &a);
        if (a.result == RKD_LATER) {
                if (p->milliseconds(p->user) - b->command_ms < LATER_MS)
                        return;
                a.result = RKD_BUSY;
                a.busy_ms = BUSY_MS;
        }
        b->command_open = false;
        b->link.command_due = false;
        if (rkd_link_may_answer(&b->link))
                rkd_link_send(&b->link, a.type, b->link.head.sequence,
                                rkd_answer_encode(&a, out, room));
}

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
#include "device/rkd-stream.h"
#include "proto/crc.h"

#define LATER_MS   100u /* how long an answer is held back while the work goes on */
#define BUSY_MS    50u
#define CHUNK      64u
#define SUMS_FIXED 6u
#define READ_FIXED 4u

/* in: the payload, its length is right. */
typedef uint8_t (*Handler)(RkdBoot *b, const uint8_t *in, RkdReply *a);

typedef struct Command {
        Handler handle;
        uint8_t n_min, n_max; /* bytes of payload */
        bool stays;           /* whoever sends it wants the bootloader */
} Command;

bool rkd_boot_is_at_rest(const RkdBoot *b) {
        return !rkd_flash_is_busy(&b->flash) && !rkd_record_is_busy(&b->record) && !b->record_due;
}

#if RKD_WITH_SEARCH
/* Of a program without a record: what it says of itself, or its digest. */
static uint8_t inspect(RkdBoot *b, RkdSelf *self) {
        if (self->state != RKD_UNMANAGED)
                return RKD_OK;
        if (!rkd_digest_is_done(&b->digest)) {
                if (!rkd_digest_is_busy(&b->digest))
                        rkd_digest_search(&b->digest);
                return RKD_LATER;
        }
        self->digest = &b->digest;
        return RKD_OK;
}
#endif

static uint8_t identify(RkdBoot *b, RkdWriter *w) {
        RkdSelf self = { .who = RKD_WHO_BOOTLOADER, .cause = b->cause };

        /* The state is only true once the program was looked at. */
        if (b->record.verified && rkd_boot_check(b) == RKD_LATER)
                return RKD_LATER;
        self.state = rkd_boot_state(b);
        self.boots = rkd_boot_boots(b);
        self.max_answer = (uint16_t)rkd_link_room(&b->link);
#if RKD_WITH_SEARCH
        if (inspect(b, &self) == RKD_LATER)
                return RKD_LATER;
#endif
        return rkd_identity_write(w, &b->record, &self) < 0 ? RKD_FLASH : RKD_OK;
}

/* n_header u16 | n_signature u16 | header | signature; nothing without a record. The lengths are
 * the last four bytes of the begin area's fixed part. */
static uint8_t release(const RkdBoot *b, RkdWriter *w) {
        const RkdRecord *r = &b->record;

        if (r->status != RKD_RECORD_GOOD)
                return RKD_OK;
        return rkd_record_put(r, w, RKD_BEGIN_FIXED - 4, 4u + r->n_header + r->n_signature) < 0
                               ? RKD_FLASH
                               : RKD_OK;
}

/* what u8, offset u16, want u16 */
static uint8_t on_identify(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        RkdWriter w = rkd_link_window(a, in);
        uint8_t result = RKD_UNKNOWN;

        if (!rkd_boot_is_at_rest(b))
                return RKD_LATER;
        if (in[0] == RKD_IDENTIFY_IDENTITY)
                result = identify(b, &w);
        else if (in[0] == RKD_IDENTIFY_RELEASE)
                result = release(b, &w);
        rkd_link_close_window(a, in, &w);
        return result;
}

static uint8_t on_nop(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        rkd_boot_put_status(b, a->out);
        a->n = RKD_STATUS_BYTES;
        rkd_stream_note_told(&b->stream, b->stream.gap);
        return RKD_OK;
}

static int sum_unit(const RkdPlatform *p, uint32_t address, uint32_t *ret) {
        uint32_t crc = RKD_CRC32_START;
        uint8_t chunk[CHUNK];

        for (uint32_t left = p->unit_size; left > 0;) {
                uint32_t n = left < sizeof(chunk) ? left : sizeof(chunk);

                if (rkd_flash_read(p, address, chunk, n) < 0)
                        return -1;
                crc = rkd_crc32_add(crc, chunk, n);
                address += n;
                left -= n;
        }
        *ret = rkd_crc32_finish(crc);
        return 0;
}

/* first u32, count u16; answer: the same, then the sums. One unit at each call, straight into the
 * answer. */
static uint8_t on_sums(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        const RkdPlatform *p = b->platform;
        uint32_t first = rkd_load_u32(in), count = rkd_load_u16(in + 4), crc;
        uint32_t units = rkd_stream_count_units(p, p->program_space);
        uint32_t room = (uint32_t)(a->room - SUMS_FIXED) / 4;

        if (count == 0 || first >= units || count > units - first)
                return RKD_RANGE;
        if (!rkd_boot_is_at_rest(b))
                return RKD_LATER;
        if (sum_unit(p, p->program_base + (first + b->sums_done) * p->unit_size, &crc) < 0)
                return RKD_FLASH;
        a->n = SUMS_FIXED + 4u * b->sums_done++;
        rkd_store_u32(a->out + a->n, crc);
        a->n += 4;
        if (b->sums_done < (count < room ? count : room) &&
                        rkd_now_ms(p) - b->command_ms < LATER_MS)
                return RKD_LATER;
        memcpy(a->out, in, 4);
        rkd_store_u16(a->out + 4, b->sums_done);
        return RKD_OK;
}

/* codec u8, 0 u8, length u32, id u16; answer: credit u32 */
static uint8_t on_stream(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        RkdStream *s = &b->stream;
        uint16_t id = rkd_load_u16(in + 6);

        if (in[1] != 0)
                return RKD_BAD_LENGTH;
        if (in[0] != RKD_CODEC_RAW && (in[0] != RKD_CODEC_PATCH || !b->platform->patch))
                return RKD_UNKNOWN;
        if (b->record.status != RKD_RECORD_GOOD || b->record.verified)
                return RKD_BAD_STATE;
        if (!rkd_stream_has_id(s, id)) {
                if (!rkd_boot_is_at_rest(b))
                        return RKD_LATER;
                b->begin_total = b->begin_have = 0;
                rkd_stream_begin(s, id, in[0], rkd_load_u32(in + 2), b->record.image_length);
        }
        rkd_store_u32(a->out, s->credit);
        a->n = 4;
        rkd_stream_note_told(s, false);
        return s->error;
}

uint8_t rkd_boot_verify(const RkdBoot *b, const uint8_t *header, uint16_t n, uint16_t n_signature) {
#if RKD_WITH_SIGNATURE
        const RkdPlatform *p = b->platform;
        uint8_t algorithm = header[5];

        if (p->verify_signature &&
                        (algorithm == 0 || p->verify_signature(p->user, algorithm, header, n,
                                                           header + n, n_signature) != 0))
                return RKD_BAD_SIGNATURE;
#endif
        return RKD_OK;
}

/* The header and its signature as they lie in the record. */
static uint8_t verify_record(RkdBoot *b) {
#if RKD_WITH_SIGNATURE
        const RkdRecord *r = &b->record;
        uint8_t *page = b->platform->page;

        b->begin_total = b->begin_have = 0;
        if (rkd_record_read(r, RKD_BEGIN_FIXED, page, (size_t)r->n_header + r->n_signature) < 0)
                return RKD_FLASH;
        return rkd_boot_verify(b, page, r->n_header, r->n_signature);
#else
        return RKD_OK;
#endif
}

/* All is in flash: is it what the header says? */
static uint8_t complete_push(RkdBoot *b) {
        uint8_t result;

        if (!rkd_boot_is_at_rest(b))
                return RKD_LATER;
        if (b->record.failed) {
                b->record.failed = false; /* who asks again wants another try */
                return RKD_FLASH;
        }
        result = rkd_boot_check(b);
        if (result == RKD_BAD_DIGEST)
                rkd_boot_forget_check(b);
        if (result == RKD_OK)
                result = verify_record(b);
        if (result != RKD_OK)
                return result;
        return rkd_record_mark_verified(&b->record) > 0 ? RKD_LATER : RKD_OK;
}

static bool is_ours(const RkdBoot *b, const uint8_t *push_id) {
        return memcmp(push_id, b->record.push_id, sizeof(b->record.push_id)) == 0;
}

/* push id u64, in the next three */
static uint8_t on_end(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        const RkdStream *s = &b->stream;

        if (b->record.status != RKD_RECORD_GOOD)
                return RKD_BAD_STATE;
        if (!is_ours(b, in))
                return RKD_FOREIGN_PUSH;
        if (b->record.verified)
                return RKD_OK;
        if (s->error != RKD_OK)
                return s->error;
        if (rkd_stream_is_open(s))
                return s->received == s->length ? RKD_LATER : RKD_BAD_STATE;
        return complete_push(b);
}

static uint8_t on_start(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        static const uint8_t any[8];
        uint8_t result;

        if (memcmp(in, any, sizeof(any)) != 0 && !is_ours(b, in))
                return RKD_FOREIGN_PUSH;
        if (!rkd_boot_is_runnable(b))
                return RKD_NOT_RUNNABLE;
        if (!rkd_boot_is_at_rest(b))
                return RKD_LATER;
        result = rkd_boot_check(b);
        if (result == RKD_OK)
                rkd_boot_start(b);
        return result == RKD_BAD_DIGEST ? RKD_NOT_RUNNABLE : result;
}

static uint8_t on_confirm(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        uint8_t state = rkd_boot_state(b);

        if (b->record.status == RKD_RECORD_GOOD && !is_ours(b, in))
                return RKD_FOREIGN_PUSH;
        if (state != RKD_TRIAL && state != RKD_CONFIRMED)
                return RKD_BAD_STATE;
        return rkd_boot_is_at_rest(b) ? rkd_record_confirm(&b->record) : RKD_LATER;
}

static uint8_t on_enter(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        return RKD_OK;
}

#if RKD_WITH_BAUD
/* baud u32; answer: the same */
static uint8_t on_set_baud(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        memcpy(a->out, in, 4);
        a->n = 4;
        return rkd_link_change_speed(&b->link, rkd_load_u32(in));
}
#endif

#if RKD_WITH_READ
/* offset u32, want u16; answer: offset u32, bytes */
static uint8_t on_read(RkdBoot *b, const uint8_t *in, RkdReply *a) {
        const RkdPlatform *p = b->platform;
        uint32_t offset = rkd_load_u32(in), want = rkd_load_u16(in + 4);
        size_t room = a->room - READ_FIXED;

        if ((p->capabilities & RKD_CAN_READ) == 0)
                return RKD_DENIED;
        if (offset > p->program_space || want > p->program_space - offset)
                return RKD_RANGE;
        if (!rkd_boot_is_at_rest(b))
                return RKD_LATER;
        memcpy(a->out, in, 4);
        room = room < want ? room : want;
        a->n = READ_FIXED + room;
        return rkd_flash_read(p, p->program_base + offset, a->out + READ_FIXED, room) < 0
                               ? RKD_FLASH
                               : RKD_OK;
}
#endif

/* By type. */
static const Command commands[] = {
        [RKD_IDENTIFY] = { on_identify, 5, 5, false },
        [RKD_NOP] = { on_nop, 0, 0, false },
        [RKD_BEGIN] = { rkd_boot_on_begin, 5, 4 + RKD_BEGIN_PIECE, true },
        [RKD_SUMS] = { on_sums, 6, 6, true },
        [RKD_STREAM] = { on_stream, 8, 8, true },
        [RKD_END] = { on_end, 8, 8, true },
        [RKD_START] = { on_start, 8, 8, false },
        [RKD_CONFIRM] = { on_confirm, 8, 8, true },
        [RKD_ENTER] = { on_enter, 0, 0, true },
#if RKD_WITH_BAUD
        [RKD_SET_BAUD] = { on_set_baud, 4, 4, true },
#endif
#if RKD_WITH_READ
        [RKD_READ] = { on_read, 6, 6, true },
#endif
};

static uint8_t dispatch(RkdBoot *b, RkdReply *a) {
        const RkdLink *link = &b->link;
        uint8_t type = link->head[RKD_HEAD_TYPE];
        const Command *c;

        if (type >= sizeof(commands) / sizeof(commands[0]) || !commands[type].handle)
                return RKD_UNKNOWN;
        c = &commands[type];
        if (link->n_command < c->n_min || link->n_command > c->n_max)
                return RKD_BAD_LENGTH;
        if (c->stays)
                b->staying = true;
        return c->handle(b, link->command, a);
}

void rkd_boot_command(RkdBoot *b) {
        const RkdPlatform *p = b->platform;
        uint32_t now = rkd_now_ms(p);
        RkdReply a;
        uint8_t result;

        rkd_link_reply_init(&b->link, &a);
        if (!b->command_open) {
                b->command_open = true;
                b->command_ms = now;
                b->sums_done = 0;
                if ((b->link.head[RKD_HEAD_FLAGS] & RKD_FLAG_POLL) != 0)
                        rkd_stream_note_poll(&b->stream);
        }
        result = dispatch(b, &a);
        if (result == RKD_LATER) {
                if (now - b->command_ms < LATER_MS)
                        return;
                result = RKD_BUSY;
                a.busy_ms = (uint16_t)(BUSY_MS + rkd_stream_busy_ms(&b->stream));
                rkd_stream_note_announced(&b->stream);
        }
        b->command_open = false;
        rkd_link_reply(&b->link, &a, result);
}

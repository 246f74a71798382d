/* SPDX-License-Identifier: MIT */
/*
 * What the bootloader does for each command: a result, or RKD_LATER: then it is called again at
 * each poll, and after a while the gateway is told BUSY and asks again. All commands may be
 * repeated.
 */

#include <string.h>

#include "device/rkd-digest.h"
#include "device/rkd-engine.h"
#include "proto/header.h"

#define SUMS_MS    50u /* how long one answer may take */
#define SUMS_FIXED 6u
#define READ_FIXED 4u

/* Whoever sends one of these wants the bootloader. */
#define STAYING                                                                                    \
        (1u << RKD_BEGIN | 1u << RKD_SUMS | 1u << RKD_STREAM | 1u << RKD_END | 1u << RKD_CONFIRM | \
                        1u << RKD_ENTER | 1u << RKD_SET_BAUD | 1u << RKD_READ)

bool rkd_boot_is_at_rest(const RkdDevice *d) {
        return !rkd_flash_is_busy(d) && !rkd_record_is_busy(d) && !d->record_due;
}

static void identify(RkdDevice *d, RkdWriter *w) {
        RkdSelf self;

        memset(&self, 0, sizeof(self));
        self.state = rkd_boot_state(d);
        self.cause = d->retained.cause;
        rkd_identity_put(d, w, &self);
}

/* header length u16, signature length u16, header, signature; nothing without a record. */
static void put_release(const RkdDevice *d, RkdWriter *w) {
        uint32_t at = RKD_BODY_BEGIN + RKD_BEGIN_FIXED - 4;

        if (d->status == RKD_RECORD_GOOD)
                rkd_flash_put(d, w, rkd_record_address(d, at),
                                4u + rkd_le16(d->body->n_header) + rkd_le16(d->body->n_signature));
}

/* The state is only true once the program was looked at; so is what a program without a record
 * says of itself. */
static bool is_looked_at(RkdDevice *d) {
#if RKD_WITH_SEARCH
        if (rkd_boot_state(d) == RKD_UNMANAGED) {
                if (d->digest == RKD_DIGEST_IDLE)
                        rkd_digest_search(d);
                return d->digest == RKD_DIGEST_DONE;
        }
#endif
        return (d->marks & 1 << RKD_MARK_VERIFIED) == 0 || rkd_boot_check(d) != RKD_LATER;
}

/* what u8, offset u16, want u16 */
static uint8_t on_identify(RkdDevice *d, const uint8_t *in) {
        RkdWriter w = rkd_link_window(d);

        if (!rkd_boot_is_at_rest(d) || !is_looked_at(d))
                return RKD_LATER;
        if (in[0] == RKD_IDENTIFY_IDENTITY)
                identify(d, &w);
        else if (in[0] == RKD_IDENTIFY_RELEASE)
                put_release(d, &w);
        else
                return RKD_UNKNOWN;
        rkd_link_close_window(d, &w);
        return RKD_OK;
}

/* first u32, count u16; answer: the same, then the sums */
static uint8_t on_sums(RkdDevice *d, const uint8_t *in) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint8_t *out = rkd_link_answer(d);
        uint32_t first = rkd_load_u32(in), count = rkd_load_u16(in + 4), n = 0;
        uint32_t units = p->program_space / p->unit_size;
        uint32_t room = (rkd_link_room(d) - RKD_ANSWER_FIXED - SUMS_FIXED) / 4;

        if (count == 0 || first >= units || count > units - first)
                return RKD_RANGE;
        if (!rkd_boot_is_at_rest(d))
                return RKD_LATER;
        memcpy(out, in, 4);
        do {
                rkd_store_u32(out + SUMS_FIXED + 4 * n,
                                rkd_flash_crc(d, rkd_program_address(d, (first + n) * p->unit_size),
                                                p->unit_size));
                n++;
        } while (n < count && n < room && rkd_now_ms(d) - d->command_ms < SUMS_MS);
        rkd_store_u16(out + 4, (uint16_t)n);
        d->n_answer = (uint16_t)(SUMS_FIXED + 4 * n);
        return RKD_OK;
}

/* codec u8, 0 u8, length u32, id u16; answer: credit u32 */
static uint8_t on_stream(RkdDevice *d, const uint8_t *in) {
        unsigned id = rkd_load_u16(in + 6);

        if (in[1] != 0)
                return RKD_BAD_LENGTH;
        if (in[0] != RKD_CODEC_RAW && (in[0] != RKD_CODEC_PATCH || !RKD_PATCH_IS_BUILT ||
                                                      !RKD_PLATFORM(d)->patch))
                return RKD_UNKNOWN;
        if (d->status != RKD_RECORD_GOOD || d->marks != 0)
                return RKD_BAD_STATE;
        if (d->stream == RKD_STREAM_NONE || d->stream_id != id) {
                if (!rkd_boot_is_at_rest(d))
                        return RKD_LATER;
                d->begin_total = 0; /* the page is wanted */
                rkd_boot_void_verdict(d);
                rkd_stream_begin(d, id, in[0], rkd_load_u32(in + 2));
        }
        if (d->error != RKD_OK)
                return d->error;
        rkd_store_u32(rkd_link_answer(d), d->credit);
        d->n_answer = 4;
        d->credit_told = d->credit;
        return RKD_OK;
}

#if RKD_WITH_SIGNATURE
void rkd_boot_poll_verify(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        const RkdBody *body = (const RkdBody *)(const void *)p->page;
        const uint8_t *header = (const uint8_t *)&body->header;
        uint32_t n = rkd_le16(body->n_header);
        int r;

        if (d->verdict != RKD_VERDICT_DUE && d->verdict != RKD_VERDICT_OPEN)
                return;
        r = p->verify_signature(p->user, d->verdict == RKD_VERDICT_OPEN, body->header.algorithm,
                        header, n, header + n);
        d->verdict = r > 0 ? RKD_VERDICT_OPEN : r == 0 ? RKD_VERDICT_GOOD : RKD_VERDICT_BAD;
}

uint8_t rkd_boot_verify(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        if (!p->verify_signature || d->verdict == RKD_VERDICT_GOOD)
                return RKD_OK;
        if (d->verdict == RKD_VERDICT_BAD ||
                        ((const RkdBody *)(const void *)p->page)->n_signature == 0)
                return RKD_BAD_SIGNATURE;
        if (d->verdict == RKD_VERDICT_NONE)
                d->verdict = RKD_VERDICT_DUE;
        return RKD_LATER;
}
#endif

/* The record is complete when the program is, and its publisher still known. */
static uint8_t complete_push(RkdDevice *d) {
        uint8_t result;

        if (!rkd_boot_is_at_rest(d))
                return RKD_LATER;
        result = rkd_boot_check(d);
#if RKD_WITH_SIGNATURE
        /* The page is free: the stream is over. */
        if (result == RKD_OK && RKD_PLATFORM(d)->verify_signature) {
                if (d->begin_total != 0 || d->verdict == RKD_VERDICT_NONE) {
                        d->begin_total = 0; /* a BEGIN that lay there is gone */
                        rkd_boot_void_verdict(d);
                        if (rkd_flash_read(RKD_PLATFORM(d), rkd_record_address(d, 0),
                                            RKD_PLATFORM(d)->page, RKD_BODY_BYTES) < 0)
                                return RKD_FLASH;
                }
                result = rkd_boot_verify(d);
                if (result != RKD_LATER) /* who asks again has it looked at again */
                        rkd_boot_void_verdict(d);
        }
#endif
        return result == RKD_OK ? rkd_record_mark(d, RKD_MARK_VERIFIED) : result;
}

/* push id u64, in the next three */
static uint8_t on_end(RkdDevice *d, const uint8_t *in) {
        if (d->status != RKD_RECORD_GOOD)
                return RKD_BAD_STATE;
        if (!rkd_record_is_ours(d, in))
                return RKD_FOREIGN_PUSH;
        if (d->marks != 0)
                return RKD_OK;
        if (d->error != RKD_OK)
                return d->error;
        if (d->stream == RKD_STREAM_OPEN)
                return d->received == d->length ? RKD_LATER : RKD_BAD_STATE;
        return complete_push(d);
}

static uint8_t on_start(RkdDevice *d, const uint8_t *in) {
        bool any = (rkd_load_u32(in) | rkd_load_u32(in + 4)) == 0;
        uint8_t result = RKD_BAD_DIGEST;

        if (!any && !rkd_record_is_ours(d, in))
                return RKD_FOREIGN_PUSH;
        if (!rkd_boot_is_at_rest(d))
                return RKD_LATER;
        if (rkd_boot_is_runnable(d))
                result = rkd_boot_check(d);
        if (result == RKD_OK)
                d->phase = RKD_PHASE_COUNT;
        if (result != RKD_BAD_DIGEST)
                return result;
        return any ? rkd_fallback_start(d) : RKD_NOT_RUNNABLE;
}

static uint8_t on_confirm(RkdDevice *d, const uint8_t *in) {
        unsigned state = rkd_boot_state(d);

        if (d->status == RKD_RECORD_GOOD && !rkd_record_is_ours(d, in))
                return RKD_FOREIGN_PUSH;
        if (state != RKD_TRIAL && state != RKD_CONFIRMED)
                return RKD_BAD_STATE;
        return rkd_boot_is_at_rest(d) ? rkd_record_confirm(d) : RKD_LATER;
}

#if RKD_WITH_READ
/* offset u32, want u16; answer: offset u32, bytes */
static uint8_t on_read(RkdDevice *d, const uint8_t *in) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint8_t *out = rkd_link_answer(d);
        uint32_t offset = rkd_load_u32(in), want = rkd_load_u16(in + 4);
        uint32_t room = rkd_link_room(d) - RKD_ANSWER_FIXED - READ_FIXED;

        if ((p->capabilities & RKD_CAN_READ) == 0)
                return RKD_DENIED;
        if (offset > p->program_space || want > p->program_space - offset)
                return RKD_RANGE;
        if (!rkd_boot_is_at_rest(d))
                return RKD_LATER;
        memcpy(out, in, 4);
        room = room < want ? room : want;
        d->n_answer = (uint16_t)(READ_FIXED + room);
        return rkd_flash_read(p, rkd_program_address(d, offset), out + READ_FIXED, room) < 0
                               ? RKD_FLASH
                               : RKD_OK;
}
#endif

/* Bytes of payload, by type. */
static const uint8_t lengths[] = {
        [RKD_IDENTIFY] = 5,
        [RKD_SUMS] = 6,
        [RKD_STREAM] = 8,
        [RKD_END] = 8,
        [RKD_START] = 8,
        [RKD_CONFIRM] = 8,
        [RKD_SET_BAUD] = 4,
        [RKD_READ] = 6,
};

uint8_t rkd_boot_handle(RkdDevice *d) {
        const uint8_t *in = RKD_PLATFORM(d)->rx;
        unsigned type = in[RKD_IN_TYPE];
        uint32_t n = d->n_in - RKD_FRAME_MIN;

        in += RKD_IN_PAYLOAD;
        if (type >= sizeof(lengths))
                return RKD_UNKNOWN;
        if (type != RKD_BEGIN && n != lengths[type])
                return RKD_BAD_LENGTH;
        if ((STAYING >> type & 1) != 0)
                d->staying = true;
        switch (type) {
        case RKD_IDENTIFY:
                return on_identify(d, in);
        case RKD_NOP:
                rkd_boot_put_status(d, rkd_link_answer(d));
                d->n_answer = RKD_STATUS_BYTES;
                rkd_stream_note_told(d);
                return RKD_OK;
        case RKD_BEGIN:
                return rkd_boot_on_begin(d, in, n);
        case RKD_SUMS:
                return on_sums(d, in);
        case RKD_STREAM:
                return on_stream(d, in);
        case RKD_END:
                return on_end(d, in);
        case RKD_START:
                return on_start(d, in);
        case RKD_CONFIRM:
                return on_confirm(d, in);
        case RKD_ENTER:
                return RKD_OK;
#if RKD_WITH_BAUD
        case RKD_SET_BAUD:
                return rkd_link_change_speed(d);
#endif
#if RKD_WITH_READ
        case RKD_READ:
                return on_read(d, in);
#endif
        default:
                return RKD_UNKNOWN;
        }
}

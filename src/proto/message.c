/* SPDX-License-Identifier: MIT */
/*
 * Payloads of commands and answers to and from structs, see message.h.
 *
 * The order of puts and gets in a pair of functions is the layout on the line.
 */

#include "proto/message.h"

#include <string.h>

#include "proto/frame.h"
#include "proto/header.h"

static RkdWriter writer(uint8_t *out, size_t room) {
        return (RkdWriter){ .out = out, .room = room };
}

static size_t written(const RkdWriter *w) {
        return w->total <= w->room ? w->total : 0;
}

size_t rkd_request_encode(const RkdRequest *q, uint8_t *out, size_t room) {
        RkdWriter w = writer(out, room);

        switch (q->type) {
        case RKD_IDENTIFY:
                rkd_put_u8(&w, q->what);
                rkd_put_u16(&w, (uint16_t)q->offset);
                rkd_put_u16(&w, q->want);
                break;
        case RKD_BEGIN:
                rkd_put_u16(&w, q->total);
                rkd_put_u16(&w, (uint16_t)q->offset);
                rkd_put_bytes(&w, q->bytes, q->n_bytes);
                break;
        case RKD_SUMS:
                rkd_put_u32(&w, q->first);
                rkd_put_u16(&w, q->count);
                break;
        case RKD_STREAM:
                rkd_put_u8(&w, q->codec);
                rkd_put_u8(&w, 0);
                rkd_put_u32(&w, q->length);
                rkd_put_u16(&w, q->stream_id);
                break;
        case RKD_DATA:
                rkd_put_u32(&w, q->offset);
                rkd_put_bytes(&w, q->bytes, q->n_bytes);
                break;
        case RKD_END:
        case RKD_START:
        case RKD_CONFIRM:
                rkd_put_u64(&w, q->push_id);
                break;
        case RKD_SET_BAUD:
                rkd_put_u32(&w, q->baud);
                break;
        case RKD_READ:
                rkd_put_u32(&w, q->offset);
                rkd_put_u16(&w, q->want);
                break;
        default:
                return 0;
        }
        return written(&w);
}

static void get_rest(RkdReader *r, const uint8_t **ret, size_t *ret_n) {
        *ret_n = r->left;
        *ret = rkd_get_bytes(r, r->left);
}

static void get_begin_piece(RkdReader *r, RkdRequest *q) {
        q->total = rkd_get_u16(r);
        q->offset = rkd_get_u16(r);
        get_rest(r, &q->bytes, &q->n_bytes);
        if (q->n_bytes == 0 || q->n_bytes > RKD_BEGIN_PIECE || q->offset + q->n_bytes > q->total)
                r->bad = true;
}

static void get_stream(RkdReader *r, RkdRequest *q) {
        q->codec = rkd_get_u8(r);
        if (rkd_get_u8(r) != 0)
                r->bad = true;
        q->length = rkd_get_u32(r);
        q->stream_id = rkd_get_u16(r);
}

static void get_data(RkdReader *r, RkdRequest *q) {
        q->offset = rkd_get_u32(r);
        get_rest(r, &q->bytes, &q->n_bytes);
        if (q->n_bytes == 0 || q->n_bytes > UINT32_MAX - q->offset)
                r->bad = true;
}

int rkd_request_decode(RkdRequest *ret, uint8_t type, const uint8_t *payload, size_t n) {
        RkdReader r = { .at = payload, .left = n };
        RkdRequest q = { .type = type };

        switch (type) {
        case RKD_IDENTIFY:
                q.what = rkd_get_u8(&r);
                q.offset = rkd_get_u16(&r);
                q.want = rkd_get_u16(&r);
                break;
        case RKD_BEGIN:
                get_begin_piece(&r, &q);
                break;
        case RKD_SUMS:
                q.first = rkd_get_u32(&r);
                q.count = rkd_get_u16(&r);
                break;
        case RKD_STREAM:
                get_stream(&r, &q);
                break;
        case RKD_DATA:
                get_data(&r, &q);
                break;
        case RKD_END:
        case RKD_START:
        case RKD_CONFIRM:
                q.push_id = rkd_get_u64(&r);
                break;
        case RKD_SET_BAUD:
                q.baud = rkd_get_u32(&r);
                break;
        case RKD_READ:
                q.offset = rkd_get_u32(&r);
                q.want = rkd_get_u16(&r);
                break;
        case RKD_NOP:
        case RKD_ENTER:
                break;
        default:
                return RKD_E_MALFORMED;
        }
        if (!rkd_reader_is_done(&r))
                return RKD_E_MALFORMED;
        *ret = q;
        return 0;
}

static void put_status(RkdWriter *w, const RkdStatus *s) {
        rkd_put_u32(w, s->received);
        rkd_put_u32(w, s->credit);
        rkd_put_u16(w, s->busy_ms);
        rkd_put_u8(w, s->state);
        rkd_put_u8(w, s->health);
        rkd_put_u16(w, s->boots);
        rkd_put_u8(w, s->error);
}

static void get_status(RkdReader *r, RkdStatus *s) {
        s->received = rkd_get_u32(r);
        s->credit = rkd_get_u32(r);
        s->busy_ms = rkd_get_u16(r);
        s->state = rkd_get_u8(r);
        s->health = rkd_get_u8(r);
        s->boots = rkd_get_u16(r);
        s->error = rkd_get_u8(r);
        if (s->state >= _RKD_STATE_MAX || s->health >= _RKD_HEALTH_MAX ||
                        s->error >= _RKD_RESULT_MAX)
                r->bad = true;
}

/* What follows result and busy_ms in a good answer. */
static int put_answer_body(RkdWriter *w, const RkdAnswer *a) {
        switch (a->type) {
        case RKD_IDENTIFY:
                rkd_put_u16(w, a->total);
                rkd_put_u16(w, (uint16_t)a->offset);
                rkd_put_bytes(w, a->bytes, a->n_bytes);
                return 0;
        case RKD_NOP:
                put_status(w, &a->status);
                return 0;
        case RKD_BEGIN:
                rkd_put_u16(w, (uint16_t)a->offset);
                return 0;
        case RKD_SUMS:
                rkd_put_u32(w, a->first);
                rkd_put_u16(w, a->count);
                rkd_put_bytes(w, a->bytes, a->n_bytes);
                return 0;
        case RKD_STREAM:
                rkd_put_u32(w, a->credit);
                return 0;
        case RKD_SET_BAUD:
                rkd_put_u32(w, a->baud);
                return 0;
        case RKD_READ:
                rkd_put_u32(w, a->offset);
                rkd_put_bytes(w, a->bytes, a->n_bytes);
                return 0;
        case RKD_END:
        case RKD_START:
        case RKD_CONFIRM:
        case RKD_ENTER:
                return 0;
        default:
                return RKD_E_MALFORMED;
        }
}

size_t rkd_answer_encode(const RkdAnswer *a, uint8_t *out, size_t room) {
        RkdWriter w = writer(out, room);

        if (a->type == RKD_ACK || a->type == RKD_NAK) {
                put_status(&w, &a->status);
                return written(&w);
        }
        if (a->type == RKD_HELLO) {
                rkd_put_u8(&w, a->who);
                rkd_put_u8(&w, a->reason);
                rkd_put_u16(&w, a->boots);
                return written(&w);
        }
        rkd_put_u8(&w, a->result);
        rkd_put_u16(&w, a->busy_ms);
        if (a->result == RKD_OK && put_answer_body(&w, a) != 0)
                return 0;
        return written(&w);
}

static void get_sums(RkdReader *r, RkdAnswer *a) {
        a->first = rkd_get_u32(r);
        a->count = rkd_get_u16(r);
        get_rest(r, &a->bytes, &a->n_bytes);
        if (a->n_bytes != (size_t)a->count * 4)
                r->bad = true;
}

static void get_identify(RkdReader *r, RkdAnswer *a) {
        a->total = rkd_get_u16(r);
        a->offset = rkd_get_u16(r);
        get_rest(r, &a->bytes, &a->n_bytes);
        if (a->n_bytes > a->total || a->offset > a->total - a->n_bytes)
                r->bad = true;
}

static void get_answer_body(RkdReader *r, RkdAnswer *a) {
        switch (a->type) {
        case RKD_IDENTIFY:
                get_identify(r, a);
                break;
        case RKD_NOP:
                get_status(r, &a->status);
                break;
        case RKD_BEGIN:
                a->offset = rkd_get_u16(r);
                break;
        case RKD_SUMS:
                get_sums(r, a);
                break;
        case RKD_STREAM:
                a->credit = rkd_get_u32(r);
                break;
        case RKD_SET_BAUD:
                a->baud = rkd_get_u32(r);
                break;
        case RKD_READ:
                a->offset = rkd_get_u32(r);
                get_rest(r, &a->bytes, &a->n_bytes);
                break;
        case RKD_END:
        case RKD_START:
        case RKD_CONFIRM:
        case RKD_ENTER:
                break;
        default:
                r->bad = true;
        }
}

/* Unknown commands are answered too, with a type that only the asker knows. */
static void get_answer(RkdReader *r, RkdAnswer *a) {
        a->result = rkd_get_u8(r);
        a->busy_ms = rkd_get_u16(r);
        if (a->result >= _RKD_RESULT_MAX)
                r->bad = true;
        else if (a->result == RKD_OK)
                get_answer_body(r, a);
}

int rkd_answer_decode(RkdAnswer *ret, uint8_t type, const uint8_t *payload, size_t n) {
        RkdReader r = { .at = payload, .left = n };
        RkdAnswer a = { .type = type };

        switch (type) {
        case RKD_ACK:
        case RKD_NAK:
                get_status(&r, &a.status);
                break;
        case RKD_HELLO:
                a.who = rkd_get_u8(&r);
                a.reason = rkd_get_u8(&r);
                a.boots = rkd_get_u16(&r);
                if (a.who > RKD_WHO_PROGRAM || a.reason >= _RKD_STATE_MAX)
                        r.bad = true;
                break;
        default:
                get_answer(&r, &a);
        }
        if (!rkd_reader_is_done(&r))
                return RKD_E_MALFORMED;
        *ret = a;
        return 0;
}

size_t rkd_begin_encode(const RkdBegin *begin, uint8_t *out, size_t room) {
        RkdWriter w = writer(out, room);

        rkd_put_u8(&w, 1);
        rkd_put_u8(&w, begin->flags);
        rkd_put_u16(&w, begin->trial_seconds);
        rkd_put_u64(&w, begin->push_id);
        rkd_put_u64(&w, begin->replaces);
        rkd_put_u16(&w, begin->n_header);
        rkd_put_u16(&w, begin->n_signature);
        rkd_put_bytes(&w, begin->header, begin->n_header);
        rkd_put_bytes(&w, begin->signature, begin->n_signature);
        return written(&w);
}

int rkd_begin_decode(RkdBegin *ret, const uint8_t *data, size_t n) {
        RkdReader r = { .at = data, .left = n };
        RkdBegin b = { 0 };
        uint8_t format = rkd_get_u8(&r);

        b.flags = rkd_get_u8(&r);
        b.trial_seconds = rkd_get_u16(&r);
        b.push_id = rkd_get_u64(&r);
        b.replaces = rkd_get_u64(&r);
        b.n_header = rkd_get_u16(&r);
        b.n_signature = rkd_get_u16(&r);
        if (b.n_header > RKD_HEADER_MAX || b.n_signature > RKD_SIGNATURE_BYTES)
                return RKD_E_MALFORMED;
        b.header = rkd_get_bytes(&r, b.n_header);
        b.signature = rkd_get_bytes(&r, b.n_signature);
        if (!rkd_reader_is_done(&r) || format != 1 || (b.flags & ~RKD_BEGIN_RESTORE) != 0 ||
                        b.trial_seconds < 1 || b.trial_seconds > RKD_TRIAL_SECONDS_MAX ||
                        b.push_id == 0)
                return RKD_E_MALFORMED;
        *ret = b;
        return 0;
}

const char *rkd_result_text(uint8_t result) {
        static const char *const texts[_RKD_RESULT_MAX] = {
                [RKD_OK] = "the device has done it",
                [RKD_BUSY] = "the device is busy",
                [RKD_UNKNOWN] = "the device does not know the command",
                [RKD_BAD_LENGTH] = "the device found the command malformed",
                [RKD_BAD_STATE] = "the device cannot do that in its present state",
                [RKD_FOREIGN_PUSH] = "the device holds an unconfirmed push of somebody else",
                [RKD_BAD_HEADER] = "the device found the device header malformed",
                [RKD_BAD_SIGNATURE] = "the device refused the device signature",
                [RKD_WRONG_MODEL] = "the device is of another model",
                [RKD_WRONG_HARDWARE] = "the device is of another hardware revision",
                [RKD_TOO_LARGE] = "the device has less program space than the image needs",
                [RKD_BELOW_FLOOR] = "the device takes no version below its floor",
                [RKD_BAD_DIGEST] = "the device holds other bytes than the release says",
                [RKD_FLASH] = "the device could not erase or write its flash",
                [RKD_BAD_STREAM] = "the device could not decode the stream",
                [RKD_RANGE] = "the device was asked for something outside its program space",
                [RKD_SPEED] = "the device does not have this speed",
                [RKD_NOT_RUNNABLE] = "the device has no program that may be started",
                [RKD_DENIED] = "the device does not allow that",
        };

        return result < _RKD_RESULT_MAX ? texts[result] : "the device gave an unknown result";
}

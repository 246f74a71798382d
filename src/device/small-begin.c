/* SPDX-License-Identifier: MIT */
/*
 * Part of small.c: BEGIN. The begin area comes in pieces into the page buffer, to its place in an
 * RkdBody; when it is complete it is judged, and the record is written from where it lies.
 */

#include "device/small.h"
#include "proto/header.h"

#define MAGIC 0x31484b52u /* RKH1 */

static uint8_t judge_header(const RkdBoot *d, const RkdBody *body) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        const RkdHead *h = &body->header;
        /* turned, so that format 1 and reserved 0 leave it alone in the word */
        uint32_t algorithm = rotate(*word(&h->format) - 1, 8);
        const uint8_t *model = (const uint8_t *)h + TEXTS_AT;
        const char *wanted = p->model;
        unsigned n;

        if (*word(h->magic) != MAGIC || algorithm >= _RKD_ALGORITHM_MAX ||
                        body->n_signature != (algorithm == 0 ? 0 : RKD_SIGNATURE_BYTES))
                return RKD_BAD_HEADER;
        for (n = *model++; *wanted != '\0'; n--)
                if (*model++ != (uint8_t)*wanted++)
                        return RKD_WRONG_MODEL;
        if (n != 0)
                return RKD_WRONG_MODEL;
        if (*model > RKD_TEXT_MAX)
                return RKD_BAD_HEADER;
        return h->length - 1 >= p->program_space ? RKD_TOO_LARGE : RKD_OK;
}

/* The begin area is complete. */
static uint8_t judge(RkdBoot *d) {
        const RkdBody *body = (const RkdBody *)(const void *)RKD_PLATFORM(d)->page;
        uint8_t result;

        if (d->have != RKD_BEGIN_FIXED + (uint32_t)body->n_header + body->n_signature ||
                        body->format != 1 || (body->flags & ~RKD_BEGIN_RESTORE) != 0 ||
                        body->trial_seconds - 1u >= RKD_TRIAL_SECONDS_MAX ||
                        (body->push_id[0] | body->push_id[1]) == 0)
                return RKD_BAD_LENGTH;
        if (is_ours(d, body->push_id))
                return d->marks != 0 || memcmp(&body->header, &d->body->header, body->n_header) != 0
                                       ? RKD_BAD_STATE
                                       : RKD_OK;
        if (d->status != RKD_RECORD_NONE && !IS_MARKED(d, RKD_MARK_CONFIRMED) &&
                        !is_ours(d, body->replaces))
                return RKD_FOREIGN_PUSH;
        result = judge_header(d, body);
        if (result != RKD_OK)
                return result;
        /* Nothing that is known of the old program holds, whatever becomes of the record. */
        forget_check(d);
        retained(d)->is.boots = 0;
        retained(d)->is.retries = 0;
        close_retained(d);
        return write_record(d);
}

/* total u16, offset u16, bytes; answer: have u16 */
uint8_t on_begin(RkdBoot *d, const uint8_t *in, uint8_t *out, uint32_t n) {
        uint8_t *area = RKD_PLATFORM(d)->page + RKD_BODY_BEGIN;
        uint32_t total = *half(in), offset = *half(in + 2);

        n -= 4;
        if (n - 1 >= RKD_BEGIN_PIECE || offset + n > total || total > RKD_BEGIN_MAX)
                return RKD_BAD_LENGTH;
        if (offset == 0) {
                memset(area, 0, RKD_BODY_BYTES - RKD_BODY_BEGIN);
                d->stream = RKD_STREAM_NONE;
                d->error = RKD_OK;
                d->have = 0;
        }
        if (offset == d->have) {
                memcpy(area + offset, in + 4, n);
                d->have = (uint16_t)(offset + n);
        }
        *(uint16_t *)(void *)out = d->have;
        d->n_answer = 2;
        return d->have == total ? judge(d) : RKD_OK;
}

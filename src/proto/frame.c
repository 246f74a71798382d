/* SPDX-License-Identifier: MIT */
/*
 * COBS frames with a CRC, see frame.h.
 *
 * The decoder holds the last four bytes back in `tail`: until the zero comes nobody knows
 * whether they are payload or the CRC.
 */

#include "proto/frame.h"

#include <string.h>

#include "proto/crc.h"

/* COBS: a group is a code byte and code - 1 bytes that are not zero; code < 0xff stands for a
 * zero after them. */
typedef struct Stuffer {
        uint8_t *out;
        size_t room;
        size_t at;   /* where the next byte goes */
        size_t code; /* where the code byte of the open group is */
} Stuffer;

static void stuff_close(Stuffer *s) {
        if (s->code < s->room)
                s->out[s->code] = (uint8_t)(s->at - s->code);
        s->code = s->at++;
}

static void stuff(Stuffer *s, uint8_t byte) {
        if (s->at - s->code == 0xff)
                stuff_close(s);
        if (byte == 0) {
                stuff_close(s);
                return;
        }
        if (s->at < s->room)
                s->out[s->at] = byte;
        s->at++;
}

size_t rkd_frame_encode(uint8_t *out, size_t room, const RkdFrame *frame) {
        const uint8_t header[RKD_FRAME_HEADER] = { frame->address, frame->type, frame->sequence,
                frame->flags };
        uint32_t crc = rkd_crc32_add(RKD_CRC32_START, header, sizeof(header));
        Stuffer s = { .out = out, .room = room, .at = 1 };

        crc = rkd_crc32_finish(rkd_crc32_add(crc, frame->payload, frame->n_payload));
        for (size_t i = 0; i < sizeof(header); i++)
                stuff(&s, header[i]);
        for (size_t i = 0; i < frame->n_payload; i++)
                stuff(&s, frame->payload[i]);
        for (unsigned i = 0; i < RKD_FRAME_CRC; i++)
                stuff(&s, (uint8_t)(crc >> (8 * i)));
        stuff_close(&s);
        /* The closing code opened one more group; its place takes the zero. */
        if (s.at > room)
                return 0;
        out[s.code] = 0;
        return s.at;
}

size_t rkd_frame_gap(size_t n_payload_max) {
        return RKD_FRAME_ENCODED(n_payload_max) - n_payload_max - RKD_FRAME_CRC;
}

void rkd_decoder_init(RkdDecoder *d) {
        *d = (RkdDecoder){ .crc = RKD_CRC32_START };
}

static RkdDecoded take(RkdDecoder *d, uint8_t byte) {
        uint8_t oldest = (uint8_t)d->tail;
        uint16_t n = d->n_bytes;

        if (n == RKD_FRAME_HEADER + RKD_PAYLOAD_MAX + RKD_FRAME_CRC) {
                d->bad = true;
                return RKD_DECODED_MORE;
        }
        d->n_bytes++;
        if (n < RKD_FRAME_HEADER) {
                d->header[n] = byte;
                d->crc = rkd_crc32_add(d->crc, &byte, 1);
                return n == RKD_FRAME_HEADER - 1 ? RKD_DECODED_HEADER : RKD_DECODED_MORE;
        }
        d->tail = d->tail >> 8 | (uint32_t)byte << 24;
        if (n < RKD_FRAME_HEADER + RKD_FRAME_CRC)
                return RKD_DECODED_MORE;
        d->crc = rkd_crc32_add(d->crc, &oldest, 1);
        d->byte = oldest;
        d->n_payload++;
        return RKD_DECODED_PAYLOAD;
}

static RkdDecoded finish(RkdDecoder *d) {
        bool good = !d->bad && d->code == 1 && d->n_bytes >= RKD_FRAME_HEADER + RKD_FRAME_CRC &&
                    rkd_crc32_finish(d->crc) == d->tail;

        /* header and n_payload stay for the caller until the next frame begins */
        d->code = 0;
        return good ? RKD_DECODED_COMPLETE : RKD_DECODED_DAMAGED;
}

static void begin(RkdDecoder *d) {
        d->zero_due = false;
        d->bad = false;
        d->tail = 0;
        d->crc = RKD_CRC32_START;
        d->n_bytes = 0;
        d->n_payload = 0;
}

RkdDecoded rkd_decoder_feed(RkdDecoder *d, uint8_t byte) {
        bool zero;

        if (byte == 0)
                return d->code == 0 ? RKD_DECODED_MORE : finish(d);
        if (d->code > 1) {
                d->code--;
                return d->bad ? RKD_DECODED_MORE : take(d, byte);
        }
        if (d->code == 0)
                begin(d);
        zero = d->zero_due;
        d->code = byte;
        d->zero_due = byte != 0xff;
        return zero && !d->bad ? take(d, 0) : RKD_DECODED_MORE;
}

void rkd_frame_reader_init(RkdFrameReader *r, uint8_t *buffer, size_t n_room) {
        rkd_decoder_init(&r->decoder);
        r->buffer = buffer;
        r->n_room = n_room;
}

RkdDecoded rkd_frame_reader_feed(RkdFrameReader *r, uint8_t byte, RkdFrame *ret_frame) {
        RkdDecoder *d = &r->decoder;

        switch (rkd_decoder_feed(d, byte)) {
        case RKD_DECODED_PAYLOAD:
                if (d->n_payload <= r->n_room)
                        r->buffer[d->n_payload - 1] = d->byte;
                return RKD_DECODED_MORE;
        case RKD_DECODED_COMPLETE:
                if (d->n_payload > r->n_room || (d->header[3] & ~_RKD_FLAGS_VALID) != 0)
                        return RKD_DECODED_DAMAGED;
                *ret_frame = (RkdFrame){
                        .address = d->header[0],
                        .type = d->header[1],
                        .sequence = d->header[2],
                        .flags = d->header[3],
                        .payload = r->buffer,
                        .n_payload = d->n_payload,
                };
                return RKD_DECODED_COMPLETE;
        case RKD_DECODED_DAMAGED:
                return RKD_DECODED_DAMAGED;
        default:
                return RKD_DECODED_MORE;
        }
}

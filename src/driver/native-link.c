/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NativeLink: see the header. Times follow from the bytes: 8N1 moves ten bits a byte. */
#include <assert.h>

#include "driver/native-link.h"

static uint64_t line_time(const NativeLink *l, size_t n_bytes) {
        return (uint64_t)n_bytes * 10 * USEC_PER_SEC / l->baud;
}

static void account_sent(NativeLink *l, size_t n, uint64_t now_usec) {
        l->bytes_sent += n;
        l->line_free_usec = MAX(l->line_free_usec, now_usec) + line_time(l, n);
}

/* Encodes behind the flushing zero, if one is due, and returns the bytes of both. */
static size_t finish_frame(NativeLink *l, const RkdFrame *frame, uint8_t *at, uint64_t now_usec) {
        size_t lead = (size_t)(at - l->out);
        size_t n = rkd_frame_encode(at, sizeof(l->out) - lead, frame);

        assert(n > 0);
        l->out[0] = lead > 0 ? 0 : l->out[0];
        l->flush_due = false;
        account_sent(l, lead + n, now_usec);
        return lead + n;
}

void native_link_init(NativeLink *l, uint8_t address, bool half_duplex, uint32_t turnaround_usec) {
        *l = (NativeLink){
                .address = address,
                .half_duplex = half_duplex,
                .turnaround_usec = turnaround_usec,
                .baud = 115200,
                .flush_due = true,
                .latency_usec = USEC_INFINITY,
        };
        rkd_frame_reader_init(&l->reader, l->buffer, sizeof(l->buffer));
}

void native_link_set_baud(NativeLink *l, uint32_t baud) {
        l->baud = baud;
        l->flush_due = true;
        rkd_frame_reader_init(&l->reader, l->buffer, sizeof(l->buffer));
}

void native_link_number(NativeLink *l) {
        l->sequence++;
}

size_t native_link_command(
                NativeLink *l, const RkdRequest *request, bool repeated, uint64_t now_usec) {
        uint8_t payload[RKD_PAYLOAD_MIN];
        RkdFrame frame = {
                .address = l->address,
                .type = request->type,
                .sequence = l->sequence,
                .flags = l->half_duplex ? RKD_FLAG_POLL : 0,
                .payload = payload,
        };

        frame.n_payload = rkd_request_encode(request, payload, sizeof(payload));
        assert(frame.n_payload > 0 || request->type == RKD_NOP || request->type == RKD_ENTER);
        l->flush_due |= repeated;
        return finish_frame(l, &frame, l->out + l->flush_due, now_usec);
}

size_t native_link_data(NativeLink *l, const RkdRequest *data, bool poll, uint64_t now_usec) {
        uint8_t *at = l->out + l->flush_due;
        uint8_t *payload = at + rkd_frame_gap(RKD_DATA_FIXED + data->n_bytes);
        RkdFrame frame = {
                .address = l->address,
                .type = RKD_DATA,
                .sequence = l->sequence,
                .flags = poll ? RKD_FLAG_POLL : 0,
                .payload = payload,
        };

        frame.n_payload = rkd_request_encode(
                        data, payload, sizeof(l->out) - (size_t)(payload - l->out));
        assert(frame.n_payload > 0);
        return finish_frame(l, &frame, at, now_usec);
}

static void set_busy(NativeLink *l, uint16_t busy_ms, uint64_t now_usec) {
        l->busy_until_usec = now_usec + busy_ms * USEC_PER_MSEC;
}

bool native_link_feed(NativeLink *l, uint8_t byte, uint64_t now_usec, RkdAnswer *ret,
                uint8_t *ret_sequence) {
        RkdFrame frame;

        l->bytes_received++;
        switch (rkd_frame_reader_feed(&l->reader, byte, &frame)) {
        case RKD_DECODED_DAMAGED:
                l->n_damaged++;
                return false;
        case RKD_DECODED_COMPLETE:
                break;
        default:
                return false;
        }
        /* On a bus the gateway hears itself, and the answers to others. */
        if (!(frame.flags & RKD_FLAG_FROM_DEVICE) || frame.address != l->address)
                return false;
        if (rkd_answer_decode(ret, frame.type, frame.payload, frame.n_payload) != 0) {
                l->n_damaged++;
                return false;
        }
        l->n_valid++;
        l->n_payload = frame.n_payload;
        l->bus_free_usec = now_usec + l->turnaround_usec;
        if (ret->type != RKD_HELLO)
                set_busy(l, MAX(ret->busy_ms, ret->status.busy_ms), now_usec);
        *ret_sequence = frame.sequence;
        return true;
}

bool native_link_answer_begins(const NativeLink *l, uint8_t type) {
        const RkdDecoder *d = &l->reader.decoder;

        return d->n_bytes == RKD_FRAME_HEADER && d->header[0] == l->address &&
               d->header[1] == type && d->header[2] == l->sequence &&
               (d->header[3] & RKD_FLAG_FROM_DEVICE);
}

void native_link_answered(NativeLink *l, uint64_t now_usec) {
        uint64_t due = l->line_free_usec + line_time(l, RKD_FRAME_ENCODED(l->n_payload));

        l->latency_usec = MIN(l->latency_usec, now_usec > due ? now_usec - due : 0);
}

void native_link_left(NativeLink *l, size_t n_under_way, uint64_t now_usec) {
        l->line_free_usec = MIN(l->line_free_usec, now_usec + line_time(l, n_under_way));
}

uint32_t native_link_latency_bytes(const NativeLink *l) {
        uint64_t usec = MIN(l->latency_usec, USEC_PER_SEC);

        return l->half_duplex ? 0 : (uint32_t)(usec * l->baud / 10 / USEC_PER_SEC);
}

uint64_t native_link_send_time(const NativeLink *l) {
        uint64_t t = l->half_duplex ? l->bus_free_usec : 0;

        return l->blocks ? MAX(t, l->busy_until_usec) : t;
}

uint64_t native_link_deadline(
                const NativeLink *l, size_t n_answer, uint64_t grace_usec, uint64_t now_usec) {
        uint64_t t = MAX(MAX(l->line_free_usec, l->busy_until_usec), now_usec);

        if (l->half_duplex)
                t += 2 * (uint64_t)l->turnaround_usec;
        return t + line_time(l, RKD_FRAME_ENCODED(n_answer)) + grace_usec;
}

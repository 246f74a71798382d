/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a line: what the reader accepts must encode to a frame that it reads the same,
 * and every payload must be decoded or refused without a step outside it.
 */

#include <assert.h>
#include <string.h>

#include "proto/frame.h"
#include "proto/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void decode(const RkdFrame *frame) {
        RkdIdentity identity;
        RkdRequest request;
        RkdAnswer answer;
        RkdBegin begin;

        if (rkd_request_decode(&request, frame->type, frame->payload, frame->n_payload) == 0 &&
                        request.bytes)
                assert(request.bytes + request.n_bytes == frame->payload + frame->n_payload);
        if (rkd_answer_decode(&answer, frame->type, frame->payload, frame->n_payload) == 0 &&
                        answer.bytes)
                assert(answer.bytes + answer.n_bytes == frame->payload + frame->n_payload);
        if (rkd_identity_decode(&identity, frame->payload, frame->n_payload) == 0)
                assert(identity.n_speeds <= RKD_SPEEDS_MAX &&
                                identity.n_regions <= RKD_REGIONS_MAX);
        if (rkd_begin_decode(&begin, frame->payload, frame->n_payload) == 0)
                assert(begin.n_header + begin.n_signature + RKD_BEGIN_FIXED == frame->n_payload);
}

static void read_again(const RkdFrame *frame) {
        static uint8_t line[RKD_FRAME_ENCODED(RKD_PAYLOAD_MAX)], payload[RKD_PAYLOAD_MAX];
        size_t n = rkd_frame_encode(line, sizeof(line), frame);
        RkdFrameReader r;
        RkdFrame again;

        rkd_frame_reader_init(&r, payload, sizeof(payload));
        assert(n > 0 && n <= RKD_FRAME_ENCODED(frame->n_payload));
        for (size_t i = 0; i + 1 < n; i++)
                assert(rkd_frame_reader_feed(&r, line[i], &again) == RKD_DECODED_MORE);
        assert(rkd_frame_reader_feed(&r, line[n - 1], &again) == RKD_DECODED_COMPLETE);
        assert(again.type == frame->type && again.n_payload == frame->n_payload);
        assert(memcmp(payload, frame->payload, frame->n_payload) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        uint8_t payload[300];
        RkdFrameReader r;
        RkdFrame frame;

        /* The payloads are reached at once, too: few random frames have a good CRC. */
        if (n > 0)
                decode(&(RkdFrame){ .type = bytes[0], .payload = bytes + 1, .n_payload = n - 1 });
        rkd_frame_reader_init(&r, payload, sizeof(payload));
        for (size_t i = 0; i < n; i++)
                if (rkd_frame_reader_feed(&r, bytes[i], &frame) == RKD_DECODED_COMPLETE) {
                        decode(&frame);
                        read_again(&frame);
                }
        return 0;
}

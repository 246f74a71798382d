/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Native, the stream: STREAM opens it, the window carries it, END has it checked. Silence is
 * answered with a NOP, whose answer tells for sure what the device has. */
#include "driver/native-steps.h"

#define STALL_USEC       (30 * USEC_PER_SEC) /* no progress, though the device answers */
#define ROOM_PAUSE_USEC  (5 * USEC_PER_MSEC)
#define QUIET_DOUBLINGS  3u
#define STALE_GRACE_USEC (5 * USEC_PER_MSEC)
#define END_GRACE_USEC   (1 * USEC_PER_SEC) /* a device that hashes before it answers */
#define STREAM_TRIES     3

void stream_enter(Native *n) {
        n->stream_id++;
        native_ask(n,
                        &(RkdRequest){
                                        .type = RKD_STREAM,
                                        .codec = n->codec,
                                        .length = (uint32_t)n->n_stream,
                                        .stream_id = n->stream_id,
                        },
                        RKD_ANSWER_FIXED + 4, NATIVE_ANSWER_USEC);
}

void stream_answer(Native *n, const RkdAnswer *a) {
        const RkdIdentity *i = &n->identity;

        /* More than a fresh stream can be granted: it took ours for an older one that happened
         * to have this id. */
        if (a->credit > i->buffer && ++n->stream_tries < STREAM_TRIES) {
                native_enter(n, NATIVE_STREAM);
                return;
        }
        native_window_init(&n->window, n->stream, (uint32_t)n->n_stream,
                        &(NativeWindowLimits){
                                        .window_bytes = i->buffer,
                                        .max_payload = i->max_payload,
                                        .latency_bytes = native_link_latency_bytes(&n->link),
                                        .bursts = n->link.half_duplex,
                                        .whole = n->link.blocks && !n->link.half_duplex,
                                        .blocks = n->link.blocks,
                        });
        n->window.credit = MIN(a->credit, n->window.length);
        n->progress_usec = n->now_usec;
        native_enter(n, NATIVE_SEND);
}

/* It has started anew since BEGIN. */
void stream_refused(Native *n, const RkdAnswer *a) {
        if (a->result == RKD_BAD_STATE)
                native_lost(n, "STREAM");
        else
                native_refuse_or_lost(n, a);
}

/* A device that works tells by itself when it has room; it is asked now and then in case that
 * got lost, and often enough for a raised speed to stay. */
static void expect_news(Native *n) {
        uint64_t grace = NATIVE_STATUS_USEC;

        if (n->link.baud == n->base_baud || n->base_baud == 0)
                grace <<= MIN(n->n_quiet, QUIET_DOUBLINGS);
        n->deadline_usec = native_link_deadline(&n->link, RKD_STATUS_BYTES, grace, n->now_usec);
}

void send_enter(Native *n) {
        expect_news(n);
}

/* Asks what the device has. */
void send_quiet(Native *n) {
        if (n->now_usec - n->progress_usec > STALL_USEC &&
                        n->now_usec > n->link.busy_until_usec + STALL_USEC) {
                native_lost(n, "DATA");
                return;
        }
        n->n_quiet++;
        native_ask(n, &(RkdRequest){ .type = RKD_NOP }, RKD_ANSWER_FIXED + RKD_STATUS_BYTES,
                        NATIVE_STATUS_USEC);
}

/* On a bus a device without room cannot say when it has some. */
static void poll_for_room(Native *n) {
        send_quiet(n);
        n->not_before_usec = MAX(n->link.busy_until_usec, n->now_usec + ROOM_PAUSE_USEC);
}

static void note_progress(Native *n) {
        n->progress_usec = n->now_usec;
        n->n_quiet = 0;
        if (native_window_is_complete(&n->window))
                n->recoveries = 0;
}

/* What the device has taken in has left the line, however fast that is; after a step back there
 * may be pieces on it that the window counts no more. Frames add to the bytes of the stream. */
static void note_left(Native *n, const RkdStatus *s, bool sure) {
        uint32_t under_way = n->window.next - MIN(s->received, n->window.next);

        if (sure)
                native_link_left(&n->link, 0, n->now_usec);
        else if (n->now_usec >= n->window.stale_until_usec)
                native_link_left(&n->link,
                                under_way + under_way / 4 + RKD_FRAME_ENCODED(RKD_PAYLOAD_MIN),
                                n->now_usec);
}

void send_status(Native *n, const RkdAnswer *a, bool sure) {
        uint32_t received = n->window.received, credit = n->window.credit;
        uint64_t queue_usec;

        note_left(n, &a->status, sure);
        queue_usec = native_link_deadline(
                                     &n->link, RKD_STATUS_BYTES, STALE_GRACE_USEC, n->now_usec) +
                     MIN(n->link.latency_usec, (uint64_t)NATIVE_STATUS_USEC);
        if (a->status.error != RKD_OK) {
                native_refuse(n, a->status.error, "DATA");
                return;
        }
        switch (native_window_status(&n->window, &a->status, a->type == RKD_NAK, sure, n->now_usec,
                        queue_usec)) {
        case NATIVE_WINDOW_FORGOTTEN:
                native_lost(n, "DATA");
                return;
        case NATIVE_WINDOW_NOTHING:
                if (n->waiting)
                        return;
                break;
        default:
                n->due = n->waiting = false;
        }
        if (n->window.received > received || n->window.credit > credit)
                note_progress(n);
        if (native_window_is_complete(&n->window))
                native_enter(n, NATIVE_END);
        else if (n->link.half_duplex && !native_window_may_send(&n->window, true))
                poll_for_room(n);
        else
                expect_news(n);
}

void send_answer(Native *n, const RkdAnswer *a) {
        send_status(n, a, !n->sent_since_poll);
}

void end_enter(Native *n) {
        native_ask(n, &(RkdRequest){ .type = RKD_END, .push_id = n->request.push_id },
                        RKD_ANSWER_FIXED, NATIVE_ANSWER_USEC + END_GRACE_USEC);
}

void end_answer(Native *n, const RkdAnswer *a) {
        native_finish(n, DRIVER_OK, 0, "%s", "");
}

/* The flash did not hold what was believed: once more with every byte. */
void end_refused(Native *n, const RkdAnswer *a) {
        if (a->result != RKD_BAD_DIGEST || n->trust_nothing) {
                native_refuse_or_lost(n, a);
                return;
        }
        n->trust_nothing = true;
        native_enter(n, NATIVE_BEGIN);
}

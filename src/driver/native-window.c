/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NativeWindow: see the header. One piece is on its way while another is acknowledged: two of them,
 * and what the line carries until an answer is back, fit into the device's buffer. When less than a
 * piece is granted and others are still unacknowledged, the next grant is waited for while the line
 * is busy; when it is about to be idle a quarter of the buffer (what a device grants at a time)
 * goes as a shorter piece.
 *
 * What is on its way when a loss is noticed is sent in vain. So after a loss pieces are shorter, no
 * more of them are out than keep the line busy, and each is asked about at once, until some have
 * come through. Not so to a device that goes deaf after a POLL: it gets all that is granted first,
 * and after the POLL nothing until its answer, whatever was granted while the POLL was on its way.
 *
 * On a bus there are bursts: all that is granted, then the answer. The last piece of a burst is
 * short, so that the device has taken in what came before when it answers, and grants that much
 * again. */
#include <assert.h>

#include "driver/native-window.h"
#include "proto/frame.h"

#define PIECE_MIN      60 /* what every device takes: 64 bytes of payload */
#define PIECES_TO_GROW 8
#define LAST_PIECE     64 /* of a burst */

static bool is_lossy(const NativeWindow *w) {
        return w->piece_bytes < w->piece_max_bytes && !w->whole;
}

static uint32_t send_limit(const NativeWindow *w) {
        return is_lossy(w) ? MIN(w->credit, w->received + 2 * w->piece_bytes + w->latency_bytes)
                           : w->credit;
}

/* Bytes of the piece at `next`; 0: none may go now. */
static uint32_t piece_at(const NativeWindow *w, uint32_t next, bool hurry) {
        uint32_t end = send_limit(w);
        uint32_t left = w->length - next, granted = end > next ? end - next : 0;
        uint32_t want = MIN(left, w->piece_bytes);

        if (w->received < w->polled_to)
                return 0;
        if (granted >= want)
                return want;
        if (w->bursts)
                return granted >= MIN(left, w->least_bytes) || next != w->received ? granted : 0;
        return (hurry && granted >= w->least_bytes) || next == w->received ? granted : 0;
}

/* The longest piece of which two fit into the window beside the latency; parts of a quarter, so
 * that each one or so earns a grant. */
static uint32_t choose_piece(const NativeWindowLimits *limits) {
        static const uint32_t parts[] = { 2, 3, 4 };
        uint32_t window = limits->window_bytes;

        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                if ((uint64_t)window / parts[i] * 2 + limits->latency_bytes <=
                                (uint64_t)window + window / 16 * 3 + 64)
                        return window / parts[i];
        return window / 8;
}

void native_window_init(NativeWindow *w, const void *stream, uint32_t length,
                const NativeWindowLimits *limits) {
        uint32_t piece = MIN(choose_piece(limits), (uint32_t)limits->max_payload - RKD_DATA_FIXED);

        assert(limits->max_payload >= RKD_PAYLOAD_MIN);
        piece = MAX(piece, PIECE_MIN);
        *w = (NativeWindow){
                .stream = stream,
                .length = length,
                .piece_bytes = piece,
                .piece_max_bytes = piece,
                .bursts = limits->bursts,
                .whole = limits->whole,
                .latency_bytes = limits->latency_bytes,
                .least_bytes = limits->blocks ? 1 : MAX(limits->window_bytes / 4, PIECE_MIN),
        };
}

bool native_window_is_complete(const NativeWindow *w) {
        return w->received == w->length;
}

bool native_window_may_send(const NativeWindow *w, bool hurry) {
        return piece_at(w, w->next, hurry) > 0;
}

bool native_window_next(NativeWindow *w, bool hurry, RkdRequest *ret, bool *ret_poll) {
        uint32_t n = piece_at(w, w->next, hurry);

        if (n == 0)
                return false;
        if (w->bursts && n > 2 * LAST_PIECE && piece_at(w, w->next + n, hurry) == 0)
                n -= LAST_PIECE;
        *ret = (RkdRequest){
                .type = RKD_DATA,
                .offset = w->next,
                .bytes = w->stream + w->next,
                .n_bytes = n,
        };
        w->next += n;
        *ret_poll = piece_at(w, w->next, false) == 0 || (is_lossy(w) && !w->bursts);
        if (w->whole && *ret_poll)
                w->polled_to = w->next;
        return true;
}

static void shrink(NativeWindow *w) {
        w->piece_bytes = MAX(w->piece_bytes / 2, MIN(w->piece_max_bytes, 2 * PIECE_MIN));
        w->n_good = 0;
}

static void grow(NativeWindow *w) {
        if (++w->n_good < PIECES_TO_GROW)
                return;
        w->piece_bytes = MIN(w->piece_bytes * 2, w->piece_max_bytes);
        w->n_good = 0;
}

static bool take_counts(NativeWindow *w, const RkdStatus *s) {
        bool news = s->received > w->received || s->credit > w->credit;

        if (s->received > w->received)
                grow(w);
        w->received = s->received;
        w->credit = MAX(w->credit, MIN(s->credit, w->length));
        /* After a step back the device may count pieces that came through after all. */
        w->next = MAX(w->next, w->received);
        return news;
}

NativeWindowNews native_window_status(NativeWindow *w, const RkdStatus *s, bool nak, bool sure,
                uint64_t now_usec, uint64_t queue_usec) {
        bool news;

        if (s->received > w->length ||
                        (sure && (s->received < w->received || s->credit < w->credit)))
                return NATIVE_WINDOW_FORGOTTEN;
        if (s->received < w->received)
                return NATIVE_WINDOW_NOTHING;
        news = take_counts(w, s);
        if (s->received == w->next || !(sure || nak))
                return news ? NATIVE_WINDOW_PROGRESS : NATIVE_WINDOW_NOTHING;
        if (!sure && s->received == w->back_to && now_usec < w->stale_until_usec)
                return NATIVE_WINDOW_NOTHING;
        w->next = w->back_to = s->received;
        w->polled_to = 0;
        w->stale_until_usec = queue_usec;
        shrink(w);
        return NATIVE_WINDOW_BACK;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NativeWindow: which piece of the stream goes next, and what an acknowledgement means for it.
 * Sends ahead up to the credit, marks the last piece that it will send under the present credit
 * with POLL, goes back to what the device has when it reports a gap, and makes pieces smaller while
 * a line damages many. Pure.
 *
 * A STATUS is *sure* when it answers a NOP sent after all the pieces, or any POLL on a bus: then
 * what it does not count is lost. Others may have been on their way while more was sent. */
#pragma once

#include "basic/cleanup.h"
#include "proto/message.h"

typedef struct NativeWindow {
        const uint8_t *stream; /* borrowed */
        uint32_t length;
        uint32_t next;     /* first byte not yet sent */
        uint32_t received; /* the device has everything before */
        uint32_t credit;
        uint32_t piece_bytes, piece_max_bytes;
        uint32_t least_bytes; /* of a piece, while others are out */
        bool bursts, whole;
        uint32_t latency_bytes;
        uint32_t polled_to;        /* whole: nothing goes before the device has all up to there */
        unsigned n_good;           /* pieces taken since the last loss */
        uint32_t back_to;          /* where the last step back went */
        uint64_t stale_until_usec; /* NAKs for it until then are about pieces sent before */
} NativeWindow;

typedef enum NativeWindowNews {
        NATIVE_WINDOW_NOTHING,
        NATIVE_WINDOW_PROGRESS, /* the device took more, or grants more */
        NATIVE_WINDOW_BACK,     /* something was lost; `next` went back */
        /* the device counts or grants less than it did: it has started anew */
        NATIVE_WINDOW_FORGOTTEN,
} NativeWindowNews;

typedef struct NativeWindowLimits {
        uint32_t window_bytes;  /* the device's receive buffer */
        uint16_t max_payload;   /* of one DATA frame */
        uint32_t latency_bytes; /* that the line carries while an answer is late */
        bool bursts;            /* half duplex */
        bool whole;             /* full duplex, and flash stops the device's core */
        bool blocks;            /* it does; then a grant does not grow while nothing is sent */
} NativeWindowLimits;

void native_window_init(NativeWindow *w, const void *stream, uint32_t length,
                const NativeWindowLimits *limits);
bool native_window_is_complete(const NativeWindow *w);
/* hurry: the line is about to be idle; then a short piece is better than none. */
bool native_window_may_send(const NativeWindow *w, bool hurry);
/* The next piece, if one may be sent. */
bool native_window_next(NativeWindow *w, bool hurry, RkdRequest *ret, bool *ret_poll);
/* queue_usec: when all that was handed out has left and could be answered. */
NativeWindowNews native_window_status(NativeWindow *w, const RkdStatus *status, bool nak, bool sure,
                uint64_t now_usec, uint64_t queue_usec);

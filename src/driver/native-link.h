/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NativeLink: the gateway's end of the native link below any meaning: builds frames, numbers
 * commands, finds valid frames of the addressed unit in what arrives, and keeps account of the
 * line: when the last byte handed out will have left, until when the device said to be busy, and
 * from when on a bus may be driven again. Pure: no I/O, no clock. */
#pragma once

#include "basic/cleanup.h"
#include "proto/frame.h"
#include "proto/message.h"

/* Beyond the line's own time: drivers, USB adapters and the peer's loop. */
#define NATIVE_ANSWER_USEC (300 * USEC_PER_MSEC)
#define NATIVE_STATUS_USEC (120 * USEC_PER_MSEC)

typedef struct NativeLink {
        RkdFrameReader reader;
        uint8_t buffer[RKD_ANSWER_MAX];
        uint8_t out[1 + RKD_FRAME_ENCODED(RKD_PAYLOAD_MAX)];
        uint8_t address, sequence;
        bool half_duplex, blocks; /* blocks: the device is deaf while it says to be busy */
        bool flush_due;           /* a zero goes before the next frame */
        uint32_t turnaround_usec, baud;
        uint64_t line_free_usec;  /* the last byte handed out has left */
        uint64_t bus_free_usec;   /* half duplex: not to be driven before */
        uint64_t busy_until_usec; /* as the device announced */
        uint64_t latency_usec;    /* the shortest time that an answer took beyond the line's own */
        uint64_t bytes_sent, bytes_received;
        unsigned n_valid, n_damaged; /* frames */
        size_t n_payload;            /* of the last valid one */
} NativeLink;

void native_link_init(NativeLink *l, uint8_t address, bool half_duplex, uint32_t turnaround_usec);
void native_link_set_baud(NativeLink *l, uint32_t baud);

/* A new command gets the next number; a repeated one keeps its own. */
void native_link_number(NativeLink *l);
/* Both return the bytes to send, in l->out. repeated: after silence. */
size_t native_link_command(
                NativeLink *l, const RkdRequest *request, bool repeated, uint64_t now_usec);
size_t native_link_data(NativeLink *l, const RkdRequest *data, bool poll, uint64_t now_usec);

/* True when `byte` completes a valid frame of the addressed unit, decoded into *ret (its bytes
 * are valid until the next byte). */
bool native_link_feed(NativeLink *l, uint8_t byte, uint64_t now_usec, RkdAnswer *ret,
                uint8_t *ret_sequence);

/* The header of an answer to the present command is in; the rest, and the proof, is to come. */
bool native_link_answer_begins(const NativeLink *l, uint8_t type);
/* The frame that came last answers what was sent last. */
void native_link_answered(NativeLink *l, uint64_t now_usec);
/* The device has told that of all that was sent only so many bytes can still be on their way. */
void native_link_left(NativeLink *l, size_t n_under_way, uint64_t now_usec);
/* What the line carries in the latency; 0 where nothing is sent ahead. */
uint32_t native_link_latency_bytes(const NativeLink *l);

/* When it makes sense to send; now_usec or earlier: at once. */
uint64_t native_link_send_time(const NativeLink *l);
/* Until when an answer of n bytes of payload to what was sent last may take, `grace_usec` on top
 * of the line's own time. */
uint64_t native_link_deadline(
                const NativeLink *l, size_t n_answer, uint64_t grace_usec, uint64_t now_usec);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The frame of the native link: COBS( address | type | sequence | flags | payload | crc32 ) 0x00.
 *
 * Three layers: rkd_frame_encode() writes a whole frame; RkdDecoder takes a line byte by byte
 * and tells what it meant, keeping nothing but the header and the last four bytes (which may be
 * the CRC), so that a receiver can put payload bytes where it likes; RkdFrameReader is a decoder
 * with a buffer, for those who want whole frames. Every zero byte resynchronises.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RKD_FRAME_HEADER  4u
#define RKD_FRAME_CRC     4u
#define RKD_PAYLOAD_MIN   64u   /* every receiver takes at least this much payload */
#define RKD_PAYLOAD_MAX   4096u /* and none is ever asked for more */
#define RKD_ANSWER_MAX    1024u
#define RKD_ADDRESS_POINT 0u
#define RKD_ADDRESS_ALL   255u

/* Bytes on the line, the closing zero included, of a frame with n bytes of payload (at most;
 * COBS depends on the bytes). */
#define RKD_FRAME_ENCODED(n)                                                                       \
        ((n) + RKD_FRAME_HEADER + RKD_FRAME_CRC +                                                  \
                        ((n) + RKD_FRAME_HEADER + RKD_FRAME_CRC) / 254u + 2u)

enum {
        RKD_FLAG_FROM_DEVICE = 1 << 0, /* DIR */
        RKD_FLAG_POLL = 1 << 1,
        _RKD_FLAGS_VALID = RKD_FLAG_FROM_DEVICE | RKD_FLAG_POLL,
};

typedef struct RkdFrame {
        uint8_t address;
        uint8_t type; /* RkdType of message.h */
        uint8_t sequence;
        uint8_t flags;
        const uint8_t *payload;
        size_t n_payload;
} RkdFrame;

/* Writes the frame with its closing zero; returns the bytes written, 0 when `room` is too small.
 * `out` may not overlap the payload, except as rkd_frame_gap() says. */
size_t rkd_frame_encode(uint8_t *out, size_t room, const RkdFrame *frame);

/* Building in place, without a second buffer: put the payload (n_payload ≤ n) at out +
 * rkd_frame_gap(n), point frame->payload there, then encode into the same `out` of
 * RKD_FRAME_ENCODED(n) bytes. */
size_t rkd_frame_gap(size_t n_payload_max);
/* Enough for every payload up to RKD_ANSWER_MAX. */
#define RKD_FRAME_GAP 10u

typedef enum RkdDecoded {
        RKD_DECODED_MORE = 0, /* nothing to tell yet */
        RKD_DECODED_HEADER,   /* header[] is complete (unproven until COMPLETE) */
        RKD_DECODED_PAYLOAD,  /* `byte` is the next byte of the payload (unproven) */
        /* a zero came and the CRC is good: header[] and n_payload are proven */
        RKD_DECODED_COMPLETE,
        /* a zero came and something was wrong: whatever was given out since HEADER is void */
        RKD_DECODED_DAMAGED,
} RkdDecoded;

/* Members are for reading; header[] = address, type, sequence, flags. */
typedef struct RkdDecoder {
        uint8_t header[RKD_FRAME_HEADER];
        uint8_t byte;
        uint8_t code;  /* COBS: bytes left in the group, plus one; 0: between frames */
        bool zero_due; /* COBS: the group that ends now stood for a zero */
        bool bad;
        uint32_t tail;    /* the newest four bytes: payload, or the CRC */
        uint32_t crc;     /* running, over all but `tail` */
        uint16_t n_bytes; /* decoded bytes so far, header and tail included */
        uint16_t n_payload;
} RkdDecoder;

void rkd_decoder_init(RkdDecoder *d);
/* Frames of more than RKD_PAYLOAD_MAX are damaged ones; an empty frame (two zeros) tells
 * nothing. */
RkdDecoded rkd_decoder_feed(RkdDecoder *d, uint8_t byte);

typedef struct RkdFrameReader {
        RkdDecoder decoder;
        uint8_t *buffer; /* of the caller, n_room bytes: the longest payload that is accepted */
        size_t n_room;
} RkdFrameReader;

void rkd_frame_reader_init(RkdFrameReader *r, uint8_t *buffer, size_t n_room);
/* Gives MORE, COMPLETE (then *ret_frame is filled; its payload is valid until the next byte is
 * fed) or DAMAGED (also for a payload beyond n_room and for flags outside _RKD_FLAGS_VALID). */
RkdDecoded rkd_frame_reader_feed(RkdFrameReader *r, uint8_t byte, RkdFrame *ret_frame);

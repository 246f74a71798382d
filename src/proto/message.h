/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The messages of the native link, protocol version 1 (rekindle-link(7)): payloads to and from
 * plain structs.
 *
 * Decoders are strict: a payload that is too short, too long or out of range is RKD_E_MALFORMED
 * and the output is untouched. Byte strings and texts in decoded structs point into the payload
 * that was given.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/bytes.h"
#include "proto/numbers.h"

typedef struct RkdRegion {
        uint32_t start;
        uint32_t erase_size;
        uint32_t count; /* of erase units */
        uint16_t write_size;
} RkdRegion;

typedef struct RkdIdentity {
        uint8_t protocol, who, state, health, reset_cause;
        uint16_t boots; /* starts since BEGIN */
        uint8_t attempts_left, instruction_set, codecs, codec_profile;
        uint32_t capabilities;
        uint16_t max_payload, max_answer;
        uint32_t buffer, unit_size, program_base, program_space, ram_base, ram_size;
        uint64_t push_id;
        uint32_t image_length;
        uint8_t image_sha256[RKD_SHA256_BYTES];
        uint8_t digest_source;
        uint8_t n_speeds;
        uint32_t speeds[RKD_SPEEDS_MAX];
        uint8_t n_regions;
        RkdRegion regions[RKD_REGIONS_MAX];
        RkdText model, hardware, serial, bootloader_version, version, floor;
} RkdIdentity;

typedef struct RkdStatus {
        uint32_t received; /* stream bytes accepted in order: the next offset wanted */
        uint32_t credit;   /* absolute stream offset up to which may be sent */
        uint16_t busy_ms;
        uint8_t state, health;
        uint16_t boots;
        uint8_t error; /* RkdResult that stopped the stream, RKD_OK: none */
} RkdStatus;

/* A command. Only the members of its type count; the others are zero after decoding. */
typedef struct RkdRequest {
        uint8_t type;
        uint8_t what;         /* IDENTIFY */
        uint8_t codec;        /* STREAM */
        uint16_t total;       /* BEGIN: bytes of the begin area */
        uint16_t want;        /* IDENTIFY, READ */
        uint16_t count;       /* SUMS */
        uint16_t stream_id;   /* STREAM */
        uint32_t offset;      /* IDENTIFY, BEGIN (u16 on the line), DATA, READ */
        uint32_t first;       /* SUMS */
        uint32_t length;      /* STREAM: bytes of the stream */
        uint32_t baud;        /* SET-BAUD */
        uint64_t push_id;     /* END, START, CONFIRM */
        const uint8_t *bytes; /* BEGIN, DATA */
        size_t n_bytes;
} RkdRequest;

/* An answer, ACK, NAK or HELLO. With result other than RKD_OK only result and busy_ms are on the
 * line. */
typedef struct RkdAnswer {
        uint8_t type;
        uint8_t result;
        uint16_t busy_ms;
        uint16_t total;      /* IDENTIFY */
        uint32_t offset;     /* IDENTIFY (u16), READ; BEGIN: `have`, the next offset wanted (u16) */
        uint32_t first;      /* SUMS */
        uint16_t count;      /* SUMS: may be fewer than asked */
        uint32_t credit;     /* STREAM */
        uint32_t baud;       /* SET-BAUD */
        RkdStatus status;    /* NOP, ACK, NAK */
        uint8_t who, reason; /* HELLO: RkdWho, RkdState */
        uint16_t boots;      /* HELLO */
        const uint8_t *bytes; /* IDENTIFY, READ; SUMS: count × u32, read with rkd_load_u32() */
        size_t n_bytes;
} RkdAnswer;

/* The area that BEGIN carries in pieces. */
typedef struct RkdBegin {
        uint8_t flags;
        uint16_t trial_seconds; /* 1..RKD_TRIAL_SECONDS_MAX */
        uint64_t push_id;       /* not 0 */
        uint64_t replaces;      /* push id that identify told, 0: none; see rekindle-link(7) */
        const uint8_t *header;
        uint16_t n_header;
        const uint8_t *signature;
        uint16_t n_signature; /* 0 or 64 */
} RkdBegin;

/* Encoders return the bytes of the payload, 0 when it does not fit or cannot be said (a type
 * without this direction). A NOP and an ENTER are empty: use the frame without a payload, 0 is
 * their length. */
size_t rkd_request_encode(const RkdRequest *request, uint8_t *out, size_t room);
int rkd_request_decode(RkdRequest *ret, uint8_t type, const uint8_t *payload, size_t n);

size_t rkd_answer_encode(const RkdAnswer *answer, uint8_t *out, size_t room);
int rkd_answer_decode(RkdAnswer *ret, uint8_t type, const uint8_t *payload, size_t n);

/* Writes the window [offset, offset + room) of the encoded identity; returns the length of the
 * whole. */
size_t rkd_identity_encode(const RkdIdentity *identity, size_t offset, uint8_t *out, size_t room);
int rkd_identity_decode(RkdIdentity *ret, const uint8_t *data, size_t n);

size_t rkd_begin_encode(const RkdBegin *begin, uint8_t *out, size_t room);
int rkd_begin_decode(RkdBegin *ret, const uint8_t *data, size_t n);

/* What a result code means, one sentence for people ("the device …"); never NULL. */
const char *rkd_result_text(uint8_t result);

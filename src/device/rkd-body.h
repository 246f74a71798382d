/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the device keeps: the body of a record page, the block of RAM that survives a reset, a
 * digest that is being computed; and the identity as it tells it. Private.
 */

#include "rekindle/platform.h"

/* Both as they lie in flash and on the line, little-endian. */
typedef struct RkdHead {
        uint8_t magic[4]; /* "RKH1" */
        uint8_t format, algorithm;
        uint16_t reserved;
        uint32_t length; /* of the image */
        uint8_t sha256[RKD_SHA256_BYTES];
        /* texts follow */
} RkdHead;

typedef struct RkdBody {
        uint32_t crc; /* of all behind it, up to RKD_BODY_BYTES */
        uint32_t sequence;
        uint16_t boots; /* starts that were counted on an earlier page */
        uint16_t reserved;
        /* the begin area as it was received */
        uint8_t format, flags;
        uint16_t trial_seconds;
        uint32_t push_id[2];
        uint32_t replaces[2];
        uint16_t n_header, n_signature;
        RkdHead header;
        /* texts of the header, signature; from RKD_BODY_FLOOR on the floor in force, a text */
} RkdBody;

/* The identity as it is on the line, as far as its length is fixed. */
typedef struct RkdFixedIdentity {
        uint8_t format, protocol, who, state, health, cause;
        uint16_t boots;
        uint8_t attempts_left, instruction_set, codecs, codec_profile;
        uint32_t capabilities;
        uint16_t max_payload, max_answer;
        uint32_t buffer, unit_size, program_base, program_space, ram_base, ram_size;
        uint32_t push_id[2];
        uint32_t image_length;
        uint8_t image_sha256[RKD_SHA256_BYTES];
        uint8_t source;
} RkdFixedIdentity;

#define RKD_FIXED_IDENTITY_BYTES 89u

/* rkd-sha256.c */
typedef struct RkdSha256 {
        uint32_t n_bytes;
        uint32_t h[8];
        uint32_t block[16]; /* from its end down: its bytes make the words that are wanted */
} RkdSha256;

/* What survives a reset; rkd-record.c. */
typedef struct RkdRetained {
        uint8_t intent;
        uint8_t cause;   /* RkdCause */
        uint8_t retries; /* of a program that used up its starts */
        uint8_t slot;    /* that was started, counted from 1; 0: there is one */
        uint16_t boots;  /* starts that flash does not count */
        uint16_t reserved2;
} RkdRetained;

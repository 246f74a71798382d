/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The memory of the library's objects. Private: only the file named at each struct may touch its
 * members. Bytes come first, then halves, words, and arrays last: a Cortex-M0 reaches only the
 * first 32, 64 and 128 bytes of a struct in one instruction.
 */

#include "proto/frame.h"
#include "proto/message.h"
#include "rekindle/platform.h"

/* rkd-link.c: one end of the line. */
typedef struct RkdLink {
        uint8_t sink;                   /* where the payload goes that comes in now */
        bool command_due;               /* a whole command lies in command[] */
        bool heard;                     /* a valid frame came; cleared by its reader */
        bool baud_changed;              /* not at the first speed */
        uint8_t n_command;              /* bytes in command[] */
        uint8_t head[RKD_FRAME_HEADER]; /* of the command at hand */
        RkdDecoder decoder;
        const RkdPlatform *platform;
        uint32_t heard_ms; /* when the last valid frame came */
        uint32_t tx_at, tx_end;
        uint32_t baud_next; /* switch to it when tx is empty; 0: none */
        uint8_t command[RKD_PAYLOAD_MIN];
} RkdLink;

/* rkd-flash.c: one flash operation at a time, never outside its area. */
typedef struct RkdFlash {
        bool failed;
        const RkdPlatform *platform;
#if !RKD_FLASH_BLOCKS
        bool started; /* the piece at `at` has been handed to the platform */
        uint8_t operation;
        const uint8_t *data; /* of a write */
        uint32_t at, end;
#endif
} RkdFlash;

/* rkd-record.c: what the newest good record page says, and the writing of a page. */
typedef struct RkdRecord {
        uint8_t n_floor; /* of the floor in force */
        uint8_t status;  /* none, good, damaged */
        uint8_t page;    /* the good one */
        uint8_t n_pairs;
        bool verified, confirmed;
        uint8_t starts;  /* start marks */
        uint8_t healthy; /* index of the last healthy mark, plus one */
        uint8_t step;    /* of the writing */
        uint8_t target;  /* the page that is being written */
        uint8_t mark;    /* the mark that is being written */
        bool failed;
        uint16_t n_body;  /* of the good page */
        uint16_t n_write; /* of the one that is being written */
        uint16_t trial_seconds;
        uint16_t n_header, n_signature;
        uint16_t boots_base;
        const RkdPlatform *platform;
        RkdFlash *flash;
        uint32_t sequence;
        uint32_t image_length;
        uint32_t marks_due;
        uint8_t push_id[8]; /* all zero without a record */
} RkdRecord;

/* rkd-sha256.c */
typedef struct RkdSha256 {
        uint32_t h[8];
        uint32_t n_bytes;
        uint32_t block[16]; /* bytes, until it is whole */
} RkdSha256;

/* rkd-digest.c: SHA-256 of a piece of flash, and the search for what an unmanaged program says
 * of itself. */
typedef struct RkdDigest {
        uint8_t step;
        uint8_t source; /* RKD_DIGEST_… */
        const RkdPlatform *platform;
        uint32_t at, end;
        uint32_t length;     /* of the image that was found */
        uint32_t descriptor; /* its address, 0: none */
        RkdSha256 sha;       /* done: the digest begins its block */
} RkdDigest;

/* rkd-retained.c: what survives a reset, at most RKD_RETAINED_BYTES on the outside. */
typedef struct RkdRetained {
        uint8_t intent;
        uint8_t cause;
        uint8_t retries;
        uint16_t boots; /* starts that flash does not count */
} RkdRetained;

/* rkd-stream.c: receive ring, credit, codecs, page buffer. */
typedef struct RkdStream {
        uint8_t phase;
        uint8_t error;
        uint8_t codec;
        uint8_t n_run;
        bool erase_due;
        bool erase_early; /* before its page is full */
        bool dirty;       /* flash was touched since this was last cleared */
        bool gap;         /* noticed since the last progress */
        bool nak_told;    /* a NAK was sent since then */
        bool ack_due;
        bool polled;      /* a POLL said that nothing more comes under this credit */
        uint8_t blocking; /* phase of a platform whose flash blocks the CPU */
        uint16_t id;
        uint8_t run[8];
        const RkdPlatform *platform;
        RkdFlash *flash;
        uint32_t image_length;
        uint32_t length;   /* of the stream */
        uint32_t received; /* accepted in order */
        uint32_t taken;    /* of these, out of the ring */
        uint32_t credit, credit_told;
        uint32_t ring_in, ring_out;
        uint32_t frame_offset, frame_bytes, frame_in; /* the DATA frame that comes in now */
        uint32_t unit_address, unit_at, unit_bytes;
        uint32_t units_left;
        uint32_t page_fill;
        uint32_t nak_ms;
} RkdStream;

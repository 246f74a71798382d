/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The context of the small bootloader (small.c). Private. Bytes first, then halves, words and
 * arrays, as in rkd-context.h.
 */

#include "device/rkd-body.h"
#include "device/rkd-numbers.h"

#define RKD_SMALL_VIEW 64u /* bytes of flash at a time where it is not mapped */

typedef struct RkdSmall {
        uint8_t address;
        uint8_t phase;   /* RkdPhase */
        uint8_t check;   /* RkdCheck, of the program in flash */
        uint8_t staying; /* somebody wants the bootloader */
        uint8_t plausible;
        uint8_t command;  /* one waits in rx */
        uint8_t poll_due; /* an ACK or NAK was asked for by POLL */
        uint8_t status;   /* RkdRecordStatus */
        uint8_t page;     /* the good one, or that which proves a push */
        uint8_t starts, healthy;
        uint8_t stream; /* RkdStreamPhase */
        uint8_t codec, error;
        uint16_t n_in; /* bytes in rx */
        uint16_t tx_at, tx_end;
        uint16_t n_answer;
        uint16_t have; /* of the begin area */
        uint16_t stream_id;
        const RkdPlatform *platform;
        const RkdBody *body; /* of the good page */
        uint32_t sequence, marks;
        uint32_t received, credit, length; /* of the stream */
        uint32_t fill;                     /* bytes in run, page or ring */
        uint32_t run_at, run_end;          /* offsets in the program space */
        uint32_t boot_ms, heard_ms;
        uint32_t hashed;
        uint32_t run[2];
        RkdSha256 sha;
#if !RKD_FLASH_MAPPED
        uint32_t copy[RKD_BODY_BYTES / 4]; /* of the body of the good page */
        uint32_t view[RKD_SMALL_VIEW / 4];
        bool misread; /* what was viewed could not be read */
#endif
} RkdSmall;

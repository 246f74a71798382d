/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The contexts of bootloader and program: what a caller provides memory for. Private.
 *
 * One flat struct for both, of which a program uses the smaller part: bytes come first, then
 * halves, words, and arrays last, because a Cortex-M0 reaches only the first 32, 64 and 128 bytes
 * of a struct in one instruction. Each group belongs to the file named there.
 */

#include "device/rkd-body.h"
#include "device/rkd-patch-state.h"
#include "device/small-context.h"
#include "rekindle/platform.h"

typedef struct RkdDevice {
        /* rkd-link.c */
        uint8_t code;     /* COBS: bytes left in the group */
        uint8_t zero_due; /* COBS: the group stands for a zero at its end */
        uint8_t command;  /* in rx: RkdCommand */
        uint8_t address;
        /* rkd-boot.c */
        uint8_t phase;    /* RkdPhase */
        uint8_t check;    /* RkdCheck, of the program in flash */
        uint8_t staying;  /* somebody wants the bootloader */
        uint8_t poll_due; /* an ACK or NAK was asked for by POLL */
        uint8_t begin_result;
        uint8_t record_due; /* a record waits in the page until its BUSY has left */
        uint8_t digest;     /* rkd-digest.c: RkdDigestStep */
        uint8_t verdict;    /* RkdVerdict, on the signature of the body in the page */
        /* rkd-record.c */
        uint8_t status;  /* RkdRecordStatus */
        uint8_t page;    /* the good one */
        uint8_t marks;   /* bits: RKD_MARK_VERIFIED, RKD_MARK_CONFIRMED */
        uint8_t starts;  /* start marks */
        uint8_t healthy; /* of these, those up to the last healthy one */
        uint8_t target;  /* the page that is being written */
        uint8_t mark;    /* the mark that is being written */
        uint8_t failed;  /* flash, since it was last forgiven */
        /* rkd-stream.c */
        uint8_t stream; /* RkdStreamPhase */
        uint8_t error;
        uint8_t erase_due;
        uint8_t gap;      /* noticed since the last progress */
        uint8_t nak_told; /* a NAK was sent since then */
        uint8_t ack_due;
        uint8_t blocking; /* RkdBlocking */
        uint8_t polled;   /* a POLL said that nothing more comes under this credit */
        uint8_t codec;
        RkdRetained retained; /* rkd-record.c */
        /* of several, seldom looked at */
        uint8_t plausible;    /* what was in flash at the start looks like a program */
        uint8_t baud_changed; /* not at the first speed */
        uint8_t source;       /* of the digest: RKD_DIGEST_… */
        uint8_t step;         /* of the writing of a record, 0: none */
        uint8_t working;      /* flash: RkdWork */
#if RKD_WITH_SLOTS
        /* rkd-slot.c */
        uint8_t first_page, end_page; /* of the record pages that are looked at */
        uint8_t slot;                 /* at hand */
        uint8_t push_slot;            /* where the next record goes */
        uint8_t hash_slot;            /* of the digest */
        uint8_t fallback;             /* RkdCheck, of the program in the other slot */
#endif

        uint16_t n_in; /* bytes in rx */
        uint16_t tx_at, tx_end;
        uint16_t n_answer; /* bytes of the answer behind result and busy_ms */
        uint16_t begin_total, begin_have;
        uint16_t stream_id;

        const RkdPlatform *platform;
        uint32_t received; /* accepted in order */
        uint32_t taken;    /* of these, out of the ring */
        uint32_t credit, credit_told;
        uint32_t length; /* of the stream */
        uint32_t ring_out;
        uint32_t run_at, run_end; /* offsets in the program space: of the page buffer, of the run */
        uint32_t page_fill;
        const RkdBody *body;       /* of the good page */
        uint32_t heard_ms;         /* when the last valid frame came */
        uint32_t hello_ms;         /* or when HELLO was sent since then */
        uint32_t crc;              /* of the frame that comes in */
        uint32_t hashed, hash_end; /* offsets */
        uint32_t command_ms;       /* when the command at hand was first tried */
        uint32_t nak_ms;
        uint32_t marks_due;  /* bits, on the page that is being written */
        uint32_t boot_ms;    /* when this context was begun */
        uint32_t push_id[2]; /* zero without a record */
#if RKD_WITH_BAUD
        uint32_t baud_next; /* switch to it when tx is empty; 0: none */
#endif
#if RKD_WITH_SEARCH
        uint32_t descriptor; /* its address, where the digest is of what it tells */
#endif
        RkdSha256 sha; /* done: the digest begins its block */
#if !RKD_FLASH_MAPPED
        RkdBody copy;
#endif
} RkdDevice;

#if RKD_SMALL
typedef RkdSmall RkdBoot;
#else
typedef RkdDevice RkdBoot;
#endif

/* rkd-program.c */
typedef struct RkdProgram {
        RkdDevice device;
        uint8_t health;
        bool healthy_due; /* the mark is to be written */
        bool hello_due;
        bool leaving;
        bool dead;
        const struct RkdDescriptor *descriptor;
} RkdProgram;

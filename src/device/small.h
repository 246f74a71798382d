/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Between the parts of small.c, which are one unit: everything here is static.
 */

#include <string.h>

#include "device/rkd-local.h"
#include "device/rkd-numbers.h"
#include "device/rkd-patch.h"
#include "device/rkd-sha256.h"
#include "proto/bytes.h"
#include "proto/crc.h"

#define WINDOW_FIXED  4u
#define BUSY_MS       50u
#define RETRY_DOUBLES 6u  /* of the time until a program that used up its starts is tried again */
#define OUT_AT        12u /* of an answer in tx, behind result and busy_ms, and of a STATUS */
#define TEXTS_AT      44u /* in the device header */

#define IS_MARKED(d, mark) (((d)->marks >> (mark)&1) != 0)

/* As it lies in the memory that survives a reset. */
typedef struct Block {
        RkdRetained is;
        uint32_t crc;
} Block;

/* Of a mark. */
#define SLOT_BYTES(p) ((p)->record_write_size < 4 ? 4u : (p)->record_write_size)

/* What lies at a multiple of its size, as it is on the line. */
static inline const uint32_t *word(const uint8_t *in) {
        return (const uint32_t *)(const void *)in;
}

static inline const uint16_t *half(const uint8_t *in) {
        return (const uint16_t *)(const void *)in;
}

/* --- small-record.c --- */

RKD_LOCAL uint32_t now_ms(const RkdBoot *d);
RKD_LOCAL uint32_t crc_of(const void *data, uint32_t n);
/* n bytes of flash; and their CRC. Not mapped, they are copies until the next call, of at most
 * RKD_SMALL_VIEW bytes, and zeros where they cannot be read. */
#if RKD_FLASH_MAPPED
#define view(d, address, n)      ((const uint8_t *)(uintptr_t)(address))
#define crc_there(d, address, n) crc_of(view(d, address, n), n)
#else
RKD_LOCAL const uint8_t *view(RkdBoot *d, uint32_t address, uint32_t n);
RKD_LOCAL uint32_t crc_there(RkdBoot *d, uint32_t address, uint32_t n);
#endif
/* Erases so much there, if anything, and writes. */
RKD_LOCAL bool replace(
                const RkdBoot *d, uint32_t address, uint32_t erase, const void *data, uint32_t n);
RKD_LOCAL void load_record(RkdBoot *d);
/* No push id is 0: that stands for no good record. */
RKD_LOCAL bool is_ours(const RkdBoot *d, const void *push_id);
/* The body that lies in the page buffer, to the page that is not the record. */
RKD_LOCAL uint8_t write_record(RkdBoot *d);
/* On the good page, which there has to be. */
RKD_LOCAL uint8_t set_mark(RkdBoot *d, unsigned mark);
RKD_LOCAL Block *retained(const RkdBoot *d);
RKD_LOCAL void close_retained(const RkdBoot *d);

/* --- small-check.c --- */

RKD_LOCAL bool is_platform_valid(const RkdPlatform *platform);

/* --- small-state.c --- */

RKD_LOCAL unsigned attempts(const RkdBoot *d);
/* Starts since the last healthy one, and since BEGIN. */
RKD_LOCAL unsigned used(const RkdBoot *d);
RKD_LOCAL unsigned boots(const RkdBoot *d);
/* The last reset. */
RKD_LOCAL bool is_abnormal(const RkdBoot *d);
RKD_LOCAL bool is_plausible(RkdBoot *d);
RKD_LOCAL bool is_runnable(unsigned state);
/* Whether the program in flash is what the record says, or without a record looks like one: BUSY
 * until a piece at a time everything was looked at. */
RKD_LOCAL uint8_t check(RkdBoot *d);
RKD_LOCAL bool is_hashing(const RkdBoot *d);
/* Flash is no longer what was checked. */
RKD_LOCAL void forget_check(RkdBoot *d);

/* --- small-stream.c --- */

RKD_LOCAL bool is_open(const RkdBoot *d);
RKD_LOCAL bool takes_patches(const RkdBoot *d);
/* All that was granted has come, and makes pages. */
RKD_LOCAL bool is_decoding(const RkdBoot *d);
RKD_LOCAL void begin_stream(RkdBoot *d, const uint8_t *in);
RKD_LOCAL void take_data(RkdBoot *d, const uint8_t *in, uint32_t n);
RKD_LOCAL void poll_stream(RkdBoot *d);

/* --- small-identity.c, small-begin.c, small-command.c, small-line.c --- */

/* Where STATUS and what an answer carries are made. */
RKD_LOCAL uint8_t *answer_of(const RkdBoot *d);
RKD_LOCAL void put_status(const RkdBoot *d);
RKD_LOCAL uint8_t on_identify(RkdBoot *d, const uint8_t *in, uint8_t *out);
RKD_LOCAL uint8_t on_begin(RkdBoot *d, const uint8_t *in, uint8_t *out, uint32_t n);
/* What the frame at `in` asks for, n bytes of payload. */
RKD_LOCAL uint8_t handle(RkdBoot *d, const uint8_t *in, uint8_t *out, uint32_t n);
/* Does the command that waits in rx, and answers it. */
RKD_LOCAL void answer(RkdBoot *d);
/* The payload lies at `at` in tx. */
RKD_LOCAL void send_frame(RkdBoot *d, uint32_t at, unsigned type, unsigned sequence, uint32_t n);

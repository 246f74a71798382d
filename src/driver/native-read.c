/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Native, reading: the program out of the flash, and device header with signature out of the
 * record. */
#include "driver/native-steps.h"

#define READ_FIXED      (RKD_ANSWER_FIXED + 4) /* offset */
#define RELEASE_FIXED   (RKD_ANSWER_FIXED + 4) /* total, offset */
#define RELEASE_LENGTHS 4                      /* of header and signature, before both */
#define RELEASE_MAX     (RELEASE_LENGTHS + RKD_HEADER_MAX + RKD_SIGNATURE_BYTES)

static bool allocate(Native *n, size_t bytes) {
        free(n->result.bytes);
        n->result.length = n->result.header_length = 0;
        n->result.bytes = malloc(bytes);
        n->n_stream = bytes;
        if (!n->result.bytes)
                native_finish(n, DRIVER_E_PLAN, 0, "not enough memory");
        return n->result.bytes;
}

/* A bootloader is left even if somebody else had entered it: what was read is a program that
 * should run. */
static void read_complete(Native *n) {
        if (n->result.identity.in_bootloader)
                native_enter(n, NATIVE_LEAVE);
        else
                native_finish(n, DRIVER_OK, 0, "%s", "");
}

static RkdRequest read_from(const Native *n, size_t offset) {
        return (RkdRequest){ .type = RKD_READ,
                .offset = (uint32_t)offset,
                .want = (uint16_t)MIN(n->n_stream - offset,
                                (size_t)n->identity.max_answer - READ_FIXED) };
}

static void ask_read(Native *n) {
        const RkdRequest ask = read_from(n, n->result.length);

        native_ask(n, &ask, READ_FIXED + ask.want, NATIVE_ANSWER_USEC);
}

bool read_ahead(const Native *n, RkdRequest *ret) {
        *ret = read_from(n, n->command.offset + n->command.want);
        return ret->want > 0;
}

void read_enter(Native *n) {
        const RkdIdentity *i = &n->identity;
        size_t bytes = i->image_length > 0 ? i->image_length : i->program_space;

        /* Found again after silence: goes on where it was. */
        if ((n->result.bytes && n->n_stream == bytes) || allocate(n, bytes))
                ask_read(n);
}

/* A program of unknown length ends where the erased flash begins. */
static void trim(Native *n) {
        if (n->identity.image_length > 0)
                return;
        while (n->result.length > 0 && n->result.bytes[n->result.length - 1] == 0xff)
                n->result.length--;
}

void read_answer(Native *n, const RkdAnswer *a) {
        if (a->offset != n->result.length || a->n_bytes == 0 || a->n_bytes > n->command.want) {
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device answers with another piece of its program than it was asked for");
                return;
        }
        memcpy(n->result.bytes + n->result.length, a->bytes, a->n_bytes);
        n->result.length += a->n_bytes;
        n->recoveries = 0;
        if (n->result.length < n->n_stream) {
                ask_read(n);
                return;
        }
        trim(n);
        read_complete(n);
}

void read_refused(Native *n, const RkdAnswer *a) {
        if (a->result == RKD_UNKNOWN && !n->result.identity.in_bootloader)
                native_enter(n, NATIVE_ENTER);
        else
                native_refuse_or_lost(n, a);
}

void leave_enter(Native *n) {
        native_ask(n, &(RkdRequest){ .type = RKD_START }, RKD_ANSWER_FIXED, NATIVE_ANSWER_USEC);
}

static void ask_release(Native *n) {
        native_ask(n,
                        &(RkdRequest){
                                        .type = RKD_IDENTIFY,
                                        .what = RKD_IDENTIFY_RELEASE,
                                        .offset = (uint32_t)n->result.length,
                                        .want = (uint16_t)(n->identity.max_answer - RELEASE_FIXED),
                        },
                        n->identity.max_answer, NATIVE_ANSWER_USEC);
}

void release_enter(Native *n) {
        if (allocate(n, RELEASE_MAX))
                ask_release(n);
}

/* header_length u16 | signature_length u16 | header | signature; the lengths are cut off. */
static bool split_release(Native *n) {
        size_t n_header, n_signature;
        uint8_t *p = n->result.bytes;
        RkdHeader header;

        if (n->result.length < RELEASE_LENGTHS)
                return false;
        n_header = rkd_load_u16(p);
        n_signature = rkd_load_u16(p + 2);
        if (n->result.length != RELEASE_LENGTHS + n_header + n_signature)
                return false;
        memmove(p, p + RELEASE_LENGTHS, n_header + n_signature);
        n->result.length = n_header + n_signature;
        n->result.header_length = n_header;
        return rkd_header_decode(&header, p, n_header) == 0 &&
               rkd_header_takes_signature(&header, n_signature);
}

void release_answer(Native *n, const RkdAnswer *a) {
        if (a->total == 0) {
                native_finish(n, DRIVER_E_STATE, 0, "the device holds no release");
                return;
        }
        if (a->total > RELEASE_MAX || a->offset != n->result.length || a->n_bytes == 0 ||
                        a->n_bytes > a->total - n->result.length) {
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device answers with another piece of its release than it was asked for");
                return;
        }
        memcpy(n->result.bytes + n->result.length, a->bytes, a->n_bytes);
        n->result.length += a->n_bytes;
        if (n->result.length < a->total)
                ask_release(n);
        else if (split_release(n))
                read_complete(n);
        else
                native_finish(n, DRIVER_E_PROTOCOL, 0,
                                "the device's release is no device header with its signature");
}

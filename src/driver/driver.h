/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driver: one bootloader protocol as a pure state machine: bytes and time in; bytes, line settings,
 * line pulses, a plan to compute and a deadline out. No I/O, no clock, no event loop in it. One
 * object serves one device; it does one operation at a time.
 *
 * Turn: driver_start(), then again and again driver_next(): do what it says, feed driver_input()
 * with what arrives, driver_tick() at the deadline, until DRIVER_DONE. Every operation
 * identifies the unit first where the protocol can: another unit than expected gets no further
 * byte. */
#pragma once

#include "driver/request.h"

typedef struct Driver Driver;

typedef struct DriverLine {
        uint32_t baud;
        uint8_t data_bits, stop_bits;
        char parity; /* 'N', 'E', 'O' */
        bool rtscts;
} DriverLine;

typedef struct DriverPulse {
        int8_t dtr, rts, brk; /* 1 on, 0 off, -1 as it is */
        uint32_t hold_usec;   /* before the next pulse */
} DriverPulse;

typedef struct DriverPlanRequest {
        uint8_t codecs, codec_profile, instruction_set; /* of the device */
        uint32_t unit_size, program_base, program_space, ram_base, ram_size;
        bool present_is_known; /* the flash holds exactly the image `present` */
        Sha256 present;
        const uint32_t *sums; /* else: checksums of its units; NULL: nothing is known */
        size_t n_sums;
        bool trust_nothing;
} DriverPlanRequest;

typedef enum DriverActionType {
        DRIVER_WAIT, /* for input, or until deadline_usec */
        DRIVER_SEND,
        DRIVER_LINE,
        DRIVER_PULSE,
        /* compute, then driver_plan(); input goes on meanwhile, deadline_usec counts too */
        DRIVER_PLAN,
        DRIVER_DONE,
} DriverActionType;

typedef struct DriverAction {
        DriverActionType type;
        uint64_t deadline_usec; /* monotonic; USEC_INFINITY: none */
        const void *bytes;      /* SEND; borrowed until the next call of any driver_ function */
        size_t length;
        DriverLine line;
        const DriverPulse *pulses;
        size_t n_pulses;
        const DriverPlanRequest *plan;
} DriverAction;

/* One per protocol, one file each; const tables listed in driver.c. */
typedef struct DriverVTable {
        const char *name;      /* "native", "xmodem", "ymodem" */
        uint32_t capabilities; /* at most */
        const char *meaning;   /* one line for man page and CLI */
        int (*make)(Driver **ret);
        void (*destroy)(Driver *d);
        int (*start)(Driver *d, const DriverRequest *request,
                        uint64_t now_usec); /* -EINVAL: request makes no sense */
        void (*next)(Driver *d, uint64_t now_usec, DriverAction *ret);
        void (*input)(Driver *d, const void *bytes, size_t n, uint64_t now_usec);
        void (*tick)(Driver *d, uint64_t now_usec);
        void (*plan)(Driver *d, uint8_t codec, const void *stream,
                        /* after DRIVER_PLAN only; stream NULL: failed; borrowed until DONE */
                        size_t n);
        /* at a frame boundary; a farewell may be sent before DONE, DRIVER_E_CANCELED */
        void (*cancel)(Driver *d);
        void (*progress)(const Driver *d, DriverProgress *ret);
        const DriverResult *(*result)(const Driver *d);
} DriverVTable;

struct Driver { /* drivers embed this first */
        const DriverVTable *vtable;
};

const DriverVTable *driver_find(const char *name); /* NULL: unknown */
const DriverVTable *driver_by_index(size_t i);     /* NULL: end */

int driver_new(const char *name, Driver **ret);
Driver *driver_free(Driver *d);
DEFINE_TRIVIAL_CLEANUP_FUNC(Driver *, driver_free);

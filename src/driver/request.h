/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a driver is asked to do, and what became of it. */
#pragma once

#include "basic/error.h"
#include "driver/identity.h"

#define DRIVER_BAUD_FASTEST UINT32_MAX

typedef enum DriverOp {
        DRIVER_IDENTIFY,
        DRIVER_PUSH, /* up to "the device has checked the whole program"; does not start it */
        DRIVER_START,
        DRIVER_CONFIRM,
        DRIVER_READ_BACK,
        DRIVER_READ_RELEASE,
        _DRIVER_OP_MAX,
} DriverOp;

typedef struct DriverRequest {
        DriverOp op;
        uint8_t address;             /* 0: point to point */
        uint32_t baud, program_baud; /* 0: the port's */
        /* speed for the push; 0: stay; DRIVER_BAUD_FASTEST: of the device's speeds */
        uint32_t push_baud;
        bool half_duplex;
        uint32_t turnaround_usec;
        bool expect_unit; /* refuse any unit but this: */
        char expect_model[DRIVER_STRING_MAX], expect_serial[DRIVER_STRING_MAX];

        /* PUSH; all borrowed until DONE */
        const uint8_t *image;
        size_t image_length;
        const char *file_name; /* YMODEM */
        const uint8_t *header, *signature;
        size_t header_length, signature_length;
        uint64_t push_id; /* PUSH, START, CONFIRM */
        unsigned trial_seconds;
        bool restore;
        bool trust_nothing;
        /* Replaces whatever push the device has open or unconfirmed: an older one of ours, or a
         * foreign one that a person accepted. */
        bool take_over;
} DriverRequest;

typedef enum DriverCode {
        DRIVER_OK,
        DRIVER_E_NO_ANSWER,  /* silent line */
        DRIVER_E_LINE,       /* frames come and go, but too many are damaged to go on */
        DRIVER_E_PORT,       /* the port went away or failed; set by the port */
        DRIVER_E_OTHER_UNIT, /* identity is filled in */
        DRIVER_E_REFUSED,    /* the device said no: device_code and text tell why */
        DRIVER_E_FOREIGN_PUSH,
        DRIVER_E_SIGNATURE, /* the device refused header or signature */
        DRIVER_E_FLASH,     /* erase or program failed in the device */
        DRIVER_E_DIGEST,    /* all was taken, the digest does not match */
        DRIVER_E_STATE,     /* the operation makes no sense in the device's present state */
        DRIVER_E_UNSUPPORTED,
        DRIVER_E_PLAN, /* our own plan failed */
        DRIVER_E_CANCELED,
        DRIVER_E_UNCONFIRMED_END, /* file sent, its end not acknowledged: ask the device */
        DRIVER_E_PROTOCOL,        /* answers that make no sense */
        _DRIVER_CODE_MAX,
} DriverCode;

typedef struct DriverResult {
        DriverCode code;
        unsigned device_code; /* rekindle-link(7), result codes; 0 */
        /* a valid frame of this unit came since the operation began: the line is proven good */
        bool heard;
        bool erased; /* the device may have erased something */
        bool begun;  /* the device has said that the push is open on it */
        bool has_identity;
        DriverIdentity identity; /* as last told */
        /* READ_BACK: the program; READ_RELEASE: header then signature; owned by the driver until
         * freed or started anew */
        uint8_t *bytes;
        size_t length, header_length;
        uint64_t line_bytes_sent, line_bytes_received;
        uint64_t stream_bytes; /* of the image or its plan, as far as the device took them */
        /* of the image that were right when the device was asked last; 0: none, it was not asked,
         * or such a protocol begins anew each time */
        uint32_t units_right;
        Why why;
} DriverResult;

typedef enum DriverPhase {
        DRIVER_PHASE_IDLE,
        DRIVER_PHASE_IDENTIFY,
        DRIVER_PHASE_ENTER,
        DRIVER_PHASE_BEGIN,
        DRIVER_PHASE_SUMS,
        DRIVER_PHASE_PLAN,
        DRIVER_PHASE_SEND,
        DRIVER_PHASE_VERIFY,
        DRIVER_PHASE_START,
        DRIVER_PHASE_CONFIRM,
        DRIVER_PHASE_READ,
        _DRIVER_PHASE_MAX,
} DriverPhase;

typedef struct DriverProgress {
        DriverPhase phase;
        uint64_t done_bytes, total_bytes; /* of the phase; total 0: unknown */
} DriverProgress;

const char *driver_code_to_string(DriverCode code);
const char *driver_phase_to_string(DriverPhase phase);

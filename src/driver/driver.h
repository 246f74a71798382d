/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driver: one bootloader protocol as a pure state machine: bytes and time in; bytes, line settings, line pulses, a
 * plan to compute and a deadline out. No I/O, no clock, no event loop in it. One object serves one device; it does one operation at a time.
 *
 * Turn: driver_start(), then again and again driver_next(): do what it says, feed driver_input() with what arrives, driver_tick() at the
 * deadline, until DRIVER_DONE. Every operation identifies the unit first where the protocol can: another unit than expected gets no further byte. */
#pragma once

#include "basic/error.h"
#include "basic/hash.h"

typedef struct Driver Driver;

typedef enum DriverCapability {
        DRIVER_CAN_IDENTIFY = 1 << 0,     /* tells model, serial, version, state */
        DRIVER_CAN_DIGEST = 1 << 1,       /* tells the digest of the running program */
        DRIVER_CAN_SUMS = 1 << 2,         /* checksums of flash units: resume, patches */
        DRIVER_CAN_READ_BACK = 1 << 3,    /* reads the program out of the flash */
        DRIVER_CAN_READ_RELEASE = 1 << 4, /* reads device header and signature out of the record */
        DRIVER_CAN_TRIAL = 1 << 5,        /* the device itself enforces the trial */
        DRIVER_CAN_CONFIRM = 1 << 6,
        DRIVER_CAN_HEALTH = 1 << 7,
        DRIVER_CAN_ENTER = 1 << 8, /* reaches the bootloader without a person */
        DRIVER_DEMANDS_SIGNED = 1 << 9,
        DRIVER_ENFORCES_FLOOR = 1 << 10,
} DriverCapability;

typedef enum DriverOp {
        DRIVER_IDENTIFY,
        DRIVER_PUSH, /* up to "the device has checked the whole program"; does not start it */
        DRIVER_START,
        DRIVER_CONFIRM,
        DRIVER_READ_BACK,
        DRIVER_READ_RELEASE,
        _DRIVER_OP_MAX,
} DriverOp;

/* What the device says of its program; the numbers of rekindle-link(7), and DEVICE_UNKNOWN for drivers that cannot tell. */
typedef enum DeviceState {
        DEVICE_EMPTY = 0,
        DEVICE_PUSHING = 1,
        DEVICE_VERIFIED = 2,
        DEVICE_TRIAL = 3,
        DEVICE_CONFIRMED = 4,
        DEVICE_FAILED = 5,
        DEVICE_DAMAGED = 6,
        DEVICE_UNMANAGED = 7,
        DEVICE_UNKNOWN = 8,
        _DEVICE_STATE_MAX,
} DeviceState;

typedef enum DeviceHealth {
        DEVICE_HEALTH_NONE = 0, /* bootloader answers, or cannot tell */
        DEVICE_HEALTH_STARTING = 1,
        DEVICE_HEALTH_HEALTHY = 2,
        DEVICE_HEALTH_SICK = 3,
        _DEVICE_HEALTH_MAX,
} DeviceHealth;

#define DRIVER_STRING_MAX 65

typedef struct DriverIdentity {
        uint32_t capabilities; /* of driver and device together */
        DeviceState state;
        DeviceHealth health;
        bool in_bootloader;
        unsigned reset_cause, boots, attempts_left;
        unsigned instruction_set, codecs, codec_profile;
        char model[DRIVER_STRING_MAX], hardware[DRIVER_STRING_MAX], serial[DRIVER_STRING_MAX];
        char bootloader_version[DRIVER_STRING_MAX], version[DRIVER_STRING_MAX],
                        floor[DRIVER_STRING_MAX];
        Sha256 digest; /* zero: unknown */
        uint64_t image_length;
        uint64_t push_id; /* 0: none */
        uint32_t program_base, program_space, unit_size, ram_base, ram_size;
} DriverIdentity;

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

typedef struct DriverRequest {
        DriverOp op;
        uint8_t address;             /* 0: point to point */
        uint32_t baud, program_baud; /* 0: the port's */
        uint32_t push_baud;          /* speed wished for the push; 0: stay */
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
        bool take_over; /* replaces whatever push the device has open or unconfirmed: an older one of ours, or a
                         * foreign one that a person accepted */
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
        bool heard; /* a valid frame of this unit came since the operation began: the line is proven good */
        bool erased; /* the device may have erased something */
        bool has_identity;
        DriverIdentity identity; /* as last told */
        uint8_t *bytes; /* READ_BACK: the program; READ_RELEASE: header then signature; owned by the driver until freed or started anew */
        size_t length, header_length;
        uint64_t line_bytes_sent, line_bytes_received;
        uint64_t stream_bytes; /* of the image or its plan, as far as the device took them */
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

typedef enum DriverActionType {
        DRIVER_WAIT, /* for input, or until deadline_usec */
        DRIVER_SEND,
        DRIVER_LINE,
        DRIVER_PULSE,
        DRIVER_PLAN, /* compute, then driver_plan(); input goes on meanwhile, deadline_usec counts too */
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
                        size_t n); /* after DRIVER_PLAN only; stream NULL: failed; borrowed until DONE */
        void (*cancel)(Driver *d); /* at a frame boundary; a farewell may be sent before DONE, DRIVER_E_CANCELED */
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

const char *driver_code_to_string(DriverCode code);
const char *driver_phase_to_string(DriverPhase phase);
const char *device_state_to_string(DeviceState s);
const char *device_health_to_string(DeviceHealth h);

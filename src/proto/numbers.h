/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The numbers of the native link, protocol version 1 (rekindle-link(7)): limits, types, results,
 * states, capabilities.
 */

#define RKD_PROTOCOL          1u
#define RKD_IDENTITY_MAX      512u
#define RKD_TEXT_MAX          63u /* characters of any string in identity and header */
#define RKD_SPEEDS_MAX        8u
#define RKD_REGIONS_MAX       4u
#define RKD_SHA256_BYTES      32u
#define RKD_BEGIN_FIXED       24u
#define RKD_BEGIN_MAX         408u /* fixed part, header (320), signature (64) */
#define RKD_BEGIN_PIECE       56u  /* bytes of the begin area in one BEGIN */
#define RKD_ANSWER_FIXED      3u   /* result, busy_ms */
#define RKD_STATUS_BYTES      15u
#define RKD_DATA_FIXED        4u /* offset before the bytes of a DATA */
#define RKD_TRIAL_SECONDS_MAX 3600u

enum {
        RKD_E_MALFORMED = 1
};

typedef enum RkdType {
        RKD_IDENTIFY = 0x01,
        RKD_NOP = 0x02,
        RKD_BEGIN = 0x03,
        RKD_SUMS = 0x04,
        RKD_STREAM = 0x05,
        RKD_DATA = 0x06,
        RKD_END = 0x07,
        RKD_START = 0x08,
        RKD_CONFIRM = 0x09,
        RKD_ENTER = 0x0a,
        RKD_SET_BAUD = 0x0b,
        RKD_READ = 0x0c,
        RKD_ACK = 0x40,
        RKD_NAK = 0x41,
        RKD_HELLO = 0x42,
} RkdType;

typedef enum RkdResult {
        RKD_OK = 0,
        RKD_BUSY = 1,
        RKD_UNKNOWN = 2,
        RKD_BAD_LENGTH = 3, /* malformed */
        RKD_BAD_STATE = 4,
        RKD_FOREIGN_PUSH = 5,
        RKD_BAD_HEADER = 6,
        RKD_BAD_SIGNATURE = 7,
        RKD_WRONG_MODEL = 8,
        RKD_WRONG_HARDWARE = 9,
        RKD_TOO_LARGE = 10,
        RKD_BELOW_FLOOR = 11,
        RKD_BAD_DIGEST = 12,
        RKD_FLASH = 13,
        RKD_BAD_STREAM = 14,
        RKD_RANGE = 15,
        RKD_SPEED = 16,
        RKD_NOT_RUNNABLE = 17,
        RKD_DENIED = 18,
        _RKD_RESULT_MAX,
} RkdResult;

typedef enum RkdState {
        RKD_EMPTY = 0,    /* no program, no record */
        RKD_PUSHING = 1,  /* an open push, or a damaged record */
        RKD_VERIFIED = 2, /* complete, never started */
        RKD_TRIAL = 3,    /* started, unconfirmed */
        RKD_CONFIRMED = 4,
        RKD_FAILED = 5,    /* start attempts used up */
        RKD_DAMAGED = 6,   /* record complete, program differs from it */
        RKD_UNMANAGED = 7, /* no record, plausible program */
        _RKD_STATE_MAX,
} RkdState;

typedef enum RkdHealth {
        RKD_HEALTH_UNKNOWN = 0, /* not running: the bootloader answers */
        RKD_HEALTH_STARTING = 1,
        RKD_HEALTH_GOOD = 2,
        RKD_HEALTH_SICK = 3,
        _RKD_HEALTH_MAX,
} RkdHealth;

typedef enum RkdWho {
        RKD_WHO_BOOTLOADER = 0,
        RKD_WHO_PROGRAM = 1,
} RkdWho;

typedef enum RkdCause {
        RKD_CAUSE_POWER = 0,
        RKD_CAUSE_PIN = 1,
        RKD_CAUSE_SOFTWARE = 2,
        RKD_CAUSE_WATCHDOG = 3,
        RKD_CAUSE_TRIAL = 4,
        RKD_CAUSE_CRASH = 5,
        _RKD_CAUSE_MAX,
} RkdCause;

enum { /* capabilities */
        RKD_CAN_READ = 1 << 0,
        RKD_CAN_SIGNED = 1 << 1,      /* demands device signatures */
        RKD_CAN_FLOOR = 1 << 2,       /* enforces the floor */
        RKD_CAN_TRIAL_TIMER = 1 << 3, /* resets a program that is not healthy in time */
        RKD_CAN_FULL_DUPLEX = 1 << 4,
        RKD_CAN_FLASH_BLOCKS_CPU = 1 << 5,
        RKD_CAN_MARKS = 1 << 6,
        RKD_CAN_HEALTH = 1 << 7, /* the program reports health */
        RKD_CAN_SLOTS = 1 << 8,  /* a push leaves the confirmed program in its slot */
};

typedef enum RkdInstructionSet {
        RKD_ISA_UNKNOWN = 0,
        RKD_ISA_THUMB = 1,
        RKD_ISA_RISCV = 2,
        RKD_ISA_AVR = 3,
        RKD_ISA_THUMB2 = 4, /* Thumb with MOVW and MOVT: all but Cortex-M0, M0+ and M1 */
} RkdInstructionSet;

enum {
        RKD_CODEC_RAW = 0,
        RKD_CODEC_PATCH = 1 /* rekindle-patch(7) */
};                          /* STREAM codec; bits of identity.codecs */
enum {
        RKD_IDENTIFY_IDENTITY = 0,
        RKD_IDENTIFY_RELEASE = 1
}; /* IDENTIFY what */
enum {
        RKD_DIGEST_NONE,
        RKD_DIGEST_RECORD,
        RKD_DIGEST_DESCRIPTOR,
        RKD_DIGEST_AREA
}; /* digest_source */
enum {
        RKD_BEGIN_RESTORE = 1 << 0
}; /* begin area flags */

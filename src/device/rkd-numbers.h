/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Numbers that the files of the library share.
 */

#include "device/rkd-config.h"

#define RKD_LATER 0xffu /* a command's result: not yet, try again at the next poll */

#define RKD_BODY_BYTES   512u
#define RKD_BODY_BEGIN   12u  /* of the begin area */
#define RKD_BODY_FLOOR   420u /* of the floor in force */
#define RKD_RECORD_MARKS 512u
#define RKD_MARKS_MAX    32u
#define RKD_FRAME_MIN    8u /* header and CRC */
#define RKD_TX_RAW       6u /* where a frame begins in tx before it is stuffed */
#define RKD_BAUD_BACK_MS 500u

typedef enum RkdCommand {
        RKD_COMMAND_NONE,
        RKD_COMMAND_DUE,
        RKD_COMMAND_OPEN, /* it was tried before */
} RkdCommand;

typedef enum RkdPhase {
        RKD_PHASE_LISTEN,
        RKD_PHASE_COUNT,
        RKD_PHASE_MARK,
        RKD_PHASE_START,
        RKD_PHASE_GONE,
} RkdPhase;

typedef enum RkdCheck {
        RKD_CHECK_UNKNOWN,
        RKD_CHECK_GOOD,
        RKD_CHECK_BAD,
} RkdCheck;

typedef enum RkdRecordStatus {
        RKD_RECORD_NONE,
        RKD_RECORD_GOOD,
        RKD_RECORD_DAMAGED,
} RkdRecordStatus;

typedef enum RkdMark {
        RKD_MARK_VERIFIED,
        RKD_MARK_CONFIRMED,
        RKD_MARK_PAIRS, /* start, healthy */
} RkdMark;

typedef enum RkdWork {
        RKD_WORK_NONE,
        RKD_WORK_ERASE,
        RKD_WORK_WRITE,
} RkdWork;

typedef enum RkdArea {
        RKD_AREA_RECORD, /* the first page, then the others */
        RKD_AREA_PROGRAM = RKD_WITH_SLOTS ? 4 : 2,
} RkdArea;

typedef enum RkdStreamPhase {
        RKD_STREAM_NONE,
        RKD_STREAM_OPEN,
        RKD_STREAM_ENDED,
        RKD_STREAM_STOPPED,
} RkdStreamPhase;

/* Of a platform whose flash blocks the CPU: what was granted comes in, flash wants work, it
 * works. */
typedef enum RkdBlocking {
        RKD_BLOCKING_RECEIVE,
        RKD_BLOCKING_ANNOUNCE,
        RKD_BLOCKING_WORK,
} RkdBlocking;

typedef enum RkdVerdict {
        RKD_VERDICT_NONE,
        RKD_VERDICT_GOOD,
        RKD_VERDICT_BAD,
        RKD_VERDICT_DUE,
        RKD_VERDICT_OPEN, /* the platform has begun to look */
} RkdVerdict;

typedef enum RkdDigestStep {
        RKD_DIGEST_IDLE,
        RKD_DIGEST_DONE,
        RKD_DIGEST_SHA,
        RKD_DIGEST_SEARCH,
        RKD_DIGEST_TRIM,
} RkdDigestStep;

enum { /* retained */
        RKD_INTENT_NONE,
        RKD_INTENT_STAY,
};

enum { /* a frame in rx */
        RKD_IN_ADDRESS,
        RKD_IN_TYPE,
        RKD_IN_SEQUENCE,
        RKD_IN_FLAGS,
        RKD_IN_PAYLOAD,
};

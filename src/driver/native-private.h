/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Native: what the files native*.c share: the object and its steps.
 *
 * A step sets the command that is under way with native_ask(); the answer, the device's refusal or
 * silence after all tries go to the step's row in the table of native.c. While the answer to it
 * comes in, the next of the same step may be sent ahead, with the next number: a device takes a
 * command while its last answer leaves. native_ask() then finds it sent.
 * native_enter() changes the step and never sends by itself: driver_next() does. */
#pragma once

#include "driver/driver.h"
#include "driver/native-link.h"
#include "driver/native-window.h"
#include "proto/header.h"

typedef enum NativeStep {
        NATIVE_IDLE,
        NATIVE_LISTEN, /* identify, on all speeds in turn */
        NATIVE_ENTER,
        NATIVE_SPEED_UP,
        NATIVE_SPEED_CHECK,
        NATIVE_BEGIN,
        NATIVE_SUMS,
        NATIVE_PLAN,
        NATIVE_STREAM,
        NATIVE_SEND,
        NATIVE_END,
        NATIVE_START,
        NATIVE_CONFIRM,
        NATIVE_READ,
        NATIVE_RELEASE,
        NATIVE_LEAVE, /* back into the program that was left only to be read */
        NATIVE_SPEED_DOWN,
        NATIVE_DONE,
        _NATIVE_STEP_MAX,
} NativeStep;

typedef enum NativeAhead {
        NATIVE_AHEAD_NONE,
        NATIVE_AHEAD_DUE,
        NATIVE_AHEAD_SENT,
        NATIVE_AHEAD_VOID, /* sent, and its answer counts no more: its number is used up */
} NativeAhead;

#define NATIVE_BAUDS_MAX 3

typedef struct Native {
        Driver driver;
        DriverRequest request;
        DriverResult result;
        NativeLink link;
        NativeStep step;
        uint64_t now_usec; /* of the call that is being served */

        /* The command at hand. due: to be sent, not before not_before_usec; waiting: sent, no
         * answer yet. */
        RkdRequest command;
        bool due, waiting;
        NativeAhead ahead;
        RkdRequest next; /* the command that goes ahead */
        size_t answer_bytes;
        uint64_t grace_usec, not_before_usec, deadline_usec, busy_since_usec;
        unsigned tries;
        bool line_due; /* the line settings have to be told to the port */

        /* Listening. */
        uint32_t bauds[NATIVE_BAUDS_MAX];
        size_t n_bauds, baud_index;
        unsigned rounds;
        uint64_t listen_until_usec, enter_until_usec;
        bool entered; /* the program was asked to leave */
        uint8_t identity_bytes[RKD_IDENTITY_MAX];
        size_t n_identity, identity_total;
        RkdIdentity identity;  /* texts point into identity_bytes */
        unsigned valid_before; /* link.n_valid when listening began */

        unsigned recoveries, all_recoveries; /* since the last progress; since the start */
        unsigned speed_failures, begin_restarts, stream_tries;
        uint32_t base_baud; /* 0: the speed was not raised */

        /* Push. */
        uint8_t area[RKD_BEGIN_MAX];
        size_t n_area;
        uint32_t *sums;
        size_t n_sums, n_sums_read;
        DriverPlanRequest plan;
        bool trust_nothing, digest_failed;
        uint16_t stream_id;
        uint8_t codec;
        const uint8_t *stream;
        size_t n_stream;
        NativeWindow window;
        bool sent_since_poll;
        unsigned n_quiet; /* times asked since the last progress */
        uint64_t progress_usec;
} Native;

/* Sets the command of the step; n_answer: bytes of payload expected back; grace_usec: for the
 * device to work. */
void native_ask(Native *n, const RkdRequest *command, size_t n_answer, uint64_t grace_usec);
void native_ask_again(Native *n, uint64_t not_before_usec);
void native_enter(Native *n, NativeStep step);
void native_set_baud(Native *n, uint32_t baud);
/* Ends the operation with a sentence. */
void native_finish(Native *n, DriverCode code, unsigned device_code, const char *format, ...)
                _printf_(4, 5);
/* Ends it with what a result code of the device means; `did`: what was asked ("BEGIN"). */
void native_refuse(Native *n, uint8_t result, const char *did);
/* The same, but a device that has started its program meanwhile is looked for again. */
void native_refuse_or_lost(Native *n, const RkdAnswer *a);
/* The device is silent or has forgotten what we do: find it again and go on, some times. */
void native_lost(Native *n, const char *doing);
/* The line carries short frames at the raised speed, but no data: goes on at the first one. False:
 * it was not raised, or that was tried. */
bool native_slow_down(Native *n);
/* The unit answered and is the expected one: what the operation needs next. */
void native_identified(Native *n);

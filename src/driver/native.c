/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Native: the driver of the native link, rekindle-link(7).
 *
 *      LISTEN -> identity -> what was asked for:
 *        IDENTIFY      done
 *        PUSH          [ENTER -> LISTEN] -> [SPEED_UP -> SPEED_CHECK] -> BEGIN -> [SUMS] -> PLAN ->
 *        STREAM -> SEND -> END -> [SPEED_DOWN]
 *        START, CONFIRM, READ_BACK (READ), READ_RELEASE (RELEASE): one command, or one for each
 *        piece
 *
 * Whenever the device falls silent or turns out to have started anew, the driver listens again
 * and goes on from what the identity says, RECOVERIES_MAX times without progress at most. All
 * commands are idempotent, so the last one may be repeated freely. */
#include <assert.h>
#include <stdarg.h>

#include "driver/driver-list.h"
#include "driver/native-steps.h"

#define HURRY_USEC          (5 * USEC_PER_MSEC)
#define SPEED_DOWN_TRIES    2
#define COMMAND_TRIES       5
#define RECOVERIES_MAX      3
#define RECOVERIES_ALL      64 /* however much progress lies between */
#define FIRST_LISTEN_USEC   (1200 * USEC_PER_MSEC)
#define RECOVER_LISTEN_USEC (3 * USEC_PER_SEC) /* a restart of the device lies between */
#define ENTER_LISTEN_USEC   (6 * USEC_PER_SEC)
#define BUSY_MAX_USEC       (120 * USEC_PER_SEC)
#define BUSY_MIN_USEC       (2 * USEC_PER_MSEC)
#define LEAVE_PAUSE_USEC    (50 * USEC_PER_MSEC) /* a program that leaves for its bootloader */

typedef struct NativeRow {
        const char *name; /* what is asked of the device, for texts */
        DriverPhase phase;
        void (*enter)(Native *n);
        void (*answer)(Native *n, const RkdAnswer *a);  /* the result is RKD_OK */
        void (*refused)(Native *n, const RkdAnswer *a); /* NULL: ends the operation */
        void (*silence)(Native *n); /* NULL: tried COMMAND_TRIES times, then native_lost() */
        /* The command that follows when the answer to the present one is as long as expected. */
        bool (*ahead)(const Native *n, RkdRequest *ret);
} NativeRow;

static const NativeRow rows[_NATIVE_STEP_MAX];

static Native *native(Driver *d) {
        return (Native *)d;
}

static bool went_ahead(const Native *n, const RkdRequest *command) {
        return n->ahead == NATIVE_AHEAD_SENT && n->next.type == command->type &&
               n->next.first == command->first && n->next.count == command->count &&
               n->next.offset == command->offset && n->next.want == command->want;
}

void native_ask(Native *n, const RkdRequest *command, size_t n_answer, uint64_t grace_usec) {
        bool sent = went_ahead(n, command);

        n->command = *command;
        n->answer_bytes = n_answer;
        n->grace_usec = grace_usec;
        n->tries = sent;
        n->busy_since_usec = 0;
        n->due = !sent;
        n->waiting = sent;
        n->not_before_usec = 0;
        n->deadline_usec = sent ? native_link_deadline(&n->link, n_answer, grace_usec, n->now_usec)
                                : USEC_INFINITY;
        native_link_number(&n->link);
        if (n->ahead >= NATIVE_AHEAD_SENT && !sent)
                native_link_number(&n->link);
        n->ahead = NATIVE_AHEAD_NONE;
}

void native_ask_again(Native *n, uint64_t not_before_usec) {
        n->ahead = n->ahead >= NATIVE_AHEAD_SENT ? NATIVE_AHEAD_VOID : NATIVE_AHEAD_NONE;
        n->due = true;
        n->waiting = false;
        n->not_before_usec = not_before_usec;
        n->deadline_usec = USEC_INFINITY;
}

void native_enter(Native *n, NativeStep step) {
        n->step = step;
        n->due = n->waiting = false;
        n->deadline_usec = USEC_INFINITY;
        if (rows[step].enter)
                rows[step].enter(n);
}

void native_set_baud(Native *n, uint32_t baud) {
        native_link_set_baud(&n->link, baud);
        n->line_due = true;
}

void native_finish(Native *n, DriverCode code, unsigned device_code, const char *format, ...) {
        char text[WHY_MAX];
        va_list ap;
        bool reached = code != DRIVER_E_NO_ANSWER && code != DRIVER_E_LINE &&
                       code != DRIVER_E_OTHER_UNIT;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        n->result.code = code;
        n->result.device_code = device_code;
        (void)why(&n->result.why, 0, "%s", text);
        native_enter(n, reached && n->base_baud > 0 && n->link.baud != n->base_baud
                                        ? NATIVE_SPEED_DOWN
                                        : NATIVE_DONE);
}

static DriverCode code_of_result(uint8_t result) {
        switch (result) {
        case RKD_UNKNOWN:
                return DRIVER_E_UNSUPPORTED;
        case RKD_BAD_LENGTH:
                return DRIVER_E_PROTOCOL;
        case RKD_BAD_STATE:
        case RKD_NOT_RUNNABLE:
                return DRIVER_E_STATE;
        case RKD_FOREIGN_PUSH:
                return DRIVER_E_FOREIGN_PUSH;
        case RKD_BAD_HEADER:
        case RKD_BAD_SIGNATURE:
                return DRIVER_E_SIGNATURE;
        case RKD_BAD_DIGEST:
                return DRIVER_E_DIGEST;
        case RKD_FLASH:
                return DRIVER_E_FLASH;
        case RKD_BAD_STREAM:
        case RKD_RANGE:
                return DRIVER_E_PLAN;
        default:
                return DRIVER_E_REFUSED;
        }
}

void native_refuse(Native *n, uint8_t result, const char *did) {
        native_finish(n, code_of_result(result), result, "%s refused: %s", did,
                        rkd_result_text(result));
}

void native_lost(Native *n, const char *doing) {
        if (n->recoveries >= RECOVERIES_MAX || n->all_recoveries >= RECOVERIES_ALL) {
                if (native_slow_down(n))
                        return;
                if (n->link.n_valid > n->valid_before)
                        native_finish(n, DRIVER_E_LINE, 0,
                                        "%s: the line damages or the device forgets too much to go on",
                                        doing);
                else
                        native_finish(n, DRIVER_E_NO_ANSWER, 0, "%s: the device answers no more",
                                        doing);
                return;
        }
        n->recoveries++;
        n->all_recoveries++;
        native_listen(n, RECOVER_LISTEN_USEC);
}

/* A program does not know what only bootloaders do: the device has started since it was asked
 * last. */
void native_refuse_or_lost(Native *n, const RkdAnswer *a) {
        if (a->result == RKD_UNKNOWN)
                native_lost(n, rows[n->step].name);
        else
                native_refuse(n, a->result, rows[n->step].name);
}

/* ENTER: a program leaves for its bootloader. */

static void enter_enter(Native *n) {
        n->entered = true;
        if (n->enter_until_usec == 0)
                n->enter_until_usec = n->now_usec + ENTER_LISTEN_USEC;
        native_ask(n, &(RkdRequest){ .type = RKD_ENTER }, RKD_ANSWER_FIXED, NATIVE_ANSWER_USEC);
}

static void enter_silence(Native *n) {
        native_listen(n, ENTER_LISTEN_USEC);
        n->not_before_usec = n->now_usec + LEAVE_PAUSE_USEC;
}

static void enter_answer(Native *n, const RkdAnswer *a) {
        enter_silence(n);
}

/* START and CONFIRM: one command each. */

static void start_enter(Native *n) {
        native_ask(n, &(RkdRequest){ .type = RKD_START, .push_id = n->request.push_id },
                        RKD_ANSWER_FIXED, NATIVE_ANSWER_USEC);
}

static void confirm_enter(Native *n) {
        native_ask(n, &(RkdRequest){ .type = RKD_CONFIRM, .push_id = n->request.push_id },
                        RKD_ANSWER_FIXED, NATIVE_ANSWER_USEC);
}

static void done_answer(Native *n, const RkdAnswer *a) {
        native_finish(n, DRIVER_OK, 0, "%s", "");
}

static void speed_down_enter(Native *n) {
        native_ask(n, &(RkdRequest){ .type = RKD_SET_BAUD, .baud = n->base_baud },
                        RKD_ANSWER_FIXED + 4, NATIVE_STATUS_USEC);
}

static void speed_down_answer(Native *n, const RkdAnswer *a) {
        native_set_baud(n, n->base_baud);
        native_enter(n, NATIVE_DONE);
}

/* Then the device falls back by itself. */
static void speed_down_silence(Native *n) {
        if (n->tries < SPEED_DOWN_TRIES)
                native_ask_again(n, 0);
        else
                speed_down_answer(n, NULL);
}

static void done_enter(Native *n) {
        n->result.line_bytes_sent = n->link.bytes_sent;
        n->result.line_bytes_received = n->link.bytes_received;
        n->result.stream_bytes = n->request.op == DRIVER_PUSH ? n->window.received : 0;
}

/* Once the program was read: whatever the bootloader says, it starts the program by itself
 * sooner or later. */
static void leave_silence(Native *n) {
        native_finish(n, DRIVER_OK, 0, "%s", "");
}

static void identified_start(Native *n) {
        const DriverIdentity *i = &n->result.identity;

        if (i->in_bootloader)
                native_enter(n, NATIVE_START);
        else if (n->request.push_id == 0 || i->push_id == n->request.push_id)
                native_finish(n, DRIVER_OK, 0, "%s", ""); /* it runs already */
        else
                native_finish(n, DRIVER_E_STATE, 0,
                                "another program runs than the one to be started");
}

static void identified_confirm(Native *n) {
        const DriverIdentity *i = &n->result.identity;

        if (i->state == DEVICE_CONFIRMED && i->push_id == n->request.push_id)
                native_finish(n, DRIVER_OK, 0, "%s", "");
        else
                native_enter(n, NATIVE_CONFIRM);
}

static bool left(Native *n) {
        if (n->result.identity.in_bootloader || n->now_usec < n->enter_until_usec)
                return true;
        native_finish(n, DRIVER_E_STATE, 0,
                        "the program was asked to leave for its bootloader and goes on answering");
        return false;
}

static void identified_read(Native *n) {
        bool back = n->request.op == DRIVER_READ_BACK;

        if (back && !(n->identity.capabilities & RKD_CAN_READ))
                native_finish(n, DRIVER_E_UNSUPPORTED, 0,
                                "the device does not let its program be read");
        else if (!n->entered || left(n))
                native_enter(n, back ? NATIVE_READ : NATIVE_RELEASE);
}

static void identified_push(Native *n) {
        if (n->result.identity.in_bootloader)
                native_push(n);
        else if (!n->entered || left(n))
                native_enter(n, NATIVE_ENTER);
}

void native_identified(Native *n) {
        /* it may start meanwhile, and be asked to leave again */
        if (n->result.identity.in_bootloader) {
                n->entered = false;
                n->enter_until_usec = 0;
        }
        switch (n->request.op) {
        case DRIVER_PUSH:
                identified_push(n);
                return;
        case DRIVER_START:
                identified_start(n);
                return;
        case DRIVER_CONFIRM:
                identified_confirm(n);
                return;
        case DRIVER_READ_BACK:
        case DRIVER_READ_RELEASE:
                identified_read(n);
                return;
        default:
                native_finish(n, DRIVER_OK, 0, "%s", "");
        }
}

/* What came in. */

static void answered_busy(Native *n) {
        if (n->busy_since_usec == 0)
                n->busy_since_usec = n->now_usec;
        if (n->now_usec - n->busy_since_usec > BUSY_MAX_USEC) {
                native_finish(n, DRIVER_E_PROTOCOL, RKD_BUSY,
                                "%s: the device says to be busy for more than %u s",
                                rows[n->step].name, (unsigned)(BUSY_MAX_USEC / USEC_PER_SEC));
                return;
        }
        n->tries = 0;
        native_ask_again(n, MAX(n->link.busy_until_usec, n->now_usec + BUSY_MIN_USEC));
}

static void take_answer(Native *n, const RkdAnswer *a) {
        const NativeRow *row = rows + n->step;

        if (a->result == RKD_BUSY) {
                answered_busy(n);
                return;
        }
        n->waiting = false;
        if (n->tries == 1)
                native_link_answered(&n->link, n->now_usec);
        if (n->step != NATIVE_SEND)
                native_link_left(&n->link, 0, n->now_usec);
        if (a->result == RKD_OK)
                row->answer(n, a);
        else if (row->refused)
                row->refused(n, a);
        else
                native_refuse(n, a->result, row->name);
}

static void take_frame(Native *n, const RkdAnswer *a, uint8_t sequence) {
        bool matches = n->waiting && a->type == n->command.type && sequence == n->link.sequence;

        switch (a->type) {
        case RKD_ACK:
        case RKD_NAK:
                if (n->step == NATIVE_SEND)
                        send_status(n, a, n->link.half_duplex);
                return;
        case RKD_HELLO:
                /* The device has just started: what it was asked before is lost, and so is a
                 * stream. */
                if (n->step == NATIVE_LISTEN && n->waiting)
                        native_ask_again(n, 0);
                else if (n->step == NATIVE_SEND && !n->waiting)
                        send_quiet(n);
                return;
        default:
                if (matches)
                        take_answer(n, a);
        }
}

static void silence(Native *n) {
        const NativeRow *row = rows + n->step;

        n->waiting = false;
        if (row->silence)
                row->silence(n);
        else if (n->tries < COMMAND_TRIES)
                native_ask_again(n, 0);
        else
                native_lost(n, row->name);
}

/* The driver's functions. */

static void give_wait(const Native *n, uint64_t deadline_usec, DriverAction *ret) {
        *ret = (DriverAction){ .type = DRIVER_WAIT, .deadline_usec = deadline_usec };
        if (n->step == NATIVE_PLAN) {
                ret->type = DRIVER_PLAN;
                ret->plan = &n->plan;
        }
}

static void give_bytes(const Native *n, size_t length, DriverAction *ret) {
        *ret = (DriverAction){
                .type = DRIVER_SEND,
                .deadline_usec = USEC_INFINITY,
                .bytes = n->link.out,
                .length = length,
        };
}

static void give_line(Native *n, DriverAction *ret) {
        n->line_due = false;
        *ret = (DriverAction){
                .type = DRIVER_LINE,
                .deadline_usec = USEC_INFINITY,
                .line = { .baud = n->link.baud, .data_bits = 8, .stop_bits = 1, .parity = 'N' },
        };
}

static void give_command(Native *n, DriverAction *ret) {
        size_t length = native_link_command(&n->link, &n->command, n->tries > 0, n->now_usec);

        n->due = false;
        n->waiting = true;
        n->tries++;
        n->not_before_usec = 0;
        n->sent_since_poll = false;
        n->deadline_usec =
                        native_link_deadline(&n->link, n->answer_bytes, n->grace_usec, n->now_usec);
        give_bytes(n, length, ret);
}

static void give_ahead(Native *n, DriverAction *ret) {
        native_link_number(&n->link);
        give_bytes(n, native_link_command(&n->link, &n->next, false, n->now_usec), ret);
        n->link.sequence--;
        n->ahead = NATIVE_AHEAD_SENT;
}

/* The line runs out of bytes soon. */
static bool is_hurry(const Native *n) {
        return n->now_usec + HURRY_USEC >= n->link.line_free_usec;
}

static bool give_data(Native *n, DriverAction *ret) {
        RkdRequest data;
        bool poll;

        if (!native_window_next(&n->window, is_hurry(n), &data, &poll))
                return false;
        n->sent_since_poll = true;
        give_bytes(n, native_link_data(&n->link, &data, poll, n->now_usec), ret);
        n->deadline_usec = native_link_deadline(
                        &n->link, RKD_STATUS_BYTES, NATIVE_STATUS_USEC, n->now_usec);
        return true;
}

static void native_next(Driver *d, uint64_t now_usec, DriverAction *ret) {
        Native *n = native(d);
        bool may_send_data;
        uint64_t t;

        n->now_usec = now_usec;
        if (n->line_due) {
                give_line(n, ret);
                return;
        }
        if (n->step == NATIVE_DONE || n->step == NATIVE_IDLE) {
                *ret = (DriverAction){ .type = DRIVER_DONE, .deadline_usec = USEC_INFINITY };
                return;
        }
        if (n->ahead == NATIVE_AHEAD_DUE) {
                give_ahead(n, ret);
                return;
        }
        may_send_data = n->step == NATIVE_SEND && !(n->link.half_duplex && n->waiting);
        t = MAX(native_link_send_time(&n->link), n->due ? n->not_before_usec : 0);
        if (n->due || (may_send_data && t > now_usec)) {
                if (t > now_usec)
                        give_wait(n, t, ret);
                else
                        give_command(n, ret);
                return;
        }
        if (may_send_data && give_data(n, ret))
                return;
        t = n->deadline_usec;
        if (may_send_data && native_window_may_send(&n->window, true))
                t = MIN(t, n->link.line_free_usec - HURRY_USEC);
        give_wait(n, t, ret);
}

static void look_ahead(Native *n) {
        const NativeRow *row = rows + n->step;

        if (row->ahead && n->waiting && n->ahead == NATIVE_AHEAD_NONE && !n->link.half_duplex &&
                        native_link_answer_begins(&n->link, n->command.type) &&
                        row->ahead(n, &n->next))
                n->ahead = NATIVE_AHEAD_DUE;
}

static void native_input(Driver *d, const void *bytes, size_t n_bytes, uint64_t now_usec) {
        Native *n = native(d);
        const uint8_t *p = bytes;
        RkdAnswer a;
        uint8_t sequence;

        n->now_usec = now_usec;
        for (size_t i = 0; i < n_bytes && n->step != NATIVE_DONE; i++)
                if (native_link_feed(&n->link, p[i], now_usec, &a, &sequence))
                        take_frame(n, &a, sequence);
                else
                        look_ahead(n);
}

static void native_tick(Driver *d, uint64_t now_usec) {
        Native *n = native(d);

        n->now_usec = now_usec;
        if (n->step == NATIVE_DONE || now_usec < n->deadline_usec)
                return;
        n->deadline_usec = USEC_INFINITY;
        if (n->waiting)
                silence(n);
        else if (n->step == NATIVE_SEND)
                send_quiet(n);
}

static void native_plan(Driver *d, uint8_t codec, const void *stream, size_t n_stream) {
        if (native(d)->step == NATIVE_PLAN)
                plan_ready(native(d), codec, stream, n_stream);
}

static void native_cancel(Driver *d) {
        Native *n = native(d);

        if (n->step == NATIVE_DONE || n->step == NATIVE_IDLE)
                return;
        n->result.code = DRIVER_E_CANCELED;
        (void)why(&n->result.why, 0, "canceled");
        native_enter(n, NATIVE_DONE);
}

static void native_progress(const Driver *d, DriverProgress *ret) {
        const Native *n = (const Native *)d;

        *ret = (DriverProgress){ .phase = rows[n->step].phase };
        if (n->step == NATIVE_SEND) {
                ret->done_bytes = n->window.received;
                ret->total_bytes = n->window.length;
        } else if (n->step == NATIVE_SUMS) {
                ret->done_bytes = (uint64_t)n->n_sums_read * n->identity.unit_size;
                ret->total_bytes = (uint64_t)n->n_sums * n->identity.unit_size;
        } else if (n->step == NATIVE_READ) {
                ret->done_bytes = n->result.length;
                ret->total_bytes = n->n_stream;
        }
}

static const DriverResult *native_result(const Driver *d) {
        return &((const Native *)d)->result;
}

static void forget(Native *n) {
        free(n->sums);
        free(n->result.bytes);
        *n = (Native){ .driver = n->driver };
}

static bool request_is_sensible(const DriverRequest *r) {
        if (r->op >= _DRIVER_OP_MAX || r->baud == 0 || r->address == RKD_ADDRESS_ALL)
                return false;
        if (r->op == DRIVER_CONFIRM)
                return r->push_id != 0;
        if (r->op != DRIVER_PUSH)
                return true;
        return r->push_id != 0 && r->image && r->image_length > 0 &&
               r->image_length <= UINT32_MAX / 2 && r->header && r->header_length > 0 &&
               r->header_length <= RKD_HEADER_MAX && r->signature_length <= RKD_SIGNATURE_BYTES &&
               r->trial_seconds >= 1 && r->trial_seconds <= RKD_TRIAL_SECONDS_MAX;
}

static int native_start(Driver *d, const DriverRequest *request, uint64_t now_usec) {
        Native *n = native(d);

        if (!request_is_sensible(request))
                return -EINVAL;
        forget(n);
        n->request = *request;
        n->now_usec = now_usec;
        if (n->request.program_baud == 0)
                n->request.program_baud = n->request.baud;
        n->trust_nothing = request->trust_nothing;
        n->stream_id = (uint16_t)(request->push_id ^ now_usec ^ now_usec >> 16);
        native_link_init(
                        &n->link, request->address, request->half_duplex, request->turnaround_usec);
        n->link.sequence = (uint8_t)(now_usec ^
                                     /* answers of an exchange before shall not fit */
                                     now_usec >> 8);
        native_set_baud(n, request->baud);
        native_listen(n, FIRST_LISTEN_USEC);
        return 0;
}

static int native_make(Driver **ret) {
        Native *n = new0(Native, 1);

        if (!n)
                return -ENOMEM;
        n->driver.vtable = &native_vtable;
        *ret = &n->driver;
        return 0;
}

static void native_destroy(Driver *d) {
        forget(native(d));
        free(d);
}

static const NativeRow rows[_NATIVE_STEP_MAX] = {
        [NATIVE_IDLE] = { "nothing", DRIVER_PHASE_IDLE },
        [NATIVE_LISTEN] = { "IDENTIFY", DRIVER_PHASE_IDENTIFY, listen_enter, listen_answer, NULL,
                        listen_silence },
        [NATIVE_ENTER] = { "ENTER", DRIVER_PHASE_ENTER, enter_enter, enter_answer, NULL,
                        enter_silence },
        [NATIVE_SPEED_UP] = { "SET-BAUD", DRIVER_PHASE_BEGIN, speed_up_enter, speed_up_answer,
                        speed_up_refused, speed_silence },
        [NATIVE_SPEED_CHECK] = { "NOP", DRIVER_PHASE_BEGIN, speed_check_enter, speed_check_answer,
                        NULL, speed_silence },
        [NATIVE_BEGIN] = { "BEGIN", DRIVER_PHASE_BEGIN, begin_enter, begin_answer,
                        native_refuse_or_lost },
        [NATIVE_SUMS] = { "SUMS", DRIVER_PHASE_SUMS, sums_enter, sums_answer, native_refuse_or_lost,
                        NULL, sums_ahead },
        [NATIVE_PLAN] = { "NOP", DRIVER_PHASE_PLAN, plan_enter, plan_answer, NULL, plan_silence },
        [NATIVE_STREAM] = { "STREAM", DRIVER_PHASE_PLAN, stream_enter, stream_answer,
                        stream_refused },
        [NATIVE_SEND] = { "DATA", DRIVER_PHASE_SEND, send_enter, send_answer },
        [NATIVE_END] = { "END", DRIVER_PHASE_VERIFY, end_enter, end_answer, end_refused },
        [NATIVE_START] = { "START", DRIVER_PHASE_START, start_enter, done_answer },
        [NATIVE_CONFIRM] = { "CONFIRM", DRIVER_PHASE_CONFIRM, confirm_enter, done_answer },
        [NATIVE_READ] = { "READ", DRIVER_PHASE_READ, read_enter, read_answer, read_refused, NULL,
                        read_ahead },
        [NATIVE_RELEASE] = { "IDENTIFY", DRIVER_PHASE_READ, release_enter, release_answer,
                        read_refused },
        [NATIVE_LEAVE] = { "START", DRIVER_PHASE_START, leave_enter, done_answer, done_answer,
                        leave_silence },
        [NATIVE_SPEED_DOWN] = { "SET-BAUD", DRIVER_PHASE_VERIFY, speed_down_enter,
                        speed_down_answer, speed_down_answer, speed_down_silence },
        [NATIVE_DONE] = { "nothing", DRIVER_PHASE_IDLE, done_enter },
};

const DriverVTable native_vtable = {
        .name = "native",
        .capabilities = DRIVER_CAN_IDENTIFY | DRIVER_CAN_DIGEST | DRIVER_CAN_SUMS |
                        DRIVER_CAN_READ_BACK | DRIVER_CAN_READ_RELEASE | DRIVER_CAN_TRIAL |
                        DRIVER_CAN_CONFIRM | DRIVER_CAN_HEALTH | DRIVER_CAN_ENTER |
                        DRIVER_DEMANDS_SIGNED | DRIVER_ENFORCES_FLOOR | DRIVER_HAS_SLOTS,
        .meaning = "the native link of librekindle-device, rekindle-link(7)",
        .make = native_make,
        .destroy = native_destroy,
        .start = native_start,
        .next = native_next,
        .input = native_input,
        .tick = native_tick,
        .plan = native_plan,
        .cancel = native_cancel,
        .progress = native_progress,
        .result = native_result,
};

/* SPDX-License-Identifier: MIT */
/*
 * The bootloader engine for the smallest devices: flash that is done when it returns, and what
 * "Small bootloaders" of rekindle-link(7) allows. It stands in for the bootloader's half of the
 * library (RKD_SMALL) and keeps the same record.
 *
 * Data goes to where it is used, the page or what the decoder of patches reads, and no more is
 * granted than fits there. So when flash is worked on, nothing can be on its way, and a command is
 * answered at once. The device speaks only when it is asked to.
 *
 * One unit of several parts; here are start, loop, and the start of the program.
 */

#define RKD_ALL

#include "device/rkd-check.c"
#include "device/rkd-sha256.c"
#include "device/small-begin.c"
#include "device/small-check.c"
#include "device/small-command.c"
#include "device/small-identity.c"
#include "device/small-line.c"
#include "device/small-record.c"
#include "device/small-state.c"
#include "device/small-stream.c"

#define STAY_MS  10000u /* after the last valid frame, once somebody wanted the bootloader */
#define RETRY_MS 60000u /* doubled with each retry of a program that used up its starts */

int rkd_boot_init(RkdBoot *d, const RkdPlatform *platform, uint8_t cause) {
        const RkdPlatform *p;

        d->platform = platform;
        p = RKD_PLATFORM(d);
        if (!is_platform_valid(p))
                return RKD_E_PLATFORM;
        memset(d, 0, sizeof(*d));
        d->platform = platform;
        d->address = p->find_address ? p->find_address(p->user) : p->address;
        d->boot_ms = d->heard_ms = now_ms(d);
        load_record(d);
        if (retained(d)->crc != crc_of(retained(d), sizeof(RkdRetained)))
                memset(retained(d), 0, sizeof(RkdRetained));
        d->plausible = is_plausible(d);
        d->staying = retained(d)->is.intent;
        retained(d)->is.intent = RKD_INTENT_NONE;
        retained(d)->is.cause = cause < _RKD_CAUSE_MAX ? cause : RKD_CAUSE_POWER;
        close_retained(d);
        return 0;
}

/* A start is noted in flash if it has to be. A record that cannot be written, or has no room left,
 * keeps no verified program off. */
static void start_now(RkdBoot *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        RkdStart start = { .program_base = p->program_base, .program_bytes = p->program_space };
        unsigned mark = RKD_MARKS_MAX;

        if (d->status == RKD_RECORD_GOOD) {
                bool is_confirmed = IS_MARKED(d, RKD_MARK_CONFIRMED);

                start.program_bytes = d->body->header.length;
                if (!is_confirmed && (p->capabilities & RKD_CAN_TRIAL_TIMER) != 0)
                        start.trial_ms = d->body->trial_seconds * 1000u;
                if ((!is_confirmed || is_abnormal(d)) && used(d) < attempts(d))
                        mark = RKD_MARK_PAIRS + 2u * d->starts;
        }
        if (set_mark(d, mark) != RKD_OK)
                retained(d)->is.boots++;
        if (is_abnormal(d) && retained(d)->is.retries < RETRY_DOUBLES)
                retained(d)->is.retries++;
        close_retained(d);
        d->phase = RKD_PHASE_GONE;
        p->start_program(p->user, &start);
}

/* Whether a program may start by itself now. */
static bool may_start(const RkdBoot *d) {
        unsigned doubles = retained(d)->is.retries, state = rkd_boot_state(d);
        uint32_t since = d->heard_ms, delay = STAY_MS;

        if (state == RKD_FAILED || (is_abnormal(d) && doubles >= attempts(d))) {
                if (doubles > RETRY_DOUBLES) /* another bootloader counts on */
                        doubles = RETRY_DOUBLES;
                delay = RETRY_MS << doubles;
        } else if (!d->staying) {
                since = d->boot_ms;
                delay = RKD_PLATFORM(d)->listen_ms;
        }
        return (is_runnable(state) || state == RKD_FAILED) && now_ms(d) - since >= delay;
}

void rkd_boot_poll(RkdBoot *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        bool has_gap;

        if (d->phase == RKD_PHASE_GONE)
                return;
        if (p->feed_watchdog)
                p->feed_watchdog(p->user);
        d->tx_at = (uint16_t)(d->tx_at +
                              p->send(p->user, p->tx + d->tx_at, (size_t)(d->tx_end - d->tx_at)));
        if (d->tx_at != d->tx_end)
                return;
        if (d->phase == RKD_PHASE_START) {
                start_now(d);
                return;
        }
        has_gap = is_open(d) && d->received != d->credit;
        poll_stream(d);
        if (is_hashing(d))
                (void)check(d);
        if (d->command)
                answer(d);
        else if (d->poll_due) {
                d->poll_due = false;
                put_status(d);
                send_frame(d, OUT_AT, has_gap ? RKD_NAK : RKD_ACK, 0, RKD_STATUS_BYTES);
        } else if (may_start(d) && check(d) == RKD_OK)
                d->phase = RKD_PHASE_START;
}

bool rkd_boot_is_gone(const RkdBoot *d) {
        return d->phase == RKD_PHASE_GONE;
}

uint32_t rkd_boot_wait_ms(const RkdBoot *d) {
        return is_hashing(d) || is_decoding(d) ? 0 : 1;
}

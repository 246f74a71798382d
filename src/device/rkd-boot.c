/* SPDX-License-Identifier: MIT */
/*
 * The bootloader engine: one poll does what can be done at once, in the order line, flash, stream,
 * digest, command, speaking unasked, starting the program.
 *
 * A program is started only when its digest was found right since flash was last touched. Before
 * the start it is counted: in the record while the push is unconfirmed or the last reset was
 * abnormal, in retained RAM otherwise.
 */

#include <string.h>

#include "device/rkd-digest.h"
#include "device/rkd-engine.h"
#include "device/rkd-patch.h"

#define HELLO_MS      1000u
#define STAY_MS       10000u /* after the last valid frame, once somebody wanted the bootloader */
#define RETRY_MS      60000u /* doubled with each retry of a program that used up its starts … */
#define RETRY_DOUBLES 6u     /* … so often at most: 64 minutes */
#define TICK_MS       10u    /* while there is nothing to do but to look at the time */

static bool is_abnormal(const RkdDevice *d) {
        return d->retained.cause >= RKD_CAUSE_WATCHDOG; /* watchdog, trial, crash */
}

static bool is_confirmed(const RkdDevice *d) {
        return (d->marks & 1 << RKD_MARK_CONFIRMED) != 0;
}

bool rkd_boot_is_plausible(const RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint8_t buffer[4];

#if RKD_WITH_SLOTS
        if (p->is_slot_plausible)
                return p->is_slot_plausible(p->user, d->slot) == 1;
#endif
        if (p->is_plausible)
                return p->is_plausible(p->user) == 1;
        return rkd_load_u32(rkd_flash_view(d, rkd_program_address(d, 0), buffer, 4)) + 1u > 1u;
}

#if RKD_WITH_CHECKS
static bool is_bootloader_valid(const RkdPlatform *p) {
        return p->page && p->page_bytes >= RKD_PAGE_MIN && rkd_is_power_of_2(p->page_bytes) &&
               p->ring && p->ring_bytes >= 128 && p->max_payload <= p->ring_bytes &&
               p->flash_erase && p->start_program &&
               (!p->patch || (RKD_PATCH_IS_BUILT && rkd_patch_fits(p)));
}
#endif

void rkd_boot_receive(RkdBoot *d, const uint8_t *data, size_t n) {
        rkd_link_receive(d, data, n);
}

int rkd_boot_init(RkdBoot *d, const RkdPlatform *platform, uint8_t cause) {
#if RKD_WITH_CHECKS
        if (!rkd_platform_is_valid(platform) || !is_bootloader_valid(platform))
                return RKD_E_PLATFORM;
#endif
        rkd_link_init(d, platform);
        d->boot_ms = d->heard_ms;
        d->hello_ms -= HELLO_MS;
        rkd_slot_view_all(d);
        rkd_retained_load(d);
        d->plausible = rkd_boot_is_plausible(d);
        d->staying = d->retained.intent == RKD_INTENT_STAY;
        d->retained.intent = RKD_INTENT_NONE;
        d->retained.cause = cause < _RKD_CAUSE_MAX ? cause : RKD_CAUSE_POWER;
        rkd_retained_store(d);
        rkd_log(d, RKD_LOG_BOOT, d->retained.cause);
        return 0;
}

uint8_t rkd_boot_state(const RkdBoot *d) {
        unsigned state;

        if (d->status == RKD_RECORD_DAMAGED)
                return RKD_PUSHING;
        if (d->status == RKD_RECORD_NONE)
                return d->plausible ? RKD_UNMANAGED : RKD_EMPTY;
        state = rkd_record_state(d);
        if (state != RKD_PUSHING && d->check == RKD_CHECK_BAD)
                state = RKD_DAMAGED;
        return (uint8_t)state;
}

void rkd_boot_put_status(const RkdDevice *d, uint8_t *out) {
        const struct {
                uint32_t received, credit;
                uint16_t busy_ms;
                uint8_t state, health;
                uint16_t boots;
                uint8_t error;
        } status = {
                .received = rkd_le32(d->received),
                .credit = rkd_le32(d->credit),
                .busy_ms = rkd_le16((uint16_t)rkd_busy_ms(d)),
                .state = rkd_boot_state(d),
                .health = RKD_HEALTH_UNKNOWN,
                .boots = rkd_le16((uint16_t)rkd_boots(d)),
                .error = d->error,
        };

        memcpy(out, &status, RKD_STATUS_BYTES);
}

uint8_t rkd_boot_check(RkdDevice *d) {
        if (d->check == RKD_CHECK_UNKNOWN) {
                bool good = rkd_boot_is_plausible(d);

                if (d->status == RKD_RECORD_GOOD) {
                        if (d->digest == RKD_DIGEST_IDLE)
                                rkd_digest_start(d, rkd_le32(d->body->header.length),
                                                RKD_DIGEST_RECORD);
                        if (d->digest != RKD_DIGEST_DONE)
                                return RKD_LATER;
                        good &= memcmp(d->sha.block, d->body->header.sha256, RKD_SHA256_BYTES) == 0;
                }
                d->check = good ? RKD_CHECK_GOOD : RKD_CHECK_BAD;
        }
        return d->check == RKD_CHECK_GOOD ? RKD_OK : RKD_BAD_DIGEST;
}

void rkd_boot_forget_check(RkdDevice *d) {
        d->check = RKD_CHECK_UNKNOWN;
#if RKD_WITH_SLOTS
        d->fallback = RKD_CHECK_UNKNOWN;
#endif
        d->digest = RKD_DIGEST_IDLE;
        d->source = RKD_DIGEST_NONE;
}

bool rkd_boot_is_runnable(const RkdDevice *d) {
        const unsigned runnable = 1u << RKD_VERIFIED | 1u << RKD_TRIAL | 1u << RKD_CONFIRMED |
                                  1u << RKD_UNMANAGED;

        return (runnable >> rkd_boot_state(d) & 1) != 0;
}

#if RKD_WITH_SLOTS
/* The last program that was started is that of this slot. */
static bool was_started(const RkdDevice *d, unsigned slot) {
        return d->retained.slot == slot + 1;
}
#endif

static void start_now(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        RkdStart start = { .program_base = p->program_base, .program_bytes = p->program_space };

        if (d->status == RKD_RECORD_GOOD) {
                start.program_bytes = rkd_le32(d->body->header.length);
                if (!is_confirmed(d) && (p->capabilities & RKD_CAN_TRIAL_TIMER) != 0)
                        start.trial_ms = rkd_le16(d->body->trial_seconds) * 1000u;
        }
#if RKD_WITH_SLOTS
        if (rkd_has_slots(d)) {
                if (!was_started(d, d->slot))
                        d->retained.retries = 0;
                d->retained.slot = (uint8_t)(d->slot + 1u);
                start.slot = d->slot;
        }
#endif
        if (is_abnormal(d) && d->retained.retries < UINT8_MAX)
                d->retained.retries++;
        rkd_retained_store(d);
        d->phase = RKD_PHASE_GONE;
        rkd_log(d, RKD_LOG_START, rkd_boots(d));
        p->start_program(p->user, &start);
}

/* A start is noted in flash if it has to be. A record that cannot be written keeps no verified
 * program off. */
static void poll_start(RkdDevice *d) {
        bool counted = d->status == RKD_RECORD_GOOD && rkd_record_used(d) < rkd_attempts(d) &&
                       (!is_confirmed(d) || is_abnormal(d));

        if (rkd_record_is_busy(d))
                return;
        if (d->phase == RKD_PHASE_START) {
                start_now(d);
                return;
        }
        if (d->phase++ == RKD_PHASE_COUNT) {
                d->failed = false;
                if (counted && !rkd_record_has_room(d))
                        rkd_record_renew(d);
        } else if (!counted || d->failed || !rkd_record_has_room(d))
                d->retained.boots++;
        else
                (void)rkd_record_mark(d, RKD_MARK_PAIRS + 2u * d->starts);
}

/* How long from when a program may start by itself; false: never, or not yet. */
static bool may_start(const RkdDevice *d) {
        unsigned doubles = d->retained.retries, state = rkd_boot_state(d);
        uint32_t since = d->heard_ms, delay = STAY_MS;

        if (state == RKD_FAILED ||
                        (state == RKD_UNMANAGED && is_abnormal(d) && doubles >= rkd_attempts(d))) {
                if (doubles > RETRY_DOUBLES)
                        doubles = RETRY_DOUBLES;
                delay = RETRY_MS << doubles;
        } else if (!rkd_boot_is_runnable(d))
                return false;
        else if (!d->staying) {
                since = d->boot_ms;
                delay = RKD_PLATFORM(d)->listen_ms;
        }
        return rkd_now_ms(d) - since >= delay;
}

#if RKD_WITH_SLOTS
/* The same for the other slot's program, in place of one that cannot run: as soon as that one
 * could, but later and later when it ends abnormally itself. */
static bool may_fall_back(const RkdDevice *d) {
        unsigned doubles = was_started(d, 1u - d->slot) ? d->retained.retries : 0;
        uint32_t since = d->heard_ms, delay = STAY_MS;

        if (!rkd_has_slots(d) || d->status != RKD_RECORD_GOOD || rkd_boot_is_runnable(d))
                return false;
        if (is_abnormal(d) && doubles >= rkd_attempts(d))
                delay = RETRY_MS << (doubles < RETRY_DOUBLES ? doubles : RETRY_DOUBLES);
        else if (!d->staying) {
                since = d->boot_ms;
                delay = RKD_PLATFORM(d)->listen_ms;
        }
        return rkd_now_ms(d) - since >= delay;
}
#endif

static void send_status(RkdDevice *d) {
        unsigned type = d->gap ? RKD_NAK : RKD_ACK;

        rkd_boot_put_status(d, rkd_link_payload(d));
        rkd_stream_note_told(d);
        d->poll_due = false;
        rkd_link_send(d, type, 0, RKD_STATUS_BYTES);
}

/* ACK, NAK, HELLO: when asked by POLL, or unasked where the line allows it. */
static void speak(RkdDevice *d) {
        bool is_free = rkd_link_is_free(d);

        if (d->poll_due || (is_free && (rkd_stream_may_nak(d) || d->ack_due)))
                send_status(d);
        else if (is_free && rkd_now_ms(d) - d->hello_ms >= HELLO_MS)
                rkd_link_hello(d, RKD_WHO_BOOTLOADER, rkd_boot_state(d));
}

void rkd_boot_poll(RkdBoot *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        if (d->phase == RKD_PHASE_GONE)
                return;
        if (p->feed_watchdog)
                p->feed_watchdog(p->user);
        rkd_link_poll(d);
        rkd_flash_poll(d);
        rkd_record_poll(d);
        rkd_stream_poll(d);
        if (!rkd_flash_is_busy(d)) {
                rkd_digest_poll(d);
                rkd_fallback_poll(d);
        }
        if (!rkd_link_is_idle(d))
                return;
        rkd_boot_poll_begin(d);
        if (d->phase != RKD_PHASE_LISTEN) {
                poll_start(d);
                return;
        }
        rkd_boot_poll_verify(d);
        if (d->command != RKD_COMMAND_NONE)
                rkd_link_command(d, rkd_boot_handle);
        else
                speak(d);
#if RKD_WITH_SLOTS
        if (d->command == RKD_COMMAND_NONE && rkd_boot_is_at_rest(d) && may_fall_back(d) &&
                        rkd_fallback_start(d) != RKD_NOT_RUNNABLE)
                return;
#endif
        if (d->command == RKD_COMMAND_NONE && rkd_boot_is_at_rest(d) && d->check != RKD_CHECK_BAD &&
                        may_start(d) && rkd_boot_check(d) == RKD_OK)
                d->phase = RKD_PHASE_COUNT;
}

bool rkd_boot_is_gone(const RkdBoot *d) {
        return d->phase == RKD_PHASE_GONE;
}

uint32_t rkd_boot_wait_ms(const RkdBoot *d) {
        if (d->phase == RKD_PHASE_GONE)
                return RKD_WAIT_MAX_MS;
        if (rkd_flash_is_busy(d) || !rkd_link_is_idle(d))
                return 1;
        if (d->phase != RKD_PHASE_LISTEN || d->digest >= RKD_DIGEST_SHA || d->record_due ||
                        rkd_boot_is_verifying(d) || d->command != RKD_COMMAND_NONE)
                return 0;
        /* Flash that works on its own is given work at once; other flash waits for the line. */
        if (RKD_FLASH_BLOCKS)
                return d->stream == RKD_STREAM_OPEN ? 1 : TICK_MS;
        if (d->poll_due || rkd_stream_is_working(d) || d->ack_due)
                return 0;
        return TICK_MS;
}

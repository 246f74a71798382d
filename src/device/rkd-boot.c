/* SPDX-License-Identifier: MIT */
/*
 * The bootloader engine: one poll does what can be done at once, in the order flash, stream, check,
 * command, speaking unasked, starting the program.
 *
 * A program is started only when its digest was found right since flash was last touched. Before
 * the start it is counted: in the record while the push is unconfirmed or the last reset was
 * abnormal, in retained RAM otherwise.
 */

#include "device/rkd-boot.h"

#include <string.h>

#include "device/rkd-digest.h"
#include "device/rkd-flash.h"
#include "device/rkd-identity.h"
#include "device/rkd-link.h"
#include "device/rkd-patch.h"
#include "device/rkd-record.h"
#include "device/rkd-retained.h"
#include "device/rkd-stream.h"

#define HELLO_MS      1000u
#define STAY_MS       10000u /* after the last valid frame, once somebody wanted the bootloader */
#define RETRY_MS      60000u /* doubled with each retry of a program that used up its starts … */
#define RETRY_DOUBLES 6u     /* … so often at most: 64 minutes */

static uint32_t now_ms(const RkdBoot *b) {
        return rkd_now_ms(b->platform);
}

static bool is_abnormal(uint8_t cause) {
        return cause == RKD_CAUSE_WATCHDOG || cause == RKD_CAUSE_TRIAL || cause == RKD_CAUSE_CRASH;
}

static bool is_plausible(const RkdPlatform *p) {
        uint8_t word[4];

        if (p->is_plausible)
                return p->is_plausible(p->user) == 1;
        if (rkd_flash_read(p, p->program_base, word, sizeof(word)) < 0)
                return false;
        return memcmp(word, "\xff\xff\xff\xff", 4) != 0 && memcmp(word, "\0\0\0\0", 4) != 0;
}

#if RKD_WITH_CHECKS
static bool is_bootloader_valid(const RkdPlatform *p) {
        return p->page && p->page_bytes >= RKD_PAGE_MIN && p->page_bytes % RKD_PAGE_MIN == 0 &&
               (p->unit_size % p->page_bytes == 0 || p->page_bytes % p->unit_size == 0) &&
               p->ring && p->ring_bytes >= 128 && p->max_payload >= RKD_PAYLOAD_MIN &&
               p->max_payload <= RKD_PAYLOAD_MAX && p->max_payload <= p->ring_bytes &&
               p->flash_erase && p->start_program &&
               (!p->patch || (RKD_PATCH_IS_BUILT && rkd_patch_fits(p)));
}
#endif

int rkd_boot_init(RkdBoot *b, const RkdPlatform *p, uint8_t cause) {
#if RKD_WITH_CHECKS
        if (!rkd_platform_is_valid(p) || !is_bootloader_valid(p))
                return RKD_E_PLATFORM;
#endif
        memset(b, 0, sizeof(*b));
        b->platform = p;
        b->cause = cause < _RKD_CAUSE_MAX ? cause : RKD_CAUSE_POWER;
        rkd_link_init(&b->link, p);
        rkd_flash_init(&b->flash, p);
        rkd_record_init(&b->record, p, &b->flash);
        rkd_stream_init(&b->stream, p, &b->flash);
        rkd_digest_init(&b->digest, p);
        rkd_retained_load(&b->retained, p);
        b->plausible = is_plausible(p);
        b->staying = b->retained.intent == RKD_INTENT_STAY;
        b->retained.intent = RKD_INTENT_NONE;
        b->retained.cause = b->cause;
        rkd_retained_store(&b->retained, p);
        b->boot_ms = b->quiet_ms = now_ms(b);
        b->hello_ms = b->boot_ms - HELLO_MS;
        return 0;
}

static void receive_byte(RkdBoot *b, uint8_t byte) {
        RkdLink *link = &b->link;

        switch (rkd_link_feed(link, byte)) {
        case RKD_DECODED_HEADER:
                rkd_stream_frame_begin(&b->stream);
                break;
        case RKD_DECODED_PAYLOAD:
                rkd_stream_frame_byte(&b->stream, link->decoder.byte);
                break;
        case RKD_DECODED_COMPLETE:
                rkd_stream_frame_end(&b->stream);
                if ((link->decoder.header[3] & RKD_FLAG_POLL) != 0) {
                        rkd_stream_note_poll(&b->stream);
                        b->poll_due = true;
                }
                break;
        case RKD_DECODED_DAMAGED:
                rkd_stream_note_damage(&b->stream);
                break;
        default:
                break;
        }
}

void rkd_boot_receive(RkdBoot *b, const uint8_t *data, size_t n) {
        for (size_t i = 0; i < n && b->phase != RKD_PHASE_GONE; i++)
                receive_byte(b, data[i]);
}

uint8_t rkd_boot_state(const RkdBoot *b) {
        uint8_t state;

        if (b->record.status == RKD_RECORD_DAMAGED)
                return RKD_PUSHING;
        if (b->record.status == RKD_RECORD_NONE)
                return b->plausible ? RKD_UNMANAGED : RKD_EMPTY;
        state = rkd_record_state(&b->record);
        return state != RKD_PUSHING && b->check == RKD_CHECK_BAD ? RKD_DAMAGED : state;
}

uint16_t rkd_boot_boots(const RkdBoot *b) {
        return (uint16_t)(rkd_record_boots(&b->record) + b->retained.boots);
}

void rkd_boot_put_status(const RkdBoot *b, uint8_t *out) {
        rkd_store_u32(out, b->stream.received);
        rkd_store_u32(out + 4, b->stream.credit);
        rkd_store_u16(out + 8, rkd_stream_busy_ms(&b->stream));
        out[10] = rkd_boot_state(b);
        out[11] = RKD_HEALTH_UNKNOWN;
        rkd_store_u16(out + 12, rkd_boot_boots(b));
        out[14] = b->stream.error;
}

uint8_t rkd_boot_check(RkdBoot *b) {
        const RkdRecord *r = &b->record;

        if (b->check != RKD_CHECK_UNKNOWN)
                return b->check == RKD_CHECK_GOOD ? RKD_OK : RKD_BAD_DIGEST;
        if (r->status == RKD_RECORD_GOOD && !rkd_digest_is_done(&b->digest)) {
                if (!rkd_digest_is_busy(&b->digest))
                        rkd_digest_start(&b->digest, r->image_length, RKD_DIGEST_RECORD);
                return RKD_LATER;
        }
        b->check = RKD_CHECK_BAD;
        if (r->status == RKD_RECORD_DAMAGED || !is_plausible(b->platform))
                return RKD_BAD_DIGEST;
        if (r->status == RKD_RECORD_GOOD &&
                        !rkd_record_holds(r, RKD_RECORD_SHA256,
                                        (const uint8_t *)b->digest.sha.block, RKD_SHA256_BYTES))
                return RKD_BAD_DIGEST;
        b->check = RKD_CHECK_GOOD;
        return RKD_OK;
}

void rkd_boot_forget_check(RkdBoot *b) {
        b->check = RKD_CHECK_UNKNOWN;
        rkd_digest_init(&b->digest, b->platform);
}

bool rkd_boot_is_runnable(const RkdBoot *b) {
        uint8_t state = rkd_boot_state(b);

        return state == RKD_VERIFIED || state == RKD_TRIAL || state == RKD_CONFIRMED ||
               state == RKD_UNMANAGED;
}

void rkd_boot_start(RkdBoot *b) {
        b->phase = RKD_PHASE_COUNT;
}

static bool is_retry(const RkdBoot *b) {
        uint8_t state = rkd_boot_state(b);

        return state == RKD_FAILED ||
               (state == RKD_UNMANAGED && is_abnormal(b->cause) &&
                               b->retained.retries >= rkd_record_attempts(b->platform));
}

/* Notes the start in flash if it has to be; the next poll goes on when that is done. */
static void count_start(RkdBoot *b) {
        RkdRecord *r = &b->record;
        bool counted = r->status == RKD_RECORD_GOOD && rkd_record_state(r) != RKD_FAILED &&
                       (!r->confirmed || is_abnormal(b->cause));

        if (counted && !r->failed && r->starts >= r->n_pairs) {
                rkd_record_renew(r);
                return;
        }
        b->phase = RKD_PHASE_START;
        /* A record that cannot be written keeps no verified program off. */
        if (!counted || r->failed || rkd_record_mark_start(r) == 0)
                b->retained.boots++;
}

static void start_now(RkdBoot *b) {
        const RkdPlatform *p = b->platform;
        const RkdRecord *r = &b->record;
        bool good = r->status == RKD_RECORD_GOOD;
        RkdStart start = {
                .program_base = p->program_base,
                .program_bytes = good ? r->image_length : p->program_space,
        };

        if (good && !r->confirmed && (p->capabilities & RKD_CAN_TRIAL_TIMER) != 0)
                start.trial_ms = r->trial_seconds * 1000u;
        if (is_abnormal(b->cause) && b->retained.retries < UINT8_MAX)
                b->retained.retries++;
        rkd_retained_store(&b->retained, p);
        b->phase = RKD_PHASE_GONE;
        p->start_program(p->user, &start);
}

static void poll_start(RkdBoot *b) {
        if (!rkd_link_is_idle(&b->link) || rkd_record_is_busy(&b->record))
                return;
        if (b->phase == RKD_PHASE_COUNT)
                count_start(b);
        else
                start_now(b);
}

/* How long from when a program may start by itself; false: never. */
static bool find_delay(const RkdBoot *b, uint32_t *ret_since, uint32_t *ret_delay) {
        uint8_t doubles = b->retained.retries;

        if (is_retry(b)) {
                doubles = doubles < RETRY_DOUBLES ? doubles : RETRY_DOUBLES;
                *ret_since = b->quiet_ms;
                *ret_delay = RETRY_MS << doubles;
                return true;
        }
        *ret_since = b->staying ? b->quiet_ms : b->boot_ms;
        *ret_delay = b->staying ? STAY_MS : b->platform->listen_ms;
        return rkd_boot_is_runnable(b);
}

static void poll_automatic(RkdBoot *b) {
        uint32_t since, delay;

        if (b->link.command_due || rkd_record_is_busy(&b->record) || b->check == RKD_CHECK_BAD ||
                        !find_delay(b, &since, &delay) || now_ms(b) - since < delay)
                return;
        if (rkd_boot_check(b) == RKD_OK)
                rkd_boot_start(b);
}

static void send_status(RkdBoot *b, uint8_t type) {
        rkd_boot_put_status(b, rkd_link_payload(&b->link));
        rkd_link_send(&b->link, type, 0, RKD_STATUS_BYTES);
        rkd_stream_note_told(&b->stream, type == RKD_NAK);
        b->poll_due = false;
}

static void send_hello(RkdBoot *b) {
        b->hello_ms = now_ms(b);
        rkd_link_hello(&b->link, RKD_WHO_BOOTLOADER, rkd_boot_state(b), rkd_boot_boots(b));
}

/* ACK, NAK, HELLO: when asked by POLL, or unasked where the line allows it. */
static void speak(RkdBoot *b) {
        bool is_free = rkd_link_is_free(&b->link);

        if (b->poll_due)
                send_status(b, b->stream.gap ? RKD_NAK : RKD_ACK);
        else if (is_free && rkd_stream_may_nak(&b->stream))
                send_status(b, RKD_NAK);
        else if (is_free && b->stream.ack_due)
                send_status(b, RKD_ACK);
        else if (is_free && now_ms(b) - b->hello_ms >= HELLO_MS)
                send_hello(b);
}

/* One step of whatever flash is at work for. */
static void poll_flash(RkdBoot *b) {
        bool busy = rkd_flash_is_busy(&b->flash);

        if (rkd_record_is_busy(&b->record)) {
                (void)rkd_record_poll(&b->record);
        } else {
                (void)rkd_flash_poll(&b->flash);
                rkd_stream_poll(&b->stream);
        }
        if (b->stream.dirty) {
                b->stream.dirty = false;
                rkd_boot_forget_check(b);
                busy = true;
        }
        if (busy)
                rkd_link_was_deaf(&b->link);
}

void rkd_boot_poll(RkdBoot *b) {
        const RkdPlatform *p = b->platform;

        if (b->phase == RKD_PHASE_GONE)
                return;
        if (p->feed_watchdog)
                p->feed_watchdog(p->user);
        rkd_link_poll(&b->link);
        if (b->link.heard) {
                b->link.heard = false;
                b->quiet_ms = b->hello_ms = now_ms(b);
        }
        poll_flash(b);
        if (!rkd_flash_is_busy(&b->flash) && rkd_digest_poll(&b->digest) < 0)
                b->check = RKD_CHECK_BAD;
        if (rkd_link_is_idle(&b->link)) {
                rkd_stream_note_sent(&b->stream);
                rkd_boot_poll_begin(b);
        }
        if (b->phase != RKD_PHASE_LISTEN) {
                poll_start(b);
                return;
        }
        if (rkd_link_is_idle(&b->link)) {
                if (b->link.command_due)
                        rkd_boot_command(b);
                else
                        speak(b);
        }
        if (b->phase == RKD_PHASE_LISTEN)
                poll_automatic(b);
}

bool rkd_boot_is_gone(const RkdBoot *b) {
        return b->phase == RKD_PHASE_GONE;
}

static uint32_t until(uint32_t now, uint32_t since, uint32_t delay) {
        return now - since < delay ? delay - (now - since) : 0;
}

static bool has_work(const RkdBoot *b) {
        if (b->phase != RKD_PHASE_LISTEN)
                return true;
        if (rkd_digest_is_busy(&b->digest) || rkd_stream_is_working(&b->stream) || b->record_due)
                return true;
        if (b->link.command_due || b->poll_due)
                return true;
        return rkd_link_is_free(&b->link) && (b->stream.ack_due || rkd_stream_may_nak(&b->stream));
}

uint32_t rkd_boot_wait_ms(const RkdBoot *b) {
        uint32_t now = now_ms(b), wait = RKD_WAIT_MAX_MS, since, delay, left;

        if (b->phase == RKD_PHASE_GONE)
                return RKD_WAIT_MAX_MS;
        if (rkd_flash_is_busy(&b->flash) || !rkd_link_is_idle(&b->link))
                return 1;
        if (has_work(b))
                return 0;
        if (b->check != RKD_CHECK_BAD && find_delay(b, &since, &delay))
                wait = until(now, since, delay);
        if (rkd_link_is_free(&b->link) && (left = until(now, b->hello_ms, HELLO_MS)) < wait)
                wait = left;
#if RKD_WITH_BAUD
        if (b->link.baud_changed &&
                        (left = until(now, b->link.heard_ms, RKD_BAUD_FALLBACK_MS + 1)) < wait)
                wait = left;
#endif
        if (b->stream.gap && wait > 50)
                wait = 50;
        return wait < RKD_WAIT_MAX_MS ? wait : RKD_WAIT_MAX_MS;
}

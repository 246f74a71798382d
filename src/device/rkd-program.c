/* SPDX-License-Identifier: MIT */
/*
 * The program's side of the link: tells what runs and how it does, sets the healthy and the
 * confirmed mark, goes back to the bootloader.
 *
 * It reads the record that the bootloader wrote, and writes only mark words. The state that it
 * tells is that of the start that is going on: the last allowed start is still a trial.
 */

#include <string.h>

#include "device/rkd-digest.h"
#include "device/rkd-flash.h"
#include "device/rkd-identity.h"
#include "device/rkd-link.h"
#include "device/rkd-record.h"
#include "device/rkd-retained.h"
#include "proto/bytes.h"
#include "rekindle/device.h"

#define LATER_MS 100u
#define BUSY_MS  50u

int rkd_program_init(RkdProgram *g, const RkdPlatform *p, const RkdDescriptor *descriptor) {
#if RKD_WITH_CHECKS
        if (!rkd_platform_is_valid(p))
                return RKD_E_PLATFORM;
#endif
        memset(g, 0, sizeof(*g));
        g->platform = p;
        g->descriptor = descriptor;
        g->health = RKD_HEALTH_STARTING;
        g->hello_due = true;
        rkd_link_init(&g->link, p);
        rkd_flash_init(&g->flash, p);
        rkd_record_init(&g->record, p, &g->flash);
        rkd_digest_init(&g->digest, p);
        rkd_retained_load(&g->retained, p);
        return 0;
}

void rkd_program_receive(RkdProgram *g, const uint8_t *data, size_t n) {
        for (size_t i = 0; i < n && !g->dead; i++)
                (void)rkd_link_feed(&g->link, data[i]);
}

static uint8_t find_state(const RkdProgram *g) {
        const RkdRecord *r = &g->record;
        uint8_t state;

        if (r->status == RKD_RECORD_NONE)
                return RKD_UNMANAGED;
        if (r->status == RKD_RECORD_DAMAGED)
                return RKD_PUSHING;
        state = rkd_record_state(r);
        if (state == RKD_FAILED)
                return r->confirmed ? RKD_CONFIRMED : RKD_TRIAL;
        return state == RKD_VERIFIED ? RKD_TRIAL : state;
}

static uint16_t find_boots(const RkdProgram *g) {
        return (uint16_t)(rkd_record_boots(&g->record) + g->retained.boots);
}

/* Without a record: the digest of what the descriptor covers, or of the area. */
static uint8_t inspect(RkdProgram *g, RkdSelf *self) {
        RkdDigest *d = &g->digest;
        const RkdDescriptor *descriptor = g->descriptor;

        if (g->record.status == RKD_RECORD_GOOD)
                return RKD_OK;
        self->digest = d;
        if (rkd_digest_is_done(d))
                return RKD_OK;
        if (rkd_digest_is_busy(d))
                return RKD_LATER;
        if (descriptor && descriptor->length > 0 &&
                        descriptor->length <= g->platform->program_space)
                rkd_digest_start(d, descriptor->length, RKD_DIGEST_DESCRIPTOR);
#if RKD_WITH_SEARCH
        else
                rkd_digest_search(d);
        return RKD_LATER;
#else
        return rkd_digest_is_busy(d) ? RKD_LATER : RKD_OK;
#endif
}

/* The version is the program's own word; that of the record only where it has none. */
static uint8_t identify(RkdProgram *g, const uint8_t *in, RkdReply *a) {
        RkdWriter w = rkd_link_window(a, in);
        RkdSelf self = {
                .who = RKD_WHO_PROGRAM,
                .state = find_state(g),
                .health = g->health,
                .cause = g->retained.cause,
                .boots = find_boots(g),
                .max_answer = (uint16_t)rkd_link_room(&g->link),
                /* What its bootloader insists on, the program has no hooks for. */
                .capabilities = RKD_CAN_HEALTH |
                                (g->platform->capabilities & (RKD_CAN_SIGNED | RKD_CAN_FLOOR)),
        };

        if (in[0] != RKD_IDENTIFY_IDENTITY)
                return RKD_UNKNOWN;
        if (inspect(g, &self) == RKD_LATER)
                return RKD_LATER;
        if (g->descriptor)
                self.version = rkd_text(g->descriptor->version);
        if (rkd_identity_write(&w, &g->record, &self) < 0)
                return RKD_FLASH;
        rkd_link_close_window(a, in, &w);
        return RKD_OK;
}

static uint8_t tell_status(const RkdProgram *g, RkdReply *a) {
        memset(a->out, 0, RKD_STATUS_BYTES);
        a->out[10] = find_state(g);
        a->out[11] = g->health;
        rkd_store_u16(a->out + 12, find_boots(g));
        a->n = RKD_STATUS_BYTES;
        return RKD_OK;
}

static uint8_t confirm(RkdProgram *g, const uint8_t *push_id) {
        const RkdRecord *r = &g->record;

        if (r->status != RKD_RECORD_GOOD || !r->verified)
                return RKD_BAD_STATE;
        if (memcmp(push_id, r->push_id, sizeof(r->push_id)) != 0)
                return RKD_FOREIGN_PUSH;
        return rkd_record_is_busy(r) ? RKD_LATER : rkd_record_confirm(&g->record);
}

static uint8_t enter(RkdProgram *g) {
        if (!g->platform->retained || !g->platform->reset)
                return RKD_DENIED;
        g->leaving = true;
        return RKD_OK;
}

#if RKD_WITH_BAUD
static uint8_t set_baud(RkdProgram *g, const uint8_t *in, RkdReply *a) {
        memcpy(a->out, in, 4);
        a->n = 4;
        return rkd_link_change_speed(&g->link, rkd_load_u32(in));
}
#endif

/* How many bytes the command has; of those that only a bootloader knows, nobody cares. */
static bool is_length_right(uint8_t type, uint8_t n) {
        switch (type) {
        case RKD_IDENTIFY:
                return n == 5;
        case RKD_CONFIRM:
        case RKD_START:
                return n == 8;
        case RKD_SET_BAUD:
                return n == 4;
        case RKD_NOP:
        case RKD_ENTER:
                return n == 0;
        default:
                return true;
        }
}

static uint8_t dispatch(RkdProgram *g, RkdReply *a) {
        const uint8_t *in = g->link.command;
        uint8_t type = g->link.head[RKD_HEAD_TYPE];

        if (!is_length_right(type, g->link.n_command))
                return RKD_BAD_LENGTH;
        switch (type) {
        case RKD_IDENTIFY:
                return identify(g, in, a);
        case RKD_NOP:
                return tell_status(g, a);
        case RKD_CONFIRM:
                return confirm(g, in);
        case RKD_ENTER:
                return enter(g);
#if RKD_WITH_BAUD
        case RKD_SET_BAUD:
                return set_baud(g, in, a);
#endif
        case RKD_START:
                return RKD_OK; /* it runs */
        default:
                return RKD_UNKNOWN;
        }
}

static void run_command(RkdProgram *g) {
        uint32_t now = rkd_now_ms(g->platform);
        RkdReply a;
        uint8_t result;

        rkd_link_reply_init(&g->link, &a);
        if (!g->command_open) {
                g->command_open = true;
                g->command_ms = now;
        }
        result = dispatch(g, &a);
        if (result == RKD_LATER) {
                if (now - g->command_ms < LATER_MS)
                        return;
                result = RKD_BUSY;
                a.busy_ms = BUSY_MS;
        }
        g->command_open = false;
        rkd_link_reply(&g->link, &a, result);
}

static void send_hello(RkdProgram *g) {
        g->hello_due = false;
        rkd_link_hello(&g->link, RKD_WHO_PROGRAM, find_state(g), find_boots(g));
}

static void leave(RkdProgram *g) {
        const RkdPlatform *p = g->platform;

        g->dead = true;
        g->retained.intent = RKD_INTENT_STAY;
        rkd_retained_store(&g->retained, p);
        p->reset(p->user);
}

/* The healthy mark; without a start to reset it is nothing. */
static void mark_health(RkdProgram *g) {
        RkdRecord *r = &g->record;

        if (!g->healthy_due || rkd_record_is_busy(r))
                return;
        g->healthy_due = false;
        if (r->status == RKD_RECORD_GOOD && r->verified)
                (void)rkd_record_mark_healthy(r);
}

void rkd_program_poll(RkdProgram *g) {
        if (g->dead)
                return;
        rkd_link_poll(&g->link);
        (void)rkd_record_poll(&g->record);
        (void)rkd_digest_poll(&g->digest);
        mark_health(g);
        if (!rkd_link_is_idle(&g->link) || rkd_record_is_busy(&g->record))
                return;
        if (g->leaving)
                leave(g);
        else if (g->link.command_due)
                run_command(g);
        else if (g->hello_due && rkd_link_is_free(&g->link))
                send_hello(g);
}

uint32_t rkd_program_wait_ms(const RkdProgram *g) {
        uint32_t passed;

        if (g->dead)
                return RKD_WAIT_MAX_MS;
        if (rkd_record_is_busy(&g->record) || !rkd_link_is_idle(&g->link))
                return 1;
        if (rkd_digest_is_busy(&g->digest) || g->link.command_due || g->leaving || g->healthy_due ||
                        (g->hello_due && rkd_link_is_free(&g->link)))
                return 0;
        if (!g->link.baud_changed)
                return RKD_WAIT_MAX_MS;
        passed = rkd_now_ms(g->platform) - g->link.heard_ms;
        return passed <= RKD_BAUD_FALLBACK_MS ? RKD_BAUD_FALLBACK_MS + 1 - passed : 0;
}

void rkd_program_report(RkdProgram *g, RkdHealth health) {
        const RkdPlatform *p = g->platform;

        if (health != RKD_HEALTH_GOOD && health != RKD_HEALTH_SICK)
                return;
        if (health == RKD_HEALTH_GOOD && g->health != RKD_HEALTH_GOOD) {
                g->healthy_due = true;
                if (p->trial_passed)
                        p->trial_passed(p->user);
                g->retained.retries = 0;
                rkd_retained_store(&g->retained, p);
        }
        g->health = (uint8_t)health;
}

bool rkd_program_is_confirmed(const RkdProgram *g) {
        return g->record.status == RKD_RECORD_GOOD && g->record.confirmed;
}

void rkd_program_leave(RkdProgram *g) {
        (void)enter(g);
}

bool rkd_program_is_gone(const RkdProgram *g) {
        return g->dead;
}

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
#define FIXED    (RKD_ANSWER_FIXED + 4u) /* before the bytes of an identify answer */

int rkd_program_init(RkdProgram *g, const RkdPlatform *p, const RkdDescriptor *descriptor) {
        if (!rkd_platform_is_valid(p))
                return RKD_E_PLATFORM;
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
static uint8_t inspect(RkdProgram *g, RkdIdentity *id) {
        RkdDigest *d = &g->digest;

        if (g->record.status == RKD_RECORD_GOOD)
                return RKD_OK;
        if (!rkd_digest_is_done(d)) {
                if (rkd_digest_is_busy(d))
                        return RKD_LATER;
                if (g->descriptor && g->descriptor->length > 0 &&
                                g->descriptor->length <= g->platform->program_space)
                        rkd_digest_start(d, g->descriptor->length, RKD_DIGEST_DESCRIPTOR);
                else
                        rkd_digest_search(d);
                return RKD_LATER;
        }
        id->digest_source = d->source;
        if (d->source == RKD_DIGEST_NONE)
                return RKD_OK;
        id->image_length = d->length;
        memcpy(id->image_sha256, d->sha256, sizeof(id->image_sha256));
        return RKD_OK;
}

/* The version is the program's own word; that of the record only where it has none. */
static uint8_t identify(RkdProgram *g, const RkdRequest *q, RkdAnswer *a) {
        RkdIdentityTexts texts;
        RkdIdentity id;
        size_t room;
        uint8_t *out = rkd_link_room(&g->link, &room) + FIXED;

        rkd_identity_fill(&id, &texts, &g->record, room);
        if (id.max_payload < RKD_PAYLOAD_MIN)
                id.max_payload = RKD_PAYLOAD_MIN;
        id.who = RKD_WHO_PROGRAM;
        id.state = find_state(g);
        id.health = g->health;
        id.reset_cause = g->retained.cause;
        id.boots = find_boots(g);
        id.capabilities |= RKD_CAN_HEALTH;
        /* What its bootloader insists on, the program has no hooks for. */
        id.capabilities |= g->platform->capabilities & (RKD_CAN_SIGNED | RKD_CAN_FLOOR);
        if (inspect(g, &id) == RKD_LATER)
                return RKD_LATER;
        if (g->descriptor)
                id.version = rkd_text(g->descriptor->version);
        room -= FIXED;
        room = room < q->want ? room : q->want;
        a->total = (uint16_t)rkd_identity_encode(&id, q->offset, out, room);
        a->offset = q->offset < a->total ? q->offset : a->total;
        a->bytes = out;
        a->n_bytes = a->total - a->offset < room ? a->total - a->offset : room;
        return RKD_OK;
}

static uint8_t confirm(RkdProgram *g, const RkdRequest *q) {
        const RkdRecord *r = &g->record;

        if (r->status != RKD_RECORD_GOOD || !r->verified)
                return RKD_BAD_STATE;
        if (q->push_id != r->push_id)
                return RKD_FOREIGN_PUSH;
        return rkd_record_is_busy(r) ? RKD_LATER : rkd_record_confirm(&g->record);
}

static uint8_t enter(RkdProgram *g) {
        if (!g->platform->retained || !g->platform->reset)
                return RKD_DENIED;
        g->leaving = true;
        return RKD_OK;
}

static uint8_t dispatch(RkdProgram *g, RkdAnswer *a) {
        const RkdLink *link = &g->link;
        RkdRequest q;

        if (link->head.type < RKD_IDENTIFY || link->head.type > RKD_READ)
                return RKD_UNKNOWN;
        if (rkd_request_decode(&q, link->head.type, link->command, link->n_command) != 0)
                return RKD_BAD_LENGTH;
        switch (q.type) {
        case RKD_IDENTIFY:
                return q.what == RKD_IDENTIFY_IDENTITY ? identify(g, &q, a) : RKD_UNKNOWN;
        case RKD_NOP:
                a->status.state = find_state(g);
                a->status.health = g->health;
                a->status.boots = find_boots(g);
                return RKD_OK;
        case RKD_CONFIRM:
                return confirm(g, &q);
        case RKD_ENTER:
                return enter(g);
        case RKD_SET_BAUD:
                a->baud = q.baud;
                return rkd_link_change_speed(&g->link, q.baud);
        case RKD_START:
                return RKD_OK; /* it runs */
        default:
                return RKD_UNKNOWN;
        }
}

static void run_command(RkdProgram *g) {
        RkdAnswer a = { .type = g->link.head.type };
        size_t room;
        uint8_t *out = rkd_link_room(&g->link, &room);
        uint32_t now = g->platform->milliseconds(g->platform->user);

        if (!g->command_open) {
                g->command_open = true;
                g->command_ms = now;
        }
        a.result = dispatch(g, &a);
        if (a.result == RKD_LATER) {
                if (now - g->command_ms < LATER_MS)
                        return;
                a.result = RKD_BUSY;
                a.busy_ms = BUSY_MS;
        }
        g->command_open = false;
        g->link.command_due = false;
        if (rkd_link_may_answer(&g->link))
                rkd_link_send(&g->link, a.type, g->link.head.sequence,
                                rkd_answer_encode(&a, out, room));
}

static void send_hello(RkdProgram *g) {
        RkdAnswer a = { .type = RKD_HELLO, .who = RKD_WHO_PROGRAM, .reason = find_state(g) };
        size_t room;
        uint8_t *out = rkd_link_room(&g->link, &room);

        a.boots = find_boots(g);
        g->hello_due = false;
        rkd_link_send(&g->link, RKD_HELLO, 0, rkd_answer_encode(&a, out, room));
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
        passed = g->platform->milliseconds(g->platform->user) - g->link.heard_ms;
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

/* SPDX-License-Identifier: MIT */
/*
 * The program's side of the link: tells what runs and how it does, sets the healthy and the
 * confirmed mark, goes back to the bootloader.
 *
 * It reads the record that the bootloader wrote, and writes only mark words. The state that it
 * tells is that of the start that is going on: the last allowed start is still a trial.
 */

#include <string.h>

#include "device/rkd-device.h"
#include "device/rkd-digest.h"

int rkd_program_init(RkdProgram *g, const RkdPlatform *p, const RkdDescriptor *descriptor) {
#if RKD_WITH_CHECKS
        if (!rkd_platform_is_valid(p))
                return RKD_E_PLATFORM;
#endif
        memset(g, 0, sizeof(*g));
        rkd_link_init(&g->device, p);
        g->descriptor = descriptor;
        g->health = RKD_HEALTH_STARTING;
        g->hello_due = true;
        rkd_retained_load(&g->device);
        rkd_slot_begin_program(&g->device);
        return 0;
}

void rkd_program_receive(RkdProgram *g, const uint8_t *data, size_t n) {
        rkd_link_receive(&g->device, data, n);
}

static unsigned find_state(const RkdDevice *d) {
        unsigned state;

        if (d->status == RKD_RECORD_NONE)
                return RKD_UNMANAGED;
        if (d->status == RKD_RECORD_DAMAGED)
                return RKD_PUSHING;
        state = rkd_record_state(d);
        if (state == RKD_FAILED)
                return (d->marks & 1 << RKD_MARK_CONFIRMED) != 0 ? RKD_CONFIRMED : RKD_TRIAL;
        return state == RKD_VERIFIED ? RKD_TRIAL : state;
}

/* Without a record: the digest of what the descriptor covers, or of the area. */
static bool is_looked_at(RkdProgram *g) {
        RkdDevice *d = &g->device;
        const RkdDescriptor *descriptor = g->descriptor;

        if (d->status == RKD_RECORD_GOOD || d->digest == RKD_DIGEST_DONE)
                return true;
        if (d->digest != RKD_DIGEST_IDLE)
                return false;
        if (descriptor && descriptor->length > 0 &&
                        descriptor->length <= RKD_PLATFORM(d)->program_space)
                rkd_digest_start(d, descriptor->length, RKD_DIGEST_DESCRIPTOR);
#if RKD_WITH_SEARCH
        else
                rkd_digest_search(d);
#endif
        return d->digest == RKD_DIGEST_IDLE;
}

/* The version is the program's own word; that of the record only where it has none. */
static uint8_t identify(RkdProgram *g, const uint8_t *in) {
        RkdDevice *d = &g->device;
        RkdWriter w = rkd_link_window(d);
        const RkdSelf self = {
                .who = RKD_WHO_PROGRAM,
                .state = (uint8_t)find_state(d),
                .health = g->health,
                .cause = d->retained.cause,
                /* What its bootloader insists on, the program has no hooks for. */
                .capabilities = RKD_CAN_HEALTH |
                                (RKD_PLATFORM(d)->capabilities & (RKD_CAN_SIGNED | RKD_CAN_FLOOR)),
                .version = g->descriptor ? g->descriptor->version : NULL,
        };

        if (in[0] != RKD_IDENTIFY_IDENTITY)
                return RKD_UNKNOWN;
        if (!is_looked_at(g))
                return RKD_LATER;
        rkd_identity_put(d, &w, &self);
        rkd_link_close_window(d, &w);
        return RKD_OK;
}

static uint8_t tell_status(RkdProgram *g) {
        RkdDevice *d = &g->device;
        uint8_t *out = rkd_link_answer(d);

        memset(out, 0, RKD_STATUS_BYTES);
        out[10] = (uint8_t)find_state(d);
        out[11] = g->health;
        rkd_store_u16(out + 12, (uint16_t)rkd_boots(d));
        d->n_answer = RKD_STATUS_BYTES;
        return RKD_OK;
}

static uint8_t confirm(RkdDevice *d, const uint8_t *push_id) {
        if ((d->marks & 1 << RKD_MARK_VERIFIED) == 0)
                return RKD_BAD_STATE;
        if (!rkd_record_is_ours(d, push_id))
                return RKD_FOREIGN_PUSH;
        return rkd_record_is_busy(d) ? RKD_LATER : rkd_record_confirm(d);
}

static uint8_t enter(RkdProgram *g) {
        const RkdPlatform *p = RKD_PLATFORM(&g->device);

        if (!p->retained || !p->reset)
                return RKD_DENIED;
        g->leaving = true;
        return RKD_OK;
}

/* How many bytes the command has; of those that only a bootloader knows, nobody cares. */
static bool is_length_right(unsigned type, uint32_t n) {
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

/* The device is the first member of its program. */
static uint8_t handle(RkdDevice *d) {
        RkdProgram *g = (RkdProgram *)(void *)d;
        const uint8_t *rx = RKD_PLATFORM(d)->rx, *in = rx + RKD_IN_PAYLOAD;

        if (!is_length_right(rx[RKD_IN_TYPE], d->n_in - RKD_FRAME_MIN))
                return RKD_BAD_LENGTH;
        switch (rx[RKD_IN_TYPE]) {
        case RKD_IDENTIFY:
                return identify(g, in);
        case RKD_NOP:
                return tell_status(g);
        case RKD_CONFIRM:
                return confirm(d, in);
        case RKD_ENTER:
                return enter(g);
#if RKD_WITH_BAUD
        case RKD_SET_BAUD:
                return rkd_link_change_speed(d);
#endif
        case RKD_START:
                return RKD_OK; /* it runs */
        default:
                return RKD_UNKNOWN;
        }
}

static void leave(RkdProgram *g) {
        const RkdPlatform *p = RKD_PLATFORM(&g->device);

        g->dead = true;
        g->device.retained.intent = RKD_INTENT_STAY;
        rkd_retained_store(&g->device);
        p->reset(p->user);
}

/* The healthy mark; without a start to reset it is nothing. */
static void mark_health(RkdProgram *g) {
        RkdDevice *d = &g->device;

        if (!g->healthy_due || rkd_record_is_busy(d))
                return;
        g->healthy_due = false;
        if ((d->marks & 1 << RKD_MARK_VERIFIED) != 0)
                (void)rkd_record_mark_healthy(d);
}

void rkd_program_poll(RkdProgram *g) {
        RkdDevice *d = &g->device;

        if (g->dead)
                return;
        rkd_link_poll(d);
        rkd_flash_poll(d);
        rkd_record_poll(d);
        if (!rkd_flash_is_busy(d))
                rkd_digest_poll(d);
        mark_health(g);
        if (!rkd_link_is_idle(d) || rkd_record_is_busy(d))
                return;
        if (g->leaving)
                leave(g);
        else if (d->command != RKD_COMMAND_NONE)
                rkd_link_command(d, handle);
        else if (g->hello_due && rkd_link_is_free(d)) {
                g->hello_due = false;
                rkd_link_hello(d, RKD_WHO_PROGRAM, find_state(d));
        }
}

uint32_t rkd_program_wait_ms(const RkdProgram *g) {
        const RkdDevice *d = &g->device;
        uint32_t passed;

        if (g->dead)
                return RKD_WAIT_MAX_MS;
        if (rkd_record_is_busy(d) || !rkd_link_is_idle(d))
                return 1;
        if (d->digest >= RKD_DIGEST_SHA || d->command != RKD_COMMAND_NONE || g->leaving ||
                        g->healthy_due || (g->hello_due && rkd_link_is_free(d)))
                return 0;
        if (!d->baud_changed)
                return RKD_WAIT_MAX_MS;
        passed = rkd_now_ms(d) - d->heard_ms;
        return passed <= RKD_BAUD_BACK_MS ? RKD_BAUD_BACK_MS + 1 - passed : 0;
}

void rkd_program_report(RkdProgram *g, RkdHealth health) {
        const RkdPlatform *p = RKD_PLATFORM(&g->device);

        if (health != RKD_HEALTH_GOOD && health != RKD_HEALTH_SICK)
                return;
        if (health == RKD_HEALTH_GOOD && g->health != RKD_HEALTH_GOOD) {
                g->healthy_due = true;
                if (p->trial_passed)
                        p->trial_passed(p->user);
                g->device.retained.retries = 0;
                rkd_retained_store(&g->device);
        }
        g->health = (uint8_t)health;
}

bool rkd_program_is_confirmed(const RkdProgram *g) {
        return (g->device.marks & 1 << RKD_MARK_CONFIRMED) != 0;
}

void rkd_program_leave(RkdProgram *g) {
        (void)enter(g);
}

bool rkd_program_is_gone(const RkdProgram *g) {
        return g->dead;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trial: running detection from the gateway's side. The device enforces the trial; the gateway asks
 * it every second what it is, and passes the trial when at its end the program still answers
 * healthy, digest and push id match, and the boot counter has not moved.
 *
 * Evidence against a program is only what the device itself says: used-up starts, sick, another
 * version or digest. Silence is none: it parks the update, because a cable says the same. */
#include <inttypes.h>

#include "daemon/ask.h"
#include "daemon/event.h"
#include "daemon/stages.h"

#define ASK_USEC     (USEC_PER_SEC / 2)
#define RESTARTS_MAX 3
#define RESTART      3 /* a start that the program brought about weighs as much as … */
/* … three that it did not: nobody has to keep the plug in, but it has to end */
#define POWER_UP      1
#define WEIGHT_MAX    (RESTARTS_MAX * RESTART)
#define SILENCE_MAX   20 /* questions in a row */
#define DEVICE_STARTS 5  /* more than any device makes before it gives a program up */

enum {
        CAUSE_POWER,
        CAUSE_PIN,
};

static const char *const reset_causes[] = { [CAUSE_POWER] = "power-on",
        [CAUSE_PIN] = "reset pin",
        "software reset",
        "watchdog",
        "trial timeout",
        "crash" };

static void ask(Update *u);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Update *u = userdata;

        u->timer = sd_event_source_disable_unref(u->timer);
        ask(u);
        return 0;
}

static void ask_later(Update *u) {
        if (update_set_timer(u, ASK_USEC, on_timer) < 0)
                manager_fatal(u->manager, -ENOMEM, "a trial could not set its timer");
}

/* The program failed: its digest is remembered as bad, and the way back is taken. */
static void fail(Update *u, const char *reason) {
        Device *d = u->device;
        int r;

        if (u->role == ROLE_CANDIDATE) {
                r = record_add_bad(d->record, update_digest(u), update_version(u), reason,
                                clock_now(u->manager->clock));
                if (r < 0) {
                        manager_fatal(u->manager, r, "a bad program could not be remembered");
                        return;
                }
                device_save(d);
        } else if (u->role == ROLE_BACKUP) {
                u->backup_bad = true;
        }
        update_failure(u, u->provision ? OUTCOME_PROVISION_FAILED : OUTCOME_RESTORED, "%s %s: %s",
                        update_role_to_string(u->role), update_version(u), reason);
}

static const char *last_reset(const DriverIdentity *id) {
        return id->reset_cause < ELEMENTSOF(reset_causes) ? reset_causes[id->reset_cause]
                                                          : "unknown";
}

static void fail_starts(Update *u, const DriverIdentity *id) {
        Why w;

        (void)why(&w, 0, "all its starts are used up (%u starts, last reset: %s)", id->boots,
                        last_reset(id));
        fail(u, w.text);
}

/* A device with two slots starts its confirmed program again when the new one cannot run. */
static bool went_back(const Update *u, const DriverIdentity *id) {
        return id->capabilities & DRIVER_HAS_SLOTS && !id->in_bootloader &&
               id->state == DEVICE_CONFIRMED && id->push_id != u->push_id;
}

static void fail_back(Update *u, const DriverIdentity *id) {
        Why w;

        (void)why(&w, 0, "the device has given it up (last reset: %s)", last_reset(id));
        fail(u, w.text);
}

static void on_started(Update *u, const DriverResult *result) {
        if (!device_heard(u->device, result)) {
                (void)update_parked(u, result);
                return;
        }
        /* Whether it took effect, the next question tells. */
        ask_later(u);
}

static void begin_window(Update *u, const DriverIdentity *id, uint64_t now) {
        u->trial_seen = u->trial_watched = true;
        u->trial_boots = id->boots;
        u->trial_start_usec = now;
        u->trial_end_usec = u->trial_start_usec + update_trial_seconds(u) * USEC_PER_SEC;
}

/* Counted over all of the push, also across waits for a device that was away. */
static void begin_again(Update *u, unsigned weight, const char *reason) {
        u->trial_seen = false;
        u->trial_restarts += weight;
        if (u->trial_restarts > WEIGHT_MAX)
                fail(u, reason);
        else
                ask_later(u);
}

static void watch_restart(Update *u, const DriverIdentity *id) {
        bool from_outside = id->reset_cause == CAUSE_POWER || id->reset_cause == CAUSE_PIN;

        u->trial_boots = id->boots;
        begin_again(u, from_outside ? POWER_UP : RESTART, "it keeps starting again");
}

static void watch_healthy(Update *u, const DriverIdentity *id) {
        uint64_t now = monotonic_usec(), length;

        if (!u->trial_seen)
                begin_window(u, id, now);
        if (now >= u->trial_end_usec) {
                update_success(u);
                return;
        }
        length = u->trial_end_usec - u->trial_start_usec;
        u->permille = 900 + (unsigned)((now - u->trial_start_usec) * 99 / MAX(length, UINT64_C(1)));
        u->left_seconds = (u->trial_end_usec - now + USEC_PER_SEC - 1) / USEC_PER_SEC;
        device_changed(u->device, DEVICE_CHANGED_PROGRESS);
        ask_later(u);
}

/* "v2.4" is what was released as 2.4.0. */
static bool is_same_version(const char *told, const char *pushed) {
        return streq(told, pushed) ||
               (version_is_valid(told) && version_compare(told, pushed) == 0);
}

static void watch_program(Update *u, const DriverIdentity *id) {
        Why w;

        if (!sha256_is_zero(&id->digest) && !sha256_equal(&id->digest, update_digest(u))) {
                fail(u, "the device reports another digest than was pushed");
        } else if (u->role == ROLE_CANDIDATE && id->version[0] &&
                        !is_same_version(id->version, update_version(u))) {
                (void)why(&w, 0, "it says that it is version %s", id->version);
                fail(u, w.text);
        } else if (id->health == DEVICE_HEALTH_SICK) {
                fail(u, "it reports that it is sick");
        } else if (u->trial_watched && id->boots != u->trial_boots) {
                watch_restart(u, id);
        } else if (id->health == DEVICE_HEALTH_HEALTHY) {
                watch_healthy(u, id);
        } else if (u->trial_seen) {
                begin_again(u, RESTART, "it does not stay healthy");
        } else if (monotonic_usec() >= u->trial_limit_usec) {
                /* It answers, so the line is good, and it never said healthy. */
                fail(u, "it never says that it is healthy");
        } else {
                ask_later(u);
        }
}

/* It took all of the push, and does not know that any more. */
static void push_again(Update *u) {
        u->trial_restarts += RESTART;
        if (u->trial_restarts > WEIGHT_MAX)
                update_failure(u, OUTCOME_PUSH_FAILED_FLASH,
                                "push failed: flash: the device forgets each time that it took it");
        else
                update_enter(u, UPDATE_PUSHING);
}

/* In the bootloader, started again and again: a program that says that it is healthy and then ends,
 * too soon to be asked, has all its starts each time. Any other is given up by the device. */
static bool keeps_starting(Update *u, const DriverIdentity *id) {
        if (id->boots < u->trial_first_boots)
                u->trial_first_boots = id->boots;
        return id->boots - u->trial_first_boots > WEIGHT_MAX;
}

static void judge(Update *u, const DriverIdentity *id) {
        switch (id->state) {
        case DEVICE_FAILED:
                fail_starts(u, id);
                break;
        case DEVICE_PUSHING:
                push_again(u);
                break;
        case DEVICE_VERIFIED:
        case DEVICE_TRIAL:
        case DEVICE_CONFIRMED:
                if (id->in_bootloader && keeps_starting(u, id))
                        fail(u, "it keeps starting again");
                /* Our questions keep a bootloader from starting the program by itself. */
                else if (id->in_bootloader && monotonic_usec() >= u->trial_limit_usec)
                        update_failure(u, OUTCOME_DEVICE_REFUSED,
                                        "the bootloader does not start the program");
                else if (id->in_bootloader)
                        update_ask(u, DRIVER_START, on_started);
                else
                        watch_program(u, id);
                break;
        case DEVICE_DAMAGED:
                update_failure(u, OUTCOME_PUSH_FAILED_FLASH, "the program in the flash is damaged");
                break;
        default:
                update_failure(u, OUTCOME_DEVICE_REFUSED, "the device says \"%s\" after the push",
                                device_state_to_string(id->state));
                break;
        }
}

static void on_asked(Update *u, const DriverResult *result) {
        const DriverIdentity *id = &result->identity;

        if (result->code == DRIVER_E_NO_ANSWER || result->code == DRIVER_E_LINE) {
                /* Programs and bootloaders are deaf while they start. */
                if (++u->silent < SILENCE_MAX) {
                        ask_later(u);
                        return;
                }
        }
        if (update_parked(u, result))
                return;
        if (result->code != DRIVER_OK) {
                update_failure(u, OUTCOME_DEVICE_REFUSED, "%s", result->why.text);
                return;
        }
        u->silent = 0;
        /* not before the device has its first word: a bus may be long in coming round */
        if (u->trial_limit_usec == 0) {
                u->trial_first_boots = id->boots;
                u->trial_limit_usec = monotonic_usec() +
                                      DEVICE_STARTS * (update_trial_seconds(u) + 5) * USEC_PER_SEC;
        }
        if (update_is_foreign(u, id)) {
                update_wait_foreign(u, id);
                return;
        }
        if (went_back(u, id)) {
                fail_back(u, id);
                return;
        }
        if (id->push_id != u->push_id) {
                update_failure(u, OUTCOME_DEVICE_REFUSED,
                                "the device no longer knows push %016" PRIx64, u->push_id);
                return;
        }
        judge(u, id);
}

static void ask(Update *u) {
        update_ask(u, DRIVER_IDENTIFY, on_asked);
}

void trial_start(Update *u) {
        if (u->device->record->hold) {
                update_wait(u, UPDATE_TRIAL, OUTCOME_WAIT_HOLD,
                                "%s is on hold; its program was pushed and is not watched",
                                device_id(u->device));
                return;
        }
        /* Nothing is left of the push, even when it ended without a word about its last bytes. */
        u->permille = 900;
        u->trial_seen = false;
        u->silent = 0;
        u->trial_limit_usec = 0;
        ask(u);
}

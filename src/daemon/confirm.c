/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Confirming, in this order: journal (done on entry) → CONFIRM to the device → its answer →
 * record on disk → the journal is closed. Everything in it can be done twice. Also adopting: the
 * running program becomes the backup. */
#include <inttypes.h>

#include "daemon/ask.h"
#include "daemon/event.h"
#include "daemon/stages.h"

#define CONFIRMS_MAX  3 /* a device that passes the trial each time and takes no confirm */
#define ASK_USEC      USEC_PER_SEC
#define PATIENCE_USEC (120 * USEC_PER_SEC)

static void set_outcome(Update *u, Outcome outcome, const char *what) {
        Why w;

        (void)why(&w, 0, "%s%s%s %s", u->text, u->text[0] ? "; " : "", update_version(u), what);
        u->outcome = outcome;
        (void)snprintf(u->text, sizeof(u->text), "%s", w.text);
}

/* An older version that a person asked for stays until there is something newer than what that
 * person could have had. */
static void take_choice(Update *u) {
        Record *record = u->device->record;
        const char *version = u->candidate->version;
        Why by;

        if (version_is_valid(u->instead_of)) {
                (void)why(&by, 0, "since %s was asked for", version);
                record_pass_over(record, u->instead_of, by.text);
        } else if (version_is_valid(record->passed_over) &&
                        version_compare(version, record->passed_over) >= 0) {
                record_end_pass_over(record);
        }
}

static void confirmed_candidate(Update *u) {
        Record *record = u->device->record;
        RecordImage image = {
                .known = true,
                .digest = u->candidate->image_digest,
                .length = u->candidate->image_length,
                .since = clock_now(u->manager->clock),
        };

        (void)snprintf(image.version, sizeof(image.version), "%s", u->candidate->version);
        record_confirm(record, &image, u->candidate->floor);
        record->running = image;
        record->approved[0] = '\0';
        take_choice(u);
        u->text[0] = '\0';
        set_outcome(u, OUTCOME_DONE, "runs and is confirmed");
}

/* Only what the device has shown makes the former backup a bad program: that its image was lost
 * on the gateway says nothing against it. */
static void confirmed_previous(Update *u) {
        Record *record = u->device->record;
        RecordImage failed = record->backup;

        set_outcome(u, OUTCOME_RESTORED_PREVIOUS, "(previous) runs again");
        record->running = u->kept;
        if (!record->previous.known || !sha256_equal(&record->previous.digest, &u->kept.digest))
                return; /* the record had it already when the daemon died */
        record_confirm_previous(record);
        if (u->backup_bad && failed.known)
                (void)record_add_bad(record, &failed.digest, failed.version,
                                "confirmed once, no longer runs", clock_now(u->manager->clock));
}

static void confirmed(Update *u) {
        Record *record = u->device->record;

        switch (u->role) {
        case ROLE_CANDIDATE:
                confirmed_candidate(u);
                break;
        case ROLE_PREVIOUS:
                confirmed_previous(u);
                break;
        default:
                set_outcome(u,
                                u->by_request && !u->text[0] ? OUTCOME_RESTORED_BY_REQUEST
                                                             : OUTCOME_RESTORED,
                                "(backup) runs again");
                record->running = u->kept;
                break;
        }
        record->stranded_since = 0;
        record->stranded_tries = 0;
        u->permille = 1000;
        device_save(u->device);
        update_success(u);
}

static void on_confirmed(Update *u, const DriverResult *result) {
        if (update_parked(u, result))
                return;
        if (result->code == DRIVER_OK) {
                /* It was asked before it confirmed. */
                u->device->identity.state = DEVICE_CONFIRMED;
                confirmed(u);
                return;
        }
        /* The program may have failed between the trial's last question and this one. */
        if (++u->stalls < CONFIRMS_MAX && result->has_identity &&
                        (result->identity.state == DEVICE_FAILED ||
                                        result->identity.state == DEVICE_TRIAL ||
                                        result->identity.state == DEVICE_VERIFIED))
                update_enter(u, UPDATE_TRIAL);
        else
                update_failure(u, OUTCOME_DEVICE_REFUSED, "the device does not confirm: %s",
                                result->why.text);
}

void confirming_start(Update *u) {
        if (u->device->record->hold) {
                update_wait(u, UPDATE_CONFIRMING, OUTCOME_WAIT_HOLD,
                                "%s is on hold; its program passed the trial and is not confirmed",
                                device_id(u->device));
                return;
        }
        update_ask(u, DRIVER_CONFIRM, on_confirmed);
}

/* ---- adopting ---- */

static void adopt_ask(Update *u);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Update *u = userdata;

        u->timer = sd_event_source_disable_unref(u->timer);
        adopt_ask(u);
        return 0;
}

static void adopted(Update *u) {
        Record *record = u->device->record;
        RecordImage image = {
                .known = true,
                .digest = *update_digest(u),
                .since = clock_now(u->manager->clock),
        };

        image.length = u->candidate ? u->candidate->image_length : record->running.length;
        (void)snprintf(image.version, sizeof(image.version), "%s", update_version(u));
        record_confirm(record, &image, u->candidate ? u->candidate->floor : NULL);
        record->running = image;
        set_outcome(u, OUTCOME_DONE, "runs and is kept as the backup");
        device_save(u->device);
        update_success(u);
}

static void adopt_ask_later(Update *u) {
        if (update_set_timer(u, ASK_USEC, on_timer) < 0)
                manager_fatal(u->manager, -ENOMEM, "a timer could not be set");
}

static void on_adopt_started(Update *u, const DriverResult *result) {
        if (!device_heard(u->device, result)) {
                (void)update_parked(u, result);
                return;
        }
        /* Whether it took effect, the next question tells. */
        adopt_ask_later(u);
}

static void on_adopt_asked(Update *u, const DriverResult *result) {
        const DriverIdentity *id = &result->identity;
        uint64_t now = monotonic_usec();

        if (update_parked(u, result))
                return;
        if (result->code != DRIVER_OK) {
                update_failure(u, OUTCOME_DEVICE_REFUSED, "%s", result->why.text);
                return;
        }
        if (!sha256_equal(&id->digest, update_digest(u))) {
                update_failure(u, OUTCOME_DIGEST_MISMATCH, "the device now runs another program");
                return;
        }
        if (id->health != DEVICE_HEALTH_HEALTHY && now > u->trial_limit_usec) {
                update_failure(u, OUTCOME_NOT_HEALTHY,
                                "the running program does not answer healthy");
                return;
        }
        if (u->device->healthy_usec > 0 &&
                        now - u->device->healthy_usec >= u->manager->config->adopt_usec) {
                adopted(u);
                return;
        }
        /* Our questions keep a bootloader from starting the program by itself. */
        if (id->in_bootloader)
                update_ask(u, DRIVER_START, on_adopt_started);
        else
                adopt_ask_later(u);
}

static void adopt_ask(Update *u) {
        update_ask(u, DRIVER_IDENTIFY, on_adopt_asked);
}

void adopting_start(Update *u) {
        u->trial_limit_usec = monotonic_usec() + u->manager->config->adopt_usec + PATIENCE_USEC;
        adopt_ask(u);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validating on the live identity, and pushing: the image of the present role goes into the
 * device, and the device has checked all of it. A push that was cut goes on from what the device
 * holds. */
#include <inttypes.h>

#include "basic/backoff.h"
#include "basic/log.h"
#include "daemon/ask.h"
#include "daemon/stages.h"
#include "daemon/update-read.h"
#include "proto/numbers.h"

#define STALLS_MAX 3
#define ANEW_MAX   2

static void validated(Update *u, const Verdict *verdict, const DriverIdentity *id) {
        const OutcomeInfo *info = outcome_info(verdict->outcome);

        if (verdict->outcome == OUTCOME_DONE) {
                u->provision = verdict->provision;
                update_new_push(u, id);
                update_success(u);
        } else if (info->class == OUTCOME_CLASS_WAIT) {
                update_wait(u, UPDATE_VALIDATING, verdict->outcome, "%s", verdict->why.text);
        } else {
                update_failure(u, verdict->outcome, "%s", verdict->why.text);
        }
}

static void on_live_identity(Update *u, const DriverResult *result) {
        Device *d = u->device;
        ValidateInput in;
        Verdict verdict;

        if (update_parked(u, result))
                return;
        if (result->code != DRIVER_OK) {
                update_failure(u, OUTCOME_DEVICE_REFUSED, "%s", result->why.text);
                return;
        }
        if (u->kind == UPDATE_ADOPT) {
                update_enter(u, UPDATE_ADOPTING);
                return;
        }
        if (update_is_foreign(u, &result->identity)) {
                update_wait_foreign(u, &result->identity);
                return;
        }
        if (device_is_withdrawn(d, u->candidate)) {
                update_drop_withdrawn(u);
                return;
        }
        device_validate_input(d, &in);
        in.release = u->candidate;
        in.by_name = u->by_name;
        in.live = true;
        in.backup_ok = in.backup_ok && (in.blank || u->image);
        validate(&in, &verdict);
        validated(u, &verdict, &result->identity);
}

/* For what no answer of the device could change: then the line is left to its application. */
static bool has_to_wait(Update *u) {
        ValidateInput in;
        Verdict verdict;

        if (u->kind != UPDATE_UPGRADE)
                return false;
        device_validate_input(u->device, &in);
        in.release = u->candidate;
        in.by_name = u->by_name;
        in.device_present = true;
        validate(&in, &verdict);
        if (outcome_info(verdict.outcome)->class != OUTCOME_CLASS_WAIT ||
                        verdict.outcome == OUTCOME_WAIT_DEVICE)
                return false;
        update_wait(u, UPDATE_VALIDATING, verdict.outcome, "%s", verdict.why.text);
        return true;
}

/* The last moment to find out that there is no way back. */
static void on_backup_read(Update *u, int error, const char *text) {
        const Device *d = u->device;

        if (error < 0)
                (void)log_full(LOG_WARNING, device_id(d), 0, "the backup %s cannot be read: %s",
                                d->record->backup.version, text);
        update_ask(u, DRIVER_IDENTIFY, on_live_identity);
}

void validating_start(Update *u) {
        const Device *d = u->device;

        if (d->record->hold) {
                update_wait(u, UPDATE_VALIDATING, OUTCOME_WAIT_HOLD, "%s is on hold", device_id(d));
                return;
        }
        if (has_to_wait(u))
                return;
        if (d->record->backup.known && u->kind == UPDATE_UPGRADE)
                update_read_image(u, &d->record->backup.digest, on_backup_read);
        else
                update_ask(u, DRIVER_IDENTIFY, on_live_identity);
}

/* That the device takes bytes is no progress: they may be the same ones each time. That more of its
 * flash is right is. Only a line on which it answers says something about the push. */
static void count_stall(Update *u, const DriverResult *result) {
        if (result->units_right > u->units_right) {
                u->stalls = 0;
                u->pauses = 0;
                u->units_right = result->units_right;
        } else if (result->heard) {
                u->stalls++;
        }
}

static void push_broken(Update *u, const DriverResult *result) {
        count_stall(u, result);
        if (u->stalls >= STALLS_MAX) {
                update_failure(u, OUTCOME_DEVICE_UNREACHABLE, "no progress in %d tries: %s",
                                STALLS_MAX, result->why.text);
                return;
        }
        update_wait(u, UPDATE_PUSHING, OUTCOME_WAIT_DEVICE, "%s", result->why.text);
}

/* What the device has noted of this push keeps it from going on, such as a mark that it read
 * wrongly once. A push with an id of its own has nothing to do with that; a restore takes one
 * anyway. */
static bool push_anew(Update *u, const DriverResult *result) {
        if (u->role != ROLE_CANDIDATE || result->code != DRIVER_E_STATE ||
                        result->device_code != RKD_BAD_STATE || !result->has_identity ||
                        u->tries[ROLE_CANDIDATE] >= ANEW_MAX)
                return false;
        u->tries[ROLE_CANDIDATE]++;
        (void)log_full(LOG_WARNING, device_id(u->device), 0, "pushed with a new id: %s",
                        result->why.text);
        update_new_push(u, &result->identity);
        update_enter(u, UPDATE_PUSHING);
        return true;
}

/* With two slots the device may not show it any more when it is asked next. */
static void note_begun(Update *u) {
        Record *record = u->device->record;

        if (record->push_id == u->push_id)
                return;
        record->push_id = u->push_id;
        device_save(u->device);
}

static void on_pushed(Update *u, const DriverResult *result) {
        if (result->erased)
                device_count_erase(u->device);
        if (!device_heard(u->device, result)) {
                (void)update_parked(u, result);
                return;
        }
        if (result->begun)
                note_begun(u);
        if (push_anew(u, result))
                return;
        switch (result->code) {
        case DRIVER_OK:
                u->stalls = 0;
                update_success(u);
                break;
        case DRIVER_E_NO_ANSWER:
        case DRIVER_E_LINE:
        case DRIVER_E_PORT:
        case DRIVER_E_PROTOCOL:
        case DRIVER_E_CANCELED:
        case DRIVER_E_UNCONFIRMED_END:
                push_broken(u, result);
                break;
        case DRIVER_E_FOREIGN_PUSH:
                update_wait_foreign(u, &result->identity);
                break;
        case DRIVER_E_FLASH:
        case DRIVER_E_DIGEST:
                update_failure(u, OUTCOME_PUSH_FAILED_FLASH, "push failed: flash: %s",
                                result->why.text);
                break;
        case DRIVER_E_PLAN:
                update_failure(u, OUTCOME_INTERNAL, "%s", result->why.text);
                break;
        default:
                update_failure(u, OUTCOME_DEVICE_REFUSED, "%s", result->why.text);
                break;
        }
}

/* The device knows of the push; or the power went while it wrote that into the record of its
 * life. */
static bool has_begun(const Update *u, const DriverIdentity *id) {
        return id->push_id == u->push_id || (id->push_id == 0 && id->state == DEVICE_PUSHING);
}

/* What was decided before the hold and has not begun is decided anew after it. */
static void wait_for_unhold(Update *u) {
        bool forward = u->role == ROLE_CANDIDATE;

        if (!forward && u->tries[u->role] > 0)
                u->tries[u->role]--;
        update_wait(u, forward ? UPDATE_VALIDATING : UPDATE_RESTORING, OUTCOME_WAIT_HOLD,
                        "%s is on hold; the push of %s %s has not begun", device_id(u->device),
                        update_role_to_string(u->role), update_version(u));
}

/* What the device says of our push decides whether there is anything left to push. */
static void on_asked(Update *u, const DriverResult *result) {
        const DriverIdentity *id = &result->identity;

        if (update_parked(u, result))
                return;
        if (result->code != DRIVER_OK) {
                update_failure(u, OUTCOME_DEVICE_REFUSED, "%s", result->why.text);
                return;
        }
        if (update_is_foreign(u, id)) {
                update_wait_foreign(u, id);
                return;
        }
        if (id->push_id == u->push_id && id->state == DEVICE_DAMAGED) {
                /* It was whole once: a new push, with an id of its own, puts it right. */
                update_failure(u, OUTCOME_PUSH_FAILED_FLASH,
                                "push failed: flash: the program was damaged after it was pushed");
                return;
        }
        if (id->push_id == u->push_id && id->state != DEVICE_PUSHING) {
                update_success(u);
                return;
        }
        if (u->device->record->hold && !has_begun(u, id)) {
                wait_for_unhold(u);
                return;
        }
        u->touched = true;
        /* Whose push a confirmed device has in its other slot does not matter: it gave it up. */
        update_ask_push(u, id->state == DEVICE_CONFIRMED || update_is_ours(u, id), on_pushed);
}

static void on_image_read(Update *u, int error, const char *text) {
        if (error < 0) {
                update_failure(u, OUTCOME_STORE_FAILED, "the %s %s cannot be read: %s",
                                update_role_to_string(u->role), update_version(u), text);
                return;
        }
        u->trial_seconds = u->image_release->trial_seconds;
        update_ask(u, DRIVER_IDENTIFY, on_asked);
}

void pushing_start(Update *u) {
        update_read_image(u, update_digest(u), on_image_read);
}

unsigned update_trial_seconds(const Update *u) {
        const Config *c = u->manager->config;
        uint64_t usec = u->trial_seconds > 0 ? u->trial_seconds * USEC_PER_SEC
                                             : c->trial_default_usec;

        return (unsigned)(CLAMP(usec, c->trial_min_usec, c->trial_max_usec) / USEC_PER_SEC);
}

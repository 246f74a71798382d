/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restoring: decides, as data, what to push back: the backup, then the previous, each as often
 * as the policy says; then the device is stranded, and everything begins anew after growing
 * pauses until it answers healthy. The device is asked first: what runs already is not pushed. */
#include <inttypes.h>

#include "basic/backoff.h"
#include "daemon/ask.h"
#include "daemon/event.h"

#define STRANDED_MIN_USEC (60 * USEC_PER_SEC)
#define STRANDED_MAX_USEC (6 * 3600 * USEC_PER_SEC)

static bool is_restorable(const Update *u, const RecordImage *image, UpdateRole role) {
        ValidateInput in;

        device_validate_input(u->device, &in);
        return u->tries[role] < u->manager->config->restore_tries &&
               validate_restore(u->device->record, image, in.strict_floor, NULL) == OUTCOME_DONE &&
               store_has(u->manager->store, &image->digest);
}

static bool choose(Update *u, UpdateRole *ret) {
        const Record *record = u->device->record;

        if (is_restorable(u, &record->backup, ROLE_BACKUP))
                *ret = ROLE_BACKUP;
        else if (is_restorable(u, &record->previous, ROLE_PREVIOUS))
                *ret = ROLE_PREVIOUS;
        else
                return false;
        return true;
}

static bool cap_reached(const Update *u) {
        const Record *record = u->device->record;

        return record->erase_day == clock_now(u->manager->clock) / 86400 &&
               record->erases >= u->manager->config->pushes_per_day;
}

/* Also behind its bootloader: what is confirmed is intact, and will be started. */
static bool runs_kept_image(const Update *u, const DriverIdentity *id, UpdateRole *ret) {
        const Record *record = u->device->record;

        if (id->state != DEVICE_CONFIRMED)
                return false;
        if (record->backup.known && sha256_equal(&id->digest, &record->backup.digest))
                *ret = ROLE_BACKUP;
        else if (record->previous.known && sha256_equal(&id->digest, &record->previous.digest))
                *ret = ROLE_PREVIOUS;
        else
                return false;
        return true;
}

static void nothing_left(Update *u, const DriverIdentity *id) {
        const Record *record = u->device->record;

        if (u->provision && !record->backup.known && !record->previous.known) {
                /* The next lower release that validates is tried next. */
                update_enter(u, UPDATE_REPORTING);
                return;
        }
        if (!u->touched && !id->in_bootloader) {
                /* Whatever refused the push, the old program runs on. */
                update_enter(u, UPDATE_REPORTING);
                return;
        }
        update_enter(u, UPDATE_STRANDED);
}

/* From here on it does not matter what becomes of the record. */
static void take_role(Update *u, UpdateRole role) {
        const Record *record = u->device->record;

        u->role = role;
        u->kept = role == ROLE_PREVIOUS ? record->previous : record->backup;
}

static void push_back(Update *u, UpdateRole role) {
        take_role(u, role);
        u->tries[role]++;
        u->last_push_id = u->push_id;
        u->push_id = random_u64();
        u->stalls = 0;
        update_success(u);
}

/* Somebody mended it by other means: nothing is pushed over a program that runs. */
static bool is_mended(const Update *u, const DriverIdentity *id) {
        return u->device->record->stranded_since > 0 && !id->in_bootloader &&
               id->health == DEVICE_HEALTH_HEALTHY &&
               (id->state == DEVICE_CONFIRMED || id->state == DEVICE_UNMANAGED);
}

static void mended(Update *u, const DriverIdentity *id) {
        Record *record = u->device->record;

        record->stranded_since = 0;
        record->stranded_tries = 0;
        device_save(u->device);
        u->outcome = OUTCOME_DONE;
        (void)snprintf(u->text, sizeof(u->text), "no longer stranded: version %s answers healthy",
                        id->version);
        update_enter(u, UPDATE_REPORTING);
}

static void on_asked(Update *u, const DriverResult *result) {
        const DriverIdentity *id = &result->identity;
        UpdateRole role;

        if (update_parked(u, result))
                return;
        if (result->code != DRIVER_OK) {
                update_enter(u, UPDATE_STRANDED);
                return;
        }
        if (update_is_foreign(u, id)) {
                update_wait_foreign(u, id);
                return;
        }
        if (is_mended(u, id)) {
                mended(u, id);
                return;
        }
        if (!u->by_request && runs_kept_image(u, id, &role)) {
                /* The push was refused before anything was erased, or somebody else mended it. */
                if (id->health == DEVICE_HEALTH_HEALTHY &&
                                u->tries[ROLE_BACKUP] + u->tries[ROLE_PREVIOUS] > 0) {
                        take_role(u, role);
                        u->push_id = id->push_id;
                        update_enter(u, UPDATE_CONFIRMING);
                        return;
                }
                update_enter(u, UPDATE_REPORTING);
                return;
        }
        if (cap_reached(u) || !choose(u, &role)) {
                nothing_left(u, id);
                return;
        }
        push_back(u, role);
}

void restoring_start(Update *u) {
        if (u->device->record->hold) {
                update_wait(u, UPDATE_RESTORING, OUTCOME_WAIT_HOLD,
                                "%s is on hold; its way back waits", device_id(u->device));
                return;
        }
        update_ask(u, DRIVER_IDENTIFY, on_asked);
}

static void try_again(Update *u) {
        for (size_t i = 0; i < _ROLE_MAX; i++)
                u->tries[i] = 0;
        update_success(u);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        Update *u = userdata;

        u->timer = sd_event_source_disable_unref(u->timer);
        try_again(u);
        return 0;
}

void stranded_wake(Update *u) {
        if (u->state != UPDATE_STRANDED || u->entering)
                return;
        try_again(u);
}

void stranded_start(Update *u) {
        Record *record = u->device->record;
        Backoff pause = BACKOFF_INIT(STRANDED_MIN_USEC, STRANDED_MAX_USEC);
        int r;

        pause.tries = (unsigned)MIN(u->stranded_tries, UINT64_C(32));
        if (record->stranded_since == 0) {
                record->stranded_since = clock_now(u->manager->clock);
                event_device(u->device, "stranded", OUTCOME_STRANDED,
                                "neither backup nor previous runs; tried again with growing pauses");
        }
        u->stranded_tries++;
        record->stranded_tries = u->stranded_tries;
        device_save(u->device);
        u->outcome = OUTCOME_STRANDED;
        device_ask_soon(u->device, u->manager->config->status_interval_usec);
        if (record->hold)
                return; /* somebody works on it: nothing happens by itself until `unhold` */
        r = update_set_timer(u, backoff_next(&pause, random_u32()), on_pause_over);
        if (r < 0)
                manager_fatal(u->manager, r, "a timer could not be set");
}

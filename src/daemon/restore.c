/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Restoring: decides, as data, what to push back: the backup, then the previous, each as often
 * as the policy says; then the device is stranded, and everything begins anew after growing
 * pauses until it answers healthy. The device is asked first: what runs already is not pushed. */
#include <inttypes.h>

#include "basic/backoff.h"
#include "basic/log.h"
#include "daemon/ask.h"
#include "daemon/event.h"
#include "daemon/stages.h"

#define STRANDED_MAX_USEC (6 * 3600 * USEC_PER_SEC)
#define ASK_USEC          (USEC_PER_SEC / 2)
#define STARTING_MAX      20 /* answers of a program that only begins */

static void on_asked(Update *u, const DriverResult *result);

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        Update *u = userdata;

        u->timer = sd_event_source_disable_unref(u->timer);
        update_ask(u, DRIVER_IDENTIFY, on_asked);
        return 0;
}

static void ask_later(Update *u) {
        if (update_set_timer(u, ASK_USEC, on_timer) < 0)
                manager_fatal(u->manager, -ENOMEM, "a timer could not be set");
}

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

/* A person wants it back, whatever runs. */
static bool is_asked_for(const Update *u) {
        return u->kind == UPDATE_RESTORE && u->by_request && u->stranded_tries == 0;
}

/* The way back from a push is a part of what began with it; the tries of a device that is stranded
 * are not, nor is a program that fails again and again after it was confirmed. */
static bool cap_reached(const Update *u) {
        if (u->kind == UPDATE_UPGRADE && u->device->record->stranded_since == 0)
                return false;
        return !is_asked_for(u) && device_cap_reached(u->device);
}

/* No push of ours is open on it, so nothing was erased since it ran; it runs, or will be
 * started. */
static bool is_intact(const DriverIdentity *id) {
        return id->state == DEVICE_CONFIRMED || id->state == DEVICE_UNMANAGED;
}

static bool holds_kept_image(const Update *u, const DriverIdentity *id, UpdateRole *ret) {
        const Record *record = u->device->record;

        if (record->backup.known && sha256_equal(&id->digest, &record->backup.digest))
                *ret = ROLE_BACKUP;
        else if (record->previous.known && sha256_equal(&id->digest, &record->previous.digest))
                *ret = ROLE_PREVIOUS;
        else
                return false;
        return true;
}

static void note_stranded(Update *u, const char *text) {
        Record *record = u->device->record;

        u->outcome = OUTCOME_STRANDED;
        if (record->stranded_since > 0)
                return;
        record->stranded_since = clock_now(u->manager->clock);
        event_device(u->device, "stranded", OUTCOME_STRANDED, "%s", text);
        device_save(u->device);
}

/* What was kept is lost. The update ends, so that the next release that validates is tried. */
static void give_way_to_releases(Update *u) {
        if (u->outcome == OUTCOME_DONE)
                (void)snprintf(u->text, sizeof(u->text), "%s",
                                "neither backup nor previous can be put back");
        note_stranded(u, "no image is left that could be put back");
        update_enter(u, UPDATE_REPORTING);
}

static void nothing_left(Update *u, const DriverIdentity *id) {
        const Record *record = u->device->record;

        if (record->stranded_since == 0 && is_intact(id)) {
                if (u->outcome == OUTCOME_DONE) {
                        u->outcome = OUTCOME_NO_BACKUP;
                        (void)snprintf(u->text, sizeof(u->text),
                                        "neither backup nor previous can be put back");
                }
                update_enter(u, UPDATE_REPORTING);
        } else if (u->provision && !record->backup.known && !record->previous.known) {
                /* The next lower release that validates is tried next. */
                update_enter(u, UPDATE_REPORTING);
        } else if (device_is_blank(u->device)) {
                give_way_to_releases(u);
        } else {
                update_enter(u, UPDATE_STRANDED);
        }
}

/* From here on it does not matter what becomes of the record. */
static void take_role(Update *u, UpdateRole role) {
        const Record *record = u->device->record;

        u->role = role;
        u->kept = role == ROLE_PREVIOUS ? record->previous : record->backup;
}

static void push_back(Update *u, UpdateRole role, const DriverIdentity *id) {
        take_role(u, role);
        u->tries[role]++;
        update_new_push(u, id);
        update_success(u);
}

/* Somebody mended it by other means: nothing is pushed over a program that runs. */
static bool is_mended(const Update *u, const DriverIdentity *id) {
        return u->device->record->stranded_since > 0 && !id->in_bootloader &&
               id->health == DEVICE_HEALTH_HEALTHY && is_intact(id);
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

/* It runs what was pushed back; or, with two slots, what it had kept. */
static bool is_put_back(const Update *u, const DriverIdentity *id, UpdateRole *ret) {
        bool pushed = u->tries[ROLE_BACKUP] + u->tries[ROLE_PREVIOUS] > 0;
        bool by_itself = id->capabilities & DRIVER_HAS_SLOTS && u->touched &&
                         u->outcome != OUTCOME_DEVICE_REFUSED;

        return (pushed || by_itself) && id->state == DEVICE_CONFIRMED && !id->in_bootloader &&
               holds_kept_image(u, id, ret);
}

static void note_by_itself(Update *u) {
        Why w;

        if (u->tries[ROLE_BACKUP] + u->tries[ROLE_PREVIOUS] > 0)
                return;
        (void)why(&w, 0, "%s%sthe device went back by itself", u->text, u->text[0] ? "; " : "");
        (void)snprintf(u->text, sizeof(u->text), "%s", w.text);
}

/* The push was refused before anything was erased, or the device went on by itself. */
static void leave_intact(Update *u, const DriverIdentity *id) {
        UpdateRole role;

        if (!is_put_back(u, id, &role)) {
                update_enter(u, UPDATE_REPORTING);
        } else if (id->health == DEVICE_HEALTH_HEALTHY) {
                take_role(u, role);
                u->push_id = id->push_id;
                note_by_itself(u);
                update_enter(u, UPDATE_CONFIRMING);
        } else if (id->health == DEVICE_HEALTH_STARTING && u->silent++ < STARTING_MAX) {
                ask_later(u);
        } else {
                update_enter(u, UPDATE_REPORTING);
        }
}

/* What was put back and given up answers healthy after all. */
static bool is_back(const Update *u, const DriverIdentity *id, UpdateRole *ret) {
        return u->device->record->stranded_since > 0 && id->state == DEVICE_TRIAL &&
               !id->in_bootloader && id->health == DEVICE_HEALTH_HEALTHY && update_is_ours(u, id) &&
               holds_kept_image(u, id, ret);
}

static void watch_again(Update *u, UpdateRole role, const DriverIdentity *id) {
        take_role(u, role);
        u->tries[role]++;
        u->last_push_id = u->push_id = id->push_id;
        update_enter(u, UPDATE_TRIAL);
}

static void cannot_ask(Update *u, const DriverResult *result) {
        if (u->touched || u->device->record->stranded_since > 0) {
                update_enter(u, UPDATE_STRANDED);
                return;
        }
        u->outcome = OUTCOME_DEVICE_REFUSED;
        (void)snprintf(u->text, sizeof(u->text), "%s", result->why.text);
        update_enter(u, UPDATE_REPORTING);
}

/* A device with two slots may have the program still that it ran before. */
static bool may_have_another(const Update *u, const DriverIdentity *id) {
        return id->capabilities & DRIVER_HAS_SLOTS && id->in_bootloader && !u->sent_back &&
               (id->state == DEVICE_FAILED || id->state == DEVICE_DAMAGED ||
                               id->state == DEVICE_PUSHING);
}

static void on_sent_back(Update *u, const DriverResult *result) {
        if (!device_heard(u->device, result)) {
                (void)update_parked(u, result);
                return;
        }
        /* Whether it took effect, the next question tells. */
        ask_later(u);
}

static void send_back(Update *u) {
        u->sent_back = true;
        update_ask_start_any(u, on_sent_back);
}

static void on_asked(Update *u, const DriverResult *result) {
        const DriverIdentity *id = &result->identity;
        UpdateRole role;

        if (update_parked(u, result))
                return;
        if (result->code != DRIVER_OK) {
                cannot_ask(u, result);
                return;
        }
        if (update_is_foreign(u, id)) {
                update_wait_foreign(u, id);
                return;
        }
        if (is_mended(u, id))
                mended(u, id);
        else if (!is_asked_for(u) && is_intact(id))
                leave_intact(u, id);
        else if (!is_asked_for(u) && may_have_another(u, id))
                send_back(u);
        else if (is_back(u, id, &role) && u->tries[role] == 0)
                watch_again(u, role, id);
        else if (cap_reached(u) || !choose(u, &role))
                nothing_left(u, id);
        else
                push_back(u, role, id);
}

void restoring_start(Update *u) {
        if (u->device->record->hold) {
                update_wait(u, UPDATE_RESTORING, OUTCOME_WAIT_HOLD,
                                "%s is on hold; its way back waits", device_id(u->device));
                return;
        }
        u->silent = 0;
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

/* A program that was put back and wavers must not make us push more often than the pauses do. */
void stranded_heard(Update *u, const DriverIdentity *id) {
        UpdateRole role;

        if (is_mended(u, id) || (is_back(u, id, &role) && monotonic_usec() >= u->not_before_usec))
                stranded_wake(u);
}

void stranded_start(Update *u) {
        Record *record = u->device->record;
        uint64_t first_usec = u->manager->config->stranded_pause_usec, pause_usec;
        Backoff pause = BACKOFF_INIT(first_usec, STRANDED_MAX_USEC);
        int r;

        pause.tries = (unsigned)MIN(u->stranded_tries, UINT64_C(32));
        note_stranded(u, "neither backup nor previous runs; tried again with growing pauses");
        u->stranded_tries++;
        record->stranded_tries = u->stranded_tries;
        device_save(u->device);
        u->not_before_usec = monotonic_usec() + first_usec;
        device_ask_soon(u->device, u->manager->config->status_interval_usec);
        if (record->hold)
                return; /* somebody works on it: nothing happens by itself until `unhold` */
        update_want_port(u);
        pause_usec = backoff_next(&pause, random_u32());
        (void)log_full(LOG_NOTICE, device_id(u->device), 0,
                        "stranded; try %" PRIu64 " begins in %" PRIu64 " s", u->stranded_tries + 1,
                        pause_usec / USEC_PER_SEC);
        r = update_set_timer(u, pause_usec, on_pause_over);
        if (r < 0)
                manager_fatal(u->manager, r, "a timer could not be set");
}

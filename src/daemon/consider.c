/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Considering: is there anything to do for this device, as things are? In this order: its way
 * back, a backup of what runs, a release. Decides by the pure functions of validate.c and starts
 * updates; does nothing else. */
#include <inttypes.h>

#include "basic/file.h"
#include "basic/log.h"
#include "daemon/ask.h"
#include "daemon/bus.h"
#include "daemon/event.h"
#include "daemon/stages.h"

#define IN_VAIN_MAX 5
/* a bootloader stays for 10 s after it was spoken to */
#define GO_BACK_USEC (15 * USEC_PER_SEC)

/* ---- what validate() wants to know ---- */

static const char *lowest_version_of(const char *model, void *userdata) {
        Manager *m = userdata;
        const char *lowest = NULL;

        for (size_t i = 0; i < m->n_devices; i++) {
                const Record *r = m->devices[i]->record;

                if (!streq(r->model, model) || !r->running.known ||
                                !version_is_valid(r->running.version))
                        continue;
                if (!lowest || version_compare(r->running.version, lowest) < 0)
                        lowest = r->running.version;
        }
        return lowest;
}

/* Whoever is behind such a line is asked once the line is ours. */
static bool is_on_demand(const Device *d) {
        return d->port && d->port->port && port_mode(d->port->port) == PORT_ON_DEMAND;
}

static bool backup_is_good(const Device *d) {
        const Record *r = d->record;
        const Sha256 *running = d->known ? &d->identity.digest : &r->running.digest;

        if (device_is_blank(d))
                return true;
        if (!r->backup.known || !store_has(d->manager->store, &r->backup.digest))
                return false;
        if (sha256_is_zero(running))
                return r->backup.declared;
        return sha256_equal(running, &r->backup.digest);
}

/* In the state folder, when what nobody needs were gone. The store is looked through only where
 * that could decide. */
static uint64_t free_bytes(Manager *m) {
        _cleanup_free_ Sha256 *keep = NULL;
        uint64_t bytes = 0, removable = 0;
        size_t n;

        if (folder_free_bytes(m->images_fd, &bytes) < 0)
                return 0;
        if (bytes >= STORE_RESERVE_BYTES + 2 * RELEASE_IMAGE_MAX)
                return bytes;
        if (manager_kept_digests(m, &keep, &n) == 0)
                (void)store_removable(m->store, keep, n, &removable);
        return bytes + removable;
}

/* What its open download has taken: gone when another takes its place. */
static uint64_t taken_bytes(const Device *d) {
        return d->update && d->update->download ? store_bytes_needed(d->update->candidate) : 0;
}

static bool has_image(const Sha256 *digest, void *userdata) {
        const Manager *m = userdata;

        return store_has(m->store, digest);
}

/* Health is the program's to tell: a bootloader that answers says nothing about it. */
static bool can_prove(const Device *d) {
        if (!d->known || d->identity.in_bootloader)
                return d->driver->vtable->capabilities & DRIVER_CAN_HEALTH;
        return d->identity.capabilities & DRIVER_CAN_HEALTH;
}

static bool runs_well(const Device *d) {
        const DriverIdentity *id = &d->identity;

        return d->known && !id->in_bootloader && id->health == DEVICE_HEALTH_HEALTHY &&
               (id->state == DEVICE_CONFIRMED || id->state == DEVICE_UNMANAGED);
}

/* Whatever ran on a stranded device no longer does, until it proves the contrary. */
static bool has_nothing_to_lose(const Device *d) {
        return device_is_blank(d) || (d->record->stranded_since > 0 && !runs_well(d));
}

void device_validate_input(const Device *d, ValidateInput *ret) {
        Manager *m = d->manager;
        const Config *c = m->config;
        const ConfigDevice *cd = d->config;

        *ret = (ValidateInput){
                .record = d->record,
                .channel = cd && cd->channel ? cd->channel : c->channel,
                .ask = cd && cd->ask_set ? cd->ask : c->ask,
                .strict_floor = cd && cd->strict_floor_set ? cd->strict_floor : c->strict_floor,
                .provision = cd && cd->provision_set ? cd->provision : c->provision,
                .has_model_section = cd && cd->model,
                .window_open = manager_window_is_open(m),
                .inhibited = manager_is_inhibited(m),
                .clock_ok = !m->expired,
                .device_present = d->present || is_on_demand(d),
                .blank = has_nothing_to_lose(d),
                .can_prove = can_prove(d),
                .backup_ok = backup_is_good(d),
                .free_bytes = free_bytes(m) + taken_bytes(d),
                .reserve_bytes = store_reserve_missing(m->store),
                .has_image = has_image,
                .lowest_version_of = lowest_version_of,
                .userdata = m,
        };
}

int device_releases(const Device *d, Release ***ret, size_t *ret_n) {
        Manager *m = d->manager;
        Release **list;
        size_t n = 0;

        list = new0(Release *, m->n_releases + 1);
        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_releases; i++)
                if (streq(m->releases[i]->model, d->record->model))
                        list[n++] = m->releases[i];
        *ret = list;
        *ret_n = n;
        return 0;
}

/* ---- starting ---- */

void device_begin(Device *d, Update *u) {
        d->update = u;
        d->verdict = (Verdict){ .outcome = OUTCOME_DONE };
        (void)log_full(LOG_NOTICE, device_id(d), 0, "%s to %s begins",
                        update_kind_to_string(u->kind),
                        u->kind == UPDATE_RESTORE ? "what is kept" : update_version(u));
        update_start(u);
}

static void begin(Device *d, UpdateKind kind, UpdateState first, const Release *candidate) {
        Update *u;
        int r;

        r = update_new(d, kind, first, candidate, &u);
        if (r < 0) {
                manager_fatal(d->manager, r, "an update could not begin");
                return;
        }
        device_begin(d, u);
}

static const Release *release_by_digest(const Device *d, const Sha256 *digest) {
        Manager *m = d->manager;

        for (size_t i = 0; i < m->n_releases; i++)
                if (streq(m->releases[i]->model, d->record->model) &&
                                sha256_equal(&m->releases[i]->image_digest, digest))
                        return m->releases[i];
        return NULL;
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata) {
        Device *d = userdata;

        d->look_timer = sd_event_source_disable_unref(d->look_timer);
        device_consider(d);
        return 0;
}

/* Nothing else would tell that time was all it needed. */
static void look_again(Device *d, uint64_t usec) {
        int r;

        d->look_timer = sd_event_source_disable_unref(d->look_timer);
        r = sd_event_add_time_relative(d->manager->event, &d->look_timer, CLOCK_BOOTTIME, usec,
                        USEC_PER_SEC, on_look, d);
        if (r < 0)
                manager_fatal(d->manager, r, "a timer could not be set");
}

static bool is_paused(Device *d, const Sha256 *digest) {
        uint64_t now = monotonic_usec();

        if (d->retry_usec <= now || !sha256_equal(&d->retry_candidate, digest))
                return false;
        look_again(d, d->retry_usec - now);
        return true;
}

/* A release that fits may have to wait for reasons that say nothing about it. */
static bool has_to_pause(Device *d, const Release *release) {
        if (is_paused(d, &release->image_digest)) {
                d->verdict.outcome = OUTCOME_WAIT_PAUSE;
                (void)why(&d->verdict.why, 0, "%s is tried again after a pause; the last time: %s",
                                release->version, d->last_text.text);
                return true;
        }
        if (!device_cap_reached(d))
                return false;
        d->verdict.outcome = OUTCOME_WAIT_PAUSE;
        (void)why(&d->verdict.why, 0,
                        "%s waits for tomorrow (UTC): %" PRIu64
                        " pushes today, PushesPerDay= allows no more",
                        release->version, d->record->erases);
        look_again(d, device_cap_left_usec(d));
        return true;
}

static bool consider_foreign(Device *d) {
        const DriverIdentity *id = &d->identity;

        if (!device_push_is_foreign(d, id))
                return false;
        if (!d->record->foreign_push) {
                d->record->foreign_push = true;
                device_save(d);
                event_device(d, "foreign-push", OUTCOME_FOREIGN_PUSH,
                                "push %016" PRIx64 " of somebody else is open on it", id->push_id);
        }
        d->verdict.outcome = OUTCOME_FOREIGN_PUSH;
        (void)why(&d->verdict.why, 0,
                        "push %016" PRIx64
                        " of somebody else is open: rekindlectl accept %s takes over",
                        id->push_id, device_id(d));
        return true;
}

/* It has two slots, and runs again what it ran before the program that was confirmed last. */
static bool went_back(const Device *d) {
        const DriverIdentity *id = &d->identity;
        const Record *r = d->record;

        return id->capabilities & DRIVER_HAS_SLOTS && runs_well(d) && r->backup.known &&
               r->previous.known && sha256_equal(&id->digest, &r->previous.digest) &&
               !sha256_equal(&id->digest, &r->backup.digest);
}

/* It was found in the middle of its way back, which is its own business. */
static bool goes_back(const Device *d) {
        const DriverIdentity *id = &d->identity;

        return id->capabilities & DRIVER_HAS_SLOTS && id->in_bootloader &&
               !sha256_equal(&id->digest, &d->record->backup.digest) &&
               monotonic_usec() - d->bootloader_usec < GO_BACK_USEC;
}

/* Nothing that runs in it, or something of ours that no update will ever confirm. */
static bool needs_way_back(const Device *d) {
        const DriverIdentity *id = &d->identity;

        if (device_is_blank(d) || (!d->record->backup.known && !d->record->previous.known))
                return false;
        if (goes_back(d))
                return false;
        if (device_push_is_open(id) || went_back(d))
                return true;
        return id->in_bootloader && (id->state == DEVICE_FAILED || id->state == DEVICE_DAMAGED ||
                                                    id->state == DEVICE_EMPTY);
}

static bool consider_way_back(Device *d) {
        const DriverIdentity *id = &d->identity;
        const Record *r = d->record;
        Update *u;

        if (!needs_way_back(d))
                return false;
        if (update_new(d, UPDATE_RESTORE, UPDATE_RESTORING, NULL, &u) < 0) {
                manager_fatal(d->manager, -ENOMEM, "a restore could not begin");
                return true;
        }
        u->touched = true;
        (void)snprintf(u->text, sizeof(u->text), "found without a program that can stay: %s",
                        device_state_to_string(id->state));
        if (went_back(d)) {
                /* Flash that was damaged in silence is not the program's fault. */
                u->backup_bad = id->reset_cause >= DEVICE_RESET_ABNORMAL;
                (void)snprintf(u->text, sizeof(u->text),
                                "%s was confirmed, and the device has given it up since",
                                r->backup.version);
        }
        if (id->state == DEVICE_FAILED && r->backup.known && r->previous.known &&
                        sha256_equal(&id->digest, &r->backup.digest)) {
                /* Its flash is intact, so the confirmed program itself is what fails. */
                u->tries[ROLE_BACKUP] = (unsigned)d->manager->config->restore_tries;
                u->backup_bad = true;
                (void)snprintf(u->text, sizeof(u->text),
                                "%s was confirmed and used up its starts since", r->backup.version);
        }
        device_begin(d, u);
        return true;
}

/* In the store, as after a record was lost; with the signature that the device demands of a
 * backup. */
static bool is_kept_for(const Device *d, const Sha256 *digest, Release **ret) {
        _cleanup_(release_freep) Release *release = NULL;
        Store *store = d->manager->store;

        if (!store_has(store, digest) || store_release(store, digest, &release, NULL) < 0 ||
                        !streq(release->model, d->record->model) ||
                        (d->record->capabilities & DRIVER_DEMANDS_SIGNED &&
                                        release->signature_length == 0))
                return false;
        *ret = TAKE_PTR(release);
        return true;
}

bool device_consider_adopt(Device *d, Why *w) {
        _cleanup_(release_freep) Release *kept = NULL;
        const DriverIdentity *id = &d->identity;
        const Release *release;

        release = release_by_digest(d, &id->digest);
        if (!release && is_kept_for(d, &id->digest, &kept))
                release = kept;
        if (release) {
                begin(d, UPDATE_ADOPT, UPDATE_DOWNLOADING, release);
        } else if (id->capabilities & DRIVER_CAN_READ_BACK) {
                begin(d, UPDATE_ADOPT, UPDATE_READING, NULL);
        } else {
                (void)why(w, 0,
                                "no release has the digest of what runs, and the device cannot be read back: "
                                "rekindlectl backup adopt %s FILE --version V",
                                device_id(d));
                return false;
        }
        return true;
}

static bool consider_adopt(Device *d) {
        const DriverIdentity *id = &d->identity;
        const Record *r = d->record;

        if (id->in_bootloader || sha256_is_zero(&id->digest) ||
                        id->health != DEVICE_HEALTH_HEALTHY ||
                        (id->state != DEVICE_CONFIRMED && id->state != DEVICE_UNMANAGED))
                return false;
        if (r->backup.known && sha256_equal(&r->backup.digest, &id->digest) &&
                        store_has(d->manager->store, &r->backup.digest))
                return false;
        if (record_is_bad(r, &id->digest) || is_paused(d, &id->digest) ||
                        sha256_equal(&d->not_adopted, &id->digest))
                return false;
        return device_consider_adopt(d, NULL);
}

/* Without an update that would notice: somebody gave it a program by other means. */
static void consider_mended(Device *d) {
        if (d->record->stranded_since == 0 || !runs_well(d))
                return;
        d->record->stranded_since = 0;
        d->record->stranded_tries = 0;
        device_save(d);
        event_device(d, "mended", OUTCOME_DONE, "no longer stranded: version %s answers healthy",
                        d->identity.version);
}

static void stranded_without_release(Device *d) {
        if (d->record->stranded_since > 0 || d->record->n_bad == 0 ||
                        d->identity.state == DEVICE_EMPTY ||
                        d->verdict.outcome == OUTCOME_PASSED_OVER)
                return;
        d->record->stranded_since = clock_now(d->manager->clock);
        device_save(d);
        event_device(d, "stranded", OUTCOME_STRANDED, "no release is left that runs on it");
}

static void consider_release(Device *d) {
        _cleanup_free_ Release **releases = NULL;
        ValidateInput in;
        size_t n, i;
        int r;

        manager_check_model(d->manager, d->record->model);
        r = device_releases(d, &releases, &n);
        if (r < 0) {
                manager_fatal(d->manager, r, "the releases could not be looked through");
                return;
        }
        device_validate_input(d, &in);
        r = validate_select(&in, releases, n, &i, &d->verdict);
        if (r < 0) {
                if (device_is_blank(d))
                        stranded_without_release(d);
                return;
        }
        if (d->verdict.outcome != OUTCOME_DONE &&
                        (!d->verdict.may_download ||
                                        store_has(d->manager->store, &releases[i]->image_digest)))
                return;
        if (!has_to_pause(d, releases[i]))
                begin(d, UPDATE_UPGRADE, UPDATE_DOWNLOADING, releases[i]);
}

/* The reason of a wait that a person, a window or a program ends is gone. */
static bool wait_is_over(const Device *d) {
        const Update *u = d->update;

        switch (u->wait) {
        case OUTCOME_WAIT_HOLD:
                return !d->record->hold;
        case OUTCOME_WAIT_INHIBIT:
                return !manager_is_inhibited(d->manager);
        case OUTCOME_WAIT_WINDOW:
                return manager_window_is_open(d->manager);
        case OUTCOME_WAIT_APPROVAL:
                return u->candidate && streq(d->record->approved, u->candidate->version);
        case OUTCOME_WAIT_CLOCK:
                return !d->manager->expired;
        case OUTCOME_FOREIGN_PUSH:
                return !d->record->foreign_push;
        default:
                return false;
        }
}

bool device_is_withdrawn(const Device *d, const Release *candidate) {
        const Manager *m = d->manager;

        return m->last_check > 0 && m->check_outcome == OUTCOME_DONE &&
               !release_by_digest(d, &candidate->image_digest);
}

/* A candidate that the publisher took back must not be installed, and one that waits must not keep
 * a newer one out. */
static void end_if_outdated(Device *d) {
        _cleanup_free_ Release **releases = NULL;
        Update *u = d->update;
        ValidateInput in;
        Verdict verdict;
        size_t n, i;

        if (device_is_withdrawn(d, u->candidate)) {
                update_drop_withdrawn(u);
                return;
        }
        if (u->by_request || u->state != UPDATE_WAITING)
                return;
        if (device_releases(d, &releases, &n) < 0)
                return; /* the next refresh looks again */
        device_validate_input(d, &in);
        if (validate_select(&in, releases, n, &i, &verdict) == 0 &&
                        !sha256_equal(&releases[i]->image_digest, &u->candidate->image_digest))
                update_drop(u, "%s takes the place of %s", releases[i]->version,
                                u->candidate->version);
}

void device_refreshed(Device *d) {
        Update *u = d->update;

        if (!u || (u->state != UPDATE_WAITING && u->state != UPDATE_DOWNLOADING))
                return;
        if (!u->entering && u->kind == UPDATE_UPGRADE && update_is_untouched(u))
                end_if_outdated(d);
        /* The server answers again: whoever waits for it goes on. */
        if (u->state == UPDATE_WAITING && update_is_fetching(u))
                update_enter(u, UPDATE_DOWNLOADING);
}

/* Whatever it waits for, a device that lies there without a program does not wait for it. */
static bool gives_way_to_restore(const Device *d) {
        const Update *u = d->update;

        return (u->state == UPDATE_WAITING || u->state == UPDATE_DOWNLOADING) &&
               update_is_untouched(u) && d->known && !d->stale && d->present && !d->record->hold &&
               !device_push_is_foreign(d, &d->identity) && needs_way_back(d);
}

static void consider_open(Device *d) {
        Update *u = d->update;

        if (u->entering)
                return;
        if (gives_way_to_restore(d))
                update_drop(u, "%s needs its way back first", device_id(d));
        else if (u->state == UPDATE_WAITING && wait_is_over(d))
                update_wake(u);
        else
                device_let_start(d);
}

void device_consider(Device *d) {
        if (d->update) {
                consider_open(d);
                return;
        }
        if (d->stale && !is_on_demand(d))
                return;
        if ((!d->known && !is_on_demand(d)) || d->record->identity_changed) {
                d->verdict.outcome = d->record->identity_changed ? OUTCOME_IDENTITY_CHANGED
                                                                 : OUTCOME_WAIT_DEVICE;
                return;
        }
        if (d->record->hold) {
                d->verdict.outcome = OUTCOME_WAIT_HOLD;
                (void)why(&d->verdict.why, 0, "%s is on hold", device_id(d));
                return;
        }
        if (d->known && d->present)
                consider_mended(d);
        if (d->known && d->present && consider_foreign(d))
                return;
        if (d->known && d->present && consider_way_back(d))
                return;
        if (d->known && d->present && consider_adopt(d))
                return;
        consider_release(d);
        device_let_start(d);
        device_changed(d, DEVICE_CHANGED_STATE);
}

/* Nothing is known against the program, but neither will it do any good to push it for ever. */
static void count_in_vain(Device *d, const Update *u) {
        Why by;

        if (!u->in_vain || ++d->in_vain < IN_VAIN_MAX)
                return;
        d->in_vain = 0;
        (void)why(&by, 0, "since the device did not take it %d times", IN_VAIN_MAX);
        record_pass_over(d->record, u->candidate->version, by.text);
        device_save(d);
}

void device_count_try(Device *d, const Update *u) {
        Sha256 digest = u->candidate ? u->candidate->image_digest : d->record->running.digest;

        if (u->kind == UPDATE_RESTORE)
                return; /* has its own pauses, and says nothing about a candidate */
        if (!sha256_equal(&d->retry_candidate, &digest))
                d->in_vain = 0;
        d->retry_candidate = digest;
        count_in_vain(d, u);
        if (outcome_info(u->outcome)->class == OUTCOME_CLASS_SUCCESS) {
                backoff_reset(&d->retry);
                d->retry_usec = 0;
        } else {
                d->retry_usec = monotonic_usec() + backoff_next(&d->retry, random_u32());
        }
}

void device_finished(Device *d, Outcome outcome, const Why *text) {
        d->last_outcome = outcome;
        d->last_text = *text;
        d->last_time = clock_now(d->manager->clock);
        /* What it said before its last push or confirm may no longer be true. */
        d->stale = true;
        device_changed(d, DEVICE_CHANGED_STATE | DEVICE_CHANGED_RECORD);
        if (d->manager->bus)
                bus_device_finished(d->manager->bus, d, outcome, text->text);
        device_ask_soon(d, 0);
        manager_consider(d->manager);
}

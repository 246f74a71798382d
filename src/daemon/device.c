/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the gateway knows of a unit and how it comes to know it. Model and serial are pinned at
 * first contact: a unit that says something else is another unit, and gets nothing but the
 * question who it is. */
#include "daemon/device.h"

#include "basic/log.h"
#include "daemon/ask.h"
#include "daemon/backup.h"
#include "daemon/bus.h"
#include "daemon/event.h"
#include "daemon/stages.h"

#define ABSENT_MIN_USEC USEC_PER_SEC
#define ABSENT_MAX_USEC (30 * USEC_PER_SEC)
#define SILENT_MAX      3
#define TOLD_SAVE_USEC  (10 * USEC_PER_SEC)
#define DAY_SECONDS     (24 * 3600)
#define PRESENCE_MAX    20 /* lines about its coming and going … */
#define PRESENCE_USEC   (3600 * USEC_PER_SEC)

/* Who waits for the disk, and what is not there yet. */
typedef struct DeviceSaved {
        SyncFunc func;
        void *userdata;
        unsigned writes; /* of the record, which have to end first */
        bool entry;      /* of the state of its update */
        struct DeviceSaved *next;
} DeviceSaved;

/* ---- the record on disk ---- */

/* The first that waits for nothing more. */
static DeviceSaved *take_ready(Device *d) {
        for (DeviceSaved **p = &d->saved; *p; p = &(*p)->next) {
                DeviceSaved *s = *p;

                if (s->writes > 0 || s->entry)
                        continue;
                *p = s->next;
                return s;
        }
        return NULL;
}

static void run_ready(Device *d) {
        DeviceSaved *s;

        while ((s = take_ready(d))) {
                s->func(0, s->userdata);
                free(s);
        }
}

void device_entered(Device *d) {
        for (DeviceSaved *s = d->saved; s; s = s->next)
                s->entry = false;
        run_ready(d);
}

static void on_saved(int error, void *userdata) {
        Device *d = userdata;

        d->saving = NULL;
        if (error < 0) {
                manager_fatal(d->manager, error, "a device record could not be written");
                return;
        }
        for (DeviceSaved *s = d->saved; s; s = s->next)
                s->writes -= s->writes > 0;
        if (d->save_again) {
                d->save_again = false;
                device_save(d);
        }
        run_ready(d);
}

void device_save(Device *d) {
        _cleanup_free_ char *text = NULL, *name = NULL;
        int r = -ENOMEM;

        device_changed(d, DEVICE_CHANGED_RECORD);
        d->save_due = false;
        if (d->saving) {
                d->save_again = true;
                return;
        }
        text = record_print(d->record);
        if (text && asprintf(&name, "%s.json", device_id(d)) >= 0)
                r = sync_write(d->manager->sync, d->manager->devices_fd, name, text, strlen(text),
                                on_saved, d, &d->saving);
        if (r < 0)
                manager_fatal(d->manager, r, "a device record could not be written");
}

void device_save_told(Device *d) {
        uint64_t now = monotonic_usec();

        if (d->told_save_usec > 0 && now - d->told_save_usec < TOLD_SAVE_USEC) {
                d->save_due = true;
                device_changed(d, DEVICE_CHANGED_RECORD);
                return;
        }
        d->told_save_usec = now;
        device_save(d);
}

static int wait_for_disk(Device *d, bool entry, SyncFunc func, void *userdata) {
        DeviceSaved *s, **end = &d->saved;

        if (!d->saving && !entry) {
                func(0, userdata);
                return 0;
        }
        s = new0(DeviceSaved, 1);
        if (!s)
                return -ENOMEM;
        *s = (DeviceSaved){
                .func = func,
                .userdata = userdata,
                .writes = d->saving ? 1 + d->save_again : 0,
                .entry = entry,
        };
        while (*end)
                end = &(*end)->next;
        *end = s;
        return 0;
}

int device_when_saved(Device *d, SyncFunc func, void *userdata) {
        return wait_for_disk(d, false, func, userdata);
}

int device_when_durable(Device *d, SyncFunc func, void *userdata) {
        return wait_for_disk(d, d->update && d->update->entering, func, userdata);
}

void device_saved_forget(Device *d, void *userdata) {
        DeviceSaved **p = &d->saved;

        while (*p) {
                DeviceSaved *s = *p;

                if (s->userdata != userdata) {
                        p = &s->next;
                        continue;
                }
                *p = s->next;
                free(s);
        }
}

/* ---- life ---- */

int device_new(Manager *m, const char *id, Record *record, Device **ret) {
        _cleanup_(record_freep) Record *r_record = record;
        _cleanup_(device_freep) Device *d = NULL;
        int r;

        d = new0(Device, 1);
        if (!d)
                return -ENOMEM;
        d->manager = m;
        d->retry = (Backoff)BACKOFF_INIT(60 * USEC_PER_SEC, 6 * 3600 * USEC_PER_SEC);
        d->config = config_find_device(m->config, id);
        d->last_outcome = OUTCOME_DONE;
        if (!r_record) {
                r = record_new(id, &r_record);
                if (r < 0)
                        return r;
        }
        d->record = TAKE_PTR(r_record);
        (void)snprintf(d->record->protocol, sizeof(d->record->protocol), "%s",
                        d->config && d->config->protocol ? d->config->protocol : "native");
        r = driver_new(d->record->protocol, &d->driver);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

Device *device_free(Device *d) {
        if (!d)
                return NULL;
        d->update = update_free(d->update);
        backup_free(d);
        d->status = exchange_cancel(d->status);
        sd_event_source_disable_unref(d->status_timer);
        sd_event_source_disable_unref(d->look_timer);
        d->saving = sync_job_forget(d->saving);
        while (d->saved) {
                DeviceSaved *s = d->saved;

                d->saved = s->next;
                free(s);
        }
        driver_free(d->driver);
        record_free(d->record);
        free(d);
        return NULL;
}

const char *device_id(const Device *d) {
        return d->record->id;
}

void device_changed(Device *d, unsigned what) {
        if (d->manager->bus)
                bus_device_changed(d->manager->bus, d, what);
}

/* ---- asking ---- */

void device_request(const Device *d, DriverOp op, DriverRequest *ret) {
        const ConfigPort *c = d->port ? d->port->config : NULL;

        *ret = (DriverRequest){
                .op = op,
                .address = (uint8_t)d->record->address,
                .baud = c ? (uint32_t)c->baud : 0,
                .program_baud = c ? (uint32_t)c->program_baud : 0,
                .push_baud = c && c->push_baud ? (uint32_t)c->push_baud : DRIVER_BAUD_FASTEST,
                .half_duplex = c && c->half_duplex,
                .turnaround_usec = c ? (uint32_t)c->turnaround_usec : 0,
                .expect_unit = d->record->model[0] != '\0',
        };
        (void)snprintf(ret->expect_model, sizeof(ret->expect_model), "%s", d->record->model);
        (void)snprintf(ret->expect_serial, sizeof(ret->expect_serial), "%s", d->record->serial);
}

static bool may_ask(const Device *d) {
        if (!d->port || !d->port->port || d->status || port_state(d->port->port) != PORT_OPEN)
                return false;
        return !d->update ||
               (!d->update->entering && (d->update->state == UPDATE_WAITING ||
                                                        d->update->state == UPDATE_DOWNLOADING ||
                                                        d->update->state == UPDATE_STRANDED));
}

static bool answered(Device *d, const DriverResult *result) {
        bool same;

        d->status = NULL;
        same = device_heard(d, result);
        device_ask_soon(d, d->present ? d->manager->config->status_interval_usec
                                      : d->status_pause_usec);
        return same && result->code == DRIVER_OK;
}

static void on_status(Exchange *x, const DriverResult *result, void *userdata) {
        if (answered(userdata, result))
                device_consider(userdata);
}

/* Whether it took effect, the next question tells. */
static void on_started(Exchange *x, const DriverResult *result, void *userdata) {
        (void)answered(userdata, result);
}

static void ask_status(Device *d, DriverOp op) {
        const ExchangeFuncs funcs = { NULL, op == DRIVER_START ? on_started : on_status, d };
        DriverRequest request;
        int r;

        d->status_timer = sd_event_source_disable_unref(d->status_timer);
        if (!may_ask(d))
                return; /* the port's opening or the update's end asks again */
        device_request(d, op, &request);
        r = port_submit(d->port->port, PORT_STATUS, d->driver, &request, &funcs, &d->status);
        if (r < 0)
                log_warning("%s cannot be asked: %s", device_id(d), strerror(-r));
}

static int on_status_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        ask_status(userdata, DRIVER_IDENTIFY);
        return 0;
}

/* Whether its program could run, and nobody minds: that of a push that was finished while the
 * device is held is left to itself, but not kept from running. */
static bool could_run(const Device *d) {
        const Update *u = d->update;

        switch (d->identity.state) {
        case DEVICE_CONFIRMED:
        case DEVICE_UNMANAGED:
                return !u;
        case DEVICE_VERIFIED:
        case DEVICE_TRIAL:
                return u && u->state == UPDATE_WAITING && u->resume == UPDATE_TRIAL &&
                       u->wait == OUTCOME_WAIT_HOLD && update_is_ours(u, &d->identity);
        default:
                return false;
        }
}

void device_let_start(Device *d) {
        if (d->present && d->identity.in_bootloader && could_run(d))
                ask_status(d, DRIVER_START);
}

void device_ask_soon(Device *d, uint64_t usec) {
        int r;

        if (d->status)
                return;
        d->status_timer = sd_event_source_disable_unref(d->status_timer);
        r = sd_event_add_time_relative(d->manager->event, &d->status_timer, CLOCK_MONOTONIC, usec,
                        usec / 10, on_status_timer, d);
        if (r < 0)
                manager_fatal(d->manager, r, "a timer could not be set");
}

/* ---- wear ---- */

static int64_t today(const Device *d) {
        return clock_now(d->manager->clock) / DAY_SECONDS;
}

void device_count_erase(Device *d) {
        if (d->record->erase_day != today(d)) {
                d->record->erase_day = today(d);
                d->record->erases = 0;
        }
        d->record->erases++;
        device_save(d);
}

bool device_cap_reached(const Device *d) {
        return d->record->erase_day == today(d) &&
               d->record->erases >= d->manager->config->pushes_per_day;
}

uint64_t device_cap_left_usec(const Device *d) {
        int64_t spent = clock_now(d->manager->clock) % DAY_SECONDS;

        return (uint64_t)(DAY_SECONDS - spent) * USEC_PER_SEC;
}

/* ---- hearing ---- */

/* A loose plug must not fill the log. */
static int level_of_presence(Device *d) {
        unsigned n = share_count(&d->told_presence, PRESENCE_USEC, monotonic_usec());

        if (n == PRESENCE_MAX + 1)
                (void)log_full(LOG_WARNING, device_id(d), 0,
                                "it comes and goes; no more is told of that for an hour");
        return n > PRESENCE_MAX ? LOG_DEBUG : LOG_NOTICE;
}

void device_lost(Device *d) {
        d->healthy_usec = 0;
        if (!d->present)
                return;
        d->present = false;
        (void)log_full(level_of_presence(d), device_id(d), 0, "no longer answers");
        device_changed(d, DEVICE_CHANGED_STATE);
        manager_port_idle(d->port);
}

static bool set_text(char *field, size_t n, const char *value) {
        if (streq(field, value))
                return false;
        (void)snprintf(field, n, "%s", value);
        return true;
}

static bool is_other_unit(const Device *d, const DriverIdentity *id) {
        const Record *r = d->record;
        const ConfigDevice *c = d->config;

        if (c && c->model && id->model[0] && !streq(c->model, id->model))
                return true;
        if (c && c->serial && id->serial[0] && !streq(c->serial, id->serial))
                return true;
        if (!(id->capabilities & DRIVER_CAN_IDENTIFY) || r->model[0] == '\0')
                return false;
        return !streq(r->model, id->model) || !streq(r->serial, id->serial);
}

static void claim(Device *d, const DriverIdentity *id) {
        Record *r = d->record;
        bool changed = !r->identity_changed;

        changed |= set_text(r->claimed_model, sizeof(r->claimed_model), id->model);
        changed |= set_text(r->claimed_serial, sizeof(r->claimed_serial), id->serial);
        r->identity_changed = true;
        d->silent = 0;
        device_lost(d);
        if (!changed)
                return;
        device_save_told(d);
        event_device(d, "identity-changed", OUTCOME_IDENTITY_CHANGED,
                        "%s serial %s answers in its place; nothing is sent to it until accepted",
                        id->model, id->serial);
}

void device_claimed_twice(Device *d, const char *port) {
        Record *r = d->record;

        if (record_is_claimed_twice(r))
                return;
        (void)set_text(r->claimed_model, sizeof(r->claimed_model), r->model);
        (void)set_text(r->claimed_serial, sizeof(r->claimed_serial), r->serial);
        r->identity_changed = true;
        device_save_told(d);
        event_device(d, "identity-changed", OUTCOME_IDENTITY_CHANGED,
                        "a second unit, on port %s, says that it is %s serial %s; nothing is sent to either until accepted",
                        port, r->model, r->serial);
        device_changed(d, DEVICE_CHANGED_STATE);
}

static bool take_running(Record *r, const DriverIdentity *id) {
        RecordImage *running = &r->running;
        const char *version = version_is_valid(id->version) ? id->version : "";

        if (id->in_bootloader || sha256_is_zero(&id->digest) ||
                        (id->state != DEVICE_CONFIRMED && id->state != DEVICE_UNMANAGED))
                return false;
        if (running->known && sha256_equal(&running->digest, &id->digest) &&
                        streq(running->version, version))
                return false;
        *running = (RecordImage){ .known = true, .digest = id->digest, .length = id->image_length };
        (void)snprintf(running->version, sizeof(running->version), "%.*s", VERSION_MAX, version);
        return true;
}

/* What the bootloader insists on: a program may not know of it, and takes nothing back. What only
 * a program can is not lost while its bootloader answers. */
static uint32_t capabilities_of(const Record *r, const DriverIdentity *id) {
        const uint32_t demands = DRIVER_DEMANDS_SIGNED | DRIVER_ENFORCES_FLOOR;
        const uint32_t of_program = DRIVER_CAN_HEALTH | DRIVER_CAN_DIGEST;

        return id->capabilities | (r->capabilities & (id->in_bootloader ? of_program : demands));
}

bool device_push_is_open(const DriverIdentity *id) {
        return id->state == DEVICE_PUSHING || id->state == DEVICE_VERIFIED ||
               id->state == DEVICE_TRIAL;
}

bool device_push_is_foreign(const Device *d, const DriverIdentity *id) {
        return device_push_is_open(id) && id->push_id != 0 && id->push_id != d->record->push_id;
}

/* Which push is ours outlives its update: the last one that was not confirmed yet, which a device
 * with two slots may hold while it runs what it ran before. And one of somebody else is over when
 * the device says so, or holds one of ours. */
static bool take_push(Device *d, const DriverIdentity *id) {
        Record *r = d->record;
        bool changed = false;

        if (d->update && update_is_ours(d->update, id) && id->state != DEVICE_CONFIRMED &&
                        r->push_id != id->push_id) {
                r->push_id = id->push_id;
                changed = true;
        }
        if (r->foreign_push && (id->state == DEVICE_CONFIRMED || id->state == DEVICE_UNMANAGED ||
                                               id->state == DEVICE_EMPTY ||
                                               (id->push_id != 0 && id->push_id == r->push_id))) {
                r->foreign_push = false;
                changed = true;
        }
        return changed;
}

/* What is pinned or kept of the identity; says whether the record changed. */
static bool take_identity(Device *d, const DriverIdentity *id) {
        Record *r = d->record;
        bool changed = false;

        if (id->capabilities & DRIVER_CAN_IDENTIFY) {
                changed |= set_text(r->model, sizeof(r->model), id->model);
                changed |= set_text(r->serial, sizeof(r->serial), id->serial);
                changed |= set_text(r->hardware, sizeof(r->hardware), id->hardware);
                changed |= set_text(r->bootloader_version, sizeof(r->bootloader_version),
                                id->bootloader_version);
        } else if (d->config && d->config->model) {
                changed |= set_text(r->model, sizeof(r->model), d->config->model);
        }
        changed |= set_text(r->port, sizeof(r->port), d->port ? d->port->config->name : "");
        if (r->program_space != id->program_space || r->capabilities != capabilities_of(r, id)) {
                r->program_space = id->program_space;
                r->capabilities = capabilities_of(r, id);
                changed = true;
        }
        if (r->identity_changed && !record_is_claimed_twice(d->record)) {
                /* The unit that was expected is back. */
                r->identity_changed = false;
                r->claimed_model[0] = r->claimed_serial[0] = '\0';
                changed = true;
        }
        changed |= take_push(d, id);
        return take_running(r, id) || changed;
}

static void heard(Device *d, const DriverIdentity *id) {
        bool was_present = d->present;

        d->identity = *id;
        d->known = true;
        d->stale = false;
        d->present = true;
        d->silent = 0;
        d->status_pause_usec = ABSENT_MIN_USEC;
        d->seen_usec = monotonic_usec();
        if (!id->in_bootloader)
                d->bootloader_usec = 0;
        else if (d->bootloader_usec == 0)
                d->bootloader_usec = d->seen_usec;
        d->record->last_seen = clock_now(d->manager->clock);
        if (take_identity(d, id) || d->save_due)
                device_save_told(d);
        device_watch_health(d);
        manager_port_met(d->port);
        if (!was_present)
                (void)log_full(level_of_presence(d), device_id(d), 0,
                                "answers: model %s, version %s, %s", id->model,
                                id->version[0] ? id->version : "unknown",
                                device_state_to_string(id->state));
        device_changed(d, DEVICE_CHANGED_STATE);
}

static void not_heard(Device *d, DriverCode code) {
        d->status_pause_usec = CLAMP(d->status_pause_usec * 2, ABSENT_MIN_USEC, ABSENT_MAX_USEC);
        if (code == DRIVER_E_PORT || ++d->silent >= SILENT_MAX)
                device_lost(d);
}

/* It answers: the update that waited for that goes on; one that is stranded may be over. */
static void wake_update(Device *d) {
        Update *u = d->update;

        if (u->state == UPDATE_WAITING && u->wait == OUTCOME_WAIT_DEVICE)
                update_wake(u);
        else if (u->state == UPDATE_STRANDED)
                stranded_heard(u, &d->identity);
}

/* What it told before the line went silent is over. */
static bool is_silence(DriverCode code) {
        return code == DRIVER_E_NO_ANSWER || code == DRIVER_E_PORT || code == DRIVER_E_LINE;
}

bool device_heard(Device *d, const DriverResult *result) {
        if (result->has_identity && (result->code == DRIVER_E_OTHER_UNIT ||
                                                    is_other_unit(d, &result->identity))) {
                claim(d, &result->identity);
                return false;
        }
        if (is_silence(result->code))
                not_heard(d, result->code);
        if (!result->has_identity || is_silence(result->code))
                return true;
        heard(d, &result->identity);
        if (d->update && result->code == DRIVER_OK)
                wake_update(d);
        return true;
}

/* ---- what is left ---- */

/* There is an image to put back. */
static bool keeps_any(const Device *d) {
        const Record *r = d->record;
        Store *store = d->manager->store;

        return (r->backup.known && store_has(store, &r->backup.digest)) ||
               (r->previous.known && store_has(store, &r->previous.digest));
}

/* Also with a program that nobody will ever confirm: that of a push of ours whose update is
 * over. */
static bool is_blank(const Device *d) {
        const DriverIdentity *id = &d->identity;
        bool open = device_push_is_open(id) && id->push_id != 0 &&
                    id->push_id == d->record->push_id;
        bool dead = id->in_bootloader &&
                    (id->state == DEVICE_FAILED || id->state == DEVICE_DAMAGED ||
                                    id->state == DEVICE_PUSHING);

        return (open || dead || id->state == DEVICE_EMPTY) && !keeps_any(d);
}

bool device_is_blank(const Device *d) {
        return d->known && is_blank(d);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Update: the table of stages, and the one way from state to state.
 *
 *   downloading ► validating ► pushing ► trial ► confirming ► reporting        an upgrade that
 *   succeeds
 *                                 │        │         │
 *                                 └────────┴────┬────┘ fails
 *                                           restoring ► pushing ► trial ► confirming ► reporting
 *                                               │ nothing left to restore
 *                                           stranded ► restoring ► …
 *
 * update_enter() waits until the record is on disk as it is, writes the journal, waits for that
 * too, tells everybody, and starts the stage. So every stage can be the first one after a crash,
 * and each begins by asking the device what is true. WAITING parks: it remembers where to go on. */
#include "daemon/update.h"

#include <stdarg.h>

#include "basic/backoff.h"
#include "basic/log.h"
#include "basic/names.h"
#include "daemon/ask.h"
#include "daemon/device.h"
#include "daemon/event.h"
#include "daemon/stages.h"
#include "daemon/update-journal.h"
#include "daemon/update-read.h"

typedef struct UpdateStage {
        const char *name;
        void (*start)(Update *u);
        UpdateState success, failure;
} UpdateStage;

static const UpdateStage stages[_UPDATE_STATE_MAX] = {
        /* clang-format off */
        /* state                  name           start             success             failure */
        [UPDATE_DOWNLOADING] = { "downloading", download_start,   UPDATE_VALIDATING,  UPDATE_REPORTING },
        [UPDATE_READING]     = { "reading",     reading_start,    UPDATE_ADOPTING,    UPDATE_REPORTING },
        [UPDATE_VALIDATING]  = { "validating",  validating_start, UPDATE_PUSHING,     UPDATE_REPORTING },
        [UPDATE_PUSHING]     = { "pushing",     pushing_start,    UPDATE_TRIAL,       UPDATE_RESTORING },
        [UPDATE_TRIAL]       = { "trial",       trial_start,      UPDATE_CONFIRMING,  UPDATE_RESTORING },
        [UPDATE_CONFIRMING]  = { "confirming",  confirming_start, UPDATE_REPORTING,   UPDATE_RESTORING },
        [UPDATE_ADOPTING]    = { "adopting",    adopting_start,   UPDATE_REPORTING,   UPDATE_REPORTING },
        [UPDATE_RESTORING]   = { "restoring",   restoring_start,  UPDATE_PUSHING,     UPDATE_STRANDED  },
        [UPDATE_STRANDED]    = { "stranded",    stranded_start,   UPDATE_RESTORING,   UPDATE_RESTORING },
        [UPDATE_WAITING]     = { "waiting",     waiting_start,    UPDATE_WAITING,     UPDATE_REPORTING },
        [UPDATE_REPORTING]   = { "reporting",   reporting_start,  UPDATE_REPORTING,   UPDATE_REPORTING },
        /* clang-format on */
};

static const char *const kind_names[_UPDATE_KIND_MAX] = {
        [UPDATE_UPGRADE] = "upgrade",
        [UPDATE_RESTORE] = "restore",
        [UPDATE_ADOPT] = "adopt",
};

static const char *const role_names[_ROLE_MAX] = {
        [ROLE_CANDIDATE] = "candidate",
        [ROLE_BACKUP] = "backup",
        [ROLE_PREVIOUS] = "previous",
};

void update_give_port(Update *u) {
        if (u->wanted)
                port_unwant(u->wanted->port);
        u->wanted = NULL;
}

/* The device may have moved to another line since. */
void update_want_port(Update *u) {
        ManagerPort *p = u->device->port;

        if (u->wanted == p)
                return;
        update_give_port(u);
        if (!p || !p->port)
                return;
        u->wanted = p;
        port_want(p->port);
}

/* What a state holds, ends with it; so do its callbacks. */
static void leave(Update *u) {
        device_saved_forget(u->device, u);
        if (u->storing)
                store_forget(u->manager->store, u);
        u->storing = false;
        u->exchange = exchange_cancel(u->exchange);
        u->download = download_free(u->download);
        u->timer = sd_event_source_disable_unref(u->timer);
        u->reading = update_read_free(u->reading);
        if (u->image)
                store_unmap(u->image, u->image_length);
        u->image = NULL;
        u->image_length = 0;
        u->image_release = release_free(u->image_release);
        u->progress = (DriverProgress){};
        u->rate_bytes = u->left_seconds = 0;
}

static void start_stage(Update *u) {
        device_changed(u->device, DEVICE_CHANGED_STATE);
        stages[u->state].start(u);
}

static void on_entered(int error, void *userdata) {
        Update *u = userdata;

        if (error < 0) {
                manager_fatal(u->manager, error, "the journal of an update could not be written");
                return;
        }
        u->entering = false;
        if (u->have_next) {
                u->have_next = false;
                update_enter(u, u->next);
                return;
        }
        device_entered(u->device);
        event_state(u);
        start_stage(u);
}

/* The record is on disk as it was when the state was entered. */
static void write_entry(int error, void *userdata) {
        _cleanup_json_ json_t *entry = NULL;
        Update *u = userdata;
        int r;

        entry = update_to_json(u);
        r = entry ? journal_append(u->journal, entry, on_entered, u) : -ENOMEM;
        if (r < 0)
                manager_fatal(u->manager, r, "the journal of an update could not be written");
}

void update_enter(Update *u, UpdateState state) {
        int r;

        if (u->entering) {
                u->have_next = true;
                u->next = state;
                return;
        }
        leave(u);
        if (state != UPDATE_DOWNLOADING)
                u->folder_fd = close_fd(u->folder_fd);
        u->resumed = false;
        u->not_before_usec = 0;
        if (state != UPDATE_WAITING && u->state != UPDATE_WAITING)
                u->pauses = 0;
        u->state = state;
        text_clean(u->text);
        text_clean(u->wait_text);
        u->entering = true;
        r = device_when_saved(u->device, write_entry, u);
        if (r < 0)
                manager_fatal(u->manager, r, "an update could not go on");
}

void update_start(Update *u) {
        update_enter(u, u->state);
}

void update_resume(Update *u) {
        (void)log_full(LOG_NOTICE, device_id(u->device), 0, "going on with the open %s in state %s",
                        kind_names[u->kind], stages[u->state].name);
        u->resumed = true;
        u->manager->expired |= u->state == UPDATE_WAITING && u->wait == OUTCOME_WAIT_CLOCK;
        /* The reason to wait may be gone since, be it by another configuration. */
        if (u->state == UPDATE_WAITING && u->wait != OUTCOME_WAIT_DEVICE)
                update_enter(u, u->resume);
        else
                start_stage(u);
}

void update_success(Update *u) {
        update_enter(u, stages[u->state].success);
}

void update_failure(Update *u, Outcome outcome, const char *format, ...) {
        va_list ap;

        u->outcome = outcome;
        u->in_vain |= u->touched && u->role == ROLE_CANDIDATE &&
                      (outcome == OUTCOME_PUSH_FAILED_FLASH || outcome == OUTCOME_DEVICE_REFUSED);
        va_start(ap, format);
        (void)vsnprintf(u->text, sizeof(u->text), format, ap);
        va_end(ap);
        (void)log_full(LOG_WARNING, device_id(u->device), 0, "%s failed: %s", stages[u->state].name,
                        u->text);
        update_enter(u, stages[u->state].failure);
}

void update_wait(Update *u, UpdateState resume, Outcome wait, const char *format, ...) {
        va_list ap;

        u->resume = resume;
        u->wait = wait;
        va_start(ap, format);
        (void)vsnprintf(u->wait_text, sizeof(u->wait_text), format, ap);
        va_end(ap);
        update_enter(u, UPDATE_WAITING);
}

void update_wake(Update *u) {
        if (u->state != UPDATE_WAITING || u->entering || monotonic_usec() < u->not_before_usec)
                return;
        update_enter(u, u->resume);
}

/* The state that it is in as soon as its journal says so. */
static UpdateState state_soon(const Update *u) {
        return u->have_next ? u->next : u->state;
}

bool update_is_fetching(const Update *u) {
        UpdateState s = state_soon(u);

        return s == UPDATE_DOWNLOADING || (s == UPDATE_WAITING && u->wait == OUTCOME_WAIT_SERVER);
}

void update_fetch(Update *u, int folder_fd) {
        close_fd(u->folder_fd);
        u->folder_fd = folder_fd;
        update_enter(u, UPDATE_DOWNLOADING);
}

bool update_wants_folder(const Update *u) {
        return state_soon(u) == UPDATE_DOWNLOADING &&
               (!u->download || download_reads_folder(u->download));
}

void update_drop(Update *u, const char *format, ...) {
        va_list ap;

        u->outcome = OUTCOME_CANCELED;
        va_start(ap, format);
        (void)vsnprintf(u->text, sizeof(u->text), format, ap);
        va_end(ap);
        update_enter(u, UPDATE_REPORTING);
}

void update_drop_withdrawn(Update *u) {
        update_drop(u, "%s was withdrawn by its publisher", u->candidate->version);
}

bool update_is_untouched(const Update *u) {
        UpdateState s = u->state == UPDATE_WAITING ? u->resume : u->state;

        if (u->touched)
                return false;
        return s == UPDATE_DOWNLOADING || s == UPDATE_VALIDATING || s == UPDATE_READING ||
               s == UPDATE_ADOPTING || s == UPDATE_PUSHING ||
               (s == UPDATE_RESTORING && u->kind == UPDATE_RESTORE);
}

static void on_closed(int error, void *userdata) {
        Update *u = userdata;
        Device *d = u->device;
        Outcome outcome = u->outcome;
        Why text;

        if (error < 0) {
                manager_fatal(u->manager, error, "the journal of an update could not be closed");
                return;
        }
        (void)why(&text, 0, "%s", u->text);
        device_count_try(d, u);
        update_free(u);
        device_finished(d, outcome, &text);
}

void update_finish(Update *u) {
        int r;

        leave(u);
        r = journal_close(u->journal, on_closed, u);
        if (r < 0)
                manager_fatal(u->manager, r, "the journal of an update could not be closed");
}

int update_new(Device *d, UpdateKind kind, UpdateState first, const Release *candidate,
                Update **ret) {
        _cleanup_(update_freep) Update *u = NULL;
        int r;

        u = new0(Update, 1);
        if (!u)
                return -ENOMEM;
        u->manager = d->manager;
        u->device = d;
        u->folder_fd = -1;
        u->id = random_u64();
        u->kind = kind;
        u->state = first;
        if (kind == UPDATE_RESTORE) {
                u->role = ROLE_BACKUP;
                u->kept = d->record->backup;
                u->stranded_tries = d->record->stranded_tries;
        }
        u->started = clock_now(d->manager->clock);
        if (candidate) {
                u->candidate = release_copy(candidate);
                if (!u->candidate)
                        return -ENOMEM;
        }
        r = journal_new(d->manager->sync, d->manager->updates_fd, device_id(d), &u->journal);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(u);
        return 0;
}

Update *update_free(Update *u) {
        if (!u)
                return NULL;
        leave(u);
        update_give_port(u);
        close_fd(u->folder_fd);
        if (u->device->update == u)
                u->device->update = NULL;
        journal_free(u->journal);
        release_free(u->candidate);
        free(u);
        return NULL;
}

void update_new_push(Update *u, const DriverIdentity *id) {
        /* It may hold the one before, whichever of ours got so far, until this one is taken. */
        u->last_push_id = update_is_ours(u, id) ? id->push_id : 0;
        u->push_id = random_u64();
        u->stalls = 0;
        u->units_right = 0;
        u->trial_restarts = 0;
        u->trial_watched = false;
}

const Sha256 *update_digest(const Update *u) {
        if (u->role != ROLE_CANDIDATE)
                return &u->kept.digest;
        return u->candidate ? &u->candidate->image_digest : &u->device->record->running.digest;
}

const char *update_version(const Update *u) {
        if (u->role != ROLE_CANDIDATE)
                return u->kept.version;
        return u->candidate ? u->candidate->version : u->device->record->running.version;
}

int update_set_timer(Update *u, uint64_t usec, sd_event_time_handler_t handler) {
        u->timer = sd_event_source_disable_unref(u->timer);
        return sd_event_add_time_relative(
                        u->manager->event, &u->timer, CLOCK_MONOTONIC, usec, usec / 20, handler, u);
}

const char *update_state_to_string(UpdateState s) {
        return stages[s].name;
}

const char *update_kind_to_string(UpdateKind k) {
        return kind_names[k];
}

const char *update_role_to_string(UpdateRole r) {
        return role_names[r];
}

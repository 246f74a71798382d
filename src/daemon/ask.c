/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every operation goes through here, so that identity, presence and lost lines are judged in one
 * place. */
#include "daemon/ask.h"

#include <inttypes.h>

#include "daemon/event.h"
#include "daemon/stages.h"

#define FACE_INTERVAL_USEC (USEC_PER_SEC / 5)

static void set_permille(Update *u, const DriverProgress *p) {
        /* Sending is nearly all of the time; the rest of the way belongs to trial and confirm. */
        if (p->phase == DRIVER_PHASE_SEND && p->total_bytes > 0)
                u->permille = (unsigned)(p->done_bytes * 900 / p->total_bytes);
        else if (p->phase == DRIVER_PHASE_VERIFY)
                u->permille = 900;
}

void update_begin_rate(Update *u) {
        u->phase_start_usec = monotonic_usec();
        u->phase_start_bytes = u->progress.done_bytes;
        u->rate_bytes = u->left_seconds = 0;
}

void update_set_rate(Update *u) {
        const DriverProgress *p = &u->progress;
        uint64_t spent = monotonic_usec() - u->phase_start_usec;

        u->rate_bytes = u->left_seconds = 0;
        if (spent <= FACE_INTERVAL_USEC || p->done_bytes < u->phase_start_bytes)
                return;
        u->rate_bytes = (p->done_bytes - u->phase_start_bytes) * USEC_PER_SEC / spent;
        if (u->rate_bytes > 0 && p->total_bytes > p->done_bytes)
                u->left_seconds = (p->total_bytes - p->done_bytes + u->rate_bytes - 1) /
                                  u->rate_bytes;
}

static void on_progress(Exchange *x, const DriverProgress *p, void *userdata) {
        Update *u = userdata;
        bool is_new = p->phase != u->progress.phase;

        u->progress = *p;
        set_permille(u, p);
        if (is_new)
                update_begin_rate(u);
        else
                update_set_rate(u);
        device_changed(u->device, DEVICE_CHANGED_PROGRESS | (is_new ? DEVICE_CHANGED_STATE : 0));
}

static void on_done(Exchange *x, const DriverResult *result, void *userdata) {
        Update *u = userdata;
        AskFunc func = u->ask_func;

        u->exchange = NULL;
        u->line_bytes += result->line_bytes_sent + result->line_bytes_received;
        func(u, result);
}

static void submit(Update *u, const DriverRequest *request, PortPriority priority, AskFunc func) {
        Device *d = u->device;
        const ExchangeFuncs funcs = { on_progress, on_done, u };
        int r;

        if (!d->port || !d->port->port) {
                update_wait(u, u->state, OUTCOME_WAIT_DEVICE, "%s was not seen since the start",
                                device_id(d));
                return;
        }
        update_want_port(u);
        /* The driver does one thing at a time: the question of the idle device gives way. */
        d->status = exchange_cancel(d->status);
        u->ask_func = func;
        u->phase_start_usec = monotonic_usec();
        r = port_submit(d->port->port, priority, d->driver, request, &funcs, &u->exchange);
        if (r < 0)
                manager_fatal(u->manager, r, "a request to a port could not be queued");
}

/* Short questions, of which one may find that a way back is needed: on a bus they do not wait for
 * the pushes of others. */
static bool is_urgent(const Update *u) {
        return u->state == UPDATE_TRIAL || u->state == UPDATE_CONFIRMING ||
               u->state == UPDATE_RESTORING;
}

static PortPriority priority(const Update *u) {
        return u->role != ROLE_CANDIDATE || is_urgent(u) ? PORT_RESTORE : PORT_PUSH;
}

void update_ask(Update *u, DriverOp op, AskFunc func) {
        DriverRequest request;

        device_request(u->device, op, &request);
        request.push_id = u->push_id;
        submit(u, &request, priority(u), func);
}

void update_ask_start_any(Update *u, AskFunc func) {
        DriverRequest request;

        device_request(u->device, DRIVER_START, &request);
        submit(u, &request, priority(u), func);
}

void update_ask_push(Update *u, bool ours, AskFunc func) {
        DriverRequest request;

        device_request(u->device, DRIVER_PUSH, &request);
        request.push_id = u->push_id;
        request.image = u->image;
        request.image_length = u->image_length;
        request.header = u->image_release->header;
        request.header_length = u->image_release->header_length;
        request.signature = u->image_release->signature;
        request.signature_length = u->image_release->signature_length;
        request.file_name = u->image_release->target;
        request.trial_seconds = update_trial_seconds(u);
        request.restore = u->role != ROLE_CANDIDATE;
        request.take_over = ours;
        submit(u, &request, priority(u), func);
}

bool update_parked(Update *u, const DriverResult *result) {
        Device *d = u->device;

        if (!device_heard(d, result)) {
                update_wait(u, u->state, OUTCOME_WAIT_DEVICE,
                                "another unit (%s) answers in the place of %s",
                                result->identity.serial, device_id(d));
                return true;
        }
        switch (result->code) {
        case DRIVER_E_NO_ANSWER:
        case DRIVER_E_LINE:
        case DRIVER_E_PORT:
        case DRIVER_E_PROTOCOL:
        case DRIVER_E_CANCELED:
        case DRIVER_E_UNCONFIRMED_END:
                update_wait(u, u->state, OUTCOME_WAIT_DEVICE, "%s", result->why.text);
                return true;
        default:
                return false;
        }
}

bool update_is_ours(const Update *u, const DriverIdentity *id) {
        return id->push_id != 0 && (id->push_id == u->push_id || id->push_id == u->last_push_id ||
                                                   id->push_id == u->device->record->push_id);
}

bool update_is_foreign(const Update *u, const DriverIdentity *id) {
        return device_push_is_foreign(u->device, id) && !update_is_ours(u, id);
}

void update_wait_foreign(Update *u, const DriverIdentity *id) {
        Record *record = u->device->record;

        if (!record->foreign_push) {
                record->foreign_push = true;
                device_save(u->device);
                event_device(u->device, "foreign-push", OUTCOME_FOREIGN_PUSH,
                                "the device is in the middle of push %016" PRIx64
                                ", which is not of this gateway",
                                id->push_id);
        }
        update_wait(u, u->state, OUTCOME_FOREIGN_PUSH,
                        "push %016" PRIx64
                        " of somebody else is open on %s: rekindlectl accept %s takes over",
                        id->push_id, device_id(u->device), device_id(u->device));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Session: runs the driver of one exchange on an open port: asks it what comes next until it
 * waits, and feeds it what arrives. */
#include <assert.h>

#include "basic/clock.h"
#include "driver/port-private.h"

/* a line that takes no bytes, beyond their own time */
#define STALL_USEC          (5 * USEC_PER_SEC)
#define DRAIN_MAX_USEC      (2 * USEC_PER_SEC)
#define DRAIN_STEP_USEC     (2 * USEC_PER_MSEC)
#define PROGRESS_USEC       (100 * USEC_PER_MSEC)
#define ACTIONS_AT_ONCE     64 /* then the loop gets its turn */
#define FAREWELL_FRAMES_MAX 8
/* to what an exchange asked that was dropped */
#define ANSWER_MAX_USEC (USEC_PER_SEC / 2)

static void pump(Exchange *x);

static void release_plan(Exchange *x) {
        if (x->plan_held)
                x->port->planner.release(x->port->planner.userdata, x);
        x->plan_held = x->planning = false;
}

/* Takes the exchange off the port and tells its owner. The driver is free from here on. */
static void finish(Exchange *x, const DriverResult *result) {
        Port *port = x->port;

        assert(port->current == x);
        port->current = NULL;
        x->funcs.on_done(x, result, x->funcs.userdata);
        x->port = NULL;
        free(x);
        port_kick(port);
}

static void end(Exchange *x, const DriverResult *result) {
        release_plan(x);
        finish(x, result);
}

void session_fail(Exchange *x, const char *text) {
        if (x->started) {
                x->driver->vtable->cancel(x->driver); /* what it has done so far counts */
                x->failure = *x->driver->vtable->result(x->driver);
        }
        x->failure.code = DRIVER_E_PORT;
        x->failure.bytes = NULL;
        x->failure.length = x->failure.header_length = 0;
        (void)why(&x->failure.why, 0, "%s", text);
        end(x, &x->failure);
}

static void show_progress(Exchange *x) {
        uint64_t now = monotonic_usec();
        DriverProgress p;

        if (!x->funcs.on_progress || now - x->shown_usec < PROGRESS_USEC)
                return;
        x->driver->vtable->progress(x->driver, &p);
        if (p.phase == x->shown.phase && p.done_bytes == x->shown.done_bytes &&
                        p.total_bytes == x->shown.total_bytes)
                return;
        x->shown = p;
        x->shown_usec = now;
        x->funcs.on_progress(x, &p, x->funcs.userdata);
}

static void arm(Exchange *x, SessionWait wait, uint64_t usec) {
        x->wait = wait;
        x->deadline_usec = usec;
        (void)port_arm(x->port, usec);
}

/* The plan came: at once, from within start, or later. */
static void on_plan(void *cookie, uint8_t codec, const void *stream, size_t n) {
        Exchange *x = cookie;

        if (!x->planning)
                return;
        x->planning = false;
        x->driver->vtable->plan(x->driver, codec, stream, n);
        if (!x->in_pump && x->wait == SESSION_DEADLINE)
                pump(x);
}

static void start_plan(Exchange *x, const DriverPlanRequest *request) {
        const Planner *p = &x->port->planner;

        if (x->planning)
                return;
        release_plan(x);
        if (!p->start) {
                x->driver->vtable->plan(x->driver, 0, NULL, 0);
                return;
        }
        x->planning = x->plan_held = true;
        if (p->start(p->userdata, request, x->request.image, x->request.image_length, on_plan, x) <
                        0) {
                x->planning = x->plan_held = false;
                x->driver->vtable->plan(x->driver, 0, NULL, 0);
        }
}

static bool do_plan(Exchange *x, const DriverAction *a) {
        bool asked = x->planning;

        start_plan(x, a->plan);
        if (!asked && !x->planning)
                return true; /* answered already: the driver goes on */
        arm(x, SESSION_DEADLINE, a->deadline_usec);
        return false;
}

static bool do_send(Exchange *x, const DriverAction *a) {
        int r = port_write(x->port, a->bytes, a->length);

        if (r < 0) {
                port_lost(x->port, r);
                return false;
        }
        if (x->port->n_out == 0)
                return true;
        arm(x, SESSION_FLUSHING,
                        monotonic_usec() +
                                        (uint64_t)x->port->n_out * 10 * USEC_PER_SEC /
                                                        x->port->line.baud +
                                        STALL_USEC);
        return false;
}

static bool set_line(Exchange *x) {
        int r = port_set_line(x->port, &x->line);
        char text[WHY_MAX];

        if (r >= 0)
                return true;
        (void)snprintf(text, sizeof(text), "%s cannot be set to %u baud: %s", port_path(x->port),
                        x->line.baud, strerror(-r));
        session_fail(x, text);
        return false;
}

static bool do_line(Exchange *x, const DriverAction *a) {
        x->line = a->line;
        x->line.rtscts |= x->port->config.rtscts;
        if (port_is_draining(x->port)) {
                x->drain_until_usec = monotonic_usec() + DRAIN_MAX_USEC;
                arm(x, SESSION_DRAINING, monotonic_usec() + DRAIN_STEP_USEC);
                return false;
        }
        return set_line(x);
}

static bool next_pulse(Exchange *x) {
        char text[WHY_MAX];

        while (x->pulse_index < x->n_pulses) {
                const DriverPulse *p = x->pulses + x->pulse_index++;
                int r = x->port->backend->vtable->pulse(x->port->backend, p);

                if (r < 0) {
                        (void)snprintf(text, sizeof(text), "%s has no such control lines: %s",
                                        port_path(x->port), strerror(-r));
                        session_fail(x, text);
                        return false;
                }
                if (p->hold_usec > 0) {
                        arm(x, SESSION_PULSING, monotonic_usec() + p->hold_usec);
                        return false;
                }
        }
        return true;
}

static bool do_pulse(Exchange *x, const DriverAction *a) {
        assert(a->n_pulses <= ELEMENTSOF(x->pulses));
        memcpy(x->pulses, a->pulses, a->n_pulses * sizeof(DriverPulse));
        x->n_pulses = a->n_pulses;
        x->pulse_index = 0;
        return next_pulse(x);
}

/* Does what the driver says; false: something has to happen first, or the exchange is over and
 * gone. */
static bool act(Exchange *x) {
        DriverAction a;

        x->driver->vtable->next(x->driver, monotonic_usec(), &a);
        switch (a.type) {
        case DRIVER_SEND:
                return do_send(x, &a);
        case DRIVER_LINE:
                return do_line(x, &a);
        case DRIVER_PULSE:
                return do_pulse(x, &a);
        case DRIVER_PLAN:
                return do_plan(x, &a);
        case DRIVER_DONE:
                end(x, x->driver->vtable->result(x->driver));
                return false;
        default:
                arm(x, SESSION_DEADLINE, a.deadline_usec);
                return false;
        }
}

static void pump(Exchange *x) {
        Port *port = x->port;

        x->wait = SESSION_FREE;
        x->in_pump = true;
        for (unsigned i = 0; i < ACTIONS_AT_ONCE; i++)
                if (!act(x)) {
                        if (port->current == x)
                                x->in_pump = false;
                        return;
                }
        x->in_pump = false;
        arm(x, SESSION_DEADLINE, 0);
}

void session_start(Exchange *x) {
        int r = x->driver->vtable->start(x->driver, &x->request, monotonic_usec());

        if (r < 0) {
                x->failure = (DriverResult){ .code = DRIVER_E_UNSUPPORTED };
                (void)why(&x->failure.why, 0, "the %s driver cannot do this: %s",
                                x->driver->vtable->name, strerror(-r));
                end(x, &x->failure);
                return;
        }
        x->started = true;
        pump(x);
}

void session_input(Exchange *x, const void *bytes, size_t n) {
        x->driver->vtable->input(x->driver, bytes, n, monotonic_usec());
        if (x->wait == SESSION_DEADLINE || x->wait == SESSION_FREE) {
                Port *port = x->port;

                pump(x);
                if (port->current != x)
                        return;
        }
        show_progress(x);
}

void session_flushed(Exchange *x) {
        if (x->wait == SESSION_FLUSHING)
                pump(x);
}

static void timer_draining(Exchange *x) {
        if (port_is_draining(x->port) && monotonic_usec() < x->drain_until_usec)
                arm(x, SESSION_DRAINING, monotonic_usec() + DRAIN_STEP_USEC);
        else if (set_line(x))
                pump(x);
}

void session_timer(Exchange *x) {
        switch (x->wait) {
        case SESSION_FLUSHING:
                /* The line takes nothing: what it did not take is dropped, and the driver sees
                 * silence. */
                x->port->backend->vtable->discard(x->port->backend);
                x->port->n_out = 0;
                pump(x);
                return;
        case SESSION_DRAINING:
                timer_draining(x);
                return;
        case SESSION_PULSING:
                if (next_pulse(x))
                        pump(x);
                return;
        default:
                x->driver->vtable->tick(x->driver, monotonic_usec());
                pump(x);
        }
}

void session_drop(Exchange *x) {
        Port *port = x->port;
        DriverAction a;

        if (x->wait == SESSION_DEADLINE) /* the answer may still come */
                port_hold_bus(port, MIN(x->deadline_usec, monotonic_usec() + ANSWER_MAX_USEC));
        x->driver->vtable->cancel(x->driver);
        for (unsigned i = 0; i < FAREWELL_FRAMES_MAX && port->backend; i++) {
                x->driver->vtable->next(x->driver, monotonic_usec(), &a);
                if (a.type != DRIVER_SEND || port_write(port, a.bytes, a.length) < 0)
                        break;
        }
        release_plan(x);
        port->current = NULL;
        free(x);
        port_kick(port);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Port: the line's states and its queue.
 *
 *      exclusive    FAILED <-> OPEN            opened at once, again and again with growing pauses,
 *      sooner when the path appears
 *      on-demand    CLOSED -> WANTED -> OPEN -> CLOSED     a lost line is FAILED, and retried, as
 *      long as it is wanted
 *
 * Exchanges begin and fail from one deferred call (port_kick), never from inside a caller's
 * stack; between two of them the line is set back to the port's own speed, so that a device
 * which announces itself is heard; and on a bus the answer to the one before has its time. */
#include <assert.h>
#include <libgen.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "driver/port-private.h"
#include "proto/message.h"

#define BAUD_MIN        1200
#define BAUD_MAX        4000000
#define RETRY_MIN_USEC  (200 * USEC_PER_MSEC)
#define RETRY_MAX_USEC  (5 * USEC_PER_SEC)
#define APPEARED_USEC   (20 * USEC_PER_MSEC) /* a device node gets its rights just after its name */
#define DRAIN_STEP_USEC (2 * USEC_PER_MSEC)
#define DRAIN_MAX_USEC  (2 * USEC_PER_SEC)
#define ACCURACY_USEC   USEC_PER_MSEC
#define READ_BYTES      4096
#define READS_AT_ONCE   4
#define DROPS_AT_ONCE   64

enum {
        INPUT_FIRST = -10, /* what has arrived counts before deadlines do */
};

static int try_open(Port *port, Why *w);

/* States. */

static void tell_state(Port *port) {
        if (port->events.on_state)
                port->events.on_state(port, port->events.userdata);
}

static void set_state(Port *port, PortState state, const char *problem) {
        bool same = port->state == state && streq(port->problem.text, problem);

        port->state = state;
        if (problem != port->problem.text)
                (void)why(&port->problem, 0, "%s", problem);
        if (!same)
                tell_state(port);
}

static void close_line(Port *port) {
        port->io = sd_event_source_disable_unref(port->io);
        (void)sd_event_source_set_enabled(port->timer, SD_EVENT_OFF);
        port->backend = port_backend_close(port->backend);
        port->n_out = 0;
}

static void stop_retry(Port *port) {
        (void)sd_event_source_set_enabled(port->retry, SD_EVENT_OFF);
        port->watch = sd_event_source_disable_unref(port->watch);
}

static void retry_in(Port *port, uint64_t usec) {
        (void)sd_event_source_set_time_relative(port->retry, usec);
        (void)sd_event_source_set_enabled(port->retry, SD_EVENT_ONESHOT);
}

static int on_appeared(sd_event_source *s, const struct inotify_event *e, void *userdata) {
        Port *port = userdata;
        const char *name = strrchr(port->path, '/');

        if (e->len > 0 && name && streq(name + 1, e->name)) {
                backoff_reset(&port->backoff);
                retry_in(port, APPEARED_USEC);
        }
        return 0;
}

/* Hears of the path's appearance, where its folder exists; the pauses between tries do not
 * depend on it. */
static void watch_path(Port *port) {
        _cleanup_free_ char *copy =
                        strdup(startswith(port->path, "unix:") ? port->path + 5 : port->path);

        if (port->watch || !copy)
                return;
        (void)sd_event_add_inotify(port->event, &port->watch, dirname(copy),
                        IN_CREATE | IN_MOVED_TO | IN_ATTRIB, on_appeared, port);
}

static void fail(Port *port, const char *problem) {
        watch_path(port);
        retry_in(port, backoff_next(&port->backoff, random_u32()));
        set_state(port, PORT_FAILED, problem);
        port_kick(port);
}

void port_lost(Port *port, int error) {
        char text[WHY_MAX];

        (void)snprintf(text, sizeof(text), "%s was lost: %s", port->path,
                        error == -ENODEV ? "hung up" : strerror(-error));
        close_line(port);
        fail(port, text);
        if (port->current)
                session_fail(port->current, text);
}

static bool is_wanted(const Port *port) {
        return port->config.mode == PORT_EXCLUSIVE || port->wants > 0;
}

static int on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        Port *port = userdata;
        Why w = { "" };

        if (port->state != PORT_FAILED)
                return 0;
        if (try_open(port, &w) < 0)
                fail(port, w.text);
        return 0;
}

/* Bytes. */

static int wait_for_room(Port *port, bool on) {
        return sd_event_source_set_io_events(port->io, EPOLLIN | (on ? EPOLLOUT : 0));
}

int port_write(Port *port, const void *bytes, size_t n) {
        ssize_t taken = 0;

        if (port->n_out == 0) {
                taken = port->backend->vtable->write(port->backend, bytes, n);
                if (taken < 0)
                        return (int)taken;
        }
        if ((size_t)taken == n)
                return 0;
        if (n - (size_t)taken > sizeof(port->out) - port->n_out)
                return -ENOBUFS;
        memcpy(port->out + port->n_out, (const uint8_t *)bytes + taken, n - (size_t)taken);
        port->n_out += n - (size_t)taken;
        return wait_for_room(port, true);
}

static int flush(Port *port) {
        ssize_t taken = port->backend->vtable->write(port->backend, port->out, port->n_out);

        if (taken < 0)
                return (int)taken;
        port->n_out -= (size_t)taken;
        memmove(port->out, port->out + taken, port->n_out);
        return port->n_out > 0 ? 0 : wait_for_room(port, false);
}

bool port_is_draining(Port *port) {
        return port->n_out > 0 || port->backend->vtable->queued(port->backend) > 0;
}

void port_hold_bus(Port *port, uint64_t until_usec) {
        if (port->config.half_duplex)
                port->bus_free_usec = MAX(port->bus_free_usec, until_usec);
}

DriverLine port_line(const Port *port) {
        return (DriverLine){
                .baud = port->config.baud,
                .data_bits = 8,
                .stop_bits = 1,
                .parity = 'N',
                .rtscts = port->config.rtscts,
        };
}

static bool line_equal(const DriverLine *a, const DriverLine *b) {
        return a->baud == b->baud && a->data_bits == b->data_bits && a->stop_bits == b->stop_bits &&
               a->parity == b->parity && a->rtscts == b->rtscts;
}

int port_set_line(Port *port, const DriverLine *line) {
        int r = 0;

        if (!line_equal(&port->line, line))
                r = port->backend->vtable->set_line(port->backend, line);
        if (r >= 0)
                port->line = *line;
        return r;
}

static void take_hello(Port *port, const uint8_t *bytes, size_t n) {
        RkdFrame frame;
        RkdAnswer a;

        if (port->config.half_duplex || !port->events.on_hello)
                return;
        for (size_t i = 0; i < n; i++) {
                if (rkd_frame_reader_feed(&port->hello, bytes[i], &frame) != RKD_DECODED_COMPLETE)
                        continue;
                if (frame.type == RKD_HELLO && frame.address == RKD_ADDRESS_POINT &&
                                (frame.flags & RKD_FLAG_FROM_DEVICE) &&
                                rkd_answer_decode(&a, frame.type, frame.payload, frame.n_payload) ==
                                                0)
                        port->events.on_hello(
                                        port, a.who == RKD_WHO_BOOTLOADER, port->events.userdata);
        }
}

/* 1: there may be more, 0: nothing there, < 0: lost. */
static int take_input(Port *port, bool drop) {
        uint8_t buffer[READ_BYTES];
        ssize_t n = port->backend->vtable->read(port->backend, buffer, sizeof(buffer));

        if (n <= 0)
                return (int)n;
        backoff_reset(&port->backoff);
        if (drop)
                return 1;
        port_hold_bus(port, monotonic_usec() + port->config.turnaround_usec);
        if (port->current)
                session_input(port->current, buffer, (size_t)n);
        else
                take_hello(port, buffer, (size_t)n);
        return (size_t)n == sizeof(buffer);
}

static int on_room(Port *port) {
        int r = flush(port);

        if (r < 0 || port->n_out > 0)
                return r;
        if (port->current)
                session_flushed(port->current);
        else
                port_kick(port);
        return 0;
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Port *port = userdata;
        int r = 0;

        if ((revents & EPOLLOUT) && port->n_out > 0)
                r = on_room(port);
        if (revents & EPOLLIN) {
                int more = 1;

                for (unsigned i = 0; r >= 0 && more > 0 && i < READS_AT_ONCE && port->backend; i++)
                        r = more = take_input(port, false);
        }
        if (!port->backend)
                return 0; /* lost meanwhile */
        if (r >= 0 && (revents & (EPOLLHUP | EPOLLERR)))
                r = -ENODEV;
        if (r < 0)
                port_lost(port, r);
        return 0;
}

/* Opening. */

static int start_io(Port *port) {
        DriverLine line = port_line(port);
        int r = port->backend->vtable->set_line(port->backend, &line);

        if (r < 0)
                return r;
        port->line = line;
        rkd_frame_reader_init(&port->hello, port->hello_buffer, sizeof(port->hello_buffer));
        r = sd_event_add_io(port->event, &port->io, port->backend->fd, EPOLLIN, on_io, port);
        return r < 0 ? r : sd_event_source_set_priority(port->io, INPUT_FIRST);
}

static int try_open(Port *port, Why *w) {
        int r = port->opener(port->opener_userdata, port->path, &port->backend, w);

        if (r < 0)
                return r;
        r = start_io(port);
        if (r < 0) {
                close_line(port);
                return why(w, r, "%s cannot be used at %u baud: %s", port->path, port->config.baud,
                                strerror(-r));
        }
        stop_retry(port);
        set_state(port, PORT_OPEN, "");
        port_kick(port);
        return 0;
}

/* The queue. */

static Exchange *pop(Port *port) {
        Exchange *x = port->queue;

        if (x) {
                port->queue = x->next;
                x->next = NULL;
        }
        return x;
}

static void push(Port *port, Exchange *x) {
        Exchange **at = &port->queue;

        while (*at && (*at)->priority >= x->priority)
                at = &(*at)->next;
        x->next = *at;
        *at = x;
}

/* Ends those that are queued now; what their owners queue meanwhile is for the next turn. */
static void fail_queue(Port *port) {
        char text[WHY_MAX];
        size_t n = port_queue_length(port);

        if (port->state == PORT_CLOSED)
                (void)snprintf(text, sizeof(text),
                                "port %s is closed: it is opened on demand, and nobody wants it",
                                port->name);
        else
                (void)snprintf(text, sizeof(text), "%s", port->problem.text);
        for (Exchange *x; n > 0 && (x = pop(port)); n--) {
                port->current = x;
                session_fail(x, text);
        }
}

/* True when the line is at the port's own settings again. */
static bool line_is_settled(Port *port) {
        DriverLine line = port_line(port);
        int r;

        if (port->n_out == 0 && line_equal(&port->line, &line))
                return true;
        if (port->drain_until_usec == 0)
                port->drain_until_usec = monotonic_usec() + DRAIN_MAX_USEC;
        if (port_is_draining(port) && monotonic_usec() < port->drain_until_usec) {
                (void)port_arm(port, monotonic_usec() + DRAIN_STEP_USEC);
                return false;
        }
        port->drain_until_usec = 0;
        if (port->n_out > 0) { /* the line takes nothing */
                port->backend->vtable->discard(port->backend);
                port->n_out = 0;
        }
        r = port_set_line(port, &line);
        if (r < 0)
                port_lost(port, r);
        return r >= 0;
}

static void start_next(Port *port) {
        int r = 1;

        if (monotonic_usec() < port->bus_free_usec) {
                (void)port_arm(port, port->bus_free_usec);
                return;
        }

        for (unsigned i = 0; r > 0 && i < DROPS_AT_ONCE; i++)
                r = take_input(port, true); /* of before */
        if (r < 0) {
                port_lost(port, r);
                return;
        }
        port->current = pop(port);
        session_start(port->current);
}

static int on_kick(sd_event_source *s, void *userdata) {
        Port *port = userdata;

        if (port->current)
                return 0;
        if (port->state == PORT_OPEN && line_is_settled(port)) {
                if (port->queue)
                        start_next(port);
                else if (!is_wanted(port)) {
                        close_line(port);
                        set_state(port, PORT_CLOSED, "");
                }
        } else if (port->state == PORT_FAILED || port->state == PORT_CLOSED)
                fail_queue(port);
        return 0;
}

void port_kick(Port *port) {
        (void)sd_event_source_set_enabled(port->kick, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        Port *port = userdata;

        if (port->current)
                session_timer(port->current);
        else
                port_kick(port);
        return 0;
}

int port_arm(Port *port, uint64_t usec) {
        int r;

        if (usec == USEC_INFINITY)
                return sd_event_source_set_enabled(port->timer, SD_EVENT_OFF);
        r = sd_event_source_set_time(port->timer, usec);
        return r < 0 ? r : sd_event_source_set_enabled(port->timer, SD_EVENT_ONESHOT);
}

/* Public. */

static int check_config(const PortConfig *c, Why *w) {
        if (!name_is_valid(c->name))
                return why(w, -EINVAL,
                                "port: a name has 1-64 of the characters A-Z a-z 0-9 . _ - and begins with no dot");
        if (c->path[0] != '/' && !startswith(c->path, "unix:/"))
                return why(w, -EINVAL,
                                "port %s: path %s: a path from the root or unix:/PATH is needed",
                                c->name, c->path);
        if (c->baud < BAUD_MIN || c->baud > BAUD_MAX)
                return why(w, -EINVAL, "port %s: %u baud: %u to %u are possible", c->name, c->baud,
                                BAUD_MIN, BAUD_MAX);
        if (c->mode >= _PORT_MODE_MAX)
                return why(w, -EINVAL, "port %s: no such mode", c->name);
        return 0;
}

static int add_sources(Port *port) {
        int r;

        r = sd_event_add_defer(port->event, &port->kick, on_kick, port);
        if (r >= 0)
                r = sd_event_source_set_enabled(port->kick, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(port->event, &port->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
                                on_timer, port);
        if (r >= 0)
                r = sd_event_source_set_enabled(port->timer, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time(port->event, &port->retry, CLOCK_MONOTONIC, 0, ACCURACY_USEC,
                                on_retry, port);
        if (r >= 0)
                r = sd_event_source_set_enabled(port->retry, SD_EVENT_OFF);
        return r;
}

static int copy_config(Port *port, const PortConfig *config) {
        if (free_and_strdup(&port->name, config->name) < 0 ||
                        free_and_strdup(&port->path, config->path) < 0)
                return -ENOMEM;
        port->config = *config;
        port->config.name = port->name;
        port->config.path = port->path;
        return 0;
}

int port_new_full(const PortWorld *world, const PortConfig *config, Port **ret, Why *w) {
        _cleanup_(port_freep) Port *port = NULL;
        Why problem = { "" };
        int r = check_config(config, w);

        if (r < 0)
                return r;
        port = new0(Port, 1);
        if (!port || copy_config(port, config) < 0)
                return why_oom(w);
        port->event = sd_event_ref(world->event);
        port->planner = world->planner ? *world->planner : (Planner){ 0 };
        port->opener = world->opener;
        port->opener_userdata = world->opener_userdata;
        port->backoff = (Backoff)BACKOFF_INIT(RETRY_MIN_USEC, RETRY_MAX_USEC);
        r = add_sources(port);
        if (r < 0)
                return why(w, r, "port %s: the event loop refuses: %s", port->name, strerror(-r));
        if (config->mode == PORT_EXCLUSIVE && try_open(port, &problem) < 0)
                fail(port, problem.text);
        if (world->events) /* told of what changes from now on */
                port->events = *world->events;
        *ret = TAKE_PTR(port);
        return 0;
}

static int open_path(void *userdata, const char *path, PortBackend **ret, Why *w) {
        return port_backend_open(path, ret, w);
}

int port_new(sd_event *event, const PortConfig *config, const PortEvents *events,
                const Planner *planner, Port **ret, Why *w) {
        const PortWorld world = {
                .event = event,
                .events = events,
                .planner = planner,
                .opener = open_path,
        };

        return port_new_full(&world, config, ret, w);
}

Port *port_free(Port *port) {
        if (!port)
                return NULL;
        while (port->queue)
                free(pop(port));
        if (port->current)
                session_drop(port->current);
        close_line(port);
        stop_retry(port);
        sd_event_source_disable_unref(port->timer);
        sd_event_source_disable_unref(port->kick);
        sd_event_source_disable_unref(port->retry);
        sd_event_unref(port->event);
        free(port->name);
        free(port->path);
        free(port);
        return NULL;
}

const char *port_name(const Port *port) {
        return port->name;
}

const char *port_path(const Port *port) {
        return port->path;
}

PortState port_state(const Port *port) {
        return port->state;
}

PortMode port_mode(const Port *port) {
        return port->config.mode;
}

uint32_t port_baud(const Port *port) {
        return port->config.baud;
}

const char *port_problem(const Port *port) {
        return port->problem.text;
}

bool port_is_busy(const Port *port) {
        return port->current;
}

size_t port_queue_length(const Port *port) {
        size_t n = 0;

        for (const Exchange *x = port->queue; x; x = x->next)
                n++;
        return n;
}

void port_want(Port *port) {
        if (port->config.mode != PORT_ON_DEMAND)
                return;
        port->wants++;
        if (port->state == PORT_CLOSED)
                set_state(port, PORT_WANTED, "");
}

void port_unwant(Port *port) {
        if (port->config.mode != PORT_ON_DEMAND)
                return;
        assert(port->wants > 0);
        if (--port->wants > 0)
                return;
        if (port->state == PORT_WANTED || port->state == PORT_FAILED) {
                stop_retry(port);
                set_state(port, PORT_CLOSED, "");
        }
        port_kick(port); /* closes an open one when its last exchange is done */
}

int port_hand_over(Port *port, Why *w) {
        Why problem = { "" };
        int r;

        if (port->config.mode != PORT_ON_DEMAND || port->wants == 0)
                return why(w, -EALREADY, "port %s is not wanted now", port->name);
        if (port->state == PORT_OPEN)
                return why(w, -EALREADY, "port %s has been handed over already", port->name);
        r = try_open(port, &problem);
        if (r >= 0)
                return 0;
        (void)why(w, r, "%s", problem.text);
        set_state(port, port->state, problem.text);
        return r;
}

int port_submit(Port *port, PortPriority priority, Driver *driver, const DriverRequest *request,
                const ExchangeFuncs *funcs, Exchange **ret) {
        Exchange *x = new0(Exchange, 1);

        if (!x)
                return -ENOMEM;
        *x = (Exchange){
                .port = port,
                .priority = priority,
                .driver = driver,
                .request = *request,
                .funcs = *funcs,
        };
        if (x->request.baud == 0)
                x->request.baud = port->config.baud;
        if (port->config.half_duplex) {
                x->request.half_duplex = true;
                x->request.turnaround_usec =
                                MAX(x->request.turnaround_usec, port->config.turnaround_usec);
        }
        push(port, x);
        port_kick(port);
        if (ret)
                *ret = x;
        return 0;
}

Exchange *exchange_cancel(Exchange *x) {
        if (!x)
                return NULL;
        if (x->port->current == x) {
                session_drop(x);
                return NULL;
        }
        for (Exchange **at = &x->port->queue; *at; at = &(*at)->next)
                if (*at == x) {
                        *at = x->next;
                        break;
                }
        free(x);
        return NULL;
}

const char *port_state_to_string(PortState s) {
        static const char *const names[_PORT_STATE_MAX] = {
                [PORT_CLOSED] = "closed",
                [PORT_WANTED] = "wanted",
                [PORT_OPEN] = "open",
                [PORT_FAILED] = "failed",
        };

        assert(s < _PORT_STATE_MAX);
        return names[s];
}

const char *port_mode_to_string(PortMode m) {
        static const char *const names[_PORT_MODE_MAX] = {
                [PORT_EXCLUSIVE] = "exclusive",
                [PORT_ON_DEMAND] = "on-demand",
        };

        assert(m < _PORT_MODE_MAX);
        return names[m];
}

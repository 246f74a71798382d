/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Port: a serial line of the gateway. Owns the descriptor, a queue, and one exchange at a time for
 * all devices behind it: restore before push before status, first come first served within each.
 * Modes: exclusive keeps the line open as long as it can (reopens with growing pauses); on-demand
 * opens it only while somebody wants it and after it was handed over (port_hand_over), and gives it
 * back afterwards.
 *
 * Backends: real ttys through libserialport (port-serial), ptys and stream sockets through a
 * plain descriptor (port-fd). */
#pragma once

#include <systemd/sd-event.h>

#include "driver/driver.h"

typedef struct Port Port;
typedef struct Exchange Exchange;

typedef enum PortMode {
        PORT_EXCLUSIVE,
        PORT_ON_DEMAND,
        _PORT_MODE_MAX,
} PortMode;

typedef enum PortState {
        PORT_CLOSED, /* on-demand and nobody wants it */
        PORT_WANTED, /* on-demand: waits for port_hand_over() */
        PORT_OPEN,
        PORT_FAILED, /* cannot be opened or was lost: port_problem() says why; retried by itself */
        _PORT_STATE_MAX,
} PortState;

typedef enum PortPriority {
        PORT_STATUS,
        PORT_PUSH,
        PORT_RESTORE,
} PortPriority;

typedef struct PortConfig {
        const char *name,
                        /* path: /dev/…, a symlink, a pty, or "unix:/path" of a stream socket */
                        *path;
        PortMode mode;
        uint32_t baud; /* 1200..4000000; 115200 */
        bool half_duplex, rtscts;
        uint32_t turnaround_usec;
} PortConfig;

/* Computes plans for native pushes; asynchronous. Owner: the daemon (child process); tests may
 * answer at once. */
typedef struct Planner {
        /* Starts; `done` is called exactly once, from the loop or before start returns, unless
         * canceled. stream is valid until release(). */
        int (*start)(void *userdata, const DriverPlanRequest *request, const uint8_t *image,
                        size_t image_length,
                        void (*done)(void *cookie, uint8_t codec, const void *stream, size_t n),
                        void *cookie);
        void (*release)(void *userdata, void *cookie); /* cancels, or frees what done() gave */
        void *userdata;
} Planner;

typedef struct PortEvents {
        void (*on_state)(Port *port, void *userdata); /* state or problem changed */
        /* A device announced itself while no exchange was under way (native HELLO, address 0,
         * full duplex). */
        void (*on_hello)(Port *port, bool bootloader, void *userdata);
        void *userdata;
} PortEvents;

/* Every callback may submit or cancel exchanges, but must not free the port. */
int port_new(sd_event *event, const PortConfig *config, const PortEvents *events,
                const Planner *planner, Port **ret, Why *w);
Port *
port_free(Port *port); /* open exchanges end without callback; an on-demand line is given back */
DEFINE_TRIVIAL_CLEANUP_FUNC(Port *, port_free);

const char *port_name(const Port *port);
const char *port_path(const Port *port);
PortState port_state(const Port *port);
PortMode port_mode(const Port *port);
uint32_t port_baud(const Port *port);
/* "" or a sentence, e.g. "/dev/ttyUSB0 is held by minicom (pid 812)". */
const char *port_problem(const Port *port);
bool port_is_busy(const Port *port);
size_t port_queue_length(const Port *port);

/* On-demand: somebody wants the line from now on (counted); port_unwant() when the last one is
 * done closes it. Exclusive: no effect. */
void port_want(Port *port);
void port_unwant(Port *port);
/* The application has closed the line. -EBUSY when it has not (text names the holder), -EALREADY
 * when the port is not wanted. */
int port_hand_over(Port *port, Why *w);

typedef struct ExchangeFuncs {
        void (*on_progress)(Exchange *x, const DriverProgress *progress,
                        void *userdata); /* may be NULL; at most 10 per second */
        void (*on_done)(Exchange *x, const DriverResult *result,
                        void *userdata); /* exactly once; x is dead afterwards */
        void *userdata;
} ExchangeFuncs;

/* Queues one operation of `driver` (not owned; busy until done). The request's strings and bytes
 * are borrowed until done; the request itself is copied. An exchange that waits while the port
 * is PORT_FAILED ends with DRIVER_E_PORT at once; while PORT_WANTED it waits. */
int port_submit(Port *port, PortPriority priority, Driver *driver, const DriverRequest *request,
                const ExchangeFuncs *funcs, Exchange **ret);
/* Ends it at the next frame boundary without callback; NULL does nothing; returns NULL. The
 * driver may be freed at once. */
Exchange *exchange_cancel(Exchange *x);

const char *port_state_to_string(PortState s);
const char *port_mode_to_string(PortMode m);

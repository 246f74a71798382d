/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Port: what port.c (the line: states, queue) and session.c (one exchange on it) share. */
#pragma once

#include "basic/backoff.h"
#include "driver/port-backend.h"
#include "driver/port.h"
#include "proto/frame.h"

typedef enum SessionWait {
        SESSION_FREE,     /* the driver may be asked what comes next */
        SESSION_DEADLINE, /* the timer stands for the driver's deadline */
        SESSION_FLUSHING, /* bytes wait for room on the line; the timer bounds that */
        SESSION_DRAINING, /* bytes have to leave before the line settings change */
        SESSION_PULSING,  /* between two pulses */
} SessionWait;

struct Exchange {
        Port *port;
        PortPriority priority;
        Driver *driver;
        DriverRequest request;
        ExchangeFuncs funcs;
        Exchange *next; /* in the queue */

        SessionWait wait;
        uint64_t deadline_usec; /* of what is waited for */
        bool started, in_pump;
        DriverLine line; /* DRAINING: to be set then */
        uint64_t drain_until_usec;
        DriverPulse pulses[8];
        size_t n_pulses, pulse_index;
        bool planning, plan_held; /* asked for and not yet answered; to be released */
        uint64_t shown_usec;      /* when progress was told last */
        DriverProgress shown;
        DriverResult failure; /* when the port, not the driver, ends it */
};

/* How a port opens its line; tests put theirs here. */
typedef int (*PortOpener)(void *userdata, const char *path, PortBackend **ret, Why *w);

struct Port {
        sd_event *event;
        char *name, *path;
        PortConfig config; /* name and path point to the copies */
        PortEvents events;
        Planner planner;
        PortOpener opener;
        void *opener_userdata;

        PortState state;
        Why problem;
        unsigned wants;
        Backoff backoff;
        PortBackend *backend;
        DriverLine line; /* as set on the backend */
        sd_event_source *io, *timer, *kick, *retry, *watch;

        uint8_t out[8192]; /* bytes that the line did not take at once */
        size_t n_out;
        uint64_t drain_until_usec;
        uint64_t bus_free_usec; /* half duplex: no exchange begins before */

        Exchange *current, *queue;
        uint8_t hello_buffer[RKD_PAYLOAD_MIN];
        RkdFrameReader hello;
};

/* What a port works with besides its settings. */
typedef struct PortWorld {
        sd_event *event;
        const PortEvents *events; /* may be NULL, as planner */
        const Planner *planner;
        PortOpener opener;
        void *opener_userdata;
} PortWorld;

int port_new_full(const PortWorld *world, const PortConfig *config, Port **ret, Why *w);

/* port.c for session.c */
DriverLine port_line(const Port *port);
int port_set_line(Port *port, const DriverLine *line);
/* Writes or keeps; 0, -ENOBUFS, or the line is lost (< 0). */
int port_write(Port *port, const void *bytes, size_t n);
/* What was taken has not left yet. */
bool port_is_draining(Port *port);
/* Half duplex: somebody may drive the line until then. */
void port_hold_bus(Port *port, uint64_t until_usec);
void port_lost(Port *port, int error);
void port_kick(Port *port);
int port_arm(Port *port, uint64_t usec); /* the timer of the exchange, or of the port between two */

/* session.c for port.c */
void session_start(Exchange *x);
void session_input(Exchange *x, const void *bytes, size_t n);
void session_flushed(Exchange *x);
void session_timer(Exchange *x);
/* Ends the exchange with DRIVER_E_PORT. */
void session_fail(Exchange *x, const char *text);
/* Lets the driver say its farewell to the device and forgets the exchange. */
void session_drop(Exchange *x);

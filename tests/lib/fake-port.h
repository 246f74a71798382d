/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FakePort: a line that is a pair of sockets: the port has one end, the test the other. It
 * counts the operations on it and fails the one that it is told to fail. To be given to
 * port_new_full() as opener. */
#pragma once

#include "driver/port-private.h"

typedef struct FakePort {
        int far;                        /* the test's end, non-blocking; -1: not open */
        unsigned n_operations, fail_at; /* fail_at 0: none */
        unsigned n_opens, n_closes;
        int refuse;      /* -errno of the next opens; 0: they succeed */
        DriverLine line; /* as set last */
        unsigned n_pulses, n_discards;
        ssize_t queued;   /* said to be on its way out */
        size_t write_max; /* bytes taken at a time; 0: all that fit */
} FakePort;

#define FAKE_PORT_INIT                                                                             \
        { .far = -1 }

/* userdata: a FakePort. */
int fake_port_open(void *userdata, const char *path, PortBackend **ret, Why *w);
/* The line hangs up. */
void fake_port_hang_up(FakePort *f);
void fake_port_done(FakePort *f);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Event: the one place from which things that happened go to journal, bus, history and outbox. */
#pragma once

#include "daemon/device.h"

/* An update entered its state. */
void event_state(const Update *u);
enum {
        EVENT_E_TOLD = 1,
};

/* An update came to its end; func runs when history and report are on disk. -errno and
 * EVENT_E_TOLD (a run that was killed had told all of it): func will not run. */
int event_result(const Update *u, SyncFunc func, void *userdata);
/* Anything else worth remembering of a device: kind "unhealthy", "identity-changed", "hold",
 * "accepted", ... */
void event_device(Device *d, const char *kind, Outcome outcome, const char *format, ...)
                _printf_(4, 5);
/* A refresh ended. */
void event_check(Manager *m, Outcome outcome, const char *text);

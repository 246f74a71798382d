/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Event: the one place from which things that happened go to journal, bus, history and outbox. */
#pragma once

#include "daemon/device.h"

/* An update entered its state. */
void event_state(const Update *u);
enum {
        EVENT_E_TOLD = 1,
};

/* An update came to its end; func runs *ret_writes times, once for each of history and report that
 * is on disk or failed. EVENT_E_TOLD: a run that was killed had told all of it, func will not run.
 * -errno: what was written of it may still call func; the daemon has to end. */
int event_result(const Update *u, SyncFunc func, void *userdata, unsigned *ret_writes);
/* Anything else worth remembering of a device: kind "unhealthy", "identity-changed", "hold",
 * "accepted", ... */
void event_device(Device *d, const char *kind, Outcome outcome, const char *format, ...)
                _printf_(4, 5);
/* A refresh ended. */
void event_check(Manager *m, Outcome outcome, const char *text);

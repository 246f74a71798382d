/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bus: the D-Bus faces org.rekindle.Rekindle1 (see org.rekindle.Rekindle1(5)): the Manager and
 * one Device object per device. */
#pragma once

#include "daemon/device.h"

/* bus NULL: the system bus. Takes the name; -EEXIST when somebody has it. */
int bus_new(Manager *m, sd_bus *bus, Bus **ret, Why *w);
Bus *bus_free(Bus *b);
DEFINE_TRIVIAL_CLEANUP_FUNC(Bus *, bus_free);

void bus_device_added(Bus *b, Device *d);
void bus_device_removed(Bus *b, Device *d);
void bus_device_changed(Bus *b, Device *d, unsigned what); /* DeviceChange */
void bus_manager_changed(Bus *b);
void bus_port_wanted(Bus *b, const char *port, bool wanted);
/* An update (or request) came to its end. */
void bus_device_finished(Bus *b, Device *d, Outcome outcome, const char *text);
/* What history gets, as it happens. */
void bus_event(Bus *b, const json_t *event);

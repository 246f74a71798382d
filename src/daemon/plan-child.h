/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plan child: computes plans (image/plan.h) in a child process each, so that no line waits for
 * arithmetic; the stream comes back in a memfd. Implements the Planner of driver/port.h. */
#pragma once

#include "daemon/manager.h"

/* store: where the image that the flash holds is found by its digest. Fills *ret; the object
 * lives until plan_child_done(). */
int plan_child_init(sd_event *event, Store *store, Planner *ret);
void plan_child_done(Planner *planner);

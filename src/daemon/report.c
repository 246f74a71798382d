/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reporting: the end of every update: result into history and outbox, durable, before the
 * journal goes. */
#include "daemon/event.h"
#include "daemon/stages.h"

static void on_written(int error, void *userdata) {
        Update *u = userdata;

        if (error < 0)
                manager_fatal(u->manager, error, "a result could not be written");
        else if (--u->writes == 0)
                update_finish(u);
}

void reporting_start(Update *u) {
        int r;

        r = event_result(u, on_written, u, &u->writes);
        if (r == EVENT_E_TOLD)
                update_finish(u);
        else if (r < 0)
                manager_fatal(u->manager, r, "a result could not be written");
}

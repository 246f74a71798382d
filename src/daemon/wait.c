/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting: parked, with nothing held. The wait for a device ends when the device is heard (its
 * object keeps asking); the wait for the server after a pause or a good refresh; the waits for
 * people, windows and inhibitors when the manager looks again. */
#include "basic/backoff.h"
#include "daemon/device.h"

#define SERVER_MIN_USEC (5 * USEC_PER_SEC)
#define SERVER_MAX_USEC (3600 * USEC_PER_SEC)

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        Update *u = userdata;

        u->timer = sd_event_source_disable_unref(u->timer);
        update_wake(u);
        return 0;
}

void waiting_start(Update *u) {
        Backoff pause = BACKOFF_INIT(SERVER_MIN_USEC, SERVER_MAX_USEC);
        int r = 0;

        switch (u->wait) {
        case OUTCOME_WAIT_SERVER:
                pause.tries = u->pauses++;
                r = update_set_timer(u, backoff_next(&pause, random_u32()), on_pause_over);
                break;
        case OUTCOME_WAIT_DEVICE:
                device_ask_soon(u->device, 0);
                break;
        default:
                manager_consider(u->manager);
                break;
        }
        if (u->wait != OUTCOME_WAIT_DEVICE)
                device_ask_soon(u->device, u->manager->config->status_interval_usec);
        if (r < 0)
                manager_fatal(u->manager, r, "a timer could not be set");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting: parked, with nothing held. The wait for a device ends when the device is heard (its
 * object keeps asking), after a pause where that did not help before; the wait for the server
 * after a pause or a good refresh; the waits for people, windows and inhibitors when the manager
 * looks again. */
#include "basic/backoff.h"
#include "daemon/device.h"
#include "daemon/stages.h"

#define SERVER_MIN_USEC (5 * USEC_PER_SEC)
#define SERVER_MAX_USEC (3600 * USEC_PER_SEC)
#define DEVICE_MIN_USEC USEC_PER_SEC
#define DEVICE_MAX_USEC (60 * USEC_PER_SEC)
#define DEVICE_AT_ONCE  3 /* times in a row that its first answer is enough */

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        Update *u = userdata;

        u->timer = sd_event_source_disable_unref(u->timer);
        update_wake(u);
        return 0;
}

static int wait_for_server(Update *u) {
        Backoff pause = BACKOFF_INIT(SERVER_MIN_USEC, SERVER_MAX_USEC);

        pause.tries = u->pauses++;
        return update_set_timer(u, backoff_next(&pause, random_u32()), on_pause_over);
}

static int on_ask_again(sd_event_source *source, uint64_t usec, void *userdata) {
        Update *u = userdata;

        u->timer = sd_event_source_disable_unref(u->timer);
        u->not_before_usec = 0;
        device_ask_soon(u->device, 0);
        return 0;
}

/* A device that answers who it is and fails at all else must not keep us busy. */
static int wait_for_device(Update *u) {
        Backoff pause = BACKOFF_INIT(DEVICE_MIN_USEC, DEVICE_MAX_USEC);
        uint64_t usec;

        update_want_port(u);
        if (u->pauses++ < DEVICE_AT_ONCE) {
                device_ask_soon(u->device, 0);
                return 0;
        }
        pause.tries = u->pauses - 1 - DEVICE_AT_ONCE;
        usec = backoff_next(&pause, random_u32());
        u->not_before_usec = monotonic_usec() + usec;
        return update_set_timer(u, usec, on_ask_again);
}

void waiting_start(Update *u) {
        int r = 0;

        /* As long as nothing was erased, the line is of more use to its application. */
        if (u->wait != OUTCOME_WAIT_DEVICE && update_is_untouched(u))
                update_give_port(u);
        switch (u->wait) {
        case OUTCOME_WAIT_SERVER:
                r = wait_for_server(u);
                break;
        case OUTCOME_WAIT_DEVICE:
                r = wait_for_device(u);
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

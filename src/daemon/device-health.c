/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The health of a confirmed program, as far as the device tells: it says that it is sick, or it
 * says that it is healthy and ends, again and again. That is shown and told, and nothing is
 * restored: what uses up its starts is, and nobody knows better than the program. */
#include "daemon/device.h"
#include "daemon/event.h"

#define CRASHES_MAX 3
#define CALM_USEC   (10 * 60 * USEC_PER_SEC) /* without a crash: they are forgotten */

static bool is_sick(const DriverIdentity *id) {
        return id->state == DEVICE_CONFIRMED && !id->in_bootloader &&
               id->health == DEVICE_HEALTH_SICK;
}

/* What the counter says first, and after a loss of what it is kept in, is where it begins. */
static void count_crashes(Device *d) {
        const DriverIdentity *id = &d->identity;
        bool counts = id->state == DEVICE_CONFIRMED && id->reset_cause >= DEVICE_RESET_ABNORMAL &&
                      id->push_id != 0 && id->push_id == d->boots_push_id;

        if (d->crashes > 0 && d->seen_usec - d->crash_usec >= CALM_USEC)
                d->crashes = 0;
        if (counts && id->boots > d->boots) {
                d->crashes = MIN(d->crashes + (id->boots - d->boots), CRASHES_MAX + 1U);
                d->crash_usec = d->seen_usec;
        }
        if (id->state != DEVICE_CONFIRMED)
                d->crashes = 0;
        d->boots = id->boots;
        d->boots_push_id = id->state == DEVICE_CONFIRMED ? id->push_id : 0;
}

static void judge(const Device *d, Why *ret) {
        const DriverIdentity *id = &d->identity;

        *ret = (Why){ 0 };
        if (is_sick(id))
                (void)why(ret, 0, "the confirmed program %s reports that it is sick", id->version);
        else if (d->crashes > CRASHES_MAX)
                (void)why(ret, 0, "the confirmed program %s keeps starting again after crashes",
                                d->record->running.version);
}

static void watch_healthy(Device *d) {
        const DriverIdentity *id = &d->identity;

        if (id->in_bootloader || id->health != DEVICE_HEALTH_HEALTHY)
                d->healthy_usec = 0;
        else if (d->healthy_usec == 0)
                d->healthy_usec = d->seen_usec;
}

void device_watch_health(Device *d) {
        bool was_unhealthy = d->unhealthy.text[0], is_unhealthy;

        watch_healthy(d);
        count_crashes(d);
        judge(d, &d->unhealthy);
        is_unhealthy = d->unhealthy.text[0];
        if (is_unhealthy && !was_unhealthy)
                event_device(d, "unhealthy", OUTCOME_NOT_HEALTHY, "%s", d->unhealthy.text);
        else if (was_unhealthy && !is_unhealthy)
                event_device(d, "healthy", OUTCOME_DONE, "the program answers healthy again");
}

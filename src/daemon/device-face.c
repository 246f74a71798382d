/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of a device as people see it: one word and one sentence. */
#include <inttypes.h>

#include "daemon/device.h"

/* What people see as the state, one word: the update's state when one is open, else of this
 * list. */
typedef enum DeviceFace {
        DEVICE_FACE_ABSENT,
        DEVICE_FACE_IDLE,      /* runs, and there is a way back */
        DEVICE_FACE_NO_BACKUP, /* runs; nothing to go back to */
        DEVICE_FACE_BLANK,     /* reports no program */
        DEVICE_FACE_UNHEALTHY, /* the confirmed program reports that it is sick */
        DEVICE_FACE_STRANDED,
        DEVICE_FACE_IDENTITY_CHANGED,
        DEVICE_FACE_UPDATING, /* see update_state_to_string() */
        _DEVICE_FACE_MAX,
} DeviceFace;

static DeviceFace device_face(const Device *d) {
        if (d->record->identity_changed)
                return DEVICE_FACE_IDENTITY_CHANGED;
        if (d->record->stranded_since > 0)
                return DEVICE_FACE_STRANDED;
        if (d->update)
                return DEVICE_FACE_UPDATING;
        if (!d->present)
                return DEVICE_FACE_ABSENT;
        if (d->unhealthy.text[0])
                return DEVICE_FACE_UNHEALTHY;
        if (device_is_blank(d))
                return DEVICE_FACE_BLANK;
        if (!d->record->backup.known)
                return DEVICE_FACE_NO_BACKUP;
        return DEVICE_FACE_IDLE;
}

const char *device_state(const Device *d) {
        static const char *const names[_DEVICE_FACE_MAX] = {
                [DEVICE_FACE_ABSENT] = "absent",
                [DEVICE_FACE_IDLE] = "idle",
                [DEVICE_FACE_NO_BACKUP] = "no-backup",
                [DEVICE_FACE_BLANK] = "blank",
                [DEVICE_FACE_UNHEALTHY] = "unhealthy",
                [DEVICE_FACE_STRANDED] = "stranded",
                [DEVICE_FACE_IDENTITY_CHANGED] = "identity-changed",
        };
        DeviceFace face = device_face(d);

        if (face == DEVICE_FACE_UPDATING)
                return update_state_to_string(d->update->state);
        return names[face];
}

void device_update_text(const Update *u, Why *ret) {
        const Device *d = u->device;
        bool handover = d->port && d->port->port && port_state(d->port->port) == PORT_WANTED;

        if (handover && u->state != UPDATE_DOWNLOADING)
                (void)why(ret, 0, "waits until port %s is handed over", d->port->config->name);
        else if (u->state == UPDATE_WAITING)
                (void)why(ret, 0, "%s", u->wait_text);
        else
                (void)why(ret, 0, "%s of %s %s: %s", update_kind_to_string(u->kind),
                                update_role_to_string(u->role), update_version(u),
                                update_state_to_string(u->state));
}

static void stranded_text(const Device *d, Why *ret) {
        uint64_t tries = d->record->stranded_tries;

        if (d->update && d->update->state != UPDATE_STRANDED && d->update->state != UPDATE_WAITING)
                (void)why(ret, 0, "no program that is kept ran on it; try %" PRIu64 " goes on",
                                tries + 1);
        else
                (void)why(ret, 0, "no program that is kept runs on it; tried %" PRIu64 " time%s%s",
                                tries, tries == 1 ? "" : "s",
                                device_cap_reached(d)
                                                ? "; PushesPerDay= allows no more before tomorrow (UTC)"
                                                : "");
}

void device_state_text(const Device *d, Why *ret) {
        const Record *r = d->record;

        switch (device_face(d)) {
        case DEVICE_FACE_UPDATING:
                device_update_text(d->update, ret);
                break;
        case DEVICE_FACE_ABSENT:
                (void)why(ret, 0,
                                d->port && d->port->port &&
                                                                port_mode(d->port->port) ==
                                                                                PORT_ON_DEMAND
                                                ? "not seen: its port is on demand and not in our hands"
                                                : "does not answer");
                break;
        case DEVICE_FACE_NO_BACKUP:
                (void)why(ret, 0, "runs %s; there is no way back yet", r->running.version);
                break;
        case DEVICE_FACE_BLANK:
                (void)why(ret, 0, "reports no program");
                break;
        case DEVICE_FACE_UNHEALTHY:
                *ret = d->unhealthy;
                break;
        case DEVICE_FACE_STRANDED:
                stranded_text(d, ret);
                break;
        case DEVICE_FACE_IDENTITY_CHANGED:
                (void)why(ret, 0, "%s serial %s answers %s: rekindlectl accept %s",
                                r->claimed_model, r->claimed_serial,
                                record_is_claimed_twice(r) ? "on two ports" : "in its place",
                                r->id);
                break;
        default:
                (void)why(ret, 0, "runs %s", r->running.version);
                if (d->verdict.outcome == OUTCOME_PASSED_OVER)
                        (void)why(ret, 0, "runs %s; up to %s nothing comes by itself, %s",
                                        r->running.version, r->passed_over, r->passed_over_by);
                break;
        }
}

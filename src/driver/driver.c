/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Driver: the list of the protocols, and the names of what they report. */
#include <assert.h>

#include "driver/driver-list.h"
#include "driver/driver.h"

static const DriverVTable *const drivers[] = {
        &native_vtable,
        &xmodem_vtable,
        &ymodem_vtable,
};

const DriverVTable *driver_find(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(drivers); i++)
                if (streq(drivers[i]->name, name))
                        return drivers[i];
        return NULL;
}

const DriverVTable *driver_by_index(size_t i) {
        return i < ELEMENTSOF(drivers) ? drivers[i] : NULL;
}

int driver_new(const char *name, Driver **ret) {
        const DriverVTable *v = driver_find(name);

        return v ? v->make(ret) : -ENOENT;
}

Driver *driver_free(Driver *d) {
        if (d)
                d->vtable->destroy(d);
        return NULL;
}

const char *driver_code_to_string(DriverCode code) {
        static const char *const names[_DRIVER_CODE_MAX] = {
                [DRIVER_OK] = "ok",
                [DRIVER_E_NO_ANSWER] = "no-answer",
                [DRIVER_E_LINE] = "line",
                [DRIVER_E_PORT] = "port",
                [DRIVER_E_OTHER_UNIT] = "other-unit",
                [DRIVER_E_REFUSED] = "refused",
                [DRIVER_E_FOREIGN_PUSH] = "foreign-push",
                [DRIVER_E_SIGNATURE] = "signature",
                [DRIVER_E_FLASH] = "flash",
                [DRIVER_E_DIGEST] = "digest",
                [DRIVER_E_STATE] = "state",
                [DRIVER_E_UNSUPPORTED] = "unsupported",
                [DRIVER_E_PLAN] = "plan",
                [DRIVER_E_CANCELED] = "canceled",
                [DRIVER_E_UNCONFIRMED_END] = "unconfirmed-end",
                [DRIVER_E_PROTOCOL] = "protocol",
        };

        assert(code < _DRIVER_CODE_MAX);
        return names[code];
}

const char *driver_phase_to_string(DriverPhase phase) {
        static const char *const names[_DRIVER_PHASE_MAX] = {
                [DRIVER_PHASE_IDLE] = "idle",
                [DRIVER_PHASE_IDENTIFY] = "identify",
                [DRIVER_PHASE_ENTER] = "enter",
                [DRIVER_PHASE_BEGIN] = "begin",
                [DRIVER_PHASE_SUMS] = "sums",
                [DRIVER_PHASE_PLAN] = "plan",
                [DRIVER_PHASE_SEND] = "send",
                [DRIVER_PHASE_VERIFY] = "verify",
                [DRIVER_PHASE_START] = "start",
                [DRIVER_PHASE_CONFIRM] = "confirm",
                [DRIVER_PHASE_READ] = "read",
        };

        assert(phase < _DRIVER_PHASE_MAX);
        return names[phase];
}

const char *device_state_to_string(DeviceState s) {
        static const char *const names[_DEVICE_STATE_MAX] = {
                [DEVICE_EMPTY] = "empty",
                [DEVICE_PUSHING] = "pushing",
                [DEVICE_VERIFIED] = "verified",
                [DEVICE_TRIAL] = "trial",
                [DEVICE_CONFIRMED] = "confirmed",
                [DEVICE_FAILED] = "failed",
                [DEVICE_DAMAGED] = "damaged",
                [DEVICE_UNMANAGED] = "unmanaged",
                [DEVICE_UNKNOWN] = "unknown",
        };

        assert(s < _DEVICE_STATE_MAX);
        return names[s];
}

const char *device_health_to_string(DeviceHealth h) {
        static const char *const names[_DEVICE_HEALTH_MAX] = {
                [DEVICE_HEALTH_NONE] = "none",
                [DEVICE_HEALTH_STARTING] = "starting",
                [DEVICE_HEALTH_HEALTHY] = "healthy",
                [DEVICE_HEALTH_SICK] = "sick",
        };

        assert(h < _DEVICE_HEALTH_MAX);
        return names[h];
}

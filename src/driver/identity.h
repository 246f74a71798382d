/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device tells of itself, whatever its protocol, and what a driver can do with it. */
#pragma once

#include "basic/hash.h"

typedef enum DriverCapability {
        DRIVER_CAN_IDENTIFY = 1 << 0,     /* tells model, serial, version, state */
        DRIVER_CAN_DIGEST = 1 << 1,       /* tells the digest of the running program */
        DRIVER_CAN_SUMS = 1 << 2,         /* checksums of flash units: resume, patches */
        DRIVER_CAN_READ_BACK = 1 << 3,    /* reads the program out of the flash */
        DRIVER_CAN_READ_RELEASE = 1 << 4, /* reads device header and signature out of the record */
        DRIVER_CAN_TRIAL = 1 << 5,        /* the device itself enforces the trial */
        DRIVER_CAN_CONFIRM = 1 << 6,
        DRIVER_CAN_HEALTH = 1 << 7,
        DRIVER_CAN_ENTER = 1 << 8, /* reaches the bootloader without a person */
        DRIVER_DEMANDS_SIGNED = 1 << 9,
        DRIVER_ENFORCES_FLOOR = 1 << 10,
        DRIVER_HAS_SLOTS = 1 << 11, /* a push leaves the confirmed program where it is */
} DriverCapability;

/* What the device says of its program; the numbers of rekindle-link(7), and DEVICE_UNKNOWN for
 * drivers that cannot tell. */
typedef enum DeviceState {
        DEVICE_EMPTY = 0,
        DEVICE_PUSHING = 1,
        DEVICE_VERIFIED = 2,
        DEVICE_TRIAL = 3,
        DEVICE_CONFIRMED = 4,
        DEVICE_FAILED = 5,
        DEVICE_DAMAGED = 6,
        DEVICE_UNMANAGED = 7,
        DEVICE_UNKNOWN = 8,
        _DEVICE_STATE_MAX,
} DeviceState;

typedef enum DeviceHealth {
        DEVICE_HEALTH_NONE = 0, /* bootloader answers, or cannot tell */
        DEVICE_HEALTH_STARTING = 1,
        DEVICE_HEALTH_HEALTHY = 2,
        DEVICE_HEALTH_SICK = 3,
        _DEVICE_HEALTH_MAX,
} DeviceHealth;

#define DRIVER_STRING_MAX 65

/* reset_cause: this and above are watchdog, trial timeout, crash. */
#define DEVICE_RESET_ABNORMAL 3

typedef struct DriverIdentity {
        uint32_t capabilities; /* of driver and device together */
        DeviceState state;
        DeviceHealth health;
        bool in_bootloader;
        unsigned reset_cause, boots, attempts_left;
        unsigned instruction_set, codecs, codec_profile;
        char model[DRIVER_STRING_MAX], hardware[DRIVER_STRING_MAX], serial[DRIVER_STRING_MAX];
        char bootloader_version[DRIVER_STRING_MAX], version[DRIVER_STRING_MAX],
                        floor[DRIVER_STRING_MAX];
        Sha256 digest; /* zero: unknown */
        uint64_t image_length;
        uint64_t push_id; /* 0: none */
        uint32_t program_base, program_space, unit_size, ram_base, ram_size;
} DriverIdentity;

const char *device_state_to_string(DeviceState s);
const char *device_health_to_string(DeviceHealth h);

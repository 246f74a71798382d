/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The identity block (rekindle-link(7)), straight from platform and record into the window that was
 * asked for; and the rules of the platform struct.
 */

#include "device/rkd-context.h"

/* What bootloader and program say differently. */
typedef struct RkdSelf {
        uint8_t who, state, health, cause;
        uint16_t boots, max_answer;
        uint32_t capabilities;   /* beyond those of every device */
        const RkdDigest *digest; /* of a program without a record; NULL: not known */
        RkdText version;         /* where its text is NULL: of record or digest */
} RkdSelf;

/* 0, or -1 when flash cannot be read. */
int rkd_identity_write(RkdWriter *w, const RkdRecord *record, const RkdSelf *self);
/* Whether the struct keeps the rules of platform.h that bootloader and program share. */
bool rkd_platform_is_valid(const RkdPlatform *platform);

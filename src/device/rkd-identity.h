/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What bootloader and program tell of the device in common: all of identify but who answers and
 * how the program does.
 */

#include "device/rkd-context.h"

/* Room for the texts that do not lie in the platform struct. */
typedef struct RkdIdentityTexts {
        char version[RKD_TEXT_MAX];
        char floor[RKD_TEXT_MAX];
} RkdIdentityTexts;

/* Geometry, strings and what the record says; max_answer: room of an answer. */
void rkd_identity_fill(RkdIdentity *ret, RkdIdentityTexts *texts, const RkdRecord *record,
                size_t max_answer);
/* Whether the struct keeps the rules of platform.h that bootloader and program share. */
bool rkd_platform_is_valid(const RkdPlatform *platform);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The block of RAM that survives a reset: what the bootloader and the program tell each other,
 * and starts that flash does not count.
 */

#include "device/rkd-context.h"

enum {
        RKD_INTENT_NONE,
        RKD_INTENT_STAY
};

/* All zero when there is no block, or after a power cut. */
void rkd_retained_load(RkdRetained *ret, const RkdPlatform *platform);
void rkd_retained_store(const RkdRetained *retained, const RkdPlatform *platform);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The rules of the platform struct that hold for bootloader and program alike. Private.
 */

#include "device/rkd-local.h"

#if RKD_WITH_CHECKS
RKD_LOCAL bool rkd_platform_is_valid(const RkdPlatform *platform);

static inline bool rkd_is_power_of_2(uint32_t n) {
        return n > 0 && (n & (n - 1)) == 0;
}
#endif

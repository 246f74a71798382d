/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What depends on how the library is compiled: as one unit, for one platform (rkd-config.h).
 */

#include "rekindle/device.h"

#ifdef RKD_ALL
#define RKD_LOCAL static __attribute__((unused))
#else
#define RKD_LOCAL
#endif

#ifdef RKD_PLATFORM_H
#include RKD_PLATFORM_H
#define RKD_PLATFORM(d) (&rkd_platform)
#else
#define RKD_PLATFORM(d) ((d)->platform)
#endif

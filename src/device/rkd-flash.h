/* SPDX-License-Identifier: MIT */
#pragma once

/* Reading of flash for the decoder of patches; the rest is in rkd-device.h. */

#include "rekindle/platform.h"

int rkd_flash_read(const RkdPlatform *platform, uint32_t address, void *out, uint32_t n);

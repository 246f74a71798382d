/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "rekindle/platform.h"

/*
 * The chip as a program sees it: the platform of the device library's program side, over the
 * descriptors of sim-soc.h. There is one, as on a chip.
 */
const RkdPlatform *chip_init(void);

uint32_t chip_milliseconds(void);
void chip_feed_watchdog(void);

/* Sleeps until the UART or the chip has something, at most so long; returns the bytes read from
 * the UART. */
size_t chip_wait(uint32_t timeout_msec, uint8_t *ret_bytes, size_t size);

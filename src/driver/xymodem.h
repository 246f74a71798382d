/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XyModem: sending by XMODEM (checksum, CRC, 1K) and YMODEM (a batch of one file), which differ
 * in the block 0 that names the file and in the empty one that ends the batch. Chuck Forsberg,
 * XMODEM/YMODEM Protocol Reference (1988). Pure; the drivers xmodem and ymodem are this with one
 * flag. */
#pragma once

#include "driver/driver.h"

int xymodem_make(const DriverVTable *vtable, bool batch, Driver **ret);
void xymodem_destroy(Driver *d);
int xymodem_start(Driver *d, const DriverRequest *request, uint64_t now_usec);
void xymodem_next(Driver *d, uint64_t now_usec, DriverAction *ret);
void xymodem_input(Driver *d, const void *bytes, size_t n, uint64_t now_usec);
void xymodem_tick(Driver *d, uint64_t now_usec);
void xymodem_cancel(Driver *d);
void xymodem_progress(const Driver *d, DriverProgress *ret);
const DriverResult *xymodem_result(const Driver *d);

#define XYMODEM_VTABLE                                                                             \
        .start = xymodem_start, .next = xymodem_next, .input = xymodem_input,                      \
        .tick = xymodem_tick, .cancel = xymodem_cancel, .progress = xymodem_progress,              \
        .result = xymodem_result, .destroy = xymodem_destroy

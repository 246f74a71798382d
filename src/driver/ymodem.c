/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* YMODEM: a batch of one file, with its name and exact length. */
#include "driver/driver-list.h"
#include "driver/xymodem.h"

static int ymodem_make(Driver **ret) {
        return xymodem_make(&ymodem_vtable, true, ret);
}

const DriverVTable ymodem_vtable = {
        .name = "ymodem",
        .capabilities = 0,
        .meaning = "YMODEM sending: one file with name and length, 1K blocks",
        .make = ymodem_make,
        XYMODEM_VTABLE,
};

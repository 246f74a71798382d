/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XMODEM: a file without a name; the receiver cannot tell its length and keeps up to 1023 bytes
 * of padding (0x1a) behind it. */
#include "driver/driver-list.h"
#include "driver/xymodem.h"

static int xmodem_make(Driver **ret) {
        return xymodem_make(&xmodem_vtable, false, ret);
}

const DriverVTable xmodem_vtable = {
        .name = "xmodem",
        .capabilities = 0,
        .meaning = "XMODEM sending: checksum, CRC and 1K blocks, as the receiver asks",
        .make = xmodem_make,
        XYMODEM_VTABLE,
};

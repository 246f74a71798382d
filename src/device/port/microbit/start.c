/* SPDX-License-Identifier: MIT */
/*
 * What runs before run(), in bootloader and program alike: initialised data is copied from flash,
 * the rest of it cleared.
 */

#include "start.h"

#include <stdint.h>
#include <string.h>

extern uint8_t start_data[], start_data_end[], start_data_flash[], start_bss[], start_bss_end[];

void start(void) {
        memcpy(start_data, start_data_flash, (size_t)(start_data_end - start_data));
        memset(start_bss, 0, (size_t)(start_bss_end - start_bss));
        run();
}

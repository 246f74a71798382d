/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VirtualDevice: the real device library on a chip that exists only in memory and in virtual
 * time: flash with its times, a UART, resets. The program that it starts is the library's
 * program side, which reports healthy at once. Everything is deterministic. */
#pragma once

#include "basic/cleanup.h"
#include "rekindle/device.h"

#define VIRTUAL_UNIT_BYTES 1024
#define VIRTUAL_SPACE_MAX  (1024 * 1024)
#define VIRTUAL_TX_BYTES   2048
#define VIRTUAL_RING_MAX   8192

typedef struct VirtualConfig {
        uint32_t space_bytes, ring_bytes;
        uint16_t max_payload;
        uint8_t address;
        uint32_t capabilities;
        uint32_t erase_usec, write_usec; /* a unit; a page */
        uint32_t speeds[4];
        uint8_t n_speeds;
        const char *serial;
        uint32_t program_baud; /* 0: the first speed */
} VirtualConfig;

typedef struct VirtualDevice {
        VirtualConfig config;
        RkdPlatform platform;
        RkdBoot boot;
        RkdProgram program;
        bool runs_program;
        uint64_t now_usec, flash_until_usec, deaf_until_usec;
        uint32_t baud, baud_next;
        bool flash_fails, reset_due, start_due;
        uint8_t flash[VIRTUAL_SPACE_MAX + 2 * VIRTUAL_UNIT_BYTES];
        _Alignas(4) uint8_t page[VIRTUAL_UNIT_BYTES], rx[RKD_RX_BYTES(RKD_PAYLOAD_MAX)];
        uint8_t ring[VIRTUAL_RING_MAX], tx[RKD_TX_BYTES(RKD_ANSWER_MAX)],
                        retained[RKD_RETAINED_BYTES];
        RkdRegion region;
        uint8_t out[VIRTUAL_TX_BYTES]; /* said since the line took it last */
        size_t n_out;
        unsigned n_erases, n_writes;
} VirtualDevice;

VirtualConfig virtual_config(void);
/* Flash is erased, the bootloader starts. */
VirtualDevice *virtual_device_new(const VirtualConfig *config);
/* Power off and on: RAM is lost, flash stays. */
void virtual_device_power_cycle(VirtualDevice *d);
void virtual_device_receive(VirtualDevice *d, uint64_t now_usec, uint8_t byte);
/* Runs until now; returns when it wants to run again. */
uint64_t virtual_device_run(VirtualDevice *d, uint64_t now_usec);
/* "Flashed by other means". */
void virtual_device_load(VirtualDevice *d, const uint8_t *image, size_t n);

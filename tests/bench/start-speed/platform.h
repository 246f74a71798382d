/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A platform in memory, for the library to be compiled with (RKD_PLATFORM_H of rkd-config.h), as a
 * bootloader's library is.
 */

#include "rekindle/device.h"

#define UNIT    1024u
#define PROGRAM 0x21000000u
#define SPACE   (224u * UNIT)
#define RECORD  (PROGRAM + SPACE)
#define PAYLOAD 132u
#define ANSWER  224u
#define RING    512u

extern uint32_t bench_page[UNIT / 4], bench_rx[(RKD_RX_BYTES(PAYLOAD) + 3) / 4],
                bench_ring[RING / 4];
extern uint32_t bench_tx[(RKD_TX_BYTES(ANSWER) + 3) / 4], bench_retained[RKD_RETAINED_BYTES / 4];

int bench_flash_change(void *user, uint32_t address, uint32_t n);
int bench_flash_write(void *user, uint32_t address, const void *data, size_t n);
size_t bench_send(void *user, const uint8_t *data, size_t n);
uint32_t bench_milliseconds(void *user);
void bench_start_program(void *user, const RkdStart *how);
void bench_reset(void *user);

static const uint32_t bench_speed = 115200;
static const RkdRegion bench_region = { PROGRAM, UNIT, SPACE / UNIT + 2, 4 };

static const RkdPlatform rkd_platform = {
        .capabilities = RKD_CAN_FLASH_BLOCKS_CPU | RKD_CAN_FULL_DUPLEX,
        .model = "bench",
        .regions = &bench_region,
        .n_regions = 1,
        .unit_size = UNIT,
        .program_base = PROGRAM,
        .program_space = SPACE,
        .record_pages = { RECORD, RECORD + UNIT },
        .record_size = UNIT,
        .record_write_size = 4,
        .speeds = &bench_speed,
        .n_speeds = 1,
        .page = (uint8_t *)bench_page,
        .page_bytes = sizeof(bench_page),
        .ring = (uint8_t *)bench_ring,
        .ring_bytes = sizeof(bench_ring),
        .max_payload = PAYLOAD,
        .rx = (uint8_t *)bench_rx,
        .tx = (uint8_t *)bench_tx,
        .tx_bytes = sizeof(bench_tx),
        .retained = (uint8_t *)bench_retained,
        .flash_erase = bench_flash_change,
        .flash_write = bench_flash_write,
        .send = bench_send,
        .milliseconds = bench_milliseconds,
        .start_program = bench_start_program,
        .reset = bench_reset,
};

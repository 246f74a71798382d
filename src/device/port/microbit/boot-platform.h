/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The platform of the bootloader, for the library to be compiled with (RKD_PLATFORM_H of
 * rkd-config.h): whatever is the same on every board needs no code then.
 */

#include "device/rkd-ed25519.h"
#include "proto/header.h"
#include "rekindle/device.h"

#include "board.h"

#define BOOT_LISTEN_MS 200u
#define BOOT_ERASE_MS  23u /* data sheet: 22.3 ms a page */
#define BOOT_WRITE_MS  13u /* 46.3 us a word, 256 words */
#define BOOT_PAYLOAD   132u
#ifndef BOOT_ANSWER
#define BOOT_ANSWER 64u
#endif

#ifndef BOOT_RING
#define BOOT_RING 512u
#endif

#ifndef BOOT_PAGE
#define BOOT_PAGE BOARD_PAGE_BYTES
#endif

/* 1: takes only what the key of the factory page has signed. */
#ifndef BOOT_KEY
#define BOOT_KEY 0
#endif

#if BOOT_KEY
int boot_verify_signature(void *user, bool again, uint8_t algorithm, const uint8_t *header,
                size_t n_header, const uint8_t *signature);
#endif

#if RKD_PATCH_IS_BUILT
/* The two never work at once. */
typedef union BootCodec {
        RkdPatch patch;
#if BOOT_KEY
        RkdEd25519 verifier;
#endif
} BootCodec;

extern BootCodec boot_codec;
#endif
extern uint32_t boot_page[BOOT_PAGE / 4];
extern uint32_t boot_rx[(RKD_RX_BYTES(BOOT_PAYLOAD) + 3) / 4];
#if BOOT_RING > 0
extern uint8_t boot_ring[BOOT_RING];
#endif
extern uint32_t boot_tx[(RKD_TX_BYTES(BOOT_ANSWER) + 3) / 4];
extern char boot_serial[BOARD_SERIAL_BYTES];

void boot_start_program(void *user, const RkdStart *how);
int boot_is_plausible(void *user);

static const RkdPlatform rkd_platform = {
        .find_address = board_address,
        .instruction_set = RKD_ISA_THUMB,
        .capabilities = RKD_CAN_READ | RKD_CAN_TRIAL_TIMER | RKD_CAN_FULL_DUPLEX |
                        RKD_CAN_FLASH_BLOCKS_CPU,
        .listen_ms = BOOT_LISTEN_MS,
        .model = "microbit",
        .hardware = "1.5",
        .serial = boot_serial,
        .bootloader_version = "1.0.0",
        .regions = &board_region,
        .n_regions = 1,
        .unit_size = BOARD_PAGE_BYTES,
        .program_base = BOARD_PROGRAM_BASE,
        .program_space = BOARD_PROGRAM_SPACE,
        .ram_base = BOARD_RAM_BASE,
        .ram_size = BOARD_RAM_BYTES,
        .record_pages = { BOARD_RECORD_PAGE, BOARD_RECORD_PAGE + BOARD_PAGE_BYTES },
        .record_size = BOARD_PAGE_BYTES,
        .record_write_size = 4,
        .erase_ms = BOOT_ERASE_MS,
        .write_ms = BOOT_WRITE_MS,
        .speeds = &board_speed,
        .n_speeds = 1,
        .page = (uint8_t *)boot_page,
        .page_bytes = sizeof(boot_page),
#if BOOT_RING > 0
        .ring = boot_ring,
        .ring_bytes = sizeof(boot_ring),
#else
        .ring_bytes = sizeof(boot_page) + 8,
#endif
        .max_payload = BOOT_PAYLOAD,
        .rx = (uint8_t *)boot_rx,
        .tx = (uint8_t *)boot_tx,
        .tx_bytes = sizeof(boot_tx),
        .retained = (uint8_t *)(BOARD_SHARED + offsetof(BoardShared, retained)),
#if RKD_PATCH_IS_BUILT && defined(RKD_PATCH_PROFILE)
        .patch = &boot_codec.patch,
        .patch_profile = RKD_PATCH_PROFILE,
#endif
        .flash_erase = board_flash_erase,
        .flash_write = board_flash_write,
        .send = board_send,
        .milliseconds = board_milliseconds,
        .feed_watchdog = board_feed_watchdog,
        .start_program = boot_start_program,
        .reset = board_reset,
        .is_plausible = boot_is_plausible,
#if BOOT_KEY
        .verify_signature = boot_verify_signature,
#endif
};

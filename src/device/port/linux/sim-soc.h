/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The boundary between the simulated chip and the program that runs on it (a process of its own).
 * The program gets four descriptors and nothing else:
 *
 *   3  the UART: a byte stream
 *   4  the chip: one SimSocMessage per packet, both ways
 *   5  flash, read only, to be mapped
 *   6  SimSocPage, to be mapped: what the program knows of the board, and retained RAM
 */

#include <stdint.h>

enum {
        SIM_SOC_UART_FD = 3,
        SIM_SOC_CHIP_FD = 4,
        SIM_SOC_FLASH_FD = 5,
        SIM_SOC_PAGE_FD = 6,
};

/* The chip's memory map. */
#define SIM_FLASH_BASE UINT32_C(0x08000000)
#define SIM_RAM_BASE   UINT32_C(0x20000000)
#define SIM_RAM_BYTES  UINT32_C(0x9000)

#define SIM_SOC_RETAINED_BYTES 32
#define SIM_SOC_STRING_BYTES   64
#define SIM_SOC_SPEEDS_MAX     8
#define SIM_SOC_WRITE_MAX      256

typedef enum SimSocType {
        SIM_SOC_FEED,         /* the watchdog is fed */
        SIM_SOC_TRIAL_PASSED, /* the trial timer is stopped */
        SIM_SOC_RESET,        /* software reset */
        SIM_SOC_SET_BAUD,     /* value: the UART's speed */
        SIM_SOC_WRITE,        /* value: address, length, bytes; answered by SIM_SOC_FLASH_DONE */
        SIM_SOC_FLASH_DONE,   /* from the chip; value: 0 or -errno */
} SimSocType;

typedef struct SimSocMessage {
        uint32_t type;
        int32_t value;
        uint32_t length;
        uint8_t bytes[SIM_SOC_WRITE_MAX];
} SimSocMessage;

typedef struct SimSocPage {
        uint8_t retained[SIM_SOC_RETAINED_BYTES];
        char model[SIM_SOC_STRING_BYTES];
        char hardware[SIM_SOC_STRING_BYTES];
        char serial[SIM_SOC_STRING_BYTES];
        char bootloader_version[SIM_SOC_STRING_BYTES];
        /* flash: program area from 0, then two erase units for the record; the same again one
         * stride further, if that is not 0 */
        uint32_t program_bytes;
        uint32_t slot_stride;
        uint32_t erase_bytes;
        uint32_t write_bytes;
        uint32_t unit_bytes;
        uint32_t speeds[SIM_SOC_SPEEDS_MAX];
        uint32_t capabilities;
        uint8_t n_speeds;
        uint8_t address;
} SimSocPage;

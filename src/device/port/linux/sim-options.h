/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SIM_SPEEDS_MAX 8

/* The command line; strings point into argv or to constants. */
typedef struct SimOptions {
        const char *link;
        const char *unix_path;
        uint32_t fd; /* UINT32_MAX: none */
        uint32_t pace;
        uint32_t half_duplex;
        uint32_t echo;
        uint32_t address;
        uint32_t speeds[SIM_SPEEDS_MAX];
        uint32_t n_speeds;
        uint32_t program_baud; /* 0: that of the bootloader */

        const char *flash;
        uint32_t program_bytes;
        uint32_t slots;
        uint32_t unit_bytes;
        uint32_t erase_bytes; /* 0: the unit */
        uint32_t write_bytes;
        uint32_t erase_msec;
        uint32_t write_usec;
        uint32_t flash_times;
        uint32_t flash_blocks_cpu;
        const char *load;

        const char *model;
        const char *hardware;
        const char *serial;
        const char *bootloader_version;
        const char *device_key;
        uint32_t floor_enforced;
        uint32_t buffer_bytes;
        uint32_t codec; /* RkdPatchProfile */
        uint32_t max_payload;
        uint32_t trial_timer;
        uint32_t read_back;
        uint32_t watchdog_msec;

        const char *control;
        uint32_t noise_flip;
        uint32_t noise_drop;
        uint32_t mute;
        uint32_t faulty;
        uint32_t cut_after;
        uint32_t seed;
        uint32_t verbose;
} SimOptions;

/* 0: go on; 1: help or version was printed; -EINVAL: told on stderr what is wrong. */
int sim_options_parse(SimOptions *ret, int argc, char **argv);

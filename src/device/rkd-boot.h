/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Between the two files of the bootloader engine: rkd-boot.c (loop, starting the program,
 * speaking unasked) and rkd-command.c (what each command does).
 */

#include "device/rkd-record.h" /* RKD_LATER */
#include "rekindle/device.h"

enum {
        RKD_CHECK_UNKNOWN,
        RKD_CHECK_GOOD,
        RKD_CHECK_BAD
};
enum {
        RKD_PHASE_LISTEN,
        RKD_PHASE_COUNT,
        RKD_PHASE_START,
        RKD_PHASE_GONE
};

/* Finds out whether the program in flash is what the record says (without a record: whether it
 * looks like one): RKD_LATER while it works, else RKD_OK or RKD_BAD_DIGEST. */
uint8_t rkd_boot_check(RkdBoot *boot);
/* Whether state and check allow a start by themselves. */
bool rkd_boot_is_runnable(const RkdBoot *boot);
void rkd_boot_fill_status(const RkdBoot *boot, RkdStatus *ret);
uint16_t rkd_boot_boots(const RkdBoot *boot);
/* Starts the program once nothing is left to be sent. */
void rkd_boot_start(RkdBoot *boot);

/* Takes up the command at hand, or goes on with it. */
void rkd_boot_command(RkdBoot *boot);
/* Goes on with a record that a BEGIN left to be written. */
void rkd_boot_poll_begin(RkdBoot *boot);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Between the files of the bootloader engine: rkd-boot.c (loop, starting the program,
 * speaking unasked), rkd-command.c (what each command does) and rkd-begin.c (BEGIN).
 */

#include "device/rkd-link.h"
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
/* Flash is no longer what was checked. */
void rkd_boot_forget_check(RkdBoot *boot);
/* Nothing is being erased or written, nor will be by itself. */
bool rkd_boot_is_at_rest(const RkdBoot *boot);
/* STATUS, RKD_STATUS_BYTES long. */
void rkd_boot_put_status(const RkdBoot *boot, uint8_t *out);
uint16_t rkd_boot_boots(const RkdBoot *boot);
/* Starts the program once nothing is left to be sent. */
void rkd_boot_start(RkdBoot *boot);

/* Takes up the command at hand, or goes on with it. */
void rkd_boot_command(RkdBoot *boot);
/* The signature behind a header of n bytes: RKD_OK where none is demanded. */
uint8_t rkd_boot_verify(
                const RkdBoot *boot, const uint8_t *header, uint16_t n, uint16_t n_signature);
uint8_t rkd_boot_on_begin(RkdBoot *boot, const uint8_t *in, RkdReply *reply);
/* Goes on with a record that a BEGIN left to be written. */
void rkd_boot_poll_begin(RkdBoot *boot);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The contexts of bootloader and program: what a caller provides memory for. Private, as their
 * parts are.
 */

#include "device/rkd-parts.h"
#include "device/rkd-patch-state.h"

/* rkd-boot.c, rkd-command.c: the bootloader engine. */
typedef struct RkdBoot {
        uint8_t cause;
        uint8_t phase;
        uint8_t check;     /* of the program: unknown, good, bad */
        bool plausible;    /* what was in flash at the start looks like a program */
        bool staying;      /* somebody wants the bootloader */
        bool poll_due;     /* an ACK or NAK was asked for by POLL */
        bool command_open; /* the command at hand was tried before */
        bool record_due;   /* a record waits in the page for the BUSY that announces it */
        bool record_open;  /* it is being written */
        uint8_t n_floor;   /* floor that goes with it, in floor[] */
        uint8_t begin_result;
        uint16_t begin_total, begin_have;
        uint16_t sums_done;
        const RkdPlatform *platform;
        uint32_t command_ms; /* when it was first tried */
        uint32_t boot_ms;    /* when this context was begun */
        uint32_t quiet_ms;   /* since when nobody talks */
        uint32_t hello_ms;
        RkdRetained retained;
        RkdFlash flash;
        RkdStream stream;
        RkdRecord record;
        RkdLink link;
        RkdDigest digest;
} RkdBoot;

/* rkd-program.c */
typedef struct RkdProgram {
        uint8_t health;
        bool command_open;
        bool healthy_due; /* the mark is to be written */
        bool hello_due;
        bool leaving;
        bool dead;
        const RkdPlatform *platform;
        const struct RkdDescriptor *descriptor;
        uint32_t command_ms;
        RkdRetained retained;
        RkdFlash flash;
        RkdRecord record;
        RkdLink link;
        RkdDigest digest;
} RkdProgram;

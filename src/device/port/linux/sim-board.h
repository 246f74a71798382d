/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The platform that the bootloader runs on: what the device library asks for, answered by the
 * simulated hardware. The members are for the machine (sim-machine.c), which owns the board and
 * acts on its requests.
 */

#include "rekindle/device.h"

#include "sim-flash.h"
#include "sim-line.h"
#include "sim-options.h"
#include "sim-signature.h"
#include "sim-soc.h"

typedef enum SimRequest {
        SIM_REQUEST_NONE,
        SIM_REQUEST_START, /* the bootloader leaves for the program: `start` */
        SIM_REQUEST_RESET,
} SimRequest;

typedef struct SimBoard {
        const SimOptions *options;
        SimFlash *flash;
        SimLine *line;
        SimKey *key; /* NULL: takes releases without a signature */
        SimSocPage *page;
        int page_fd;
        int flash_fd; /* read only, for programs */

        RkdPlatform platform;
        RkdRegion region;
        uint8_t *memory; /* page buffer, ring and transmit buffer */
        RkdPatch patch;

        SimRequest request;
        RkdStart start;
        uint32_t baud_next;           /* 0: none; in force when the output has left */
        uint32_t erase_at, erase_end; /* what is still to be erased of a flash unit */
} SimBoard;

/* Opens flash and line and fills the platform; tells on stderr what fails. */
int sim_board_new(SimBoard **ret, const SimOptions *options);
SimBoard *sim_board_free(SimBoard *board);

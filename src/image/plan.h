/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plan: the cheapest stream known that turns what a device's flash holds into the wanted image
 * (rekindle-link(7), stream codecs). This one writes literal pages (codec 0). Pure; the daemon
 * runs it in a child process. */
#pragma once

#include "basic/error.h"

typedef struct PlanInput {
        const uint8_t *wanted; /* the image to install */
        size_t wanted_length;
        /* what the flash holds if known (else NULL), from the program base */
        const uint8_t *present;
        size_t present_length;
        const uint32_t *sums; /* CRC-32 of each flash unit as the device told (NULL: not asked) */
        size_t n_sums;
        uint32_t unit_size; /* bytes, power of two, 64..65536 */
        bool trust_nothing; /* all units as literals */
} PlanInput;

typedef struct PlanOutput {
        uint8_t codec;
        uint8_t *stream; /* caller frees */
        size_t length;
        uint32_t units_sent, units_kept;
} PlanOutput;

int plan_literal(const PlanInput *in, PlanOutput *ret, Why *w);

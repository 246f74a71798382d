/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plan: the cheapest stream known that turns what a device's flash holds into the wanted image
 * (rekindle-link(7), stream codecs): whole units here, patches in image/patch.h. Pure; the daemon
 * runs it in a child process. */
#pragma once

#include "basic/error.h"

typedef struct PlanImage {
        const uint8_t *bytes;
        size_t length;
} PlanImage;

typedef struct PlanInput {
        const uint8_t *wanted; /* the image to install */
        size_t wanted_length;
        /* what the flash holds if known (else NULL), from the program base */
        const uint8_t *present;
        size_t present_length;
        const uint32_t *sums; /* CRC-32 of each flash unit as the device told (NULL: not asked) */
        size_t n_sums;
        /* images that units may belong to whose checksum was told */
        const PlanImage *held;
        size_t n_held;
        uint32_t unit_size; /* bytes, power of two, 64..65536 */
        bool trust_nothing; /* all units as literals */
        /* of the device: identity of rekindle-link(7); all zero: raw only */
        uint8_t codecs, codec_profile, instruction_set;
        uint32_t program_base, program_space, ram_base, ram_size;
} PlanInput;

typedef enum PlanOrder { /* of the units sent */
        PLAN_UP,
        PLAN_DOWN,
        PLAN_GRAPH, /* those that others need come later */
        _PLAN_ORDER_MAX,
} PlanOrder;

typedef struct PlanOutput {
        uint8_t codec;
        uint8_t *stream; /* caller frees */
        size_t length;
        uint32_t units_sent, units_kept;
        uint32_t units_parked; /* of those sent; written twice, first where flash is free */
        PlanOrder order;
} PlanOutput;

/* The shortest stream that the device can take. */
int plan_make(const PlanInput *in, PlanOutput *ret, Why *w);
/* Codec 0: every unit that differs, whole. */
int plan_literal(const PlanInput *in, PlanOutput *ret, Why *w);

/* Whether the unit of the wanted image need not be sent. */
bool plan_unit_is_kept(const PlanInput *in, uint32_t i);
/* What the unit holds, unit_size bytes; false when that is not known (nothing is written then). */
bool plan_unit_content(const PlanInput *in, uint32_t i, uint8_t *ret);

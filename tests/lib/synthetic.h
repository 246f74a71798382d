/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that never ran: functions, calls between them, constants and pointers, put together as
 * a linker would, so that one changed function moves all that lie behind it. */
#pragma once

#include "basic/cleanup.h"

typedef struct SyntheticSpec {
        uint8_t isa; /* RkdInstructionSet */
        uint32_t base, ram_base;
        uint32_t seed;
        unsigned functions;
        unsigned changed_every; /* 0: none; the nth, 2nth … function is another */
        unsigned version;       /* of the changed ones */
        unsigned turned_by;     /* functions that come last instead of first */
} SyntheticSpec;

/* Free *ret. */
int synthetic_image(const SyntheticSpec *spec, uint8_t **ret, size_t *ret_n);
/* Bytes that nothing makes smaller. */
void synthetic_noise(uint8_t *out, size_t n, uint32_t seed);

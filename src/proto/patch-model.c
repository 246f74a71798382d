/* SPDX-License-Identifier: MIT */
/* What models begin with, see patch-model.h. */

#include "proto/patch-model.h"

#include <string.h>

#define EVEN 32768u

const uint8_t rkd_patch_rates[RKD_PATCH_TRUST + 1] = { 171, 102, 73, 57, 47, 39, 34, 30, 27, 24, 22,
        20, 19, 18, 17, 16, 15, 14, 13, 12, 12, 11, 11, 10, 10, 10, 9, 9, 9, 8, 8 };

void rkd_patch_model_init(RkdPatchModel *m, uint8_t profile) {
        memset(m, 0, sizeof(*m));
        for (unsigned i = 0; i < _RKD_PATCH_CONTEXTS; i++)
                m->chance[i] = EVEN;
        m->profile = profile;
}

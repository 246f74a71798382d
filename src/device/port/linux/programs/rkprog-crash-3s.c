/* SPDX-License-Identifier: MIT */

/* Is healthy for three seconds, at every start. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = true,
        .crash_after_msec = 3000,
};

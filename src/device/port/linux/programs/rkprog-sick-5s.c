/* SPDX-License-Identifier: MIT */

/* Is healthy for five seconds. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = true,
        .sick_after_msec = 5000,
};

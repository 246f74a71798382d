/* SPDX-License-Identifier: MIT */

/* Is healthy until it is confirmed; from then on for half a second at every start. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = true,
        .crash_after_msec = 500,
        .crashes_once_confirmed = true,
};

/* SPDX-License-Identifier: MIT */

/* Is healthy until it is confirmed; from then on it crashes at every start. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .name = "crash-after-confirm",
        .says_healthy = true,
        .crashes_when_confirmed = true,
};

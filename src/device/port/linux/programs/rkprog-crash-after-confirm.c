/* SPDX-License-Identifier: MIT */

/* Is healthy until it is confirmed; it crashes two seconds later, and at every start from then on. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .name = "crash-after-confirm",
        .says_healthy = true,
        .crashes_when_confirmed = true,
};

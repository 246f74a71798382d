/* SPDX-License-Identifier: MIT */

/* Is healthy until it is confirmed; it crashes two seconds later, and then at every start. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = true,
        .crashes_when_confirmed = true,
};

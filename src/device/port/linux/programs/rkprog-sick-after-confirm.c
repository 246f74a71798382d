/* SPDX-License-Identifier: MIT */

/* Is healthy until it is confirmed; then it reports itself sick. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = true,
        .sick_when_confirmed = true,
};

/* SPDX-License-Identifier: MIT */

/* Says that it is healthy, and another version than it was published as. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = true,
        .version = "0.0.1-wrong",
};

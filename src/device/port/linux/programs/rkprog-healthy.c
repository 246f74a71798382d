/* SPDX-License-Identifier: MIT */

/* Runs, and says so. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .name = "healthy",
        .says_healthy = true,
};

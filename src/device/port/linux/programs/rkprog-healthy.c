/* SPDX-License-Identifier: MIT */

/* Runs, and says so. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = true,
};

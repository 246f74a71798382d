/* SPDX-License-Identifier: MIT */

/* Runs, but never says that it is healthy. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = false,
};

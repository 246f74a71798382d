/* SPDX-License-Identifier: MIT */

/* Runs, but never says that it is healthy. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .name = "silent",
        .says_healthy = false,
};

/* SPDX-License-Identifier: MIT */

/* Crashes at once. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .crashes = true,
};

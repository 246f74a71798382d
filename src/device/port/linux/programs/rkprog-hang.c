/* SPDX-License-Identifier: MIT */

/* Never feeds the watchdog, and never listens. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .hangs = true,
};

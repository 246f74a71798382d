/* SPDX-License-Identifier: MIT */

/* Says that it is healthy, and crashes before anybody could ask it. */

#include "program.h"

const ProgramBehaviour program_behaviour = {
        .says_healthy = true,
        .crash_after_msec = 50,
};

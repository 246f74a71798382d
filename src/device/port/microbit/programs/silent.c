/* SPDX-License-Identifier: MIT */
#include "program.h"

/* Feeds the watchdog and answers, but never says that it is well. */
const ProgramBehaviour program_behaviour = { .says_healthy = false };

/* SPDX-License-Identifier: MIT */
#include "program.h"

const ProgramBehaviour program_behaviour = { .says_healthy = true };

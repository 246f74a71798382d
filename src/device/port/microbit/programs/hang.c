/* SPDX-License-Identifier: MIT */
#include "program.h"

const ProgramBehaviour program_behaviour = { .hangs = true };

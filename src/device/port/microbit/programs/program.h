/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/*
 * How an example program behaves. Each is program.c with one of these; a member that is not set is
 * the good behaviour of a program that never says how it is.
 */
typedef struct ProgramBehaviour {
        bool crashes; /* before anything else */
        bool hangs;   /* neither feeds the watchdog nor listens */
        bool says_healthy;
} ProgramBehaviour;

extern const ProgramBehaviour program_behaviour;

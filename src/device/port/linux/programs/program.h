/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How an example program behaves. Each rkprog-NAME is program.c with one of these; a member that
 * is not set is the good behaviour of a program that never says how it is.
 */
typedef struct ProgramBehaviour {
        bool crashes; /* before anything else */
        bool hangs;   /* neither feeds the watchdog nor listens */
        bool says_healthy;
        uint32_t sick_after_msec;    /* counted from the start; 0: never */
        uint32_t crash_after_msec;   /* likewise … */
        bool crashes_once_confirmed; /* … and not before it is confirmed */
        const char *version;         /* said instead of the one in the descriptor */
        bool crashes_when_confirmed; /* soon, and at every start from then on */
        bool sick_when_confirmed;
} ProgramBehaviour;

extern const ProgramBehaviour program_behaviour;

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Between the vector tables and C.
 */

typedef void (*StartVector)(void);

/* The end of the stack: an address from the linker script, never called. */
void start_stack(void);

_Noreturn void start(void);
_Noreturn void run(void);

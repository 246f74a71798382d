/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bare: what a program needs that measures itself on a machine of QEMU without anything below it
 * (mps2-an385): a timer that counts down, and semihosting to print and to end. */
#pragma once

#include <stdint.h>

#define BARE_TIMER (*(volatile const uint32_t *)0x40000004) /* what is left of it */

/* The timer runs from UINT32_MAX on. */
void bare_begin(void);
/* "NAME VALUE" and a newline; the name comes with its blank. */
void bare_print(const char *name, uint32_t value);
/* Ends the machine. */
__attribute__((noreturn)) void bare_end(void);

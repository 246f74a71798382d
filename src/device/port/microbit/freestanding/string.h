/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * All of <string.h> that the device library needs, for a compiler that comes without a C library.
 */

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

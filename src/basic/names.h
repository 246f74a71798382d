/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names that come from devices, servers and people: what is allowed in them, and how strings
 * that are shown are made harmless. Also the strict number parsers that every text format uses. */
#pragma once

#include "cleanup.h"

#define NAME_MAX_LENGTH 64

/* Device ids, models, channels, port names: [A-Za-z0-9._-]{1,64}, not starting with a dot
 * (design section 8). */
bool name_is_valid(const char *s);
/* Printable ASCII (0x20-0x7e), at most max bytes. */
bool text_is_printable(const char *s, size_t max);

/* Escapes n bytes for display: printable ASCII as it is, backslash doubled, the rest as \xNN. At
 * most max characters of output, then "...". Returns a new string (free it) or NULL when out of
 * memory. */
char *text_escape(const void *bytes, size_t n, size_t max);

/* Puts a question mark in the place of every byte that is no printable ASCII: what is shown,
 * journalled and sent must be good UTF-8, wherever its parts came from. */
void text_clean(char *s);

/* Whole string, decimal digits only, no sign, no blanks, within [min, max]. 0, -EINVAL, -ERANGE. */
int parse_uint64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);
/* yes/no, true/false, on/off, 1/0 (any case). */
int parse_boolean(const char *s, bool *ret);
/* "90", "90s", "5min", "2h", "1d", "300ms", sums such as "1h 30min"; plain numbers are seconds.
 * In microseconds. */
int parse_usec(const char *s, uint64_t *ret_usec);
/* "4096", "64K", "2M", "1G" (powers of 1024). In bytes. */
int parse_bytes(const char *s, uint64_t *ret_bytes);

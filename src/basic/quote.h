/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Percent-encoding of names (RFC 3986 section 2.1), for URLs and for files called after names that
 * anybody may choose. */
#pragma once

#include "cleanup.h"

/* All but A-Z a-z 0-9 - . _ ~ becomes %XX: the whole is one segment. New string, or NULL when out
 * of memory. */
char *quote_name(const char *s);
/* The same for a path: slashes stay, and what a segment may hold besides (section 3.3). */
char *quote_path(const char *s);

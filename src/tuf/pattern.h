/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Path patterns of delegations (specification 4.5, PATHPATTERN): `*` stands for any characters
 * and `?` for one, never for a slash; all else is itself. Case counts, a dot at the beginning is
 * nothing special, and there are no brackets and no escapes. */
#pragma once

#include "basic/cleanup.h"

/* Its work, at most the product of both lengths, is taken from *budget; when that is used up (0),
 * nothing matches any more. */
bool pattern_matches(const char *pattern, const char *path, uint64_t *budget);

/* Whether it could match a path below this folder (one segment, without slash). */
bool pattern_reaches(const char *pattern, const char *folder, uint64_t *budget);

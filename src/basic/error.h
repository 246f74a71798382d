/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why: the sentence that goes with an error code: what is wrong, where, and what would be right.
 * Functions that can refuse input take a `Why *` last-but-outputs (NULL: the caller does not
 * care) and fill it exactly when they return non-zero. The text is printable ASCII: everything
 * outside is written as \xNN. */
#pragma once

#include "cleanup.h"

#define WHY_MAX 400

typedef struct Why {
        char text[WHY_MAX];
} Why;

/* Formats into w (may be NULL) and returns r: `return why(w, -EBADMSG, "record: ...");`.
 * Longer text is cut and ends in "...". Never allocates. */
int why(Why *w, int r, const char *format, ...) _printf_(3, 4);

/* Puts "prefix: " before the text that w holds: callers add where it happened. Returns r. */
int why_prefix(Why *w, int r, const char *format, ...) _printf_(3, 4);

/* Out of memory, said the same everywhere; returns -ENOMEM. */
int why_oom(Why *w);

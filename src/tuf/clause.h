/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clauses of the TUF specification 1.0.34, by role and by what was checked: every refusal begins
 * with the one that was broken ("TUF 5.4.4: timestamp: ..."). */
#pragma once

#include "tuf/metadata.h"

typedef enum TufCheck {
        TUF_CHECK_FORMAT,    /* chapter 4 */
        TUF_CHECK_FETCH,     /* it is there, and no longer than what is allowed */
        TUF_CHECK_HASH,      /* length and hashes that were promised */
        TUF_CHECK_SIGNATURE, /* arbitrary software attack */
        TUF_CHECK_VERSION,   /* the version that was promised; of a root, the next one */
        TUF_CHECK_ROLLBACK,
        TUF_CHECK_EXPIRY, /* freeze attack */
        TUF_CHECK_PERSIST,
        _TUF_CHECK_MAX,
} TufCheck;

const char *tuf_clause(TufRole role, TufCheck check);

/* Puts the clause before the sentence and returns r; what is not the file's fault (no memory)
 * stays as it is. */
int tuf_broken(TufRole role, TufCheck check, int r, Why *w);

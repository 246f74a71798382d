/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tuf/clause.h"

#include <assert.h>

const char *tuf_clause(TufRole role, TufCheck check) {
        static const char *const clauses[_TUF_ROLE_MAX][_TUF_CHECK_MAX] = {
                [TUF_ROOT] = {
                        [TUF_CHECK_FORMAT] = "4.3",
                        [TUF_CHECK_FETCH] = "5.3.3",
                        [TUF_CHECK_HASH] = "5.3.3",
                        [TUF_CHECK_SIGNATURE] = "5.3.4",
                        [TUF_CHECK_VERSION] = "5.3.5",
                        [TUF_CHECK_ROLLBACK] = "5.3.5",
                        [TUF_CHECK_EXPIRY] = "5.3.10",
                        [TUF_CHECK_PERSIST] = "5.3.8",
                },
                [TUF_TIMESTAMP] = {
                        [TUF_CHECK_FORMAT] = "4.6",
                        [TUF_CHECK_FETCH] = "5.4.1",
                        [TUF_CHECK_HASH] = "5.4.1",
                        [TUF_CHECK_SIGNATURE] = "5.4.2",
                        [TUF_CHECK_VERSION] = "5.4.3.1",
                        [TUF_CHECK_ROLLBACK] = "5.4.3.2",
                        [TUF_CHECK_EXPIRY] = "5.4.4",
                        [TUF_CHECK_PERSIST] = "5.4.5",
                },
                [TUF_SNAPSHOT] = {
                        [TUF_CHECK_FORMAT] = "4.4",
                        [TUF_CHECK_FETCH] = "5.5.1",
                        [TUF_CHECK_HASH] = "5.5.2",
                        [TUF_CHECK_SIGNATURE] = "5.5.3",
                        [TUF_CHECK_VERSION] = "5.5.4",
                        [TUF_CHECK_ROLLBACK] = "5.5.5",
                        [TUF_CHECK_EXPIRY] = "5.5.6",
                        [TUF_CHECK_PERSIST] = "5.5.7",
                },
                [TUF_TARGETS] = {
                        [TUF_CHECK_FORMAT] = "4.5",
                        [TUF_CHECK_FETCH] = "5.6.1",
                        [TUF_CHECK_HASH] = "5.6.2",
                        [TUF_CHECK_SIGNATURE] = "5.6.3",
                        [TUF_CHECK_VERSION] = "5.6.4",
                        [TUF_CHECK_ROLLBACK] = "5.6.4",
                        [TUF_CHECK_EXPIRY] = "5.6.5",
                        [TUF_CHECK_PERSIST] = "5.6.6",
                },
        };

        assert(role >= 0 && role < _TUF_ROLE_MAX && check >= 0 && check < _TUF_CHECK_MAX);
        return clauses[role][check];
}

int tuf_broken(TufRole role, TufCheck check, int r, Why *w) {
        if (r >= 0 || r == -ENOMEM || r == -EIO)
                return r;
        return why_prefix(w, r, "TUF %s", tuf_clause(role, check));
}

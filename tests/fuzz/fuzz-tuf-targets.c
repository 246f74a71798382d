/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timestamp, snapshot and targets metadata before any signature was looked at. */
#include "tuf/canon.h"
#include "tuf/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* What is canonical stays so: reading it again gives the same bytes, unless it holds raw control
 * characters. */
static void check_canonical(const TufMetadata *m) {
        _cleanup_json_ json_t *again = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n;

        if (json_parse(m->canonical, m->canonical_length, &again, NULL) < 0)
                return;
        if (canon_encode(again, &text, &n, NULL) < 0 || n != m->canonical_length ||
                        memcmp(text, m->canonical, n) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        for (TufRole role = TUF_TIMESTAMP; role < _TUF_ROLE_MAX; role++) {
                _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
                TufMeta meta;
                Why w = {};

                if (tuf_metadata_new(role, bytes, n, &m, &w) < 0) {
                        if (w.text[0] == '\0')
                                abort();
                        continue;
                }
                check_canonical(m);
                if (m->version < 1)
                        abort();
                if (tuf_metadata_find(m, "snapshot.json", &meta) >= 0)
                        (void)tuf_meta_check(&meta, "snapshot", bytes, n, &w);
                if (tuf_metadata_check_rollback(m, m, &w) < 0)
                        abort();
        }
        return 0;
}

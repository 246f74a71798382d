/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshot metadata before any signature was looked at. */
#include "tuf-role.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        static const char *const names[] = { "snapshot.json", "targets.json", "team.json" };
        _cleanup_(tuf_metadata_freep) TufMetadata *m = read_role(TUF_SNAPSHOT, bytes, n);
        TufMeta meta;
        Why w;

        if (!m)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (tuf_metadata_find(m, names[i], &meta) >= 0)
                        (void)tuf_meta_check(&meta, names[i], bytes, n, &w);
        if (tuf_metadata_check_rollback(m, m, &w) < 0)
                abort();
        return 0;
}

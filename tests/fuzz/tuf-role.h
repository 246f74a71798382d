/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has to hold for the metadata of any role before a signature was looked at. */
#pragma once

#include "tuf/canon.h"
#include "tuf/metadata.h"

/* What is canonical stays so: reading it again gives the same bytes, unless it holds raw control
 * characters. */
static inline void check_canonical(const TufMetadata *m) {
        _cleanup_json_ json_t *again = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n;

        if (json_parse(m->canonical, m->canonical_length, &again, NULL) < 0)
                return;
        if (canon_encode(again, &text, &n, NULL) < 0 || n != m->canonical_length ||
                        memcmp(text, m->canonical, n) != 0)
                abort();
}

/* NULL when the bytes are refused, with a reason. */
static inline TufMetadata *read_role(TufRole role, const uint8_t *bytes, size_t n) {
        TufMetadata *m = NULL;
        Why w = {};

        if (tuf_metadata_new(role, bytes, n, &m, &w) < 0) {
                if (w.text[0] == '\0')
                        abort();
                return NULL;
        }
        if (m->version < 1)
                abort();
        check_canonical(m);
        return m;
}

/* Roles that list files with their versions: what is found there can be compared with, and no file
 * is newer than itself. */
static inline void check_list(TufRole role, const uint8_t *bytes, size_t n) {
        static const char *const names[] = { "snapshot.json", "targets.json", "team.json" };
        _cleanup_(tuf_metadata_freep) TufMetadata *m = read_role(role, bytes, n);
        TufMeta meta;
        Why w;

        if (!m)
                return;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (tuf_metadata_find(m, names[i], &meta) >= 0)
                        (void)tuf_meta_check(&meta, names[i], bytes, n, &w);
        if (tuf_metadata_check_rollback(m, m, &w) < 0)
                abort();
}

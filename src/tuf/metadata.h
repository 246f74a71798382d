/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metadata: one file of a TUF repository, parsed strictly but not believed: its type, version,
 * expiry and the shape of what its role carries. verify.h says whether it is signed; only the
 * updater decides that it is trusted. */
#pragma once

#include "basic/json.h"

typedef enum TufRole {
        TUF_ROOT,
        TUF_TIMESTAMP,
        TUF_SNAPSHOT,
        TUF_TARGETS,
        _TUF_ROLE_MAX,
} TufRole;

typedef struct TufMetadata {
        TufRole role;
        json_t *document;      /* owned: the whole file */
        const json_t *content; /* its "signed" object */
        /* its "signatures" array: objects of keyid and sig, no key id twice */
        const json_t *signatures;
        char *canonical; /* owned: what is signed */
        size_t canonical_length;
        uint64_t version;
        int64_t expires; /* seconds since 1970 */
} TufMetadata;

/* -EBADMSG for anything that is not well-formed metadata of this role. */
int tuf_metadata_new(TufRole role, const void *bytes, size_t n, TufMetadata **ret, Why *w);
TufMetadata *tuf_metadata_free(TufMetadata *m);
DEFINE_TRIVIAL_CLEANUP_FUNC(TufMetadata *, tuf_metadata_free);

const char *tuf_role_to_string(TufRole role); /* "root", ... */

/* Whose signatures count for a role: `role` holds "keyids" and "threshold" that name keys in
 * `keys`. Borrowed. */
typedef struct TufSigners {
        const json_t *keys;
        const json_t *role;
        const char *name; /* of the role, for texts */
} TufSigners;

/* "keyids", none of them twice, and "threshold" of a role in root or in a delegation. -EBADMSG. */
int tuf_signers_check(const json_t *role, const char *where, Why *w);

/* Entry of timestamp or snapshot about another file ("snapshot.json"). */
typedef struct TufMeta {
        uint64_t version;
        uint64_t length;      /* UINT64_MAX: not given */
        const json_t *hashes; /* NULL: not given */
} TufMeta;

/* -ENOENT when it is not listed. */
int tuf_metadata_find(const TufMetadata *m, const char *name, TufMeta *ret);

/* Bytes against an entry: length and every hash given that is known here (sha256, sha512; one of
 * them has to be). -EBADMSG. */
int tuf_meta_check(const TufMeta *meta, const char *name, const void *bytes, size_t n, Why *w);

/* Every metadata file that `old` lists must be in `new` with no lower version. -ESTALE: gone or
 * lower. */
int tuf_metadata_check_rollback(const TufMetadata *old, const TufMetadata *new, Why *w);

bool tuf_root_is_consistent(const TufMetadata *root);

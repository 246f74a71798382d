/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key: a public key of TUF metadata and what it can verify: ed25519 (RFC 8032),
 * ecdsa-sha2-nistp256 (DER) and rsassa-pss-sha256 (2048 bits or more). The private half, for
 * publishers, is in src/repo. */
#pragma once

#include "basic/json.h"

#define TUF_KEYID_HEX     SHA256_HEX
#define TUF_SIGNATURE_MAX 1024 /* bytes: RSA of 8192 bits */

typedef struct TufKey TufKey;

/* From the key object of metadata. -EBADMSG: malformed; -EOPNOTSUPP: a type or scheme that
 * cannot be verified here. */
int tuf_key_new(const json_t *object, TufKey **ret, Why *w);
TufKey *tuf_key_free(TufKey *key);
DEFINE_TRIVIAL_CLEANUP_FUNC(TufKey *, tuf_key_free);

/* SHA-256 of the canonical key object, in hexadecimal: what its key id has to be. */
int tuf_key_id(const json_t *object, char ret[static TUF_KEYID_HEX], Why *w);

/* True when signature (hexadecimal, as in metadata) is this key's over the bytes. Odd text is
 * just no signature. */
bool tuf_key_verify(const TufKey *key, const char *signature, const void *bytes, size_t n);

/* The same public key, whatever the objects say beside it. */
bool tuf_key_equal(const TufKey *a, const TufKey *b);

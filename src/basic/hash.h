/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SHA-256 (FIPS 180-4) by libcrypto: running, of bytes, of files. */
#pragma once

#include "cleanup.h"

#define SHA256_BYTES 32
#define SHA256_HEX   65 /* 64 digits and the NUL */

typedef struct Sha256 {
        uint8_t bytes[SHA256_BYTES];
} Sha256;

typedef struct Hash Hash;

int hash_new(Hash **ret);
Hash *hash_free(Hash *hash);
DEFINE_TRIVIAL_CLEANUP_FUNC(Hash *, hash_free);

int hash_update(Hash *hash, const void *bytes, size_t n);
/* Ends the computation; the object can only be freed afterwards. */
int hash_final(Hash *hash, Sha256 *ret);

int sha256_of(const void *bytes, size_t n, Sha256 *ret);
/* Reads fd from its start (pread) to the end of file; *ret_size (may be NULL) gets the bytes
 * read. */
int sha256_of_fd(int fd, Sha256 *ret, uint64_t *ret_size);

bool sha256_equal(const Sha256 *a, const Sha256 *b);
bool sha256_is_zero(const Sha256 *a);
void sha256_to_hex(const Sha256 *digest, char ret[static SHA256_HEX]);
int sha256_from_hex(const char *s, Sha256 *ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hash: SHA-256 over EVP. A Hash is either running or ended; libcrypto refuses an update after
 * the end, which is given on as -EIO like everything else that libcrypto cannot do. */
#include <openssl/evp.h>

#include "hash.h"
#include "hex.h"

#define READ_BYTES (32 * 1024)

struct Hash {
        EVP_MD_CTX *context;
        bool ended;
};

int hash_new(Hash **ret) {
        _cleanup_(hash_freep) Hash *hash = NULL;

        hash = new0(Hash, 1);
        if (!hash)
                return -ENOMEM;
        hash->context = EVP_MD_CTX_new();
        if (!hash->context)
                return -ENOMEM;
        if (EVP_DigestInit_ex(hash->context, EVP_sha256(), NULL) != 1)
                return -EIO;
        *ret = TAKE_PTR(hash);
        return 0;
}

Hash *hash_free(Hash *hash) {
        if (!hash)
                return NULL;
        EVP_MD_CTX_free(hash->context);
        free(hash);
        return NULL;
}

int hash_update(Hash *hash, const void *bytes, size_t n) {
        if (hash->ended)
                return -EIO;
        return n == 0 || EVP_DigestUpdate(hash->context, bytes, n) == 1 ? 0 : -EIO;
}

int hash_final(Hash *hash, Sha256 *ret) {
        Sha256 digest;

        if (hash->ended)
                return -EIO;
        hash->ended = true;
        if (EVP_DigestFinal_ex(hash->context, digest.bytes, NULL) != 1)
                return -EIO;
        *ret = digest;
        return 0;
}

int sha256_of(const void *bytes, size_t n, Sha256 *ret) {
        _cleanup_(hash_freep) Hash *hash = NULL;
        int r;

        r = hash_new(&hash);
        if (r < 0)
                return r;
        r = hash_update(hash, bytes, n);
        if (r < 0)
                return r;
        return hash_final(hash, ret);
}

int sha256_of_fd(int fd, Sha256 *ret, uint64_t *ret_size) {
        _cleanup_(hash_freep) Hash *hash = NULL;
        _cleanup_free_ uint8_t *buffer = NULL;
        uint64_t size = 0;
        int r;

        r = hash_new(&hash);
        if (r < 0)
                return r;
        buffer = malloc(READ_BYTES);
        if (!buffer)
                return -ENOMEM;
        for (;;) {
                ssize_t n = pread(fd, buffer, READ_BYTES, (off_t)size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                r = hash_update(hash, buffer, (size_t)n);
                if (r < 0)
                        return r;
                size += (uint64_t)n;
        }
        r = hash_final(hash, ret);
        if (r < 0)
                return r;
        if (ret_size)
                *ret_size = size;
        return 0;
}

bool sha256_equal(const Sha256 *a, const Sha256 *b) {
        return memcmp(a->bytes, b->bytes, SHA256_BYTES) == 0;
}

bool sha256_is_zero(const Sha256 *a) {
        static const Sha256 zero;

        return sha256_equal(a, &zero);
}

void sha256_to_hex(const Sha256 *digest, char ret[static SHA256_HEX]) {
        hex_encode(digest->bytes, SHA256_BYTES, ret);
}

int sha256_from_hex(const char *s, Sha256 *ret) {
        return hex_decode(s, ret->bytes, SHA256_BYTES);
}

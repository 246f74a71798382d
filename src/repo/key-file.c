/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files: thin wrappers over EVP and PEM. */
#include <assert.h>
#include <fcntl.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "basic/file.h"
#include "basic/hex.h"
#include "image/release.h"
#include "repo/key-file.h"

#define PEM_MAX              16384
#define ED25519_PUBLIC_BYTES 32
#define DER_SIGNATURE_MAX    80
#define P256_NUMBER_BYTES    32

struct PrivateKey {
        EVP_PKEY *pkey;
        uint8_t algorithm;
};

static void bio_freep(BIO **b) {
        (void)BIO_free(*b);
}

static void md_ctx_freep(EVP_MD_CTX **p) {
        EVP_MD_CTX_free(*p);
}

static void ecdsa_sig_freep(ECDSA_SIG **p) {
        ECDSA_SIG_free(*p);
}

typedef struct Prompt {
        const char *path;
        bool is_asked; /* every decoder that libcrypto tries asks again: one answer has to do */
} Prompt;

static int on_passphrase(char *ret, int size, int rwflag, void *userdata) {
        char question[300];
        Prompt *prompt = userdata;

        (void)rwflag;
        if (prompt->is_asked)
                return -1;
        prompt->is_asked = true;
        (void)snprintf(question, sizeof(question), "Passphrase of %s: ", prompt->path);
        return EVP_read_pw_string(ret, size, question, 0) == 0 ? (int)strlen(ret) : -1;
}

static int from_pkey(EVP_PKEY *pkey, uint8_t algorithm, PrivateKey **ret, Why *w) {
        PrivateKey *key = new0(PrivateKey, 1);

        if (!key) {
                EVP_PKEY_free(pkey);
                return why_oom(w);
        }
        *key = (PrivateKey){ .pkey = pkey, .algorithm = algorithm };
        *ret = key;
        return 0;
}

int private_key_generate(PrivateKey **ret, Why *w) {
        EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

        assert(ret);
        if (!pkey)
                return why(w, -EIO, "no key could be made: %s",
                                ERR_reason_error_string(ERR_get_error()));
        return from_pkey(pkey, RKD_ALGORITHM_ED25519, ret, w);
}

static uint8_t algorithm_of(EVP_PKEY *pkey) {
        char curve[32];

        if (EVP_PKEY_is_a(pkey, "ED25519"))
                return RKD_ALGORITHM_ED25519;
        if (EVP_PKEY_is_a(pkey, "EC") &&
                        EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), NULL) == 1 &&
                        streq(curve, "prime256v1"))
                return RKD_ALGORITHM_ECDSA_P256;
        return RKD_ALGORITHM_NONE;
}

int private_key_load(int dirfd, const char *path, PrivateKey **ret, Why *w) {
        _cleanup_(bio_freep) BIO *bio = NULL;
        Prompt prompt = { .path = path };
        char *pem;
        uint8_t algorithm;
        EVP_PKEY *pkey;
        size_t n;
        int r;

        assert(path && ret);
        r = file_read(dirfd, path, PEM_MAX, &pem, &n);
        if (r < 0 && r != -EFBIG)
                return why(w, r, "%s: %s", path, strerror(-r));
        if (r == -EFBIG)
                return why(w, r, "%s: is no private key in PEM", path);
        bio = BIO_new_mem_buf(pem, (int)n);
        pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, &prompt) : NULL;
        OPENSSL_cleanse(pem, n);
        free(pem);
        ERR_clear_error();
        if (!pkey && prompt.is_asked)
                return why(w, -EBADMSG, "%s: does not open with that passphrase", path);
        if (!pkey)
                return why(w, -EBADMSG, "%s: is no private key in PEM", path);
        algorithm = algorithm_of(pkey);
        if (algorithm == RKD_ALGORITHM_NONE) {
                EVP_PKEY_free(pkey);
                return why(w, -EBADMSG, "%s: is neither an Ed25519 nor a P-256 key", path);
        }
        return from_pkey(pkey, algorithm, ret, w);
}

PrivateKey *private_key_free(PrivateKey *key) {
        if (!key)
                return NULL;
        EVP_PKEY_free(key->pkey);
        free(key);
        return NULL;
}

static int save(BIO *bio, int dirfd, const char *path, unsigned mode, Why *w) {
        char *pem;
        long n = BIO_get_mem_data(bio, &pem);
        int r;

        if (faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return why(w, -EEXIST, "%s: is there already and is not replaced", path);
        r = file_replace(dirfd, path, pem, (size_t)n, mode);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        return 0;
}

int private_key_save(const PrivateKey *key, int dirfd, const char *path, Why *w) {
        _cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_secmem());

        assert(key && path);
        if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1)
                return why_oom(w);
        return save(bio, dirfd, path, 0600, w);
}

int private_key_save_public(const PrivateKey *key, int dirfd, const char *path, Why *w) {
        _cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

        assert(key && path);
        if (!bio || PEM_write_bio_PUBKEY(bio, key->pkey) != 1)
                return why_oom(w);
        return save(bio, dirfd, path, 0644, w);
}

int private_key_to_json(const PrivateKey *key, json_t **ret, Why *w) {
        uint8_t raw[ED25519_PUBLIC_BYTES];
        char hex[2 * sizeof(raw) + 1];
        size_t n = sizeof(raw);
        json_t *o;

        assert(key && ret);
        if (key->algorithm != RKD_ALGORITHM_ED25519 ||
                        EVP_PKEY_get_raw_public_key(key->pkey, raw, &n) != 1 || n != sizeof(raw))
                return why(w, -EBADMSG, "metadata is signed with Ed25519 keys only");
        hex_encode(raw, n, hex);
        o = json_pack("{s:s, s:s, s:{s:s}}", "keytype", "ed25519", "scheme", "ed25519", "keyval",
                        "public", hex);
        if (!o)
                return why_oom(w);
        *ret = o;
        return 0;
}

uint8_t private_key_device_algorithm(const PrivateKey *key) {
        assert(key);
        return key->algorithm;
}

/* DER to r and s of 32 bytes each, big-endian. */
static int split_ecdsa(const uint8_t *der, size_t n, uint8_t *ret) {
        _cleanup_(ecdsa_sig_freep) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);

        if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, P256_NUMBER_BYTES) < 0 ||
                        BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + P256_NUMBER_BYTES,
                                        P256_NUMBER_BYTES) < 0)
                return -EIO;
        return 0;
}

int private_key_sign(const PrivateKey *key, const void *bytes, size_t n,
                uint8_t ret[static SIGNATURE_BYTES], Why *w) {
        _cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        bool is_ec = key->algorithm == RKD_ALGORITHM_ECDSA_P256;
        uint8_t out[DER_SIGNATURE_MAX];
        size_t size = sizeof(out);

        assert(key && bytes);
        if (!ctx ||
                        EVP_DigestSignInit(ctx, NULL, is_ec ? EVP_sha256() : NULL, NULL,
                                        key->pkey) != 1 ||
                        EVP_DigestSign(ctx, out, &size, bytes, n) != 1) {
                ERR_clear_error();
                return why(w, -EIO, "signing failed");
        }
        if (is_ec)
                return split_ecdsa(out, size, ret) < 0 ? why(w, -EIO, "signing failed") : 0;
        if (size != SIGNATURE_BYTES)
                return why(w, -EIO, "signing gave %zu bytes", size);
        memcpy(ret, out, size);
        return 0;
}

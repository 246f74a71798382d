/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key: one table of (keytype, scheme) and how each is loaded; one verification by EVP for all.
 * Type, curve and size must fit the scheme, or the key is refused. OpenSSL's error queue is left
 * empty. */
#include <assert.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "basic/hex.h"
#include "tuf/canon.h"
#include "tuf/key.h"

#define ED25519_PUBLIC_BYTES    32
#define ED25519_SIGNATURE_BYTES 64
#define RSA_BITS_MIN            2048
#define RSA_BITS_MAX            8192
#define PUBLIC_MAX              8192 /* characters of PEM */

typedef struct Scheme {
        const char *keytype, *scheme;
        int (*load)(const char *public, EVP_PKEY **ret);
        bool digest; /* hashes with SHA-256 before */
        bool pss;
} Scheme;

struct TufKey {
        const Scheme *scheme;
        EVP_PKEY *public;
};

static void pkey_freep(EVP_PKEY **p) {
        EVP_PKEY_free(*p);
}

static void md_ctx_freep(EVP_MD_CTX **p) {
        EVP_MD_CTX_free(*p);
}

static int load_ed25519(const char *public, EVP_PKEY **ret) {
        uint8_t raw[ED25519_PUBLIC_BYTES];

        if (hex_decode(public, raw, sizeof(raw)) < 0)
                return -EBADMSG;
        *ret = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
        return *ret ? 0 : -EBADMSG;
}

/* There is no passphrase: without this, OpenSSL asks the terminal for one when the text says that
 * it is encrypted. */
static int no_passphrase(char *buffer, int size, int for_writing, void *userdata) {
        (void)buffer, (void)size, (void)for_writing, (void)userdata;
        return -1;
}

static int load_pem(const char *public, EVP_PKEY **ret) {
        BIO *bio = BIO_new_mem_buf(public, -1);

        if (!bio)
                return -ENOMEM;
        *ret = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
        BIO_free(bio);
        return *ret ? 0 : -EBADMSG;
}

static int load_p256(const char *public, EVP_PKEY **ret) {
        _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
        char curve[32];
        int r;

        r = load_pem(public, &key);
        if (r < 0)
                return r;
        if (!EVP_PKEY_is_a(key, "EC") ||
                        !EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) ||
                        !streq(curve, "prime256v1"))
                return -EBADMSG;
        *ret = TAKE_PTR(key);
        return 0;
}

static int load_rsa(const char *public, EVP_PKEY **ret) {
        _cleanup_(pkey_freep) EVP_PKEY *key = NULL;
        int bits, r;

        r = load_pem(public, &key);
        if (r < 0)
                return r;
        bits = EVP_PKEY_get_bits(key);
        if (!EVP_PKEY_is_a(key, "RSA") || bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
                return -EBADMSG;
        *ret = TAKE_PTR(key);
        return 0;
}

static const Scheme schemes[] = {
        { "ed25519", "ed25519", load_ed25519, false, false },
        { "ecdsa", "ecdsa-sha2-nistp256", load_p256, true, false },
        { "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", load_p256, true, false },
        { "rsa", "rsassa-pss-sha256", load_rsa, true, true },
};

static const Scheme *find_scheme(const char *keytype, const char *scheme) {
        for (size_t i = 0; i < ELEMENTSOF(schemes); i++)
                if (streq(schemes[i].keytype, keytype) && streq(schemes[i].scheme, scheme))
                        return &schemes[i];
        return NULL;
}

static int get_public(const json_t *object, const char **ret, Why *w) {
        json_t *value;
        int r;

        r = json_get_object(object, "key", "keyval", &value, w);
        if (r < 0)
                return r;
        *ret = json_string_value(json_object_get(value, "public"));
        if (!*ret || strlen(*ret) > PUBLIC_MAX)
                return why(w, -EBADMSG, "key: \"public\" has to be a string of at most %d bytes",
                                PUBLIC_MAX);
        return 0;
}

int tuf_key_new(const json_t *object, TufKey **ret, Why *w) {
        _cleanup_(tuf_key_freep) TufKey *key = NULL;
        const char *keytype, *scheme, *public;
        int r;

        assert(ret);
        if (!json_is_object(object))
                return why(w, -EBADMSG, "key: has to be an object");
        r = json_get_string(object, "key", "keytype", 64, &keytype, w);
        if (r < 0)
                return r;
        r = json_get_string(object, "key", "scheme", 64, &scheme, w);
        if (r < 0)
                return r;
        r = get_public(object, &public, w);
        if (r < 0)
                return r;
        key = new0(TufKey, 1);
        if (!key)
                return why_oom(w);
        key->scheme = find_scheme(keytype, scheme);
        if (!key->scheme)
                return why(w, -EOPNOTSUPP, "key: type %s with scheme %s cannot be verified here",
                                keytype, scheme);
        r = key->scheme->load(public, &key->public);
        ERR_clear_error();
        if (r < 0)
                return why(w, r, "key: \"public\" is no key for %s", scheme);
        *ret = TAKE_PTR(key);
        return 0;
}

TufKey *tuf_key_free(TufKey *key) {
        if (!key)
                return NULL;
        EVP_PKEY_free(key->public);
        free(key);
        return NULL;
}

int tuf_key_id(const json_t *object, char ret[static TUF_KEYID_HEX], Why *w) {
        _cleanup_free_ char *canonical = NULL;
        Sha256 digest;
        size_t n;
        int r;

        r = canon_encode(object, &canonical, &n, w);
        if (r < 0)
                return r;
        r = sha256_of(canonical, n, &digest);
        if (r < 0)
                return why(w, r, "key: no SHA-256: %s", strerror(-r));
        sha256_to_hex(&digest, ret);
        return 0;
}

static bool verify(const TufKey *key, const uint8_t *signature, size_t n_signature,
                const void *bytes, size_t n) {
        _cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pctx = NULL; /* owned by ctx */

        if (!ctx || EVP_DigestVerifyInit(ctx, &pctx, key->scheme->digest ? EVP_sha256() : NULL,
                                    NULL, key->public) != 1)
                return false;
        if (key->scheme->pss && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
                                                EVP_PKEY_CTX_set_rsa_pss_saltlen(
                                                                pctx, RSA_PSS_SALTLEN_AUTO) != 1))
                return false;
        return EVP_DigestVerify(ctx, signature, n_signature, bytes, n) == 1;
}

bool tuf_key_verify(const TufKey *key, const char *signature, const void *bytes, size_t n) {
        uint8_t raw[TUF_SIGNATURE_MAX];
        size_t digits;
        bool good;

        assert(key && signature && bytes);
        digits = strlen(signature);
        if (digits == 0 || digits % 2 != 0 || digits / 2 > sizeof(raw))
                return false;
        if (key->scheme->load == load_ed25519 && digits / 2 != ED25519_SIGNATURE_BYTES)
                return false;
        if (hex_decode(signature, raw, digits / 2) < 0)
                return false;
        good = verify(key, raw, digits / 2, bytes, n);
        ERR_clear_error();
        return good;
}

bool tuf_key_equal(const TufKey *a, const TufKey *b) {
        bool equal = EVP_PKEY_eq(a->public, b->public) == 1;

        ERR_clear_error();
        return equal;
}

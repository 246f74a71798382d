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
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "basic/file.h"
#include "basic/hex.h"
#include "image/release.h"
#include "repo/key-file.h"
#include "repo/key-pkcs11.h"
#include "repo/repo.h"

#define PEM_MAX              16384
#define ED25519_PUBLIC_BYTES 32
#define P256_NUMBER_BYTES    32
#define RSA_BITS_MIN         2048
#define RSA_BITS_MAX         8192
#define SIGNATURE_MAX        (RSA_BITS_MAX / 8)

/* scrypt (RFC 7914) with 16 MiB: half of what libcrypto takes when it reads. */
#define SCRYPT_N    16384
#define SCRYPT_R    8
#define SCRYPT_P    1
#define SCRYPT_SALT 16

struct PrivateKey {
        EVP_PKEY *pkey;
        KeyType type;
        char *uri; /* NULL: not in a token */
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

static void pkey_freep(EVP_PKEY **p) {
        EVP_PKEY_free(*p);
}

static void pkcs8_freep(PKCS8_PRIV_KEY_INFO **p) {
        PKCS8_PRIV_KEY_INFO_free(*p);
}

static void sig_freep(X509_SIG **p) {
        X509_SIG_free(*p);
}

static const char *const type_names[_KEY_TYPE_MAX] = {
        [KEY_ED25519] = "ed25519",
        [KEY_P256] = "p256",
        [KEY_RSA] = "rsa",
};

const char *key_type_to_string(KeyType type) {
        assert(type >= 0 && type < _KEY_TYPE_MAX);
        return type_names[type];
}

int key_type_from_string(const char *s, KeyType *ret) {
        assert(s && ret);
        for (KeyType i = 0; i < KEY_RSA; i++)
                if (streq(type_names[i], s)) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

/* _KEY_TYPE_MAX: none that is taken here. */
static KeyType type_of(const EVP_PKEY *pkey) {
        char curve[32];
        int bits;

        if (EVP_PKEY_is_a(pkey, "ED25519"))
                return KEY_ED25519;
        if (EVP_PKEY_is_a(pkey, "EC") &&
                        EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), NULL) == 1 &&
                        streq(curve, "prime256v1"))
                return KEY_P256;
        bits = EVP_PKEY_get_bits(pkey);
        if (EVP_PKEY_is_a(pkey, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)
                return KEY_RSA;
        return _KEY_TYPE_MAX;
}

/* Takes pkey, also on failure. */
static int from_pkey(EVP_PKEY *taken, const char *name, const char *uri, PrivateKey **ret, Why *w) {
        _cleanup_(pkey_freep) EVP_PKEY *pkey = taken;
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        KeyType type = type_of(pkey);

        if (type == _KEY_TYPE_MAX)
                return why(w, -EOPNOTSUPP,
                                "%.*s: is neither an Ed25519 nor a P-256 key, nor RSA of 2048 to 8192 bits",
                                (int)(uri ? pkcs11_shown(uri) : strlen(name)), name);
        key = new0(PrivateKey, 1);
        if (!key || free_and_strdup(&key->uri, uri) < 0)
                return why_oom(w);
        key->pkey = TAKE_PTR(pkey);
        key->type = type;
        *ret = TAKE_PTR(key);
        return 0;
}

int private_key_generate(KeyType type, PrivateKey **ret, Why *w) {
        EVP_PKEY *pkey;

        assert(ret && type != KEY_RSA);
        pkey = type == KEY_P256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        if (!pkey)
                return why(w, -EIO, "no key could be made: %s",
                                ERR_reason_error_string(ERR_get_error()));
        return from_pkey(pkey, "new key", NULL, ret, w);
}

typedef struct Answer {
        char secret[SECRET_MAX];
        bool is_asked;
} Answer;

/* Every decoder that libcrypto tries asks again. */
static int on_passphrase(char *ret, int size, int rwflag, void *userdata) {
        Answer *answer = userdata;
        size_t n = strlen(answer->secret);

        (void)rwflag;
        answer->is_asked = true;
        if (n == 0 || n > (size_t)size)
                return -1;
        memcpy(ret, answer->secret, n);
        return (int)n;
}

static EVP_PKEY *parse_pem(const char *pem, size_t n, Answer *answer) {
        _cleanup_(bio_freep) BIO *bio = BIO_new_mem_buf(pem, (int)n);
        EVP_PKEY *pkey;

        answer->is_asked = false;
        pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, on_passphrase, answer) : NULL;
        ERR_clear_error();
        return pkey;
}

/* Without a passphrase first; then with each that can be had. */
static int open_pem(const char *pem, size_t n, const char *path, Secrets *secrets, EVP_PKEY **ret,
                Why *w) {
        Answer answer = {};
        EVP_PKEY *pkey = parse_pem(pem, n, &answer);
        int r = 0;

        if (!pkey && !answer.is_asked)
                return why(w, -EBADMSG, "%s: is no private key in PEM", path);
        for (unsigned i = 0; !pkey && r >= 0; i++) {
                r = secrets_get(secrets, path, i, answer.secret, w);
                if (r >= 0)
                        pkey = parse_pem(pem, n, &answer);
        }
        OPENSSL_cleanse(&answer, sizeof(answer));
        if (!pkey)
                return r;
        *ret = pkey;
        return 0;
}

static int load_uri(const char *uri, const PinSource *place, Secrets *secrets, PrivateKey **ret,
                Why *w) {
        EVP_PKEY *pkey;
        int r;

        r = pkcs11_load(uri, place, secrets, &pkey, w);
        return r < 0 ? r : from_pkey(pkey, uri, uri, ret, w);
}

int private_key_load(int dirfd, const char *name, Secrets *secrets, PrivateKey **ret, Why *w) {
        const PinSource line = { .name = "the command line" },
                        file = { .name = name, .is_file = true, .dirfd = dirfd };
        EVP_PKEY *pkey = NULL;
        char *text;
        size_t n;
        int r;

        assert(name && secrets && ret);
        if (startswith(name, PKCS11_SCHEME))
                return load_uri(name, &line, secrets, ret, w);
        r = file_read(dirfd, name, PEM_MAX, &text, &n);
        if (r < 0 && r != -EFBIG)
                return why_unread(w, r, name);
        if (r == -EFBIG)
                return why(w, r, "%s: is no private key in PEM", name);
        if (startswith(text, PKCS11_SCHEME)) {
                text[strcspn(text, "\r\n")] = '\0';
                r = load_uri(text, &file, secrets, ret, w);
        } else {
                r = open_pem(text, n, name, secrets, &pkey, w);
                if (r >= 0)
                        r = from_pkey(pkey, name, NULL, ret, w);
        }
        OPENSSL_cleanse(text, n);
        free(text);
        return r;
}

PrivateKey *private_key_free(PrivateKey *key) {
        if (!key)
                return NULL;
        EVP_PKEY_free(key->pkey);
        free(key->uri);
        free(key);
        return NULL;
}

KeyType private_key_type(const PrivateKey *key) {
        assert(key);
        return key->type;
}

static int write_bio(BIO *bio, int dirfd, const char *path, unsigned mode, Why *w) {
        char *text;
        long n = BIO_get_mem_data(bio, &text);
        int r = file_replace(dirfd, path, text, (size_t)n, mode);

        return r < 0 ? why(w, r, "%s: %s", path, strerror(-r)) : 0;
}

/* PKCS #8 encrypted by PBES2: AES-256-CBC, scrypt. 1, or 0 as libcrypto says it. */
static int write_encrypted(BIO *bio, const EVP_PKEY *pkey, const char *passphrase) {
        _cleanup_(pkcs8_freep) PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(pkey);
        _cleanup_(sig_freep) X509_SIG *encrypted = NULL;
        X509_ALGOR *how = PKCS5_pbe2_set_scrypt(
                        EVP_aes_256_cbc(), NULL, SCRYPT_SALT, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);

        if (plain && how)
                encrypted = PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), plain, how);
        if (!encrypted) {
                X509_ALGOR_free(how);
                return 0;
        }
        return PEM_write_bio_PKCS8(bio, encrypted);
}

int private_key_replace(const PrivateKey *key, int dirfd, const char *path, const char *passphrase,
                Why *w) {
        _cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_secmem());
        int good;

        assert(key && path);
        if (!bio)
                return why_oom(w);
        if (key->uri)
                good = BIO_printf(bio, "%s\n", key->uri) > 0;
        else if (passphrase)
                good = write_encrypted(bio, key->pkey, passphrase);
        else
                good = PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL);
        if (good != 1) {
                ERR_clear_error();
                return why(w, -EIO, "%s: the key cannot be written as PEM", path);
        }
        return write_bio(bio, dirfd, path, 0600, w);
}

int private_key_save(const PrivateKey *key, int dirfd, const char *path, const char *passphrase,
                Why *w) {
        assert(path);
        if (faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
                return why(w, -EEXIST, "%s: is there already and is not replaced", path);
        return private_key_replace(key, dirfd, path, passphrase, w);
}

int private_key_save_public(const PrivateKey *key, int dirfd, const char *path, Why *w) {
        _cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

        assert(key && path);
        if (!bio || PEM_write_bio_PUBKEY(bio, key->pkey) != 1)
                return why_oom(w);
        return write_bio(bio, dirfd, path, 0644, w);
}

static json_t *key_object(const char *keytype, const char *scheme, const char *public) {
        return json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme, "keyval",
                        "public", public);
}

static json_t *pem_object(EVP_PKEY *pkey, KeyType type) {
        _cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
        char *pem;
        long n;

        if (!bio || PEM_write_bio_PUBKEY(bio, pkey) != 1 || BIO_write(bio, "", 1) != 1)
                return NULL;
        n = BIO_get_mem_data(bio, &pem);
        if (n <= 1)
                return NULL;
        return type == KEY_P256 ? key_object("ecdsa", "ecdsa-sha2-nistp256", pem)
                                : key_object("rsa", "rsassa-pss-sha256", pem);
}

static int pkey_to_json(EVP_PKEY *pkey, KeyType type, json_t **ret, Why *w) {
        uint8_t raw[ED25519_PUBLIC_BYTES];
        char hex[2 * sizeof(raw) + 1];
        size_t n = sizeof(raw);
        json_t *o;

        if (type != KEY_ED25519)
                o = pem_object(pkey, type);
        else if (EVP_PKEY_get_raw_public_key(pkey, raw, &n) == 1 && n == sizeof(raw)) {
                hex_encode(raw, n, hex);
                o = key_object("ed25519", "ed25519", hex);
        } else
                o = NULL;
        ERR_clear_error();
        if (!o)
                return why_oom(w);
        *ret = o;
        return 0;
}

int private_key_to_json(const PrivateKey *key, json_t **ret, Why *w) {
        assert(key && ret);
        return pkey_to_json(key->pkey, key->type, ret, w);
}

/* A public key has none: without this, OpenSSL asks the terminal when the text says that it is
 * encrypted. */
static int no_passphrase(char *buffer, int size, int for_writing, void *userdata) {
        (void)buffer, (void)size, (void)for_writing, (void)userdata;
        return -1;
}

int public_key_read(int dirfd, const char *path, json_t **ret, Why *w) {
        _cleanup_(pkey_freep) EVP_PKEY *pkey = NULL;
        _cleanup_(bio_freep) BIO *bio = NULL;
        _cleanup_free_ char *pem = NULL;
        KeyType type;
        size_t n;
        int r;

        assert(path && ret);
        r = file_read(dirfd, path, PEM_MAX, &pem, &n);
        if (r < 0)
                return why_unread(w, r, path);
        bio = BIO_new_mem_buf(pem, (int)n);
        pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL) : NULL;
        ERR_clear_error();
        if (!pkey)
                return why(w, -EBADMSG, "%s: is no public key in PEM", path);
        type = type_of(pkey);
        if (type == _KEY_TYPE_MAX)
                return why(w, -EOPNOTSUPP,
                                "%s: is neither an Ed25519 nor a P-256 key, nor RSA of 2048 to 8192 bits",
                                path);
        return pkey_to_json(pkey, type, ret, w);
}

static int sign(const PrivateKey *key, const void *bytes, size_t n, uint8_t *ret, size_t *ret_n,
                Why *w) {
        _cleanup_(md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pctx = NULL; /* owned by ctx */
        size_t size = SIGNATURE_MAX;

        if (!ctx ||
                        EVP_DigestSignInit(ctx, &pctx,
                                        key->type == KEY_ED25519 ? NULL : EVP_sha256(), NULL,
                                        key->pkey) != 1 ||
                        (key->type == KEY_RSA &&
                                        (EVP_PKEY_CTX_set_rsa_padding(
                                                         pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
                                                        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                                                                        RSA_PSS_SALTLEN_DIGEST) !=
                                                                        1)) ||
                        EVP_DigestSign(ctx, ret, &size, bytes, n) != 1) {
                const char *reason = ERR_reason_error_string(ERR_peek_error());
                const char *name = key->uri ?: "key";
                int r = why(w, -EIO, "%.*s: signing failed (%s)", (int)pkcs11_shown(name), name,
                                reason ?: "no reason given");

                ERR_clear_error();
                return r;
        }
        *ret_n = size;
        return 0;
}

int private_key_sign(const PrivateKey *key, const void *bytes, size_t n, char **ret, Why *w) {
        uint8_t signature[SIGNATURE_MAX];
        size_t size;
        char *hex;
        int r;

        assert(key && bytes && ret);
        r = sign(key, bytes, n, signature, &size, w);
        if (r < 0)
                return r;
        hex = malloc(2 * size + 1);
        if (!hex)
                return why_oom(w);
        hex_encode(signature, size, hex);
        *ret = hex;
        return 0;
}

uint8_t private_key_device_algorithm(const PrivateKey *key) {
        assert(key);
        return key->type == KEY_ED25519 ? RKD_ALGORITHM_ED25519
               : key->type == KEY_P256  ? RKD_ALGORITHM_ECDSA_P256
                                        : RKD_ALGORITHM_NONE;
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

int private_key_sign_device(const PrivateKey *key, const void *bytes, size_t n,
                uint8_t ret[static SIGNATURE_BYTES], Why *w) {
        uint8_t signature[SIGNATURE_MAX];
        size_t size;
        int r;

        assert(key && key->type != KEY_RSA && bytes);
        r = sign(key, bytes, n, signature, &size, w);
        if (r < 0)
                return r;
        if (key->type == KEY_P256)
                return split_ecdsa(signature, size, ret) < 0 ? why(w, -EIO, "signing failed") : 0;
        if (size != SIGNATURE_BYTES)
                return why(w, -EIO, "signing gave %zu bytes", size);
        memcpy(ret, signature, size);
        return 0;
}

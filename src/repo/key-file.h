/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private keys of the publisher and signing with them. A key is named by a file or by a PKCS#11
 * URI. A key file is PEM (PKCS #8, plain or encrypted, mode 0600), or one line with the URI of a
 * key in a token. Only the files key-*.c and the verifier in src/tuf know libcrypto's keys. */
#pragma once

#include "basic/json.h"
#include "repo/secret.h"

#define PKCS11_SCHEME "pkcs11:"

typedef enum KeyType {
        KEY_ED25519,
        KEY_P256,
        KEY_RSA, /* 2048 bits or more; only for metadata, never made here */
        _KEY_TYPE_MAX,
} KeyType;

typedef struct PrivateKey PrivateKey;

const char *key_type_to_string(KeyType type);          /* "ed25519", "p256", "rsa" */
int key_type_from_string(const char *s, KeyType *ret); /* -EINVAL; not KEY_RSA */

/* -EOPNOTSUPP, here and below: a key of another kind. */
int private_key_generate(KeyType type, PrivateKey **ret, Why *w);
/* From a key file or, when `name` begins so, from a PKCS#11 URI. */
int private_key_load(int dirfd, const char *name, Secrets *secrets, PrivateKey **ret, Why *w);
PrivateKey *private_key_free(PrivateKey *key);
DEFINE_TRIVIAL_CLEANUP_FUNC(PrivateKey *, private_key_free);

/* Writes the key file: the URI of a token's key, else PEM, encrypted unless passphrase is NULL.
 * Refuses to replace a file: a lost key cannot be had again. */
int private_key_save(
                const PrivateKey *key, int dirfd, const char *path, const char *passphrase, Why *w);
/* As private_key_save(), but replaces. */
int private_key_replace(
                const PrivateKey *key, int dirfd, const char *path, const char *passphrase, Why *w);
/* Replaces. */
int private_key_save_public(const PrivateKey *key, int dirfd, const char *path, Why *w);

KeyType private_key_type(const PrivateKey *key);

/* The key object of TUF metadata: ed25519, ecdsa-sha2-nistp256 or rsassa-pss-sha256. */
int private_key_to_json(const PrivateKey *key, json_t **ret, Why *w);
/* The same from a PEM file with a public key. -EBADMSG: it holds none. */
int public_key_read(int dirfd, const char *path, json_t **ret, Why *w);

/* A signature as metadata has it, in hexadecimal. New string. */
int private_key_sign(const PrivateKey *key, const void *bytes, size_t n, char **ret, Why *w);

/* For devices: RKD_ALGORITHM_ED25519 or RKD_ALGORITHM_ECDSA_P256, _NONE for other keys; and 64
 * bytes: Ed25519 (RFC 8032), or r and s of ECDSA over SHA-256. */
#define SIGNATURE_BYTES 64
uint8_t private_key_device_algorithm(const PrivateKey *key);
int private_key_sign_device(const PrivateKey *key, const void *bytes, size_t n,
                uint8_t ret[static SIGNATURE_BYTES], Why *w);

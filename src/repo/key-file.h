/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Key files of the publisher: private keys as PEM (PKCS #8, mode 0600), and signing with them.
 * Only this file and the verifier in src/tuf know libcrypto's keys. */
#pragma once

#include "basic/json.h"

typedef struct PrivateKey PrivateKey;

/* A new Ed25519 key. */
int private_key_generate(PrivateKey **ret, Why *w);
/* From a PEM file: Ed25519, or ECDSA P-256 (only for devices). An encrypted one asks for its
 * passphrase on the terminal. */
int private_key_load(int dirfd, const char *path, PrivateKey **ret, Why *w);
PrivateKey *private_key_free(PrivateKey *key);
DEFINE_TRIVIAL_CLEANUP_FUNC(PrivateKey *, private_key_free);

/* Refuses to replace a file: a lost key cannot be had again. */
int private_key_save(const PrivateKey *key, int dirfd, const char *path, Why *w);
int private_key_save_public(const PrivateKey *key, int dirfd, const char *path, Why *w);

/* The key object of TUF metadata; Ed25519 only. */
int private_key_to_json(const PrivateKey *key, json_t **ret, Why *w);

/* RKD_ALGORITHM_ED25519 or RKD_ALGORITHM_ECDSA_P256. */
uint8_t private_key_device_algorithm(const PrivateKey *key);

/* 64 bytes: Ed25519 (RFC 8032), or r and s of ECDSA over SHA-256, as devices want it. */
#define SIGNATURE_BYTES 64
int private_key_sign(const PrivateKey *key, const void *bytes, size_t n,
                uint8_t ret[static SIGNATURE_BYTES], Why *w);

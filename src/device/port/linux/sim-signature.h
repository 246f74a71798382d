/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The publisher's public key as the device holds it. */
typedef struct SimKey SimKey;

/* Reads a PEM public key: Ed25519 or ECDSA on P-256. -EINVAL: it is none of these. */
int sim_key_new(SimKey **ret, const char *path);
SimKey *sim_key_free(SimKey *key);

/* 0 when the signature (64 bytes, as in rekindle-link(7)) fits the data; algorithm:
 * RkdAlgorithm. */
int sim_key_verify(const SimKey *key, uint8_t algorithm, const uint8_t *data, size_t n_data,
                const uint8_t *signature, size_t n_signature);

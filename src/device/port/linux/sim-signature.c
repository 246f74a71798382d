/* SPDX-License-Identifier: MIT */

/*
 * The device's verifier, done with libcrypto: what a microcontroller has in ROM or in a crypto
 * block.
 */

#include "sim-signature.h"

#include <assert.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/header.h"

#define KEY_DER_MAX 80

struct SimKey {
        EVP_PKEY *key;
        uint8_t algorithm;
};

static int key_algorithm(EVP_PKEY *key, uint8_t *ret) {
        char curve[32] = "";
        size_t n;

        if (EVP_PKEY_is_a(key, "ED25519")) {
                *ret = RKD_ALGORITHM_ED25519;
                return 0;
        }
        if (EVP_PKEY_is_a(key, "EC") &&
                        EVP_PKEY_get_group_name(key, curve, sizeof(curve), &n) > 0 &&
                        strcmp(curve, "prime256v1") == 0) {
                *ret = RKD_ALGORITHM_ECDSA_P256;
                return 0;
        }
        return -EINVAL;
}

/* r and s, 32 bytes each, to what libcrypto takes; returns the length, 0 on failure */
static size_t key_encode_der(
                const uint8_t signature[RKD_SIGNATURE_BYTES], uint8_t ret[KEY_DER_MAX]) {
        ECDSA_SIG *pair = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
        int n = 0;

        if (pair && r && s && ECDSA_SIG_set0(pair, r, s) > 0) {
                r = s = NULL; /* they are the pair's now */
                n = i2d_ECDSA_SIG(pair, NULL);
                if (n > 0 && n <= KEY_DER_MAX)
                        n = i2d_ECDSA_SIG(pair, &ret);
                else
                        n = 0;
        }
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(pair);
        return n > 0 ? (size_t)n : 0;
}

int sim_key_new(SimKey **ret, const char *path) {
        SimKey *key;
        FILE *file;
        int r;

        assert(ret);

        file = fopen(path, "re");
        if (!file)
                return -errno;
        key = calloc(1, sizeof(*key));
        if (key)
                key->key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
        (void)fclose(file);
        r = !key ? -ENOMEM : !key->key ? -EINVAL : key_algorithm(key->key, &key->algorithm);
        if (r < 0) {
                (void)sim_key_free(key);
                return r;
        }
        *ret = key;
        return 0;
}

SimKey *sim_key_free(SimKey *key) {
        if (!key)
                return NULL;
        EVP_PKEY_free(key->key);
        free(key);
        return NULL;
}

int sim_key_verify(const SimKey *key, uint8_t algorithm, const uint8_t *data, size_t n_data,
                const uint8_t *signature, size_t n_signature) {
        uint8_t der[KEY_DER_MAX];
        EVP_MD_CTX *context;
        bool fits = false;

        if (algorithm != key->algorithm || n_signature != RKD_SIGNATURE_BYTES)
                return -EINVAL;
        if (algorithm == RKD_ALGORITHM_ECDSA_P256) {
                n_signature = key_encode_der(signature, der);
                signature = der;
        }
        context = EVP_MD_CTX_new();
        if (context && n_signature > 0)
                fits = EVP_DigestVerifyInit(context, NULL,
                                       algorithm == RKD_ALGORITHM_ECDSA_P256 ? EVP_sha256() : NULL,
                                       NULL, key->key) == 1 &&
                       EVP_DigestVerify(context, signature, n_signature, data, n_data) == 1;
        EVP_MD_CTX_free(context);
        return fits ? 0 : -EBADMSG;
}

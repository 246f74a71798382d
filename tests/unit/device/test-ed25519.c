/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device's Ed25519: the vectors of RFC 8032, libcrypto's signatures, and what is no signature.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "device/rkd-ed25519.h"

#define SEEDS       200u
#define MESSAGE_MAX 400u
#define ORDER       "1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed"

typedef struct Signed {
        uint8_t key[RKD_ED25519_KEY_BYTES], signature[RKD_ED25519_SIGNATURE_BYTES];
        uint8_t message[MESSAGE_MAX];
        size_t n;
} Signed;

static int verify(const Signed *s) {
        RkdEd25519 *v = malloc(sizeof(*v)); /* of its own, for the sanitizers */
        int r;

        assert_non_null(v);
        memset(v, 0xa5, sizeof(*v));
        rkd_ed25519_begin(v, s->key, s->signature, s->message, s->n);
        do
                r = rkd_ed25519_step(v);
        while (r == RKD_ED25519_AGAIN);
        free(v);
        return r;
}

static void from_hex(uint8_t *out, const char *hex) {
        for (; *hex != '\0'; hex += 2) {
                char two[3] = { hex[0], hex[1], '\0' };

                *out++ = (uint8_t)strtoul(two, NULL, 16);
        }
}

/* Signs message[0..n) with the key that is so many times this byte. */
static void sign(Signed *s, unsigned seed, size_t n) {
        uint8_t secret[32];
        size_t n_key = sizeof(s->key), n_signature = sizeof(s->signature);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        EVP_PKEY *key;

        memset(secret, (int)seed, sizeof(secret));
        for (size_t i = 0; i < n; i++)
                s->message[i] = (uint8_t)(i * 7 + seed);
        s->n = n;
        key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, sizeof(secret));
        assert_int_equal(EVP_PKEY_get_raw_public_key(key, s->key, &n_key), 1);
        assert_int_equal(EVP_DigestSignInit(context, NULL, NULL, NULL, key), 1);
        assert_int_equal(EVP_DigestSign(context, s->signature, &n_signature, s->message, n), 1);
        EVP_PKEY_free(key);
        EVP_MD_CTX_free(context);
}

/* RFC 8032, 7.1 */
static const struct {
        const char *key, *message, *signature;
} vectors[] = {
        { "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
                        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
                        "1cf9b46bd25bf5f0595bbe24655141438e7a100b" },
        { "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
                        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
                        "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
        { "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
                        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
                        "984dc6594a7c15e9716ed28dc027beceea1ec40a" },
        { "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
                        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23"
                        "a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
                        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c6"
                        "6431e0303dca179c138ac17ad9bef1177331a704" },
};

static void vectors_of_the_rfc_are_good(void **state) {
        for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
                Signed s = { .n = strlen(vectors[i].message) / 2 };

                from_hex(s.key, vectors[i].key);
                from_hex(s.message, vectors[i].message);
                from_hex(s.signature, vectors[i].signature);
                assert_int_equal(verify(&s), 0);
        }
}

static void what_libcrypto_signs_is_good_at_every_length(void **state) {
        Signed s;

        for (unsigned seed = 0; seed < SEEDS; seed++) {
                sign(&s, seed, seed * 2);
                assert_int_equal(verify(&s), 0);
                s.key[seed % 32] ^= 4;
                assert_int_equal(verify(&s), -1);
        }
}

static void every_bit_counts(void **state) {
        Signed s;
        struct {
                uint8_t *bytes;
                size_t n;
        } parts[] = { { s.key, sizeof(s.key) }, { s.signature, sizeof(s.signature) },
                { s.message, 20 } };

        sign(&s, 7, 20);
        for (size_t part = 0; part < 3; part++)
                for (size_t i = 0; i < 8 * parts[part].n; i++) {
                        parts[part].bytes[i / 8] ^= (uint8_t)(1u << i % 8);
                        assert_int_equal(verify(&s), -1);
                        parts[part].bytes[i / 8] ^= (uint8_t)(1u << i % 8);
                }
        assert_int_equal(verify(&s), 0);
        s.n--;
        assert_int_equal(verify(&s), -1);
}

/* S + L fits the equation as well as S. */
static void s_has_to_be_below_the_order(void **state) {
        uint8_t order[32] = { 0 };
        unsigned carry = 0;
        Signed s;

        from_hex(order, "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        sign(&s, 9, 33);
        for (unsigned i = 0; i < 32; i++) {
                carry += s.signature[32 + i] + order[i];
                s.signature[32 + i] = (uint8_t)carry;
                carry >>= 8;
        }
        assert_int_equal(carry, 0);
        assert_int_equal(verify(&s), -1);
        memcpy(s.signature + 32, order, 32);
        assert_int_equal(verify(&s), -1);
}

/* With S = 0 and R of small order, too, such a key fits every few messages. In all the ways to
 * write them. */
static void keys_of_small_order_are_refused(void **state) {
        static const char *const points[] = {
                "0000000000000000000000000000000000000000000000000000000000000000",
                "0000000000000000000000000000000000000000000000000000000000000080",
                "0100000000000000000000000000000000000000000000000000000000000000",
                "0100000000000000000000000000000000000000000000000000000000000080",
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        };

        for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++)
                for (size_t k = 0; k < sizeof(points) / sizeof(*points); k++) {
                        Signed s = { .n = 3 };

                        from_hex(s.key, points[i]);
                        from_hex(s.signature, points[k]);
                        assert_int_equal(verify(&s), -1);
                }
}

/* Who knows the secret scalar a may take R = 0 B, the neutral point, and S = h a: good where R is
 * written as RFC 8032 does, however else not, though it is the same point. */
static void sign_with_nothing(Signed *s, const char *r) {
        uint8_t secret[32], hash[64], hashed[64 + 5];
        BIGNUM *a, *h, *order = NULL;
        BN_CTX *context = BN_CTX_new();

        sign(s, 11, 5);
        memset(secret, 11, sizeof(secret));
        (void)SHA512(secret, sizeof(secret), hash);
        hash[0] &= 0xf8;
        hash[31] = (hash[31] & 0x3f) | 0x40;
        a = BN_lebin2bn(hash, 32, NULL);
        from_hex(s->signature, r);
        memcpy(hashed, s->signature, 32);
        memcpy(hashed + 32, s->key, 32);
        memcpy(hashed + 64, s->message, 5);
        (void)SHA512(hashed, sizeof(hashed), hash);
        h = BN_lebin2bn(hash, 64, NULL);
        (void)BN_hex2bn(&order, ORDER);
        assert_int_equal(BN_mod_mul(h, h, a, order, context), 1);
        assert_int_equal(BN_bn2lebinpad(h, s->signature + 32, 32), 32);
        BN_free(a);
        BN_free(h);
        BN_free(order);
        BN_CTX_free(context);
}

static void r_has_to_be_written_the_one_way(void **state) {
        static const char *const others[] = {
                "0100000000000000000000000000000000000000000000000000000000000080",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        };
        Signed s;

        sign_with_nothing(&s, "0100000000000000000000000000000000000000000000000000000000000000");
        assert_int_equal(verify(&s), 0);
        for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
                sign_with_nothing(&s, others[i]);
                assert_int_equal(verify(&s), -1);
        }
}

/* The context may be garbage before, and once it has answered, it never says yes again. */
static void an_answer_is_not_given_twice(void **state) {
        RkdEd25519 v;
        Signed s;

        sign(&s, 3, 100);
        rkd_ed25519_begin(&v, s.key, s.signature, s.message, s.n);
        while (rkd_ed25519_step(&v) == RKD_ED25519_AGAIN)
                ;
        assert_int_equal(rkd_ed25519_step(&v), -1);
}

/* The 19 numbers that are below 2^255, but not below p; no signature by such a key can be made
 * here, so the time tells: long before its root is sought. */
static void keys_have_to_be_written_the_one_way(void **state) {
        for (unsigned i = 0; i < 19; i++) {
                RkdEd25519 v;
                unsigned steps = 1;
                Signed s;

                sign(&s, i, 20);
                memset(s.key, 0xff, sizeof(s.key));
                s.key[0] = (uint8_t)(0xed + i);
                s.key[31] = 0x7f;
                rkd_ed25519_begin(&v, s.key, s.signature, s.message, s.n);
                while (rkd_ed25519_step(&v) == RKD_ED25519_AGAIN)
                        steps++;
                assert_true(steps < 20);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(vectors_of_the_rfc_are_good),
                cmocka_unit_test(what_libcrypto_signs_is_good_at_every_length),
                cmocka_unit_test(every_bit_counts),
                cmocka_unit_test(s_has_to_be_below_the_order),
                cmocka_unit_test(keys_of_small_order_are_refused),
                cmocka_unit_test(keys_have_to_be_written_the_one_way),
                cmocka_unit_test(r_has_to_be_written_the_one_way),
                cmocka_unit_test(an_answer_is_not_given_twice),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

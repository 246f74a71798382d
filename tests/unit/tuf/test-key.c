/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys: the test vectors of RFC 8032, and keys of the other kinds made on the spot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "basic/hex.h"
#include "tuf/key.h"

static json_t *object_of(const char *keytype, const char *scheme, const char *public) {
        return json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme, "keyval",
                        "public", public);
}

static int load(const char *keytype, const char *scheme, const char *public, TufKey **ret) {
        json_t *object = object_of(keytype, scheme, public);
        int r = tuf_key_new(object, ret, NULL);

        json_decref(object);
        return r;
}

static char *pem_of(EVP_PKEY *key) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *text, *copy;
        long n;

        assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
        n = BIO_get_mem_data(bio, &text);
        copy = strndup(text, (size_t)n);
        BIO_free(bio);
        return copy;
}

static char *sign(EVP_PKEY *key, bool pss, const char *text) {
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        EVP_PKEY_CTX *pctx;
        uint8_t out[1024];
        size_t n = sizeof(out);
        char *hex;

        assert_int_equal(EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key), 1);
        if (pss) {
                assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
                assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, 32), 1);
        }
        assert_int_equal(EVP_DigestSign(ctx, out, &n, (const uint8_t *)text, strlen(text)), 1);
        EVP_MD_CTX_free(ctx);
        hex = malloc(2 * n + 1);
        hex_encode(out, n, hex);
        return hex;
}

/* RFC 8032, 7.1, TEST 3. */
static void ed25519_vector_verifies(void **state) {
        static const char public[] =
                        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
        char signature[] = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                           "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
        TufKey *key = NULL;

        assert_int_equal(load("ed25519", "ed25519", public, &key), 0);
        assert_true(tuf_key_verify(key, signature, "\xaf\x82", 2));
        assert_false(tuf_key_verify(key, signature, "\xaf\x83", 2));
        assert_false(tuf_key_verify(key, signature, "\xaf", 1));
        signature[0] = '7';
        assert_false(tuf_key_verify(key, signature, "\xaf\x82", 2));
        assert_int_equal(ERR_peek_error(), 0);
        tuf_key_free(key);
}

static void odd_signatures_do_not_verify(void **state) {
        static const char *const texts[] = {
                "", "0", "zz", "6291d657",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a00"
        };
        static const char public[] =
                        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
        TufKey *key = NULL;

        assert_int_equal(load("ed25519", "ed25519", public, &key), 0);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_false(tuf_key_verify(key, texts[i], "\xaf\x82", 2));
        tuf_key_free(key);
}

static void check_kind(EVP_PKEY *pkey, const char *keytype, const char *scheme, bool pss) {
        char *public = pem_of(pkey), *signature = sign(pkey, pss, "text");
        TufKey *key = NULL;

        assert_int_equal(load(keytype, scheme, public, &key), 0);
        assert_true(tuf_key_verify(key, signature, "text", 4));
        assert_false(tuf_key_verify(key, signature, "test", 4));
        signature[20] ^= 1;
        assert_false(tuf_key_verify(key, signature, "text", 4));
        assert_int_equal(ERR_peek_error(), 0);
        tuf_key_free(key);
        free(public);
        free(signature);
}

static void ecdsa_p256_verifies(void **state) {
        EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");

        check_kind(pkey, "ecdsa", "ecdsa-sha2-nistp256", false);
        check_kind(pkey, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", false);
        EVP_PKEY_free(pkey);
}

static void rsa_pss_verifies(void **state) {
        EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);

        check_kind(pkey, "rsa", "rsassa-pss-sha256", true);
        EVP_PKEY_free(pkey);
}

static void rsa_signature_of_the_old_padding_does_not_verify(void **state) {
        EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
        char *public = pem_of(pkey), *signature = sign(pkey, false, "text");
        TufKey *key = NULL;

        assert_int_equal(load("rsa", "rsassa-pss-sha256", public, &key), 0);
        assert_false(tuf_key_verify(key, signature, "text", 4));
        tuf_key_free(key);
        free(public);
        free(signature);
        EVP_PKEY_free(pkey);
}

static void key_that_does_not_fit_its_scheme_is_refused(void **state) {
        EVP_PKEY *pkeys[] = { EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"),
                EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)1024),
                EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
        TufKey *key = NULL;

        for (size_t i = 0; i < ELEMENTSOF(pkeys); i++) {
                char *public = pem_of(pkeys[i]);

                assert_int_equal(load("ecdsa", "ecdsa-sha2-nistp256", public, &key), -EBADMSG);
                assert_int_equal(load("rsa", "rsassa-pss-sha256", public, &key), -EBADMSG);
                assert_int_equal(load("ed25519", "ed25519", public, &key), -EBADMSG);
                free(public);
                EVP_PKEY_free(pkeys[i]);
        }
        assert_int_equal(ERR_peek_error(), 0);
}

static void odd_key_objects_are_refused(void **state) {
        static const struct {
                const char *keytype, *scheme, *public;
                int error;
        } cases[] = {
                { "ed25519", "ed25519", "", -EBADMSG },
                { "ed25519", "ed25519", "00", -EBADMSG },
                { "ed25519", "ed25519",
                                "xx51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                                -EBADMSG },
                { "ecdsa", "ecdsa-sha2-nistp256", "no pem", -EBADMSG },
                { "ed25519", "ecdsa-sha2-nistp256", "00", -EOPNOTSUPP },
                { "ed448", "ed448", "00", -EOPNOTSUPP },
                { "rsa", "rsa-pkcs1v15-sha256", "00", -EOPNOTSUPP },
        };
        json_t *empty = json_object();
        TufKey *key = NULL;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(load(cases[i].keytype, cases[i].scheme, cases[i].public, &key),
                                cases[i].error);
        assert_int_equal(tuf_key_new(NULL, &key, NULL), -EBADMSG);
        assert_int_equal(tuf_key_new(empty, &key, NULL), -EBADMSG);
        json_decref(empty);
}

/* The id is over all members, in canonical form: computed here with sha256sum. */
static void key_id_is_the_digest_of_the_canonical_object(void **state) {
        json_t *object = object_of("ed25519", "ed25519",
                        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
        char id[TUF_KEYID_HEX], with_more[TUF_KEYID_HEX];

        assert_int_equal(tuf_key_id(object, id, NULL), 0);
        assert_string_equal(id, "e45b8d1fab21a7a7550adbca559eade41e36a398f14a577f8766ec32bf237101");
        json_object_set_new(object, "x", json_integer(1));
        assert_int_equal(tuf_key_id(object, with_more, NULL), 0);
        assert_string_not_equal(id, with_more);
        json_decref(object);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ed25519_vector_verifies),
                cmocka_unit_test(odd_signatures_do_not_verify),
                cmocka_unit_test(ecdsa_p256_verifies),
                cmocka_unit_test(rsa_pss_verifies),
                cmocka_unit_test(rsa_signature_of_the_old_padding_does_not_verify),
                cmocka_unit_test(key_that_does_not_fit_its_scheme_is_refused),
                cmocka_unit_test(odd_key_objects_are_refused),
                cmocka_unit_test(key_id_is_the_digest_of_the_canonical_object),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes keys and signs for the repository of these tests, by libcrypto alone: nothing of ours
 * judges itself. One line in, one line out:
 *
 *     new KIND        ed25519, p256, p384, rsa, rsa-long-salt, rsa-small: the public key, a line of
 *                     PEM with \n for its ends, or hexadecimal digits (ed25519)
 *     sign KEY HEX    KEY: number of the key in the order made, from 0; answered with the signature
 *                     in hexadecimal */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define KEYS_MAX 256

typedef struct Key {
        EVP_PKEY *pkey;
        const EVP_MD *digest; /* NULL: ed25519 */
        int salt;             /* 0: no PSS */
} Key;

static Key keys[KEYS_MAX];
static unsigned n_keys;

static void die(const char *what) {
        (void)fprintf(stderr, "signer: %s\n", what);
        exit(1);
}

static void put_hex(const unsigned char *bytes, size_t n) {
        for (size_t i = 0; i < n; i++)
                (void)printf("%02x", bytes[i]);
        (void)puts("");
}

static void put_pem(EVP_PKEY *pkey) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *text;
        long n;

        if (!bio || PEM_write_bio_PUBKEY(bio, pkey) != 1)
                die("no PEM");
        n = BIO_get_mem_data(bio, &text);
        for (long i = 0; i < n; i++)
                (void)(text[i] == '\n' ? fputs("\\n", stdout) : fputc(text[i], stdout));
        (void)puts("");
        BIO_free(bio);
}

static void new_key(const char *kind) {
        Key *k = &keys[n_keys++];
        unsigned char raw[32];
        size_t n = sizeof(raw);

        if (n_keys == KEYS_MAX)
                die("too many keys");
        k->digest = EVP_sha256();
        if (strcmp(kind, "ed25519") == 0) {
                k->digest = NULL;
                k->pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        } else if (strcmp(kind, "p256") == 0) {
                k->pkey = EVP_EC_gen("P-256");
        } else if (strcmp(kind, "p384") == 0) {
                k->pkey = EVP_EC_gen("P-384");
        } else {
                k->salt = strcmp(kind, "rsa-long-salt") == 0 ? RSA_PSS_SALTLEN_MAX
                                                             : RSA_PSS_SALTLEN_DIGEST;
                k->pkey = EVP_RSA_gen(strcmp(kind, "rsa-small") == 0 ? 1024 : 2048);
        }
        if (!k->pkey)
                die("no key");
        if (k->digest)
                return put_pem(k->pkey);
        if (EVP_PKEY_get_raw_public_key(k->pkey, raw, &n) != 1)
                die("no public key");
        put_hex(raw, n);
}

static void sign(const Key *k, const char *hex) {
        size_t n = strlen(hex) / 2, size = 0;
        EVP_MD_CTX *ctx = EVP_MD_CTX_new();
        unsigned char *bytes = malloc(n + 1), signature[1024];
        EVP_PKEY_CTX *pctx;

        if (!ctx || !bytes || EVP_DigestSignInit(ctx, &pctx, k->digest, NULL, k->pkey) != 1)
                die("cannot sign");
        if (k->salt != 0 && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) != 1 ||
                                            EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, k->salt) != 1))
                die("no PSS");
        for (size_t i = 0; i < n; i++) {
                char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

                bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
        }
        size = sizeof(signature);
        if (EVP_DigestSign(ctx, signature, &size, bytes, n) != 1)
                die("cannot sign");
        put_hex(signature, size);
        free(bytes);
        EVP_MD_CTX_free(ctx);
}

int main(void) {
        char *line = NULL;
        size_t room = 0;

        while (getline(&line, &room, stdin) > 0) {
                char *end = NULL;
                unsigned long key;

                line[strcspn(line, "\n")] = '\0';
                if (strncmp(line, "new ", 4) == 0) {
                        new_key(line + 4);
                } else {
                        key = strncmp(line, "sign ", 5) == 0 ? strtoul(line + 5, &end, 10) : n_keys;
                        if (key >= n_keys || !end || *end != ' ')
                                die("what?");
                        sign(&keys[key], end + 1);
                }
                (void)fflush(stdout);
        }
        for (unsigned i = 0; i < n_keys; i++)
                EVP_PKEY_free(keys[i].pkey);
        free(line);
        return 0;
}

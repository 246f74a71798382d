/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Peer: callbacks of OpenSSL, set on the context that libcurl made for a connection. The context
 * knows its peer by ex-data and holds a reference, because it lives as long as the connection,
 * which other exchanges use again. A certificate's own texts are escaped: anybody can write
 * them. */
#include "fetch/peer.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define SHA256_BYTES 32

static void on_context_free(void *parent, void *peer, CRYPTO_EX_DATA *data, int index, long number,
                void *pointer) {
        (void)peer_unref(peer);
}

static int context_index(void) {
        static int index = -1;

        if (index < 0)
                index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_free);
        return index;
}

static Peer *peer_of(const SSL *ssl) {
        return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index());
}

/* --- texts ------------------------------------------------------------------------------------ */

static void take_bio(BIO *bio, char *ret, size_t size) {
        char *text;
        long n = BIO_get_mem_data(bio, &text);
        size_t k = MIN(n > 0 ? (size_t)n : 0, size - 1);

        memcpy(ret, text, k);
        ret[k] = 0;
}

static void take_name(const X509_NAME *name, char *ret, size_t size) {
        BIO *bio = BIO_new(BIO_s_mem());

        if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
                take_bio(bio, ret, size);
        BIO_free(bio);
}

/* DNS names and addresses of the certificate. */
static void take_names(X509 *certificate, char *ret, size_t size) {
        GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
        BIO *bio = BIO_new(BIO_s_mem());

        for (int i = 0; bio && i < sk_GENERAL_NAME_num(names); i++) {
                const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);
                const uint8_t *ip;

                if (n->type == GEN_DNS) {
                        (void)BIO_puts(bio, i > 0 ? " " : "");
                        (void)ASN1_STRING_print_ex(bio, n->d.dNSName, ASN1_STRFLGS_RFC2253);
                } else if (n->type == GEN_IPADD && ASN1_STRING_length(n->d.iPAddress) == 4) {
                        ip = ASN1_STRING_get0_data(n->d.iPAddress);
                        (void)BIO_printf(bio, "%s%u.%u.%u.%u", i > 0 ? " " : "", ip[0], ip[1],
                                        ip[2], ip[3]);
                }
        }
        if (bio)
                take_bio(bio, ret, size);
        BIO_free(bio);
        GENERAL_NAMES_free(names);
}

static time_t take_time(const ASN1_TIME *t) {
        struct tm tm;

        return ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
}

/* The pin of its public key, as PinnedKey= takes it. */
static void take_key(X509 *certificate, char *ret, size_t size) {
        uint8_t digest[EVP_MAX_MD_SIZE], text[48], *der = NULL;
        unsigned n = 0;
        int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);

        if (length > 0 && EVP_Digest(der, (size_t)length, digest, &n, EVP_sha256(), NULL) == 1 &&
                        n == SHA256_BYTES && EVP_EncodeBlock(text, digest, (int)n) > 0)
                (void)snprintf(ret, size, "sha256//%s", (char *)text);
        OPENSSL_free(der);
}

/* --- callbacks -------------------------------------------------------------------------------- */

/* Called for each certificate of the chain, several times for one that is wrong. */
static int on_verify(int is_fine, X509_STORE_CTX *store) {
        const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
        X509 *current = X509_STORE_CTX_get_current_cert(store);
        X509 *own = X509_STORE_CTX_get0_cert(store);
        Peer *p = ssl ? peer_of(ssl) : NULL;

        if (!p)
                return is_fine;
        if (own && !*p->key) {
                take_key(own, p->key, sizeof p->key);
                take_names(own, p->names, sizeof p->names);
        }
        if (is_fine || p->verify_error || !current)
                return is_fine;
        p->verify_error = X509_STORE_CTX_get_error(store);
        p->depth = (unsigned)X509_STORE_CTX_get_error_depth(store);
        take_name(X509_get_subject_name(current), p->subject, sizeof p->subject);
        take_name(X509_get_issuer_name(current), p->issuer, sizeof p->issuer);
        p->not_before = take_time(X509_get0_notBefore(current));
        p->not_after = take_time(X509_get0_notAfter(current));
        return is_fine;
}

static void on_info(const SSL *ssl, int where, int value) {
        Peer *p = peer_of(ssl);

        if (!p)
                return;
        if (where & SSL_CB_HANDSHAKE_START)
                p->handshakes++;
        if (where & SSL_CB_ALERT && (value & 0xff) != SSL3_AD_CLOSE_NOTIFY) {
                p->alert = value & 0xff;
                p->alert_is_theirs = where & SSL_CB_READ;
        }
}

/* Before the client certificate, or none, is sent. */
static int on_certificate(SSL *ssl, void *userdata) {
        peer_of(ssl)->asks_certificate = true;
        return 1;
}

static CURLcode on_context(CURL *easy, void *context, void *userdata) {
        SSL_CTX *ctx = context;
        Peer *p = userdata;

        if (context_index() < 0 || SSL_CTX_set_ex_data(ctx, context_index(), p) != 1)
                return CURLE_OUT_OF_MEMORY;
        p->references++;
        SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx), on_verify);
        SSL_CTX_set_info_callback(ctx, on_info);
        SSL_CTX_set_cert_cb(ctx, on_certificate, NULL);
        return CURLE_OK;
}

Peer *peer_new(void) {
        Peer *p = new0(Peer, 1);

        if (p)
                *p = (Peer){ .references = 1, .alert = -1 };
        return p;
}

Peer *peer_unref(Peer *p) {
        if (p && --p->references == 0)
                free(p);
        return NULL;
}

CURLcode peer_watch(Peer *peer, CURL *easy) {
        CURLcode c;

        c = curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, peer);
        return c ? c : curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
}

const char *peer_verify_text(const Peer *peer) {
        return X509_verify_cert_error_string(peer->verify_error);
}

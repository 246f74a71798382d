/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Failure: libcurl says which step failed; what the peer showed in the handshake (peer.h) says
 * why. Where neither knows better, libcurl's own text stands. Secrets are in no sentence: PINs are
 * in no URI, and of the proxy only the place is shown. */
#include "fetch/failure.h"

#include <openssl/ssl.h>

#define WHERE_MAX 300
#define DATE_MAX  24

/* --- who is meant ----------------------------------------------------------------------------- */

/* Scheme, host and port of a URL, without user and password. */
static const char *place_of(const char *url, char *ret, size_t size) {
        const char *host = strstr(url, "://"), *at = strrchr(url, '@');
        size_t n = host ? (size_t)(host + 3 - url) : 0;

        host = at ? at + 1 : url + n;
        (void)snprintf(ret, size, "%.*s%.*s", (int)n, url, (int)strcspn(host, "/"), host);
        return ret;
}

/* The end of the last handshake: HOST:PORT, or the proxy. A proxy with TLS comes first; where some
 * hosts go without it, nobody can tell. */
static const char *who(const FetchHop *hop, const FetchConfig *config, char *ret, size_t size) {
        char *host = NULL, *port = NULL;

        if (config->proxy && startswith(config->proxy, "https://") && !config->no_proxy &&
                        hop->peer->handshakes <= 1)
                return place_of(config->proxy, ret, size);
        (void)curl_url_get(hop->target.url, CURLUPART_HOST, &host, 0);
        (void)curl_url_get(hop->target.url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
        (void)snprintf(ret, size, "%s:%s", host ? host : "", port ? port : "");
        curl_free(host);
        curl_free(port);
        return ret;
}

static const char *date(time_t t, char *ret) {
        struct tm tm;

        if (!gmtime_r(&t, &tm) || strftime(ret, DATE_MAX, "%Y-%m-%d %H:%M UTC", &tm) == 0)
                (void)strcpy(ret, "?");
        return ret;
}

/* --- certificates ----------------------------------------------------------------------------- */

static int wrong_time(const Peer *p, const char *place, Why *w) {
        bool is_early = p->verify_error == X509_V_ERR_CERT_NOT_YET_VALID;
        char when[DATE_MAX], now[DATE_MAX];

        (void)date(is_early ? p->not_before : p->not_after, when);
        (void)date(time(NULL), now);
        if (p->depth > 0)
                return why(w, -EPROTO,
                                "the certificate of %s, which stands behind that of %s, %s %s; the clock here says %s",
                                p->subject, place, is_early ? "is valid only from" : "expired on",
                                when, now);
        return why(w, -EPROTO, "the certificate of %s %s %s; the clock here says %s%s", place,
                        is_early ? "is valid only from" : "expired on", when, now,
                        is_early ? "" : "; the server needs a new certificate");
}

static int wrong_issuer(const Peer *p, const FetchConfig *config, const char *place, Why *w) {
        const char *unknown =
                        p->depth > 0 && p->verify_error != X509_V_ERR_CERT_SIGNATURE_FAILURE &&
                                                        !streq(p->subject, p->issuer)
                                        ? p->subject
                                        : p->issuer;

        if (config->ca_file)
                return why(w, -EPROTO,
                                "the certificate of %s comes from the authority %s, which is not in CAFile=%s; that file has to hold the authority of the server",
                                place, unknown, config->ca_file);
        return why(w, -EPROTO,
                        "the certificate of %s comes from the authority %s, which this system does not trust; CAFile= in fetch.conf would name a file with it",
                        place, unknown);
}

static int wrong_certificate(
                const FetchHop *hop, const FetchConfig *config, const char *place, Why *w) {
        const Peer *p = hop->peer;

        switch (p->verify_error) {
        case X509_V_OK:
                return why(w, -EPROTO,
                                "the certificate of %s is for another name (%s); Origin= in fetch.conf or the certificate has to change",
                                place, *p->names ? p->names : "it has none");
        case X509_V_ERR_CERT_HAS_EXPIRED:
        case X509_V_ERR_CERT_NOT_YET_VALID:
                return wrong_time(p, place, w);
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
                return wrong_issuer(p, config, place, w);
        default:
                return why(w, -EPROTO, "the certificate of %s is refused: %s", place,
                                peer_verify_text(p));
        }
}

static int wrong_key(const FetchHop *hop, const FetchConfig *config, const char *place, Why *w) {
        return why(w, -EPROTO,
                        "%s shows the public key %s, which is not in PinnedKey=%.160s of fetch.conf",
                        place, *hop->peer->key ? hop->peer->key : "of an earlier session",
                        config->pinned_key);
}

/* --- our own keys ----------------------------------------------------------------------------- */

/* CURLE_SSL_CERTPROBLEM: libcurl's text tells which file it was. */
static int wrong_client_key(const FetchHop *hop, const FetchConfig *config, Why *w) {
        const char *certificate = config->client_certificate ? config->client_certificate : "";
        const char *key = config->client_key ? config->client_key : "";

        if (strstr(hop->error, "client certificate") || strstr(hop->error, "get certificate"))
                return why(w, -EACCES, "ClientCertificate=%s is no certificate that can be read",
                                certificate);
        if (fetch_config_is_token(key))
                return why(w, -EACCES,
                                "the token does not give ClientKey=%s; the URI, Pkcs11Module= and the PIN in ClientKeyPassphraseFile= have to be right",
                                key);
        return why(w, -EACCES,
                        "ClientKey=%s cannot be used; it has to be the private key of ClientCertificate=%s in PEM, %s",
                        key, certificate,
                        config->client_key_passphrase_file
                                        ? "and ClientKeyPassphraseFile= has to hold its passphrase"
                                        : "with its passphrase in ClientKeyPassphraseFile= if it is encrypted");
}

static bool is_alert_about_us(int alert) {
        switch (alert) {
        case SSL3_AD_NO_CERTIFICATE:
        case SSL3_AD_BAD_CERTIFICATE:
        case SSL3_AD_UNSUPPORTED_CERTIFICATE:
        case SSL3_AD_CERTIFICATE_REVOKED:
        case SSL3_AD_CERTIFICATE_EXPIRED:
        case SSL3_AD_CERTIFICATE_UNKNOWN:
        case TLS1_AD_UNKNOWN_CA:
        case TLS1_AD_ACCESS_DENIED:
        case TLS1_AD_DECRYPT_ERROR:
        case TLS13_AD_CERTIFICATE_REQUIRED:
                return true;
        default:
                return false;
        }
}

static bool has_certificate(const FetchHop *hop, const FetchConfig *config) {
        return hop->target.is_origin && config->client_certificate;
}

static int no_certificate(const FetchHop *hop, const char *place, const char *how, Why *w) {
        return why(w, -EACCES, "%s wants a client certificate and got none%s; %s", place, how,
                        hop->target.is_origin
                                        ? "ClientCertificate= and ClientKey= in fetch.conf would name it"
                                        : "ClientCertificate= of fetch.conf is for the origin only");
}

/* The peer ended the handshake. 0: it is about something else. */
static int refused_by_peer(
                const FetchHop *hop, const FetchConfig *config, const char *place, Why *w) {
        const Peer *p = hop->peer;

        if (p->alert == TLS1_AD_PROTOCOL_VERSION)
                return why(w, -EPROTO, "%s does not speak TLS %s%s", place,
                                config->tls_minimum == 13
                                                ? "1.3, which TlsMinimum= in fetch.conf demands"
                                                : "1.2 or 1.3",
                                config->tls_minimum == 13 ? "" : "; older versions are not safe");
        if (!p->alert_is_theirs)
                return 0;
        if (!is_alert_about_us(p->alert) &&
                        !(p->asks_certificate && p->alert == SSL3_AD_HANDSHAKE_FAILURE))
                return 0;
        if (!has_certificate(hop, config))
                return no_certificate(hop, place, "", w);
        return why(w, -EACCES, "%s refuses ClientCertificate=%s of fetch.conf: %s", place,
                        config->client_certificate, SSL_alert_desc_string_long(p->alert));
}

int fetch_failure_status(const FetchHop *hop, const FetchConfig *config, unsigned status, bool asks,
                Why *w) {
        char place[WHERE_MAX];

        if (status != 400 || !asks || !hop->target.is_origin)
                return 0;
        (void)who(hop, config, place, sizeof place);
        if (!has_certificate(hop, config))
                return no_certificate(hop, place, " (HTTP 400)", w);
        return why(w, -EACCES,
                        "%s answers 400 to ClientCertificate=%s of fetch.conf; it has to be valid and from an authority that the server trusts",
                        place, config->client_certificate);
}

/* --- the way ---------------------------------------------------------------------------------- */

/* The proxy answered CONNECT with something else than 2xx. 0: it did not. */
static int refused_by_proxy(const FetchHop *hop, const FetchConfig *config, Why *w) {
        char proxy[WHERE_MAX], place[WHERE_MAX];
        long status = 0;

        (void)curl_easy_getinfo(hop->easy, CURLINFO_HTTP_CONNECTCODE, &status);
        if (!config->proxy || status == 0 || status / 100 == 2)
                return 0;
        (void)place_of(config->proxy, proxy, sizeof proxy);
        if (status == 407)
                return why(w, -EACCES, "the proxy %s answers 407: %s", proxy,
                                config->proxy_credentials
                                                ? "the user or password in ProxyCredentialsFile= is wrong"
                                                : "ProxyCredentialsFile= in fetch.conf has to hold USER:PASSWORD for it");
        return why(w, -EHOSTUNREACH, "the proxy %s answers %ld instead of giving a way to %s",
                        proxy, status, who(hop, config, place, sizeof place));
}

static int connect_error(const FetchHop *hop) {
        long e = 0;

        (void)curl_easy_getinfo(hop->easy, CURLINFO_OS_ERRNO, &e);
        switch (e) {
        case ETIMEDOUT:
                return -ETIMEDOUT;
        case EHOSTUNREACH:
        case ENETUNREACH:
        case ENETDOWN:
        case EACCES: /* a firewall, or a sandbox without network */
        case EPERM:
                return -EHOSTUNREACH;
        default:
                return -ECONNREFUSED;
        }
}

static int error_of(const FetchHop *hop, CURLcode code) {
        switch (code) {
        case CURLE_OPERATION_TIMEDOUT:
                return -ETIMEDOUT;
        case CURLE_COULDNT_CONNECT:
                return connect_error(hop);
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY:
                return -EHOSTUNREACH;
        case CURLE_PARTIAL_FILE:
        case CURLE_RECV_ERROR:
        case CURLE_SEND_ERROR:
        case CURLE_GOT_NOTHING:
                return -EPIPE;
        default:
                return -EPROTO;
        }
}

int fetch_failure(const FetchHop *hop, const FetchConfig *config, CURLcode code, Why *w) {
        char place[WHERE_MAX];
        int r;

        if (code == CURLE_OK)
                return 0;
        (void)who(hop, config, place, sizeof place);
        if (code == CURLE_PEER_FAILED_VERIFICATION)
                return wrong_certificate(hop, config, place, w);
        if (code == CURLE_SSL_PINNEDPUBKEYNOTMATCH)
                return wrong_key(hop, config, place, w);
        if (code == CURLE_SSL_CERTPROBLEM)
                return wrong_client_key(hop, config, w);
        if (code == CURLE_SSL_CACERT_BADFILE)
                return why(w, -EACCES, "CAFile=%s holds no certificate in PEM",
                                config->ca_file ? config->ca_file : "");
        r = refused_by_proxy(hop, config, w);
        if (r >= 0)
                r = refused_by_peer(hop, config, place, w);
        if (r < 0)
                return r;
        return why(w, error_of(hop, code), "%s",
                        *hop->error ? hop->error : curl_easy_strerror(code));
}

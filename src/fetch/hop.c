/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hop: options of one exchange.
 *
 * To the origin only: the client certificate, the pinned key. To the origin only and never over
 * a redirect: the headers of fetch.conf, and of the request's own Authorization and Cookie.
 * HTTP/1.1, because a paused HTTP/2 stream would be kept in memory by libcurl. */
#include "fetch/hop.h"

#include <inttypes.h>
#include <strings.h>

#include "build-config.h"

#define KEEPALIVE_IDLE_SEC     30L
#define KEEPALIVE_INTERVAL_SEC 10L

/* --- headers ---------------------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b) {
        size_t n = strcspn(a, ":");

        return n == strcspn(b, ":") && strncasecmp(a, b, n) == 0;
}

/* 0 or -ENOMEM; the list stays whole. */
static int add(struct curl_slist **list, const char *line) {
        struct curl_slist *longer = curl_slist_append(*list, line);

        if (!longer)
                return -ENOMEM;
        *list = longer;
        return 0;
}

static bool is_private(const char *header) {
        return fetch_header_is(header, "Authorization") || fetch_header_is(header, "Cookie");
}

static bool config_has(const FetchConfig *config, const char *header) {
        for (unsigned i = 0; i < config->n_origin_headers; i++)
                if (same_name(config->origin_headers[i], header))
                        return true;
        return false;
}

static int add_request_headers(struct curl_slist **list, const FetchConfig *config,
                const FetchRequest *request, bool trusted) {
        int r = 0;

        for (const char *const *h = request->headers; h && *h && r >= 0; h++)
                if (trusted ? !config_has(config, *h) : !is_private(*h))
                        r = add(list, *h);
        return r;
}

static bool request_has(const FetchRequest *request, const char *name) {
        for (const char *const *h = request->headers; h && *h; h++)
                if (fetch_header_is(*h, name))
                        return true;
        return false;
}

static int add_range(struct curl_slist **list, const FetchRequest *request) {
        char line[FETCH_VALUE_MAX + 32];
        int r;

        if (request->resume_offset == 0)
                return 0;
        (void)snprintf(line, sizeof line, "Range: bytes=%" PRIu64 "-", request->resume_offset);
        r = add(list, line);
        if (r < 0 || !request->if_range)
                return r;
        (void)snprintf(line, sizeof line, "If-Range: %s", request->if_range);
        return add(list, line);
}

struct curl_slist *fetch_hop_headers(const FetchConfig *config, const FetchRequest *request,
                bool is_origin, unsigned redirects) {
        bool trusted = is_origin && redirects == 0;
        struct curl_slist *list = NULL;
        int r;

        r = add(&list, "Expect:"); /* libcurl sends none */
        if (r >= 0 && !request_has(request, "Content-Type"))
                r = add(&list, "Content-Type:");
        for (unsigned i = 0; trusted && i < config->n_origin_headers && r >= 0; i++)
                r = add(&list, config->origin_headers[i]);
        if (r >= 0)
                r = add_request_headers(&list, config, request, trusted);
        if (r >= 0)
                r = add_range(&list, request);
        if (r < 0) {
                curl_slist_free_all(list);
                return NULL;
        }
        return list;
}

/* --- options: 0 or any CURLcode --------------------------------------------------------------- */

static int set_manners(CURL *e, const FetchConfig *config) {
        const char *protocols = config->allow_http ? "https,http" : "https";
        int c = 0;

        c |= (int)curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, protocols);
        c |= (int)curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
        c |= (int)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
        c |= (int)curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
        c |= (int)curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
        c |= (int)curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
        c |= (int)curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
        c |= (int)curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L);
        c |= (int)curl_easy_setopt(e, CURLOPT_NETRC, CURL_NETRC_IGNORED);
        c |= (int)curl_easy_setopt(e, CURLOPT_USERAGENT, "rekindle/" REKINDLE_VERSION);
        c |= (int)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
        c |= (int)curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
        c |= (int)curl_easy_setopt(
                        e, CURLOPT_CONNECTTIMEOUT_MS, (long)(config->connect_usec / USEC_PER_MSEC));
        c |= (int)curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
        c |= (int)curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC);
        c |= (int)curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SEC);
        return c;
}

static long tls_minimum(const FetchConfig *config) {
        return config->tls_minimum == 13 ? (long)CURL_SSLVERSION_TLSv1_3
                                         : (long)CURL_SSLVERSION_TLSv1_2;
}

static int set_proxy(CURL *e, const FetchConfig *config) {
        int c = 0;

        /* Empty texts: what the environment says does not count. */
        c |= (int)curl_easy_setopt(e, CURLOPT_PROXY, config->proxy ? config->proxy : "");
        c |= (int)curl_easy_setopt(e, CURLOPT_NOPROXY, config->no_proxy ? config->no_proxy : "");
        c |= (int)curl_easy_setopt(e, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
        c |= (int)curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        c |= (int)curl_easy_setopt(e, CURLOPT_PROXY_SSLVERSION, tls_minimum(config));
        if (config->proxy_credentials)
                c |= (int)curl_easy_setopt(e, CURLOPT_PROXYUSERPWD, config->proxy_credentials);
        if (config->proxy && config->ca_file)
                c |= (int)curl_easy_setopt(e, CURLOPT_PROXY_CAINFO, config->ca_file);
        return c;
}

static int set_tls(CURL *e, const FetchConfig *config, bool is_origin) {
        int c = 0;

        c |= (int)curl_easy_setopt(e, CURLOPT_SSLVERSION, tls_minimum(config));
        c |= (int)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
        c |= (int)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
        if (config->ca_file) {
                c |= (int)curl_easy_setopt(e, CURLOPT_CAINFO, config->ca_file);
                c |= (int)curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
        }
        if (is_origin && config->pinned_key)
                c |= (int)curl_easy_setopt(e, CURLOPT_PINNEDPUBLICKEY, config->pinned_key);
        return c;
}

static const char *type_of(const char *value) {
        return fetch_config_is_token(value) ? "ENG" : "PEM";
}

/* The passphrase is always given: without one, OpenSSL would ask at a terminal. */
static int set_client_key(CURL *e, const FetchConfig *config) {
        const char *secret = config->client_key_passphrase ? config->client_key_passphrase : "";
        int c = 0;

        c |= (int)curl_easy_setopt(e, CURLOPT_SSLCERTTYPE, type_of(config->client_certificate));
        c |= (int)curl_easy_setopt(e, CURLOPT_SSLCERT, config->client_certificate);
        c |= (int)curl_easy_setopt(e, CURLOPT_SSLKEYTYPE, type_of(config->client_key));
        c |= (int)curl_easy_setopt(e, CURLOPT_SSLKEY, config->client_key);
        c |= (int)curl_easy_setopt(e, CURLOPT_KEYPASSWD, secret);
        return c;
}

/* The engine must be there before a certificate of it is named. */
static bool set_engine(CURL *e, const FetchConfig *config) {
        if (!fetch_config_is_token(config->client_certificate) &&
                        !fetch_config_is_token(config->client_key))
                return true;
        return curl_easy_setopt(e, CURLOPT_SSLENGINE, "pkcs11") == CURLE_OK;
}

static int set_method(CURL *e, const FetchRequest *request) {
        int c = 0;

        if (streq(request->method, "GET"))
                return (int)curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
        c |= (int)curl_easy_setopt(e, CURLOPT_POST, 1L);
        c |= (int)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE, (long)request->body_length);
        c |= (int)curl_easy_setopt(
                        e, CURLOPT_POSTFIELDS, request->body_length > 0 ? request->body : "");
        c |= (int)curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, request->method);
        return c;
}

int fetch_hop_set_up(FetchHop *hop, const FetchConfig *config, const FetchRequest *request,
                FetchTarget *target, unsigned redirects) {
        int c = 0;

        fetch_hop_done(hop);
        hop->target = *target;
        *target = (FetchTarget){ 0 };
        hop->easy = curl_easy_init();
        hop->headers = fetch_hop_headers(config, request, hop->target.is_origin, redirects);
        hop->peer = peer_new();
        if (!hop->easy || !hop->headers || !hop->peer)
                return -ENOMEM;
        if (hop->target.is_origin && config->client_key) {
                if (!set_engine(hop->easy, config))
                        return -ENOPKG;
                c |= set_client_key(hop->easy, config);
        }
        c |= set_manners(hop->easy, config);
        c |= set_proxy(hop->easy, config);
        c |= set_tls(hop->easy, config, hop->target.is_origin);
        c |= set_method(hop->easy, request);
        c |= (int)peer_watch(hop->peer, hop->easy);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_CURLU, hop->target.url);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_HTTPHEADER, hop->headers);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_ERRORBUFFER, hop->error);
        return c == 0 ? 0 : -EPROTO;
}

void fetch_hop_done(FetchHop *hop) {
        if (hop->easy)
                curl_easy_cleanup(hop->easy);
        curl_slist_free_all(hop->headers);
        fetch_target_done(&hop->target);
        (void)peer_unref(hop->peer);
        *hop = (FetchHop){ 0 };
}

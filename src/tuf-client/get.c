/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Getter: what rekindle-fetch sets up for one exchange, performed at once. Its fetch.conf is made
 * of the options: the metadata URL is the origin, the host of the targets may be asked too. */
#include "tuf-client/get.h"

#include <ctype.h>
#include <curl/curl.h>

#include "basic/names.h"
#include "fetch/hop.h"
#include "fetch/response.h"

#define REDIRECTS_MAX  5
#define CRAWL          10L  /* bytes a second */
#define PACE           4096 /* bytes a second that are waited for in all */
#define WASTE_MAX      (64 * 1024)
#define STATUS_OK      200
#define STATUS_SECRET  403
#define STATUS_MISSING 404

struct Getter {
        FetchConfig config;
        CURLSH *share;
        uint64_t patience_sec;
};

typedef struct Body {
        CURL *easy;
        GetterFunc func;
        void *userdata;
        int error;
        size_t waste; /* bytes of pages that nobody reads */
        size_t heads_bytes;
        FetchResponse response;
        Why refused; /* what is wrong with the head; "": nothing */
} Body;

static bool has_part(CURLU *u, CURLUPart part) {
        char *value = NULL;
        bool has = curl_url_get(u, part, &value, 0) == CURLUE_OK;

        curl_free(value);
        return has;
}

static int parse_base(const char *option, const char *url, CURLU **ret, Why *w) {
        CURLU *u = curl_url();
        char *scheme = NULL;
        bool good;

        if (!u)
                return why_oom(w);
        good = curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
               curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
               (streq(scheme, "https") || streq(scheme, "http")) && !has_part(u, CURLUPART_QUERY) &&
               !has_part(u, CURLUPART_FRAGMENT);
        curl_free(scheme);
        if (good) {
                *ret = u;
                return 0;
        }
        curl_url_cleanup(u);
        return why(w, -EINVAL,
                        "%s is \"%s\"; it has to be https://HOST[:PORT][/FOLDER], or http://, without "
                        "user, query and fragment",
                        option, url);
}

/* The host becomes one that may be asked. */
static int allow_host(FetchConfig *config, CURLU *u, Why *w) {
        FetchHost *host = &config->artifact_hosts[config->n_artifact_hosts];
        char *name = NULL, *port = NULL;
        uint64_t number = 0;
        int r = 0;

        if (curl_url_get(u, CURLUPART_HOST, &name, 0) ||
                        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
                        parse_uint64(port, 1, UINT16_MAX, &number) < 0)
                r = why(w, -EINVAL, "--target-base-url has no host and port that can be asked");
        for (char *p = name; r >= 0 && *p; p++)
                *p = (char)tolower((unsigned char)*p);
        if (r >= 0 && free_and_strdup(&host->name, name) < 0)
                r = why_oom(w);
        if (r >= 0) {
                host->port = (unsigned)number;
                config->n_artifact_hosts++;
        }
        curl_free(name);
        curl_free(port);
        return r;
}

static int take_urls(FetchConfig *config, const GetterOptions *options, Why *w) {
        CURLU *u;
        int r;

        r = parse_base("--metadata-url", options->metadata_url, &u, w);
        if (r < 0)
                return r;
        curl_url_cleanup(u);
        if (!options->target_url)
                return 0;
        r = parse_base("--target-base-url", options->target_url, &u, w);
        if (r < 0)
                return r;
        r = allow_host(config, u, w);
        curl_url_cleanup(u);
        return r;
}

int getter_new(const GetterOptions *options, Getter **ret, Why *w) {
        _cleanup_(getter_freep) Getter *g = new0(Getter, 1);
        int r;

        if (!g)
                return why_oom(w);
        fetch_config_init(&g->config);
        g->config.allow_http = true;
        g->config.connect_usec = options->patience_sec * USEC_PER_SEC;
        g->patience_sec = options->patience_sec;
        if (free_and_strdup(&g->config.origin, options->metadata_url) < 0 ||
                        free_and_strdup(&g->config.ca_file, options->ca_file) < 0)
                return why_oom(w);
        r = take_urls(&g->config, options, w);
        if (r < 0)
                return r;
        g->share = curl_share_init();
        if (!g->share || curl_share_setopt(g->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) ||
                        curl_share_setopt(g->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION))
                return why_oom(w);
        *ret = TAKE_PTR(g);
        return 0;
}

Getter *getter_free(Getter *g) {
        if (!g)
                return NULL;
        (void)curl_share_cleanup(g->share);
        fetch_config_done(&g->config);
        free(g);
        return NULL;
}

static long status_of(CURL *easy) {
        long status = 0;

        (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        return status;
}

/* libcurl keeps every line, of trailers too: they are bounded here. */
static size_t on_header(char *line, size_t size, size_t count, void *userdata) {
        Body *b = userdata;
        size_t n = size * count;
        int r = 0;

        b->heads_bytes += n;
        if (b->heads_bytes > FETCH_HEADS_MAX)
                r = why(&b->refused, -EPROTO,
                                "the server sent more than %d bytes of heads and trailers",
                                FETCH_HEADS_MAX);
        else if (!b->response.complete || b->response.status < 200)
                r = fetch_response_line(&b->response, line, n, &b->refused);
        return r < 0 ? 0 : n;
}

/* The page of another status than 200 is nobody's, and need not come to its end. */
static size_t on_body(char *bytes, size_t size, size_t n, void *userdata) {
        Body *b = userdata;

        if (status_of(b->easy) != STATUS_OK) {
                b->waste += size * n;
                return b->waste > WASTE_MAX ? CURL_WRITEFUNC_ERROR : size * n;
        }
        if (b->response.is_encoded) {
                (void)why(&b->refused, 0, "the server sent it with a Content-Encoding");
                return CURL_WRITEFUNC_ERROR;
        }
        b->error = b->func(bytes, size * n, b->userdata);
        return b->error < 0 ? CURL_WRITEFUNC_ERROR : size * n;
}

static int perform(Getter *g, FetchHop *hop, uint64_t limit, Body *body) {
        uint64_t seconds = 2 * g->patience_sec + limit / PACE;
        int c = 0;

        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_SHARE, g->share);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_HEADERFUNCTION, on_header);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_HEADERDATA, body);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_WRITEFUNCTION, on_body);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_WRITEDATA, body);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_LOW_SPEED_LIMIT, CRAWL);
        c |= (int)curl_easy_setopt(hop->easy, CURLOPT_LOW_SPEED_TIME, (long)g->patience_sec);
        c |= (int)curl_easy_setopt(
                        hop->easy, CURLOPT_TIMEOUT, (long)MIN(seconds, (uint64_t)INT32_MAX));
        if (c != 0)
                return CURLE_OUT_OF_MEMORY;
        body->easy = hop->easy;
        return (int)curl_easy_perform(hop->easy);
}

/* 1: redirected, *target is where to. */
static int judge(
                Getter *g, FetchHop *hop, int code, const Body *body, FetchTarget *target, Why *w) {
        const char *location = NULL;
        long status = status_of(hop->easy);

        if (body->error < 0)
                return body->error;
        if (body->refused.text[0] != '\0')
                return why(w, -EPROTO, "%s", body->refused.text);
        if (code == CURLE_OUT_OF_MEMORY && !body->response.complete)
                return why(w, -EPROTO, "the server sent a line of its head that is too long");
        if (code != CURLE_OK && (code != CURLE_WRITE_ERROR || status == STATUS_OK))
                return why(w, -EPROTO, "%s",
                                *hop->error ? hop->error : curl_easy_strerror((CURLcode)code));
        if (status == STATUS_OK)
                return 0;
        if (status == STATUS_MISSING || status == STATUS_SECRET)
                return why(w, -ENOENT, "the server answered HTTP %ld", status);
        (void)curl_easy_getinfo(hop->easy, CURLINFO_REDIRECT_URL, &location);
        if (!location)
                return why(w, -EPROTO, "the server answered HTTP %ld", status);
        if (fetch_target_redirect(&g->config, &hop->target, location, target, w) >= 0)
                return 1;
        w->text[strcspn(w->text, ";")] =
                        '\0'; /* what fetch.conf could say, which is not read here */
        return -EACCES;
}

int getter_get(Getter *g, const char *url, uint64_t limit, GetterFunc func, void *userdata,
                Why *w) {
        const FetchRequest request = { .kind = FETCH_TRANSFER, .method = "GET", .url = url };
        FetchTarget target = {};
        FetchHop hop = {};
        int r;

        r = fetch_target_resolve(&g->config, url, &target, w);
        if (r < 0)
                return r;
        for (unsigned redirects = 0;; redirects++) {
                Body body = { .func = func, .userdata = userdata };

                r = fetch_hop_set_up(&hop, &g->config, &request, &target, redirects);
                if (r < 0) {
                        (void)why(w, r, "%s: cannot be asked for: %s", url, strerror(-r));
                        break;
                }
                r = judge(g, &hop, perform(g, &hop, limit, &body), &body, &target, w);
                if (r != 1)
                        break;
                if (redirects == REDIRECTS_MAX) {
                        r = why(w, -EPROTO, "more than %d redirects", REDIRECTS_MAX);
                        break;
                }
        }
        fetch_target_done(&target);
        fetch_hop_done(&hop);
        return r;
}

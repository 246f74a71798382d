/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Target: the origin and the artifact hosts of fetch.conf, and nothing else. */
#include "fetch/target.h"

#include <strings.h>

#include "basic/names.h"
#include "fetch/client.h"

/* A URL in the parts that are compared. */
typedef struct Parts {
        char *scheme, *host, *port, *path;
} Parts;

static void parts_done(Parts *p) {
        curl_free(p->scheme);
        curl_free(p->host);
        curl_free(p->port);
        curl_free(p->path);
}

static int parts_get(CURLU *url, Parts *p) {
        if (curl_url_get(url, CURLUPART_SCHEME, &p->scheme, 0) ||
                        curl_url_get(url, CURLUPART_HOST, &p->host, 0) ||
                        curl_url_get(url, CURLUPART_PORT, &p->port, CURLU_DEFAULT_PORT) ||
                        curl_url_get(url, CURLUPART_PATH, &p->path, 0))
                return -EINVAL;
        return 0;
}

static int parse(const char *text, CURLU **ret, Parts *parts) {
        CURLU *url;
        int r = -EINVAL;

        url = curl_url();
        if (!url)
                return -ENOMEM;
        if (curl_url_set(url, CURLUPART_URL, text, CURLU_PATH_AS_IS | CURLU_DISALLOW_USER) ==
                                        CURLUE_OK &&
                        curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK)
                r = parts_get(url, parts);
        if (r < 0) {
                curl_url_cleanup(url);
                return r;
        }
        *ret = url;
        return 0;
}

static bool same_place(const Parts *a, const Parts *b) {
        return streq(a->scheme, b->scheme) && strcasecmp(a->host, b->host) == 0 &&
               streq(a->port, b->port);
}

static bool is_artifact_host(const FetchConfig *config, const Parts *p) {
        unsigned standard = streq(p->scheme, "https") ? 443 : 80;
        uint64_t port;

        if (parse_uint64(p->port, 1, 65535, &port) < 0)
                return false;
        for (unsigned i = 0; i < config->n_artifact_hosts; i++) {
                const FetchHost *h = &config->artifact_hosts[i];

                if (strcasecmp(h->name, p->host) == 0 && port == (h->port ? h->port : standard))
                        return true;
        }
        return false;
}

/* True for "." and "..", also where dots are written %2e. */
static bool is_dot_segment(const char *s, size_t n) {
        size_t dots = 0;

        while (n > 0) {
                size_t step = *s == '.' ? 1 : n >= 3 && strncasecmp(s, "%2e", 3) == 0 ? 3 : 0;

                if (step == 0)
                        return false;
                s += step;
                n -= step;
                dots++;
        }
        return dots == 1 || dots == 2;
}

static bool has_dot_segments(const char *path) {
        for (const char *s = path; *s; s += *s == '/') {
                size_t n = strcspn(s, "/");

                if (is_dot_segment(s, n))
                        return true;
                s += n;
        }
        return false;
}

static bool is_below(const char *path, const char *folder) {
        size_t n = strlen(folder);

        while (n > 0 && folder[n - 1] == '/')
                n--;
        return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static int check_scheme(const FetchConfig *config, const Parts *p, Why *w) {
        if (streq(p->scheme, "https") || (streq(p->scheme, "http") && config->allow_http))
                return 0;
        return why(w, -EACCES, "%s:// is not allowed; https:// would be%s", p->scheme,
                        streq(p->scheme, "http") ? ", or AllowHttp=yes in fetch.conf" : "");
}

/* below: the path must lie under the origin's folder. */
static int judge(
                const FetchConfig *config, const char *text, bool below, FetchTarget *ret, Why *w) {
        _cleanup_(parts_done) Parts origin = { 0 }, p = { 0 };
        CURLU *origin_url = NULL, *url = NULL;
        bool is_origin;
        int r;

        r = parse(config->origin, &origin_url, &origin);
        curl_url_cleanup(origin_url);
        if (r < 0)
                return why(w, -EACCES, "Origin=%s in fetch.conf is no URL", config->origin);
        r = parse(text, &url, &p);
        if (r < 0)
                return why(w, r == -ENOMEM ? r : -EACCES, "%s is no URL that can be asked for",
                                text);
        is_origin = same_place(&origin, &p);
        r = check_scheme(config, &p, w);
        if (r >= 0 && !is_origin && !is_artifact_host(config, &p))
                r = why(w, -EACCES,
                                "host %s port %s is not allowed; Origin= or ArtifactHosts= in fetch.conf would name it",
                                p.host, p.port);
        if (r >= 0 && has_dot_segments(p.path))
                r = why(w, -EACCES, "path %s holds dot segments", p.path);
        if (r >= 0 && below && is_origin && !is_artifact_host(config, &p) &&
                        !is_below(p.path, origin.path))
                r = why(w, -EACCES, "path %s is not below the origin %s", p.path, config->origin);
        if (r < 0) {
                curl_url_cleanup(url);
                return r;
        }
        *ret = (FetchTarget){ url, is_origin, streq(p.scheme, "https") };
        return 0;
}

void fetch_target_done(FetchTarget *target) {
        curl_url_cleanup(target->url);
        *target = (FetchTarget){ 0 };
}

int fetch_target_resolve(const FetchConfig *config, const char *url, FetchTarget *ret, Why *w) {
        _cleanup_free_ char *whole = NULL;

        if (!config->origin)
                return why(w, -EACCES,
                                "no server is configured; Origin= in fetch.conf would name it");
        if (url[0] == '/') {
                if (asprintf(&whole, "%s%s", config->origin, url) < 0)
                        return why(w, -ENOMEM, "not enough memory");
                url = whole;
        }
        return judge(config, url, true, ret, w);
}

int fetch_target_redirect(const FetchConfig *config, const FetchTarget *from, const char *url,
                FetchTarget *ret, Why *w) {
        FetchTarget target;
        int r;

        if (strlen(url) > FETCH_URL_MAX)
                return why(w, -EACCES, "a redirect leads to a URL of more than %d bytes",
                                FETCH_URL_MAX);
        r = judge(config, url, false, &target, w);
        if (r < 0)
                return why_prefix(w, r, "redirect");
        if (from->is_https && !target.is_https) {
                fetch_target_done(&target);
                return why(w, -EACCES, "redirect: from https to http is never allowed");
        }
        *ret = target;
        return 0;
}

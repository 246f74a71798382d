/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rekindle-tuf: a TUF client for scripts and for conformance tests. Exit status 0, or 1 for any
 * failure, with the reason on standard error. */
#include <curl/curl.h>
#include <getopt.h>

#include "basic/names.h"
#include "build-config.h"
#include "tuf-client/client.h"

#define TARGETS_MAX  256
#define PATIENCE_SEC 30
#define PATIENCE_MAX 3600

typedef struct Options {
        ClientOptions client;
        const char *targets[TARGETS_MAX];
        size_t n_targets;
        const char *target_dir;
        char *metadata_url, *target_url; /* without slashes at the end */
        bool done;
} Options;

static void options_done(Options *o) {
        free(o->metadata_url);
        free(o->target_url);
}

static void help(void) {
        (void)puts("rekindle-tuf --metadata-dir DIR init TRUSTED_ROOT\n"
                   "rekindle-tuf --metadata-url URL --metadata-dir DIR refresh\n"
                   "rekindle-tuf --metadata-url URL --metadata-dir DIR --target-name PATH...\n"
                   "             --target-dir DIR --target-base-url URL download\n\n"
                   "A client of The Update Framework.\n\n"
                   "  --metadata-dir DIR     what is trusted, in ROLE.json\n"
                   "  --metadata-url URL     where the server has its metadata\n"
                   "  --target-name PATH     target to download; may be given several times\n"
                   "  --target-dir DIR       where it goes, under its percent-encoded name\n"
                   "  --target-base-url URL  where the server has its targets\n"
                   "  --ca-file FILE         certificates to trust instead of the system's\n"
                   "  --timeout SECONDS      give a server up that crawls for so long; default 30\n"
                   "  --help, --version");
}

static int set_url(char **p, const char *url) {
        size_t n = strlen(url);

        while (n > 0 && url[n - 1] == '/')
                n--;
        free(*p);
        *p = strndup(url, n);
        return *p ? 0 : -ENOMEM;
}

static int set_option(Options *o, int c, const char *word, Why *w) {
        switch (c) {
        case 'm':
                o->client.metadata_dir = optarg;
                return 0;
        case 'u':
                return set_url(&o->metadata_url, optarg) < 0 ? why_oom(w) : 0;
        case 'n':
                if (o->n_targets == TARGETS_MAX)
                        return why(w, -E2BIG, "at most %d --target-name", TARGETS_MAX);
                o->targets[o->n_targets++] = optarg;
                return 0;
        case 'd':
                o->target_dir = optarg;
                return 0;
        case 'b':
                return set_url(&o->target_url, optarg) < 0 ? why_oom(w) : 0;
        case 'c':
                o->client.getter.ca_file = optarg;
                return 0;
        case 't':
                if (parse_uint64(optarg, 1, PATIENCE_MAX, &o->client.getter.patience_sec) < 0)
                        return why(w, -EINVAL, "--timeout %s has to be 1 to %d seconds", optarg,
                                        PATIENCE_MAX);
                return 0;
        case 'h':
                help();
                break;
        case 'v':
                (void)puts("rekindle-tuf " REKINDLE_VERSION);
                break;
        case ':':
                return why(w, -EINVAL, "%s needs a value; see --help", word);
        default:
                return why(w, -EINVAL, "%s is no option here; see --help", word);
        }
        o->done = true;
        return 0;
}

static int parse_arguments(int argc, char *argv[], Options *o, Why *w) {
        static const struct option options[] = {
                { "metadata-dir", required_argument, NULL, 'm' },
                { "metadata-url", required_argument, NULL, 'u' },
                { "target-name", required_argument, NULL, 'n' },
                { "target-dir", required_argument, NULL, 'd' },
                { "target-base-url", required_argument, NULL, 'b' },
                { "ca-file", required_argument, NULL, 'c' },
                { "timeout", required_argument, NULL, 't' },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, 'v' },
                { 0 },
        };
        int c, r = 0;

        opterr = 0; /* set_option() says it */
        while (r >= 0 && !o->done && (c = getopt_long(argc, argv, ":", options, NULL)) >= 0)
                r = set_option(o, c, argv[optind - 1], w);
        o->client.getter.metadata_url = o->metadata_url;
        o->client.getter.target_url = o->target_url;
        return r;
}

static int need(const void *value, const char *option, Why *w) {
        return value ? 0 : why(w, -EINVAL, "%s is missing; see --help", option);
}

static int refresh(const Options *o, Client **ret, Why *w) {
        _cleanup_(client_freep) Client *c = NULL;
        int r;

        r = need(o->metadata_url, "--metadata-url", w);
        if (r >= 0)
                r = client_new(&o->client, &c, w);
        if (r >= 0)
                r = client_refresh(c, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

static int verb_refresh(const Options *o, Why *w) {
        _cleanup_(client_freep) Client *c = NULL;

        return refresh(o, &c, w);
}

static int verb_download(const Options *o, Why *w) {
        _cleanup_(client_freep) Client *c = NULL;
        int r;

        r = need(o->n_targets > 0 ? o : NULL, "--target-name", w);
        if (r >= 0)
                r = need(o->target_dir, "--target-dir", w);
        if (r >= 0)
                r = need(o->target_url, "--target-base-url", w);
        if (r >= 0)
                r = refresh(o, &c, w);
        for (size_t i = 0; i < o->n_targets && r >= 0; i++)
                r = client_download(c, o->targets[i], o->target_dir, w);
        return r;
}

static int dispatch(const Options *o, int n, char *words[], Why *w) {
        int r = need(o->client.metadata_dir, "--metadata-dir", w);

        if (r < 0)
                return r;
        if (n == 2 && streq(words[0], "init"))
                return client_init(o->client.metadata_dir, words[1], w);
        if (n == 1 && streq(words[0], "refresh"))
                return verb_refresh(o, w);
        if (n == 1 && streq(words[0], "download"))
                return verb_download(o, w);
        return why(w, -EINVAL, "one of init TRUSTED_ROOT, refresh and download; see --help");
}

int main(int argc, char *argv[]) {
        _cleanup_(options_done) Options o = { .client.getter.patience_sec = PATIENCE_SEC };
        Why w;
        int r;

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return 1;
        r = parse_arguments(argc, argv, &o, &w);
        if (r >= 0 && !o.done)
                r = dispatch(&o, argc - optind, argv + optind, &w);
        if (r >= 0 && fflush(stdout) != 0)
                r = why(&w, -errno, "standard output: %s", strerror(errno));
        if (r < 0)
                (void)fprintf(stderr, "rekindle-tuf: %s\n", w.text);
        curl_global_cleanup();
        return r < 0 ? 1 : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target of fetch.conf: what is taken is within its bounds and can go into a request; a
 * refusal names the file and repeats no PIN. */
#include <assert.h>

#include "fetch/config.h"
#include "fetch/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void on_warning(const char *text, void *userdata) {
        assert(startswith(text, "FILE:"));
}

static bool is_place(const char *value) {
        return !value || value[0] == '/' ||
               (fetch_config_is_token(value) && !strstr(value, "pin-value"));
}

static void check(const FetchConfig *c) {
        assert(c->tls_minimum == 12 || c->tls_minimum == 13);
        assert(c->n_artifact_hosts <= FETCH_ARTIFACT_HOSTS_MAX);
        assert(c->n_origin_headers <= FETCH_ORIGIN_HEADERS_MAX);
        for (unsigned i = 0; i < c->n_artifact_hosts; i++)
                assert(*c->artifact_hosts[i].name && c->artifact_hosts[i].port <= 65535);
        for (unsigned i = 0; i < c->n_origin_headers; i++)
                assert(fetch_header_is_valid(c->origin_headers[i]));
        assert(is_place(c->client_certificate) && is_place(c->client_key));
        assert(!c->no_proxy || !strpbrk(c->no_proxy, " *\r\n"));
        assert(!c->pinned_key || strlen(c->pinned_key) % 53 == 52);
        assert(c->connect_usec >= 100 * USEC_PER_MSEC && c->low_speed_bytes >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        const FetchConfigWarn warn = { on_warning, NULL };
        FetchConfig config;
        Why w = { "" };
        int r;

        fetch_config_init(&config);
        r = fetch_config_parse(&config, "FILE", (const char *)bytes, n, &warn, &w);
        assert(r == 0 || r == -EINVAL || r == -EBADMSG || r == -E2BIG);
        assert(r == 0 || (startswith(w.text, "FILE:") && !strstr(w.text, "pin-value=")));
        check(&config);
        fetch_config_done(&config);
        return 0;
}

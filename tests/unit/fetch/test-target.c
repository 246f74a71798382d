/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rule where requests and redirects may go, as a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fetch/target.h"

static FetchConfig config;

static int setup(void **state) {
        static const char text[] =
                        "[Fetch]\nOrigin=https://example.com/base\nArtifactHosts=cdn.example.com cdn.example.com:8443 [::1]:444\n";

        fetch_config_init(&config);
        return fetch_config_parse(&config, "c", text, sizeof text - 1, NULL, NULL);
}

static int teardown(void **state) {
        fetch_config_done(&config);
        return 0;
}

typedef struct Case {
        const char *url, *asked; /* asked NULL: -EACCES */
        bool is_origin;
} Case;

static const Case requests[] = {
        { "/a", "https://example.com/base/a", true },
        { "/", "https://example.com/base/", true },
        { "/a//b?c=%2e%2e/", "https://example.com/base/a//b?c=%2e%2e/", true },
        { "//cdn.example.com/a", "https://example.com/base//cdn.example.com/a", true },
        { "/a...b/.c/..d", "https://example.com/base/a...b/.c/..d", true },
        { "https://example.com/base/a", "https://example.com/base/a", true },
        { "https://EXAMPLE.com/base/a", "https://EXAMPLE.com/base/a", true },
        { "https://example.com:443/base", "https://example.com:443/base", true },
        { "https://cdn.example.com/x", "https://cdn.example.com/x", false },
        { "https://cdn.example.com:8443/x", "https://cdn.example.com:8443/x", false },
        { "https://[::1]:444/x", "https://[::1]:444/x", false },
        { "/../a", NULL },
        { "/a/./b", NULL },
        { "/a/%2E%2e/b", NULL },
        { "/a/.%2e", NULL },
        { "https://example.com/", NULL },
        { "https://example.com/basement", NULL },
        { "https://example.com/base/../x", NULL },
        { "https://example.com:8443/base/a", NULL },
        { "https://cdn.example.com:444/x", NULL },
        { "https://example.com.evil.com/base/a", NULL },
        { "https://evil.com/base/a", NULL },
        { "https://user@example.com/base/a", NULL },
        { "https://user:word@example.com/base/a", NULL },
        { "https://evil.com@example.com/base/a", NULL },
        { "https://[::1]/x", NULL },
        { "http://example.com/base/a", NULL },
        { "http://cdn.example.com/x", NULL },
        { "https:///base/a", NULL },
        { "https://example.com:99999/base/a", NULL },
};

static const Case redirects[] = {
        { "https://example.com/elsewhere", "https://example.com/elsewhere", true },
        { "https://cdn.example.com/x", "https://cdn.example.com/x", false },
        { "https://evil.com/", NULL },
        { "http://example.com/base/a", NULL },
        { "file:///etc/passwd", NULL },
        { "gopher://example.com/", NULL },
        { "https://user@example.com/", NULL },
};

static void check(const Case *c, int r, FetchTarget *target, const Why *w) {
        char *text = NULL;

        if (!c->asked) {
                if (r != -EACCES || !*w->text)
                        fail_msg("%s was allowed", c->url);
                return;
        }
        if (r < 0)
                fail_msg("%s: %s", c->url, w->text);
        assert_int_equal(curl_url_get(target->url, CURLUPART_URL, &text, 0), CURLUE_OK);
        assert_string_equal(text, c->asked);
        assert_int_equal(target->is_origin, c->is_origin);
        assert_true(target->is_https);
        curl_free(text);
        fetch_target_done(target);
}

static void requests_go_below_the_origin_or_to_artifact_hosts(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(requests); i++) {
                FetchTarget target = { 0 };
                Why w = { "" };

                check(&requests[i], fetch_target_resolve(&config, requests[i].url, &target, &w),
                                &target, &w);
        }
}

static void redirects_go_to_allowed_hosts(void **state) {
        FetchTarget from = { .is_https = true };

        for (size_t i = 0; i < ELEMENTSOF(redirects); i++) {
                FetchTarget target = { 0 };
                Why w = { "" };

                check(&redirects[i],
                                fetch_target_redirect(
                                                &config, &from, redirects[i].url, &target, &w),
                                &target, &w);
        }
}

static void http_is_allowed_by_its_key_but_not_from_https(void **state) {
        FetchTarget from = { .is_https = true }, target = { 0 };

        config.allow_http = true;
        assert_int_equal(fetch_target_resolve(&config, "http://cdn.example.com/x", &target, NULL),
                        0);
        assert_false(target.is_https);
        fetch_target_done(&target);
        assert_int_equal(fetch_target_redirect(
                                         &config, &from, "http://cdn.example.com/x", &target, NULL),
                        -EACCES);
        from.is_https = false;
        assert_int_equal(fetch_target_redirect(
                                         &config, &from, "http://cdn.example.com/x", &target, NULL),
                        0);
        fetch_target_done(&target);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                requests_go_below_the_origin_or_to_artifact_hosts, setup, teardown),
                cmocka_unit_test_setup_teardown(redirects_go_to_allowed_hosts, setup, teardown),
                cmocka_unit_test_setup_teardown(
                                http_is_allowed_by_its_key_but_not_from_https, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

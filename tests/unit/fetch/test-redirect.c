/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where requests and redirects may go, and what goes with them. The origin is 127.0.0.1; the
 * artifact host is the same server under the name localhost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fetch-world.h"

static Got got;

static const char *const private_headers[] = { "Authorization: request", "Cookie: request",
        "X-Plain: request", NULL };

static void configure_artifact_host(FetchWorld *world) {
        world_configure(world,
                        "%sArtifactHosts=localhost:%u\nAuthorization=Bearer conf\nHeader=X-Conf: conf\n",
                        world_plain(world), http_origin_port(world->origin));
}

/* Asks for a redirect to a URL in which @ stands for the origin's port. */
static void get_redirect(FetchWorld *world, const char *to) {
        char path[300];
        FetchRequest request = {
                .method = "GET", .url = path, .headers = private_headers, .byte_limit = 1 << 20
        };
        int n = (int)strcspn(to, "@");

        if (to[n])
                (void)snprintf(path, sizeof path, "/_evil/redirect?to=%.*s%u%s", n, to,
                                http_origin_port(world->origin), to + n + 1);
        else
                (void)snprintf(path, sizeof path, "/_evil/redirect?to=%s", to);
        world_fetch(world, &request, &got);
}

static void redirect_within_the_origin_is_followed_without_keys(void **state) {
        configure_artifact_host(*state);
        get_redirect(*state, "/_evil/echo");
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 200);
        assert_non_null(strstr((char *)got.body, "X-Plain: request"));
        assert_null(strstr((char *)got.body, "Authorization"));
        assert_null(strstr((char *)got.body, "Cookie"));
        assert_null(strstr((char *)got.body, "X-Conf"));
}

static void redirect_to_an_artifact_host_is_followed_without_keys(void **state) {
        FetchWorld *world = *state;

        configure_artifact_host(world);
        get_redirect(world, "http://localhost:@/_evil/echo");
        assert_int_equal(got.error, 0);
        assert_non_null(strstr((char *)got.body, "Host: localhost"));
        assert_null(strstr((char *)got.body, "Authorization"));
        assert_null(strstr((char *)got.body, "X-Conf"));
}

static void request_to_an_artifact_host_carries_no_keys(void **state) {
        FetchWorld *world = *state;
        char url[100];
        FetchRequest request = {
                .method = "GET", .url = url, .headers = private_headers, .byte_limit = 1 << 20
        };

        configure_artifact_host(world);
        (void)snprintf(url, sizeof url, "http://localhost:%u/_evil/echo",
                        http_origin_port(world->origin));
        world_fetch(world, &request, &got);
        assert_int_equal(got.error, 0);
        assert_non_null(strstr((char *)got.body, "X-Plain: request"));
        assert_null(strstr((char *)got.body, "Authorization"));
        assert_null(strstr((char *)got.body, "X-Conf"));
}

static void request_to_the_origin_carries_the_keys_of_the_file(void **state) {
        FetchRequest request = { .method = "GET",
                .url = "/_evil/echo",
                .headers = private_headers,
                .byte_limit = 1 << 20 };

        configure_artifact_host(*state);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_non_null(strstr((char *)got.body, "Authorization: Bearer conf"));
        assert_null(strstr((char *)got.body, "Authorization: request"));
        assert_non_null(strstr((char *)got.body, "Cookie: request"));
        assert_non_null(strstr((char *)got.body, "X-Conf: conf"));
}

static void redirect_elsewhere_is_forbidden(void **state) {
        static const char *const elsewhere[] = {
                "http://localhost:@/a",
                "http://127.0.0.1:1/a",
                "file:///etc/passwd",
                "ftp://127.0.0.1/a",
                "http://user:word%40127.0.0.1:@/a",
                "gopher://127.0.0.1:@/",
                "//localhost:@/a",
                "https://127.0.0.1:@/a",
        };
        FetchWorld *world = *state;

        world_file(world, "a", 10);
        for (size_t i = 0; i < ELEMENTSOF(elsewhere); i++) {
                get_redirect(world, elsewhere[i]);
                if (got.error != -EACCES || got.bytes != 0 || !strstr(got.text, "redirect"))
                        fail_msg("%s: error %d: %s", elsewhere[i], got.error, got.text);
        }
        assert_int_equal(world_log_count(world, "\"path\": \"/a\""), 0);
}

static void loop_of_redirects_ends_after_five(void **state) {
        world_get(*state, "/_evil/loop", &got);
        assert_int_equal(got.error, -EPROTO);
        assert_string_equal(got.text, "more than 5 redirects");
        assert_int_equal(world_log_count(*state, "/_evil/loop"), 6);
}

static void redirect_of_a_post_is_left_to_the_caller(void **state) {
        FetchRequest request = { .method = "POST",
                .url = "/_evil/redirect?to=/a&code=307",
                .body = "b",
                .body_length = 1,
                .byte_limit = 100 };

        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 307);
        assert_non_null(strstr(got.headers, "location: /a\n"));
        assert_int_equal(world_log_count(*state, "\"path\": \"/a\""), 0);
}

static void body_of_a_redirect_is_dropped_and_bounded(void **state) {
        world_file(*state, "a", 10);
        world_get(*state, "/_evil/redirect?to=/a&body=60000", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 10);
        world_get(*state, "/_evil/redirect?to=/a&body=100000", &got);
        assert_int_equal(got.error, -EPROTO);
}

static void resume_goes_over_a_redirect(void **state) {
        FetchRequest request = { .method = "GET",
                .url = "/_evil/redirect?to=/a",
                .byte_limit = 100,
                .resume_offset = 4 };

        world_file(*state, "a", 10);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_true(got.resumed);
        assert_int_equal(got.bytes, 6);
}

static void whole_url_elsewhere_is_forbidden(void **state) {
        static const char *const urls[] = { "http://localhost/a", "https://example.com/a",
                "http://127.0.0.1:1/a" };

        for (size_t i = 0; i < ELEMENTSOF(urls); i++) {
                world_get(*state, urls[i], &got);
                assert_int_equal(got.error, -EACCES);
                assert_int_equal(got.status, 0);
        }
}

static void plain_http_needs_the_key(void **state) {
        FetchWorld *world = *state;
        char url[100];

        world_configure(world, "Origin=https://127.0.0.1:%u\nArtifactHosts=127.0.0.1:%u\n",
                        http_origin_port(world->origin), http_origin_port(world->origin));
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/a", http_origin_port(world->origin));
        world_get(world, url, &got);
        assert_int_equal(got.error, -EACCES);
        assert_non_null(strstr(got.text, "AllowHttp"));
}

static void path_is_taken_as_it_is_below_the_origins_folder(void **state) {
        FetchWorld *world = *state;

        world_configure(world, "Origin=http://127.0.0.1:%u/_evil/\nAllowHttp=yes\n",
                        http_origin_port(world->origin));
        world_get(world, "/echo?a=%41//b", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 200);
        assert_int_equal(world_log_count(world, "\"path\": \"/_evil/echo?a=%41//b\""), 1);
        world_get(world, "/page?code=404&n=0", &got);
        assert_int_equal(got.status, 404);
        assert_int_equal(world_log_count(world, "\"path\": \"/_evil/page?code=404&n=0\""), 1);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_WORLD(redirect_within_the_origin_is_followed_without_keys),
                WITH_WORLD(redirect_to_an_artifact_host_is_followed_without_keys),
                WITH_WORLD(request_to_an_artifact_host_carries_no_keys),
                WITH_WORLD(request_to_the_origin_carries_the_keys_of_the_file),
                WITH_WORLD(redirect_elsewhere_is_forbidden),
                WITH_WORLD(loop_of_redirects_ends_after_five),
                WITH_WORLD(redirect_of_a_post_is_left_to_the_caller),
                WITH_WORLD(body_of_a_redirect_is_dropped_and_bounded),
                WITH_WORLD(resume_goes_over_a_redirect),
                WITH_WORLD(whole_url_elsewhere_is_forbidden),
                WITH_WORLD(plain_http_needs_the_key),
                WITH_WORLD(path_is_taken_as_it_is_below_the_origins_folder),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

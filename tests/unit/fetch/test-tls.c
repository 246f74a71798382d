/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Against Debian's nginx over TLS: which server is trusted and what is said of one that is not,
 * ranges, speed, and that connections are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "tls-world.h"

static Got got;

static void server_of_our_authority_is_trusted(void **state) {
        FetchWorld *world = *state;

        world_file(world, "a", 100000);
        tls_configure(world, "CAFile=~/ca.crt\n");
        world_get(world, "/a", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 100000);
        world_get(world, "/who", &got);
        assert_memory_equal(got.body, "NONE||TLSv1.", 12);
        world_get(world, "/nothing", &got);
        assert_int_equal(got.status, 404);
        world_get(world, "/busy", &got);
        assert_int_equal(got.status, 503);
        assert_string_equal(got.retry_after, "7");
}

static void server_of_another_authority_is_refused(void **state) {
        tls_configure(*state, "CAFile=~/other.crt\n");
        tls_expect_failure(*state, -EPROTO,
                        TLS_TEXTS("the certificate of localhost:", "authority CN=ca,", tls_keys(),
                                        "/other.crt"));
        tls_configure(*state, ""); /* the system's authorities */
        tls_expect_failure(*state, -EPROTO,
                        TLS_TEXTS("authority CN=ca,", "this system does not trust", "CAFile="));
}

static void file_without_authorities_is_said_so(void **state) {
        tls_configure(*state, "CAFile=~/passphrase\n");
        tls_expect_failure(*state, -EACCES, TLS_TEXTS("/passphrase holds no certificate"));
}

static void expired_certificate_is_refused_with_its_date(void **state) {
        tls_serve(*state, "expired", "");
        tls_configure(*state, "CAFile=~/ca.crt\n");
        tls_expect_failure(*state, -EPROTO,
                        TLS_TEXTS("the certificate of localhost:",
                                        "expired on 2020-01-01 00:00 UTC", "the clock here says"));
}

static void certificate_for_another_name_is_refused(void **state) {
        tls_serve(*state, "elsewhere", "");
        tls_configure(*state, "CAFile=~/ca.crt\n");
        tls_expect_failure(*state, -EPROTO,
                        TLS_TEXTS("the certificate of localhost:",
                                        "another name (elsewhere.example 192.0.2.1)"));
}

static void only_a_pinned_key_is_taken(void **state) {
        static const char other[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        const char *pin = tls_key_line("tls.pin");
        char line[300];

        (void)snprintf(line, sizeof line, "CAFile=~/ca.crt\nPinnedKey=%s\n", pin);
        tls_configure(*state, line);
        world_get(*state, "/who", &got);
        assert_int_equal(got.error, 0);
        (void)snprintf(line, sizeof line, "CAFile=~/ca.crt\nPinnedKey=%s;%s\n", other, pin);
        tls_configure(*state, line); /* a key that is to come, and the one of today */
        world_get(*state, "/who", &got);
        assert_int_equal(got.error, 0);
        (void)snprintf(line, sizeof line, "CAFile=~/ca.crt\nPinnedKey=%s\n", other);
        tls_configure(*state, line);
        tls_expect_failure(*state, -EPROTO, TLS_TEXTS("shows the public key", pin, other));
}

static void pinned_key_does_not_stand_in_for_a_valid_certificate(void **state) {
        char line[300];

        (void)snprintf(line, sizeof line, "CAFile=~/other.crt\nPinnedKey=%s\n",
                        tls_key_line("tls.pin"));
        tls_configure(*state, line);
        tls_expect_failure(*state, -EPROTO, TLS_TEXTS("/other.crt"));
}

static void server_with_old_tls_only_is_refused(void **state) {
        tls_serve(*state, "", "ssl_protocols TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0;\n");
        tls_configure(*state, "CAFile=~/ca.crt\n");
        tls_expect_failure(
                        *state, -EPROTO, TLS_TEXTS("localhost:", "does not speak TLS 1.2 or 1.3"));
}

static void minimum_of_tls_is_kept(void **state) {
        tls_serve(*state, "", "ssl_protocols TLSv1.2;\n");
        tls_configure(*state, "CAFile=~/ca.crt\n");
        world_get(*state, "/who", &got);
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body, "NONE||TLSv1.2", 13);
        tls_configure(*state, "CAFile=~/ca.crt\nTlsMinimum=1.3\n");
        tls_expect_failure(*state, -EPROTO, TLS_TEXTS("does not speak TLS 1.3", "TlsMinimum="));
}

static void keys_stay_with_the_origin_over_a_redirect(void **state) {
        tls_configure(*state,
                        "CAFile=~/ca.crt\nClientCertificate=~/client.crt\nClientKey=~/client.key\n"
                        "Authorization=Bearer secret\nArtifactHosts=127.0.0.1:%\n");
        world_get(*state, "/who", &got);
        assert_memory_equal(got.body, "SUCCESS|Bearer secret|", 22);
        world_get(*state, "/to-origin", &got);
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body, "SUCCESS||", 9);
        world_get(*state, "/to-artifact", &got);
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body, "NONE||", 6);
}

static void redirect_to_an_unlisted_host_is_refused(void **state) {
        tls_configure(*state, "CAFile=~/ca.crt\nArtifactHosts=127.0.0.1:%\n");
        world_get(*state, "/to-elsewhere", &got);
        assert_int_equal(got.error, -EACCES);
        assert_non_null(strstr(got.text, "host elsewhere.example port 443 is not allowed"));
        assert_non_null(strstr(got.text, "ArtifactHosts="));
}

static void redirect_to_http_is_forbidden_even_where_http_is_allowed(void **state) {
        tls_configure(*state, "CAFile=~/ca.crt\nAllowHttp=yes\nArtifactHosts=localhost\n");
        world_get(*state, "/to-http", &got);
        assert_int_equal(got.error, -EACCES);
        assert_non_null(strstr(got.text, "https to http"));
}

static void range_and_changed_etag_work_with_nginx(void **state) {
        FetchRequest request = {
                .method = "GET", .url = "/a", .byte_limit = 1 << 20, .resume_offset = 600
        };
        char etag[64];

        world_file(*state, "a", 1000);
        tls_configure(*state, "CAFile=~/ca.crt\n");
        world_get(*state, "/a", &got);
        (void)strcpy(etag, got.etag);
        request.if_range = etag;
        world_fetch(*state, &request, &got);
        assert_int_equal(got.status, 206);
        assert_true(got.resumed);
        assert_int_equal(got.bytes, 400);
        assert_int_equal(got.body[0], world_pattern(600));
        world_file(*state, "a", 1001);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.status, 200);
        assert_false(got.resumed);
        assert_int_equal(got.bytes, 1001);
}

static void slow_server_above_the_limit_is_waited_for(void **state) {
        FetchWorld *world = *state;
        char path[300];

        (void)snprintf(path, sizeof path, "%s/www/slow", world->folder);
        assert_int_equal(mkdir(path, 0755), 0);
        world_file(world, "slow/a", 200000);
        tls_configure(world, "CAFile=~/ca.crt\nLowSpeedSec=5\nLowSpeedBytes=10K\n");
        world_get(world, "/slow/a", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 200000);
}

static void connection_is_used_again(void **state) {
        _cleanup_free_ char *log = NULL;
        char path[100], *line, *rest = NULL, first[32] = "";
        unsigned lines = 0;
        size_t n;

        (void)snprintf(path, sizeof path, "%s/access.log", tls_keys());
        tls_configure(*state, "CAFile=~/ca.crt\n");
        for (unsigned i = 0; i < 3; i++)
                world_get(*state, "/who", &got);
        for (unsigned i = 0; tls_log_count("/who") < 3; i++) { /* it answers before it writes */
                assert_true(i < 4500);
                (void)poll(NULL, 0, 20);
        }
        assert_int_equal(file_read(AT_FDCWD, path, 65536, &log, &n), 0);
        for (line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
                char connection[32];

                assert_int_equal(sscanf(line, "GET /who 200 %*s %31s", connection), 1);
                if (lines == 0)
                        (void)strcpy(first, connection);
                assert_string_equal(connection, first);
        }
        assert_int_equal(lines, 3);
}

static void unreadable_key_file_is_said_so(void **state) {
        tls_configure(*state, "CAFile=~/nothing.crt\n");
        world_get(*state, "/who", &got);
        assert_int_equal(got.error, -EACCES);
        assert_non_null(strstr(got.text, "CAFile="));
}

#define WITH_TLS(test) cmocka_unit_test_setup_teardown(test, tls_setup, tls_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_TLS(server_of_our_authority_is_trusted),
                WITH_TLS(server_of_another_authority_is_refused),
                WITH_TLS(file_without_authorities_is_said_so),
                WITH_TLS(expired_certificate_is_refused_with_its_date),
                WITH_TLS(certificate_for_another_name_is_refused),
                WITH_TLS(only_a_pinned_key_is_taken),
                WITH_TLS(pinned_key_does_not_stand_in_for_a_valid_certificate),
                WITH_TLS(server_with_old_tls_only_is_refused),
                WITH_TLS(minimum_of_tls_is_kept),
                WITH_TLS(keys_stay_with_the_origin_over_a_redirect),
                WITH_TLS(redirect_to_an_unlisted_host_is_refused),
                WITH_TLS(redirect_to_http_is_forbidden_even_where_http_is_allowed),
                WITH_TLS(range_and_changed_etag_work_with_nginx),
                WITH_TLS(slow_server_above_the_limit_is_waited_for),
                WITH_TLS(connection_is_used_again),
                WITH_TLS(unreadable_key_file_is_said_so),
        };

        return cmocka_run_group_tests(tests, tls_keys_setup, tls_keys_teardown);
}

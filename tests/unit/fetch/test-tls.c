/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Against Debian's nginx over TLS with keys made for the test: who is trusted, which keys are
 * shown to whom, ranges, speed, and that connections are used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "fetch-world.h"
#include "nginx.h"

static const char extra[] =
                "location /slow/ { limit_rate 100k; }\n"
                "location /secret/ { if ($ssl_client_verify != SUCCESS) { return 403; } }\n"
                "location = /who { return 200 '$ssl_client_verify|$http_authorization|$ssl_protocol'; }\n"
                "location = /to-artifact { return 302 https://127.0.0.1:$server_port/who; }\n"
                "location = /to-origin { return 302 https://localhost:$server_port/who; }\n"
                "location = /to-http { return 302 http://localhost/a; }\n"
                "location = /busy { add_header Retry-After 7 always; return 503; }\n"
                "location / { }\n";

static Got got;
static char keys[32];
static Nginx *nginx;

static int keys_setup(void **state) {
        char command[300];

        (void)strcpy(keys, "/tmp/rkkeys-XXXXXX");
        if (!mkdtemp(keys))
                return -1;
        (void)snprintf(command, sizeof command, "%s/nginx-keys.sh %s", TESTS_LIB_DIR, keys);
        return system(command) == 0 ? 0 : -1;
}

static int keys_teardown(void **state) {
        char command[300];

        (void)snprintf(command, sizeof command, "rm -rf %s", keys);
        return system(command);
}

static int tls_setup(void **state) {
        FetchWorld *world;
        char www[300];

        if (world_setup(state) < 0)
                return -1;
        world = *state;
        (void)snprintf(www, sizeof www, "%s/www", world->folder);
        return nginx_new(www, keys, extra, &nginx);
}

static int tls_teardown(void **state) {
        nginx = nginx_free(nginx);
        return world_teardown(state);
}

/* Origin https://localhost with the right CA, and more lines in which @ stands for the folder of
 * keys. */
static void configure(FetchWorld *world, const char *more) {
        char lines[2000] = "", folder[2] = "@";
        size_t n = 0;

        for (const char *s = more; *s && n < sizeof lines - 100; s++)
                n += (size_t)snprintf(lines + n, sizeof lines - n, "%s",
                                *s == '@' ? keys : (folder[0] = *s, folder));
        world_configure(world, "Origin=https://localhost:%u\n%s", nginx_port(nginx), lines);
}

static void server_of_our_authority_is_trusted(void **state) {
        FetchWorld *world = *state;

        world_file(world, "a", 100000);
        configure(world, "CAFile=@/ca.crt\n");
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
        world_file(*state, "a", 10);
        configure(*state, "CAFile=@/other.crt\n");
        world_get(*state, "/a", &got);
        assert_int_equal(got.error, -EPROTO);
        assert_non_null(strstr(got.text, "certificate"));
        configure(*state, ""); /* the system's authorities */
        world_get(*state, "/a", &got);
        assert_int_equal(got.error, -EPROTO);
        assert_int_equal(got.bytes, 0);
}

static void certificate_for_another_name_is_refused(void **state) {
        world_configure(*state, "Origin=https://0.0.0.0:%u\nCAFile=%s/ca.crt\n", nginx_port(nginx),
                        keys);
        world_get(*state, "/who", &got);
        assert_int_equal(got.error, -EPROTO);
}

static void only_the_pinned_key_is_taken(void **state) {
        char pin[100] = "", line[200];
        char path[100];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/tls.pin", keys);
        f = fopen(path, "r");
        assert_non_null(f);
        assert_non_null(fgets(pin, sizeof pin, f));
        (void)fclose(f);
        (void)snprintf(line, sizeof line, "CAFile=@/ca.crt\nPinnedKey=%s", pin);
        configure(*state, line);
        world_get(*state, "/who", &got);
        assert_int_equal(got.error, 0);
        pin[10] = pin[10] == 'A' ? 'B' : 'A';
        (void)snprintf(line, sizeof line, "CAFile=@/ca.crt\nPinnedKey=%s", pin);
        configure(*state, line);
        world_get(*state, "/who", &got);
        assert_int_equal(got.error, -EPROTO);
}

static void client_certificate_opens_what_is_closed_without(void **state) {
        FetchWorld *world = *state;
        char path[300];

        (void)snprintf(path, sizeof path, "%s/www/secret", world->folder);
        assert_int_equal(mkdir(path, 0755), 0);
        world_file(world, "secret/a", 10);
        configure(world, "CAFile=@/ca.crt\n");
        world_get(world, "/secret/a", &got);
        assert_int_equal(got.status, 403);
        configure(world,
                        "CAFile=@/ca.crt\nClientCertificate=@/client.crt\nClientKey=@/client.key\n");
        world_get(world, "/secret/a", &got);
        assert_int_equal(got.status, 200);
        assert_int_equal(got.bytes, 10);
        configure(world, "CAFile=@/ca.crt\nClientCertificate=@/rogue.crt\nClientKey=@/rogue.key\n");
        world_get(world, "/secret/a", &got);
        assert_int_equal(got.status, 400);
}

static void keys_stay_with_the_origin_over_a_redirect(void **state) {
        char lines[300];

        (void)snprintf(lines, sizeof lines,
                        "CAFile=@/ca.crt\nClientCertificate=@/client.crt\nClientKey=@/client.key\n"
                        "Authorization=Bearer secret\nArtifactHosts=127.0.0.1:%u\n",
                        nginx_port(nginx));
        configure(*state, lines);
        world_get(*state, "/who", &got);
        assert_memory_equal(got.body, "SUCCESS|Bearer secret|", 22);
        world_get(*state, "/to-origin", &got);
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body, "SUCCESS||", 9);
        world_get(*state, "/to-artifact", &got);
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body, "NONE||", 6);
}

static void redirect_to_http_is_forbidden_even_where_http_is_allowed(void **state) {
        configure(*state, "CAFile=@/ca.crt\nAllowHttp=yes\nArtifactHosts=localhost\n");
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
        configure(*state, "CAFile=@/ca.crt\n");
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
        configure(world, "CAFile=@/ca.crt\nLowSpeedSec=5\nLowSpeedBytes=10K\n");
        world_get(world, "/slow/a", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 200000);
}

static void connection_is_used_again(void **state) {
        _cleanup_free_ char *log = NULL;
        char path[100], *line, *rest = NULL, first[32] = "";
        unsigned lines = 0;
        size_t n;

        (void)snprintf(path, sizeof path, "%s/access.log", keys);
        (void)truncate(path, 0);
        configure(*state, "CAFile=@/ca.crt\n");
        for (unsigned i = 0; i < 3; i++)
                world_get(*state, "/who", &got);
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
        configure(*state, "CAFile=@/nothing.crt\n");
        world_get(*state, "/who", &got);
        assert_int_equal(got.error, -EACCES);
        assert_non_null(strstr(got.text, "CAFile="));
}

#define WITH_TLS(test) cmocka_unit_test_setup_teardown(test, tls_setup, tls_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_TLS(server_of_our_authority_is_trusted),
                WITH_TLS(server_of_another_authority_is_refused),
                WITH_TLS(certificate_for_another_name_is_refused),
                WITH_TLS(only_the_pinned_key_is_taken),
                WITH_TLS(client_certificate_opens_what_is_closed_without),
                WITH_TLS(keys_stay_with_the_origin_over_a_redirect),
                WITH_TLS(redirect_to_http_is_forbidden_even_where_http_is_allowed),
                WITH_TLS(range_and_changed_etag_work_with_nginx),
                WITH_TLS(slow_server_above_the_limit_is_waited_for),
                WITH_TLS(connection_is_used_again),
                WITH_TLS(unreadable_key_file_is_said_so),
        };

        return cmocka_run_group_tests(tests, keys_setup, keys_teardown);
}

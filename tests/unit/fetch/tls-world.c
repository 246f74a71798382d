/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TlsWorld: see the header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "basic/file.h"
#include "tls-world.h"

static const char locations[] =
                "location /slow/ { limit_rate 100k; }\n"
                "location /secret/ { if ($ssl_client_verify != SUCCESS) { return 403; } }\n"
                "location = /who { return 200 '$ssl_client_verify|$http_authorization|$ssl_protocol'; }\n"
                "location = /to-artifact { return 302 https://127.0.0.1:$server_port/who; }\n"
                "location = /to-origin { return 302 https://localhost:$server_port/who; }\n"
                "location = /to-http { return 302 http://localhost/a; }\n"
                "location = /to-elsewhere { return 302 https://elsewhere.example/who; }\n"
                "location = /busy { add_header Retry-After 7 always; return 503; }\n"
                "location / { }\n";

static Got got;
static char keys[32], work[100];
static Nginx *nginx;

int tls_keys_setup(void **state) {
        char command[300];

        (void)strcpy(keys, "/tmp/rkkeys-XXXXXX");
        if (!mkdtemp(keys))
                return -1;
        (void)snprintf(command, sizeof command, "%s/nginx-keys.sh %s", TESTS_LIB_DIR, keys);
        return system(command) == 0 ? 0 : -1;
}

int tls_keys_teardown(void **state) {
        char command[300];

        (void)snprintf(command, sizeof command, "rm -rf %s", keys);
        return system(command);
}

const char *tls_keys(void) {
        return keys;
}

const char *tls_key_line(const char *name) {
        static char line[200];
        char path[100];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/%s", keys, name);
        f = fopen(path, "r");
        assert_non_null(f);
        assert_non_null(fgets(line, sizeof line, f));
        (void)fclose(f);
        line[strcspn(line, "\n")] = 0;
        return line;
}

void tls_serve(FetchWorld *world, const char *folder, const char *extra) {
        char www[300], log[200], lines[2000];

        nginx = nginx_free(nginx);
        (void)snprintf(www, sizeof www, "%s/www", world->folder);
        (void)snprintf(work, sizeof work, "%s/%s", keys, folder);
        (void)snprintf(log, sizeof log, "%s/access.log", work);
        (void)unlink(log);
        (void)snprintf(lines, sizeof lines, "%s%s", extra, locations);
        assert_int_equal(nginx_new(www, work, lines, &nginx), 0);
}

int tls_setup(void **state) {
        if (world_setup(state) < 0)
                return -1;
        tls_serve(*state, "", "");
        return 0;
}

int tls_teardown(void **state) {
        nginx = nginx_free(nginx);
        return world_teardown(state);
}

unsigned tls_port(void) {
        return nginx_port(nginx);
}

unsigned tls_log_count(const char *text) {
        _cleanup_free_ char *log = NULL;
        char path[200], *rest = NULL;
        unsigned count = 0;
        size_t n;

        (void)snprintf(path, sizeof path, "%s/access.log", work);
        assert_int_equal(file_read(AT_FDCWD, path, 65536, &log, &n), 0);
        for (char *line = strtok_r(log, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
                count += strstr(line, text) != NULL;
        return count;
}

void tls_configure(FetchWorld *world, const char *more) {
        char lines[2000] = "";
        size_t n = 0;

        for (const char *s = more; *s && n < sizeof lines - 100; s++)
                if (*s == '~')
                        n = (size_t)(stpcpy(lines + n, keys) - lines);
                else if (*s == '%')
                        n += (size_t)sprintf(lines + n, "%u", nginx_port(nginx));
                else
                        lines[n++] = *s;
        lines[n] = 0;
        world_configure(world, "Origin=https://localhost:%u\n%s", nginx_port(nginx), lines);
}

void tls_expect_failure(FetchWorld *world, int error, const char *const *texts) {
        world_get(world, "/who", &got);
        if (got.error != error)
                fail_msg("error %d status %u: %s", got.error, got.status, got.text);
        for (; *texts; texts++)
                if (!strstr(got.text, *texts))
                        fail_msg("not \"%s\" but: %s", *texts, got.text);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fetch.conf: every key, what is refused and how it is said, and that the example file shows the
 * truth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "basic/file.h"
#include "fetch/config.h"

static FetchConfig config;
static char warning[400];

static int setup(void **state) {
        fetch_config_init(&config);
        warning[0] = 0;
        return 0;
}

static int teardown(void **state) {
        fetch_config_done(&config);
        return 0;
}

static void on_warn(const char *text, void *userdata) {
        (void)snprintf(warning, sizeof warning, "%s", text);
}

static const FetchConfigWarn warn = { on_warn, NULL };

static int parse(const char *text, Why *w) {
        return fetch_config_parse(&config, "fetch.conf", text, strlen(text), &warn, w);
}

static void defaults_are_those_of_the_table(void **state) {
        assert_null(config.origin);
        assert_false(config.allow_http);
        assert_int_equal(config.tls_minimum, 12);
        assert_int_equal(config.connect_usec, 15 * USEC_PER_SEC);
        assert_int_equal(config.low_speed_bytes, 100);
        assert_int_equal(config.low_speed_usec, 30 * USEC_PER_SEC);
        assert_int_equal(config.idle_usec, 30 * USEC_PER_SEC);
}

static void every_key_is_taken(void **state) {
        static const char text[] =
                        "[Fetch]\nOrigin=https://example.com:8443/base//\nArtifactHosts=CDN.example.com  [::1]:444\nAllowHttp=yes\n"
                        "TlsMinimum=1.3\nCAFile=/ca\nClientCertificate=/crt\nClientKey=pkcs11:token=rk;object=a%20b?module-name=x\n"
                        "ClientKeyPassphraseFile=/pin\nPkcs11Module=/module.so\n"
                        "PinnedKey=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;sha256//zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz+/=\nAuthorization=Bearer x\nHeader=X-A: b\n"
                        "Proxy=socks5h://user:word@proxy:1080\nProxyCredentialsFile=/user\nNoProxy=localhost  .example.com 10.0.0.0/8\nConnectSec=5s\nLowSpeedBytes=2K\nLowSpeedSec=1min\nIdleSec=1h\n";

        assert_int_equal(parse(text, NULL), 0);
        assert_string_equal(warning, "");
        assert_string_equal(config.origin, "https://example.com:8443/base");
        assert_int_equal(config.n_artifact_hosts, 2);
        assert_string_equal(config.artifact_hosts[0].name, "cdn.example.com");
        assert_int_equal(config.artifact_hosts[0].port, 0);
        assert_string_equal(config.artifact_hosts[1].name, "[::1]");
        assert_int_equal(config.artifact_hosts[1].port, 444);
        assert_true(config.allow_http);
        assert_int_equal(config.tls_minimum, 13);
        assert_string_equal(config.client_certificate, "/crt");
        assert_string_equal(config.client_key, "pkcs11:token=rk;object=a%20b?module-name=x");
        assert_string_equal(config.client_key_passphrase_file, "/pin");
        assert_string_equal(config.pkcs11_module, "/module.so");
        assert_string_equal(config.proxy_credentials_file, "/user");
        assert_string_equal(config.no_proxy, "localhost,.example.com,10.0.0.0/8");
        assert_int_equal(config.n_origin_headers, 2);
        assert_string_equal(config.origin_headers[0], "Authorization: Bearer x");
        assert_string_equal(config.origin_headers[1], "X-A: b");
        assert_string_equal(config.proxy, "socks5h://user:word@proxy:1080");
        assert_int_equal(config.low_speed_bytes, 2048);
        assert_int_equal(config.low_speed_usec, 60 * USEC_PER_SEC);
}

static void bad_values_are_refused_with_file_line_key_and_what_is_allowed(void **state) {
        static const char *const lines[] = {
                "Origin=example.com",
                "Origin=ftp://example.com",
                "Origin=https://",
                "Origin=https:///a",
                "Origin=https://u:p@h",
                "Origin=https://h/?q",
                "Origin=https://h/a b",
                "Origin=https://h:65536",
                "Origin=https://h:/a",
                "Origin=https://:443",
                "Origin=https://[::1]:x",
                "ArtifactHosts=https://h",
                "ArtifactHosts=h:0",
                "ArtifactHosts=h:65536",
                "ArtifactHosts=h:",
                "ArtifactHosts=*.h",
                "ArtifactHosts=:80",
                "AllowHttp=maybe",
                "CAFile=ca.crt",
                "TlsMinimum=1.1",
                "TlsMinimum=1.4",
                "TlsMinimum=13",
                "ClientKey=key",
                "ClientKey=pkcs11:object=a b",
                "ClientCertificate=pkcs12:a",
                "ClientKeyPassphraseFile=pin",
                "Pkcs11Module=module.so",
                "PinnedKey=sha1//x",
                "PinnedKey=sha256//short",
                "PinnedKey=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "PinnedKey=sha256//AAAAAAAAAAAAAAAAAAAAA-AAAAAAAAAAAAAAAAAAAAA=",
                "PinnedKey=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;",
                "PinnedKey=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;sha256//short",
                "PinnedKey=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                "Header=no colon",
                "ProxyCredentialsFile=user",
                "NoProxy=a,b",
                "NoProxy=*",
                "Proxy=proxy:80",
                "Proxy=socks4://h",
                "Proxy=http://",
                "ConnectSec=0",
                "ConnectSec=11min",
                "LowSpeedBytes=0",
                "LowSpeedSec=-1",
                "LowSpeedSec=2h",
                "IdleSec=never",
        };

        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                char text[200], begin[100];
                Why w = { "" };
                int r;

                (void)snprintf(text, sizeof text, "# comment\n[Fetch]\n%s\n", lines[i]);
                (void)snprintf(begin, sizeof begin, "fetch.conf:3: %.*s",
                                (int)strcspn(lines[i], "=") + 1, lines[i]);
                r = parse(text, &w);
                if (r != -EINVAL || strncmp(w.text, begin, strlen(begin)) != 0 ||
                                !strstr(w.text, "allowed: "))
                        fail_msg("%s: %d %s", lines[i], r, w.text);
        }
}

static void secret_is_not_repeated_in_a_refusal(void **state) {
        Why w;

        assert_int_equal(parse("[Fetch]\nAuthorization=a\tsecret\x7f\n", &w) < 0, true);
        assert_null(strstr(w.text, "secret"));
        assert_int_equal(parse("[Fetch]\nHeader=secret\n", &w), -EINVAL);
        assert_null(strstr(w.text, "secret"));
        assert_int_equal(parse("[Fetch]\nProxy=user:secret@proxy\n", &w), -EINVAL);
        assert_null(strstr(w.text, "secret"));
        assert_int_equal(parse("[Fetch]\nClientKey=pkcs11:object=a?pin-value=secret\n", &w),
                        -EINVAL);
        assert_null(strstr(w.text, "secret"));
        assert_non_null(strstr(w.text, "ClientKeyPassphraseFile="));
}

static void unknown_key_and_section_warn_with_their_line(void **state) {
        assert_int_equal(parse("[Fetch]\nColour=blue\nAllowHttp=yes\n", NULL), 0);
        assert_string_equal(warning, "fetch.conf:2: unknown key 'Colour' is ignored");
        assert_true(config.allow_http);
        assert_int_equal(parse("[Fetch]\n[Weather]\nAllowHttp=no\n", NULL), 0);
        assert_string_equal(warning, "fetch.conf:2: unknown section 'Weather' is ignored");
        assert_true(config.allow_http);
}

static void empty_value_stands_for_the_default(void **state) {
        static const char set[] =
                        "[Fetch]\nOrigin=https://h\nArtifactHosts=a b\nAllowHttp=yes\nCAFile=/ca\n"
                        "Authorization=x\nProxy=http://p\nIdleSec=5s\n";
        static const char empty[] = "[Fetch]\nOrigin=\nArtifactHosts=\nAllowHttp=\nCAFile=\n"
                                    "Authorization=\nProxy=\nIdleSec=\n";

        assert_int_equal(parse(set, NULL), 0);
        assert_int_equal(parse(empty, NULL), 0);
        assert_null(config.origin);
        assert_int_equal(config.n_artifact_hosts, 0);
        assert_false(config.allow_http);
        assert_null(config.ca_file);
        assert_int_equal(config.n_origin_headers, 0);
        assert_null(config.proxy);
        assert_int_equal(config.idle_usec, 30 * USEC_PER_SEC);
}

static void authorization_is_replaced_and_headers_are_added(void **state) {
        assert_int_equal(parse("[Fetch]\nHeader=A: 1\nAuthorization=x\nHeader=B: 2\n", NULL), 0);
        assert_int_equal(parse("[Fetch]\nAuthorization=y\n", NULL), 0);
        assert_int_equal(config.n_origin_headers, 3);
        assert_string_equal(config.origin_headers[2], "Authorization: y");
        assert_int_equal(parse("[Fetch]\nHeader=\n", NULL), 0);
        assert_int_equal(config.n_origin_headers, 1);
        assert_string_equal(config.origin_headers[0], "Authorization: y");
}

static void too_many_hosts_and_headers_are_refused(void **state) {
        char text[1000] = "[Fetch]\nArtifactHosts=";

        for (unsigned i = 0; i <= FETCH_ARTIFACT_HOSTS_MAX; i++)
                (void)strcat(text, "h ");
        assert_int_equal(parse(text, NULL), -EINVAL);
        (void)strcpy(text, "[Fetch]\n");
        for (unsigned i = 0; i <= FETCH_ORIGIN_HEADERS_MAX; i++)
                (void)strcat(text, "Header=X: y\n");
        assert_int_equal(parse(text, NULL), -EINVAL);
}

/* Loads a file with this text. */
static int load(const char *text, Why *w) {
        char path[] = "/tmp/rkconf-XXXXXX";
        int fd = mkstemp(path), r;

        assert_int_equal(write_all(fd, text, strlen(text)), 0);
        (void)close(fd);
        r = fetch_config_load(&config, path, &warn, w);
        (void)unlink(path);
        return r;
}

static void what_does_not_go_together_is_refused(void **state) {
        Why w;

        assert_int_equal(load("[Fetch]\nOrigin=http://h\n", &w), -EINVAL);
        assert_non_null(strstr(w.text, ":2: Origin=http://h is not https"));
        assert_non_null(strstr(w.text, "AllowHttp=yes"));
        assert_int_equal(load("[Fetch]\nAllowHttp=yes\nClientKey=/etc/passwd\n", &w), -EINVAL);
        assert_non_null(strstr(w.text, ":3: ClientKey= needs ClientCertificate="));
        assert_int_equal(load("[Fetch]\nClientCertificate=/nothing\n", &w), -EINVAL);
        assert_non_null(strstr(w.text, ":2: ClientCertificate=/nothing cannot be read"));
        assert_int_equal(fetch_config_load(&config, "/nothing.conf", NULL, &w), -ENOENT);
}

static void key_without_its_companion_is_refused(void **state) {
        static const char *const cases[][2] = {
                { "ClientCertificate=/etc/passwd", "ClientCertificate= needs ClientKey=" },
                { "ClientKeyPassphraseFile=/etc/passwd",
                                "ClientKeyPassphraseFile= needs ClientKey=" },
                { "ProxyCredentialsFile=/etc/passwd", "ProxyCredentialsFile= needs Proxy=" },
                { "NoProxy=localhost", "NoProxy= needs Proxy=" },
                { "Pkcs11Module=/etc/passwd", "Pkcs11Module= needs ClientKey=pkcs11:" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[200];
                Why w = { "" };

                (void)snprintf(text, sizeof text, "[Fetch]\n\n%s\n", cases[i][0]);
                if (load(text, &w) != -EINVAL || !strstr(w.text, ":3: ") ||
                                !strstr(w.text, cases[i][1]))
                        fail_msg("%s: %s", cases[i][0], w.text);
                fetch_config_done(&config);
                fetch_config_init(&config);
        }
}

/* Writes text into a file and loads a configuration that names it as the proxy's credentials. */
static int load_credentials(const char *text, Why *w) {
        char path[] = "/tmp/rksecret-XXXXXX", lines[200];
        int fd = mkstemp(path), r;

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        (void)close(fd);
        (void)snprintf(lines, sizeof lines, "[Fetch]\nProxy=http://p\nProxyCredentialsFile=%s\n",
                        path);
        r = load(lines, w);
        (void)unlink(path);
        return r;
}

static void first_line_of_a_secret_counts(void **state) {
        char large[1100];
        Why w;

        assert_int_equal(load_credentials("me:word \r\nmore\n", &w), 0);
        assert_string_equal(config.proxy_credentials, "me:word ");
        assert_int_equal(load_credentials("me:other", &w), 0);
        assert_string_equal(config.proxy_credentials, "me:other");
        assert_int_equal(load_credentials("\nme:word\n", &w), -EINVAL);
        assert_non_null(strstr(w.text, "holds nothing in its first line"));
        assert_int_equal(load_credentials("word\n", &w), -EINVAL);
        assert_non_null(strstr(w.text, "does not hold USER:PASSWORD"));
        assert_null(strstr(w.text, "word\n"));
        memset(large, 'x', sizeof large);
        large[sizeof large - 1] = 0;
        assert_int_equal(load_credentials(large, &w), -EINVAL);
        assert_non_null(strstr(w.text, "at most 1024 bytes"));
}

/* Every "NAME=DEFAULT" of the description stands in the example, commented, with its meaning
 * above it. */
static void example_file_shows_every_key_and_default(void **state) {
        _cleanup_free_ char *example = NULL, *description = NULL;
        size_t n, size;
        unsigned count = 0;
        FILE *f = open_memstream(&description, &size);

        fetch_config_describe(f);
        (void)fclose(f);
        assert_int_equal(file_read(AT_FDCWD, EXAMPLE_CONF, 65536, &example, &n), 0);
        for (char *line = strtok(description, "\n"); line; line = strtok(NULL, "\n")) {
                char wanted[300];

                if (*line < 'A' || *line > 'Z')
                        continue;
                (void)snprintf(wanted, sizeof wanted, "\n#%s\n", line);
                if (!strstr(example, wanted))
                        fail_msg("fetch.conf has no line #%s", line);
                count++;
        }
        assert_int_equal(count, 19);
        assert_int_equal(fetch_config_parse(&config, EXAMPLE_CONF, example, n, &warn, NULL), 0);
        assert_string_equal(warning, "");
}

#define WITH_CONFIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_CONFIG(defaults_are_those_of_the_table),
                WITH_CONFIG(every_key_is_taken),
                WITH_CONFIG(bad_values_are_refused_with_file_line_key_and_what_is_allowed),
                WITH_CONFIG(secret_is_not_repeated_in_a_refusal),
                WITH_CONFIG(unknown_key_and_section_warn_with_their_line),
                WITH_CONFIG(empty_value_stands_for_the_default),
                WITH_CONFIG(authorization_is_replaced_and_headers_are_added),
                WITH_CONFIG(too_many_hosts_and_headers_are_refused),
                WITH_CONFIG(what_does_not_go_together_is_refused),
                WITH_CONFIG(key_without_its_companion_is_refused),
                WITH_CONFIG(first_line_of_a_secret_counts),
                WITH_CONFIG(example_file_shows_every_key_and_default),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

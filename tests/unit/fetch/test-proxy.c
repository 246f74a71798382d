/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way through a proxy: the tests' own origin is the proxy, nginx the server behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>

#include "tls-world.h"

#define CONNECT "\"method\": \"CONNECT\""

static Got got;

static void write_credentials(const char *text) {
        char path[100];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/proxy-user", tls_keys());
        f = fopen(path, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

/* Proxy= is the world's origin; place: between its scheme and its host. */
static void configure(FetchWorld *world, const char *place, const char *more) {
        char lines[500];

        (void)snprintf(lines, sizeof lines,
                        "CAFile=~/ca.crt\nAuthorization=Bearer secret\nProxy=http://%s127.0.0.1:%u\n%s",
                        place, http_origin_port(world->origin), more);
        tls_configure(world, lines);
}

static void proxy_sees_a_tunnel_and_no_key(void **state) {
        FetchWorld *world = *state;

        configure(world, "", "");
        world_get(world, "/who", &got);
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body, "NONE|Bearer secret|", 19);
        world_get(world, "/who", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(world_log_count(world, CONNECT), 1); /* the tunnel is used again */
        assert_int_equal(world_log_count(world, "authorization"), 0);
}

static void proxy_is_told_who_asks(void **state) {
        FetchWorld *world = *state;

        world_command(world, "proxy-user gateway:word");
        write_credentials("gateway:word\n");
        configure(world, "", "ProxyCredentialsFile=~/proxy-user\n");
        world_get(world, "/who", &got);
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body, "NONE|Bearer secret|", 19);
        configure(world, "gateway:word@", "");
        world_get(world, "/who", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(world_log_count(world, "Bearer"), 0);
}

static void proxy_that_wants_another_user_is_said_so(void **state) {
        FetchWorld *world = *state;
        char proxy[60];

        (void)snprintf(proxy, sizeof proxy, "the proxy http://127.0.0.1:%u answers 407",
                        http_origin_port(world->origin));
        world_command(world, "proxy-user gateway:word");
        configure(world, "", "");
        tls_expect_failure(world, -EACCES, TLS_TEXTS(proxy, "has to hold USER:PASSWORD"));
        write_credentials("gateway:wrong\n");
        configure(world, "", "ProxyCredentialsFile=~/proxy-user\n");
        tls_expect_failure(world, -EACCES,
                        TLS_TEXTS(proxy, "password in ProxyCredentialsFile= is wrong"));
        configure(world, "gateway:secret@", "");
        tls_expect_failure(world, -EACCES, TLS_TEXTS(proxy));
}

/* TLS in front of the world's proxy, by socat; tells its port once it listens. */
static unsigned start_tls(FetchWorld *world, const char *certificate, pid_t *ret_pid) {
        char from[300], to[60];
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t n = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
        (void)close(fd);
        (void)snprintf(from, sizeof from,
                        "OPENSSL-LISTEN:%u,bind=127.0.0.1,reuseaddr,fork,verify=0,cert=%s/%s.crt,key=%s/%s.key",
                        ntohs(address.sin_port), tls_keys(), certificate, tls_keys(), certificate);
        (void)snprintf(to, sizeof to, "TCP:127.0.0.1:%u", http_origin_port(world->origin));
        *ret_pid = fork();
        if (*ret_pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)execlp("socat", "socat", from, to, NULL);
                _exit(127);
        }
        for (int i = 0; i < 4500; i++) {
                int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                int r = connect(probe, (struct sockaddr *)&address, sizeof address);

                (void)close(probe);
                if (r == 0)
                        return ntohs(address.sin_port);
                (void)poll(NULL, 0, 20);
        }
        fail_msg("socat does not listen");
        return 0;
}

static void proxy_with_tls_is_verified_too(void **state) {
        static const struct {
                const char *certificate, *text;
        } cases[] = { { "tls", NULL },
                { "elsewhere/tls", "is for another name (elsewhere.example" },
                { "expired/tls", "expired on 2020-01-01" } };
        FetchWorld *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char lines[200], place[100];
                pid_t pid;
                unsigned port = start_tls(world, cases[i].certificate, &pid);

                (void)snprintf(lines, sizeof lines, "CAFile=~/ca.crt\nProxy=https://localhost:%u\n",
                                port);
                (void)snprintf(place, sizeof place, "the certificate of https://localhost:%u",
                                port);
                tls_configure(world, lines);
                if (cases[i].text) {
                        tls_expect_failure(world, -EPROTO, TLS_TEXTS(place, cases[i].text));
                } else {
                        world_get(world, "/who", &got);
                        assert_int_equal(got.error, 0);
                }
                (void)kill(pid, SIGTERM);
                (void)waitpid(pid, NULL, 0);
        }
        assert_int_equal(world_log_count(world, CONNECT), 1);
}

static void proxy_that_gives_no_way_is_said_so(void **state) {
        FetchWorld *world = *state;

        world_command(world, "proxy-status 503");
        configure(world, "", "");
        tls_expect_failure(world, -EHOSTUNREACH, TLS_TEXTS("answers 503", "a way to localhost:"));
        world_command(world, "refuse");
        tls_expect_failure(world, -ECONNREFUSED, TLS_TEXTS("127.0.0.1 port"));
        assert_int_equal(tls_log_count("/who"), 0);
}

static void proxy_that_does_not_end_its_answer_is_left(void **state) {
        FetchWorld *world = *state;

        configure(world, "", "ConnectSec=1s\nLowSpeedSec=3s\n");
        world_command(world, "hang");
        world_get(world, "/who", &got);
        assert_int_equal(got.error, -ETIMEDOUT);
        world_command(world, "answer");
        world_command(world, "proxy-flood");
        world_get(world, "/who", &got);
        assert_true(got.error < 0);
        (void)world_wait_for_cut(world, "");
}

static void hosts_without_a_proxy_are_reached_directly(void **state) {
        FetchWorld *world = *state;
        static const char *const lists[] = { "localhost", "a.example localhost", "LOCALHOST" };

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                char line[100];

                (void)snprintf(line, sizeof line, "NoProxy=%s\n", lists[i]);
                configure(world, "", line);
                world_get(world, "/who", &got);
                assert_int_equal(got.error, 0);
        }
        assert_int_equal(world_log_count(world, CONNECT), 0);
        configure(world, "", "NoProxy=127.0.0.0/8 example.com\n");
        world_get(world, "/who", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(world_log_count(world, CONNECT), 1);
}

static void proxy_of_the_environment_is_not_used(void **state) {
        FetchWorld *world = *state;
        char url[60];

        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", http_origin_port(world->origin));
        assert_int_equal(setenv("https_proxy", url, 1), 0);
        tls_configure(world, "CAFile=~/ca.crt\n");
        world_get(world, "/who", &got);
        (void)unsetenv("https_proxy");
        assert_int_equal(got.error, 0);
        assert_int_equal(world_log_count(world, CONNECT), 0);
}

#define WITH_TLS(test) cmocka_unit_test_setup_teardown(test, tls_setup, tls_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_TLS(proxy_sees_a_tunnel_and_no_key),
                WITH_TLS(proxy_is_told_who_asks),
                WITH_TLS(proxy_that_wants_another_user_is_said_so),
                WITH_TLS(proxy_with_tls_is_verified_too),
                WITH_TLS(proxy_that_gives_no_way_is_said_so),
                WITH_TLS(proxy_that_does_not_end_its_answer_is_left),
                WITH_TLS(hosts_without_a_proxy_are_reached_directly),
                WITH_TLS(proxy_of_the_environment_is_not_used),
        };

        return cmocka_run_group_tests(tests, tls_keys_setup, tls_keys_teardown);
}

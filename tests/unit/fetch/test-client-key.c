/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client certificates against Debian's nginx: in files, with a passphrase, in a token of SoftHSM;
 * and what is said when one is missing, wrong or refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls-world.h"

#define CA     "CAFile=~/ca.crt\n"
#define CRT    CA "ClientCertificate=~/client.crt\n"
#define MODULE "Pkcs11Module=/usr/lib/softhsm/libsofthsm2.so\n"
#define PIN    "ClientKeyPassphraseFile=~/pin\n"
#define TOKEN  "pkcs11:token=rk;object=gateway"

static Got got;

/* The server knows the client by its certificate. */
static void expect_known(FetchWorld *world, const char *lines) {
        tls_configure(world, lines);
        world_get(world, "/who", &got);
        if (got.error != 0)
                fail_msg("%s", got.text);
        assert_memory_equal(got.body, "SUCCESS|", 8);
}

static void certificate_opens_what_is_closed_without(void **state) {
        FetchWorld *world = *state;
        char path[300];

        (void)snprintf(path, sizeof path, "%s/www/secret", world->folder);
        assert_int_equal(mkdir(path, 0755), 0);
        world_file(world, "secret/a", 10);
        tls_configure(world, CA);
        world_get(world, "/secret/a", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 403);
        tls_configure(world, CRT "ClientKey=~/client.key\n");
        world_get(world, "/secret/a", &got);
        assert_int_equal(got.status, 200);
        assert_int_equal(got.bytes, 10);
}

static void server_that_demands_a_certificate_is_said_so(void **state) {
        static const char *const protocols[] = { "TLSv1.2", "TLSv1.3" };

        for (size_t i = 0; i < ELEMENTSOF(protocols); i++) {
                char extra[100];

                (void)snprintf(extra, sizeof extra, "ssl_verify_client on; ssl_protocols %s;\n",
                                protocols[i]);
                tls_serve(*state, "", extra);
                tls_configure(*state, CA);
                for (unsigned k = 0; k < 2; k++) /* with a new connection and a kept one */
                        tls_expect_failure(*state, -EACCES,
                                        TLS_TEXTS("localhost:", "wants a client certificate",
                                                        "ClientCertificate= and ClientKey="));
                expect_known(*state, CRT "ClientKey=~/client.key\n");
        }
}

static void certificate_of_another_authority_is_said_so(void **state) {
        tls_configure(*state, CA "ClientCertificate=~/rogue.crt\nClientKey=~/rogue.key\n");
        for (unsigned k = 0; k < 2; k++)
                tls_expect_failure(*state, -EACCES,
                                TLS_TEXTS("answers 400 to ClientCertificate=", "/rogue.crt"));
}

static void encrypted_key_opens_with_its_passphrase(void **state) {
        expect_known(*state, CRT "ClientKey=~/locked.key\nClientKeyPassphraseFile=~/passphrase\n");
        tls_configure(*state, CRT "ClientKey=~/locked.key\nClientKeyPassphraseFile=~/tls.pin\n");
        tls_expect_failure(*state, -EACCES,
                        TLS_TEXTS("/locked.key",
                                        "ClientKeyPassphraseFile= has to hold its passphrase"));
        tls_configure(*state, CRT "ClientKey=~/locked.key\n");
        tls_expect_failure(*state, -EACCES,
                        TLS_TEXTS("/locked.key", "ClientKeyPassphraseFile= if it is encrypted"));
}

static void files_that_do_not_fit_are_said_so(void **state) {
        tls_configure(*state, CRT "ClientKey=~/rogue.key\n");
        tls_expect_failure(*state, -EACCES,
                        TLS_TEXTS("/rogue.key cannot be used; it has to be the private key of",
                                        "/client.crt"));
        tls_configure(*state, CA "ClientCertificate=~/client.key\nClientKey=~/client.key\n");
        tls_expect_failure(*state, -EACCES, TLS_TEXTS("ClientCertificate=", "/client.key is no"));
        tls_configure(*state, CRT "ClientKey=~/passphrase\n");
        tls_expect_failure(*state, -EACCES, TLS_TEXTS("ClientKey=", "/passphrase cannot be used"));
}

static void key_in_a_token_is_used(void **state) {
        expect_known(*state, CRT "ClientKey=" TOKEN ";type=private\n" PIN MODULE);
        expect_known(*state, CA "ClientCertificate=" TOKEN ";type=cert\nClientKey=" TOKEN
                                ";type=private\n" PIN MODULE);
}

static void token_that_does_not_give_its_key_is_said_so(void **state) {
        tls_configure(*state,
                        CRT "ClientKey=pkcs11:token=rk;object=nothing;type=private\n" PIN MODULE);
        tls_expect_failure(*state, -EACCES,
                        TLS_TEXTS("the token does not give ClientKey=pkcs11:token=rk;object=nothing",
                                        "Pkcs11Module="));
        tls_configure(*state, CRT "ClientKey=" TOKEN
                                  ";type=private\nClientKeyPassphraseFile=~/passphrase\n" MODULE);
        tls_expect_failure(*state, -EACCES, TLS_TEXTS("PIN of ClientKeyPassphraseFile="));
        tls_configure(*state,
                        CRT "ClientKey=" TOKEN ";type=private\n" PIN "Pkcs11Module=~/ca.crt\n");
        tls_expect_failure(*state, -EACCES, TLS_TEXTS("Pkcs11Module="));
}

/* ---- a wrong PIN ---- */

static char logins[120]; /* the file in which the spy counts */

static unsigned count_logins(const char *answer) {
        char line[100];
        unsigned n = 0;
        FILE *f = fopen(logins, "re");

        while (f && fgets(line, sizeof line, f))
                n += strstr(line, answer) != NULL;
        if (f)
                (void)fclose(f);
        return n;
}

static void write_pin(const char *pin) {
        char path[120];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/new-pin", tls_keys());
        (void)unlink(path);
        f = fopen(path, "we");
        assert_non_null(f);
        (void)fprintf(f, "%s\n", pin);
        assert_int_equal(fclose(f), 0);
}

static void configure_spied(FetchWorld *world, const char *more) {
        char lines[600];

        (void)unlink(logins);
        write_pin("1174");
        (void)snprintf(lines, sizeof lines,
                        CRT "ClientKey=" TOKEN ";type=private\nClientKeyPassphraseFile=~/new-pin\n"
                            "Pkcs11Module=" TOKEN_SPY "\n%s",
                        more);
        tls_configure(world, lines);
}

static void expect_given_up(FetchWorld *world) {
        tls_expect_failure(world, -EACCES,
                        TLS_TEXTS("the token refuses the PIN of ClientKeyPassphraseFile=",
                                        "/new-pin for ClientKey=pkcs11:token=rk", "PIN incorrect",
                                        "it is not tried again"));
}

static void wrong_pin_is_tried_once(void **state) {
        FetchWorld *world = *state;
        FetchRequest request = {
                .kind = FETCH_TRANSFER, .method = "GET", .url = "/who", .byte_limit = 1024
        };
        static Got several[4];

        configure_spied(world, "");
        for (unsigned i = 0; i < 3; i++)
                expect_given_up(world);
        for (size_t i = 0; i < ELEMENTSOF(several); i++)
                (void)world_start(world, &request, several + i);
        for (size_t i = 0; i < ELEMENTSOF(several); i++) {
                world_run_until(world, &several[i].done);
                assert_int_equal(several[i].error, -EACCES);
        }
        assert_int_equal(count_logins(""), 1);
}

static void wrong_pin_is_tried_once_by_requests_at_the_same_time(void **state) {
        FetchWorld *world = *state;
        FetchRequest request = {
                .kind = FETCH_TRANSFER, .method = "GET", .url = "/who", .byte_limit = 1024
        };
        static Got several[4];

        configure_spied(world, "");
        for (size_t i = 0; i < ELEMENTSOF(several); i++)
                (void)world_start(world, &request, several + i);
        for (size_t i = 0; i < ELEMENTSOF(several); i++)
                world_run_until(world, &several[i].done);
        assert_int_equal(count_logins(""), 1);
}

static int on_later(sd_event_source *source, uint64_t usec, void *userdata) {
        *(bool *)userdata = true;
        return 0;
}

static void run_for(FetchWorld *world, uint64_t usec) {
        bool over = false;

        assert_true(sd_event_add_time_relative(world->event, NULL, CLOCK_MONOTONIC, usec, 1,
                                    on_later, &over) >= 0);
        world_run_until(world, &over);
}

/* Another fetcher would try the PIN again. */
static void fetcher_that_gave_up_stays_until_its_files_change(void **state) {
        FetchWorld *world = *state;

        configure_spied(world, "IdleSec=100ms\n");
        for (unsigned i = 0; i < 3; i++) {
                expect_given_up(world);
                run_for(world, 400 * USEC_PER_MSEC);
        }
        assert_int_equal(count_logins(""), 1);
        write_pin("4711");
        do {
                run_for(world, 400 * USEC_PER_MSEC);
                world_get(world, "/who", &got);
        } while (got.error == -EACCES && strstr(got.text, "the token refuses"));
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body, "SUCCESS|", 8);
        assert_int_equal(count_logins("login 0xa0"), 1);
}

static void token_that_is_away_is_asked_again(void **state) {
        FetchWorld *world = *state;
        char conf[120];

        (void)snprintf(conf, sizeof conf, "%s/softhsm.conf", tls_keys());
        assert_int_equal(setenv("SOFTHSM2_CONF", "/nonexistent", 1), 0);
        configure_spied(world, "");
        tls_expect_failure(world, -EACCES, TLS_TEXTS("the token does not give ClientKey="));
        tls_expect_failure(world, -EACCES, TLS_TEXTS("the token does not give ClientKey="));
        assert_int_equal(setenv("SOFTHSM2_CONF", conf, 1), 0);
        assert_int_equal(count_logins(""), 0);
}

static int keys_setup(void **state) {
        char command[300], path[100];

        if (tls_keys_setup(state) < 0)
                return -1;
        (void)snprintf(command, sizeof command, "%s/nginx-keys.sh %s token", TESTS_LIB_DIR,
                        tls_keys());
        (void)snprintf(path, sizeof path, "%s/softhsm.conf", tls_keys());
        (void)snprintf(logins, sizeof logins, "%s/logins", tls_keys());
        if (setenv("TOKEN_SPY_LOG", logins, 1) < 0)
                return -1;
        return system(command) == 0 && setenv("SOFTHSM2_CONF", path, 1) == 0 ? 0 : -1;
}

#define WITH_TLS(test) cmocka_unit_test_setup_teardown(test, tls_setup, tls_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_TLS(certificate_opens_what_is_closed_without),
                WITH_TLS(server_that_demands_a_certificate_is_said_so),
                WITH_TLS(certificate_of_another_authority_is_said_so),
                WITH_TLS(encrypted_key_opens_with_its_passphrase),
                WITH_TLS(files_that_do_not_fit_are_said_so),
                WITH_TLS(key_in_a_token_is_used),
                WITH_TLS(token_that_does_not_give_its_key_is_said_so),
                WITH_TLS(wrong_pin_is_tried_once),
                WITH_TLS(wrong_pin_is_tried_once_by_requests_at_the_same_time),
                WITH_TLS(fetcher_that_gave_up_stays_until_its_files_change),
                WITH_TLS(token_that_is_away_is_asked_again),
        };

        return cmocka_run_group_tests(tests, keys_setup, tls_keys_teardown);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Delegations: the search of specification 5.6.7, role by role and request by request, and every
 * way in which a delegated role can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph.h"

enum {
        OTHER = 6,
        KEY = 7
};

/* "A>B:*.py" delegates from A to B; "T" is targets; a ! at the end terminates. */
static void build(Maker *m, const char *edges) {
        char *copy = strdup(edges), *rest = NULL;

        for (char *e = strtok_r(copy, " ", &rest); e; e = strtok_r(NULL, " ", &rest)) {
                const char *from = (e[1] = '\0', e);
                char to[2] = { e[2], '\0' };

                graph_delegate(m, streq(from, "T") ? "targets" : from, to,
                                e[3] == ':'   ? e + 4
                                : e[3] == '!' ? "*!"
                                              : "*",
                                KEY);
        }
        free(copy);
        graph_publish(m);
}

static void clause_5_6_7_search_is_pre_order_and_depth_first(void **state) {
        static const struct {
                const char *edges, *visited;
        } cases[] = {
                { "T>A", "A " },
                { "T>A T>B", "A B " },
                { "T>A T>B B>C", "A B C " },
                { "T>A T>B A>C A>D", "A C D B " },
                { "T>A T>B A>C C>D", "A C D B " },
                { "T>A T>B A>C! A>D", "A C " },
                { "T>A T>B A>C! C>D", "A C D " },
                { "T>A! T>B A>C", "A C " },
                { "T>A:*.py T>B A>C", "B " },
                { "T>A:*.py! T>B", "B " },
                { "T>A T>B A>C:*.py C>D", "A B " },
                { "T>A T>B B>C C>D D>B", "A B C D " },
                { "T>A A>A", "A " },
                { "T>A T>B B>C A>C", "A C B " },
                { "T>A T>B B>C A>C:*.py", "A B C " },
                { "T>A A>B! B>A T>C", "A B " },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                void *fixture = NULL;
                Maker *m;

                assert_int_equal(maker_set_up(&fixture), 0);
                m = fixture;
                build(m, cases[i].edges);
                graph_look_up(m, "missing", cases[i].visited);
                graph_expect(m, "missing", NULL);
                assert_int_equal(updater_missing(m->updater, "missing", &m->why),
                                UPDATER_E_NOT_FOUND);
                assert_true(startswith(m->why.text, "TUF 5.7.2: "));
                (void)maker_tear_down(&fixture);
        }
}

static void clause_4_5_every_role_in_the_chain_has_to_be_trusted_for_the_path(void **state) {
        Maker *m = *state;

        graph_delegate(m, "targets", "A", "*.doc *.md", KEY);
        graph_delegate(m, "targets", "B", "releases/*/*", KEY);
        graph_delegate(m, "B", "C", "releases/x/*", KEY);
        graph_delegate(m, "B", "D", "releases/y/*.zip", KEY);
        graph_add_target(m, "A", "README.md");
        graph_add_target(m, "C", "releases/x/x_v1");
        graph_add_target(m, "D", "releases/z/z_v1.zip");
        graph_add_target(m, "targets", "plain");
        graph_publish(m);
        graph_look_up(m, "plain", "");
        graph_expect(m, "plain", "targets");
        graph_look_up(m, "README.md", "A ");
        graph_expect(m, "README.md", "A");
        graph_look_up(m, "releases/x/x_v1", "B C ");
        graph_expect(m, "releases/x/x_v1", "C");
        graph_look_up(m, "releases/z/z_v1.zip", "");
        graph_expect(m, "releases/z/z_v1.zip", NULL);
}

static void first_role_in_the_order_wins(void **state) {
        Maker *m = *state;

        graph_delegate(m, "targets", "A", "*", KEY);
        graph_delegate(m, "targets", "B", "*", KEY);
        graph_add_target(m, "A", "x");
        graph_add_target(m, "B", "x");
        graph_publish(m);
        graph_look_up(m, "x", "A ");
        graph_expect(m, "x", "A");
}

static void stored_roles_are_not_fetched_again(void **state) {
        Maker *m = *state;

        graph_delegate(m, "targets", "A", "*", KEY);
        graph_add_target(m, "A", "x");
        graph_publish(m);
        graph_look_up(m, "x", "A ");
        assert_string_equal(m->stores, "A.json ");
        graph_look_up(m, "x", "");
        graph_expect(m, "x", "A");
        json_object_set_new(m->local, "A.json", json_string("damaged"));
        graph_look_up(m, "x", "A ");
        graph_expect(m, "x", "A");
}

static void walks_of_one_refresh_share_what_was_fetched(void **state) {
        Maker *m = *state;

        build(m, "T>A T>B");
        graph_look_up(m, "x", "A B ");
        m->requests[0] = '\0';
        assert_int_equal(updater_look_up(m->updater, "y"), 0);
        assert_int_equal(maker_run(m), UPDATER_OK);
        assert_string_equal(m->requests, "");
}

static void path_hash_prefixes_are_hexadecimal_digests_of_the_path(void **state) {
        Maker *m = *state;

        /* SHA-256 of "x" is 2d711642..., of "y" a1fce436... */
        graph_delegate(m, "targets", "A", "#a1fc", KEY);
        graph_delegate(m, "targets", "B", "#00 #2D71", KEY);
        graph_add_target(m, "B", "x");
        graph_add_target(m, "A", "x");
        graph_publish(m);
        graph_look_up(m, "x", "B ");
        graph_expect(m, "x", "B");
        graph_look_up(m, "y", "A ");
        graph_expect(m, "y", NULL);
}

static void tap_15_bins_are_named_by_the_first_bits(void **state) {
        static const struct {
                unsigned bits;
                const char *bin; /* of "x": 2d711642 */
        } cases[] = {
                { 1, "bin-0" },
                { 4, "bin-2" },
                { 5, "bin-05" },
                { 8, "bin-2d" },
                { 9, "bin-05a" },
                { 32, "bin-2d711642" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                void *fixture = NULL;
                char visited[32];
                Maker *m;

                assert_int_equal(maker_set_up(&fixture), 0);
                m = fixture;
                graph_delegate_bins(m, "targets", "bin", cases[i].bits, KEY);
                graph_add_target(m, cases[i].bin, "x");
                json_object_set_new(m->role_keys, cases[i].bin, json_integer(KEY));
                graph_publish(m);
                (void)snprintf(visited, sizeof(visited), "%s ", cases[i].bin);
                graph_look_up(m, "x", visited);
                graph_expect(m, "x", cases[i].bin);
                (void)maker_tear_down(&fixture);
        }
}

/* A alone, refused; the search ends there. */
static void expect_refused(Maker *m, UpdaterError error, const char *text) {
        const char *role;
        const Why *w;

        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(updater_look_up(m->updater, "x"), 0);
        assert_int_equal(maker_run(m), UPDATER_OK);
        graph_expect(m, "x", NULL);
        assert_int_equal(updater_missing(m->updater, "x", &m->why), error);
        if (!strstr(m->why.text, text))
                fail_msg("says \"%s\" instead of \"%s\"", m->why.text, text);
        assert_true(updater_refusal(m->updater, 0, &role, &w));
        assert_string_equal(role, "A");
        assert_false(updater_refusal(m->updater, 1, &role, &w));
        assert_null(json_object_get(m->local, "A.json"));
}

static void prepare_refusal(Maker *m) {
        graph_delegate(m, "targets", "A", "*", KEY);
        graph_delegate(m, "targets", "B", "*", KEY);
        graph_add_target(m, "A", "x");
        graph_add_target(m, "B", "x");
        graph_publish(m);
}

static void clause_5_6_3_role_needs_the_keys_of_its_delegator(void **state) {
        Maker *m = *state;

        prepare_refusal(m);
        graph_write(m, "A", OTHER);
        expect_refused(m, UPDATER_E_SIGNATURE, "delegated by targets: TUF 5.6.3: A: 0 good");
}

static void clause_5_6_3_role_is_judged_for_each_delegator(void **state) {
        Maker *m = *state;

        graph_delegate(m, "targets", "A", "a/*", KEY);
        graph_delegate(m, "targets", "B", "b/*", KEY);
        graph_delegate(m, "A", "C", "*/*", KEY);
        graph_delegate(m, "B", "C", "*/*", OTHER); /* another key for the same role */
        graph_add_target(m, "C", "a/x");
        graph_add_target(m, "C", "b/x");
        json_object_set_new(m->role_keys, "C", json_integer(KEY));
        graph_publish(m);
        graph_look_up(m, "a/x", "A C ");
        graph_expect(m, "a/x", "C");
        assert_int_equal(updater_look_up(m->updater, "b/x"), 0);
        assert_int_equal(maker_run(m), UPDATER_OK);
        graph_expect(m, "b/x", NULL);
        assert_int_equal(updater_missing(m->updater, "b/x", &m->why), UPDATER_E_SIGNATURE);
        assert_non_null(strstr(m->why.text, "delegated by B: TUF 5.6.3: C: "));
        /* in a client that has it on disk, too */
        graph_look_up(m, "b/x", "C "); /* B is on disk and good */
        graph_expect(m, "b/x", NULL);
}

static void clause_5_6_4_role_of_another_version_is_refused(void **state) {
        Maker *m = *state;

        prepare_refusal(m);
        json_object_set_new(graph_role(m, "A"), "version", json_integer(2));
        graph_write(m, "A", KEY);
        maker_put(m, "1.A.json", maker_get(m, "2.A.json"));
        expect_refused(m, UPDATER_E_VERSION, "TUF 5.6.4: A: is version 2, but 1 is promised");
}

static void clause_5_6_5_expired_role_is_refused(void **state) {
        Maker *m = *state;

        prepare_refusal(m);
        json_object_set_new(graph_role(m, "A"), "expires", json_string(MAKER_PAST));
        graph_write(m, "A", KEY);
        expect_refused(m, UPDATER_E_EXPIRED, "TUF 5.6.5: A: version 1 expired");
}

static void clause_5_6_2_role_of_another_hash_is_refused(void **state) {
        Maker *m = *state;

        prepare_refusal(m);
        json_object_set_new(json_object_get(m->content[TUF_SNAPSHOT], "meta"), "A.json",
                        json_pack("{s:i, s:{s:s}}", "version", 1, "hashes", "sha256",
                                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
        maker_publish(m, TUF_SNAPSHOT);
        expect_refused(m, UPDATER_E_METADATA, "TUF 5.6.2: A: has another sha256");
}

static void clause_5_6_1_role_that_is_missing_or_endless_is_refused(void **state) {
        Maker *m = *state;
        char *endless;

        prepare_refusal(m);
        maker_put(m, "1.A.json", NULL);
        expect_refused(m, UPDATER_E_NOT_FOUND, "TUF 5.6.1: 1.A.json: not found");
        endless = malloc(TUF_TARGETS_MAX + 2);
        memset(endless, ' ', TUF_TARGETS_MAX + 1);
        endless[TUF_TARGETS_MAX + 1] = '\0';
        maker_put(m, "1.A.json", endless);
        free(endless);
        expect_refused(m, UPDATER_E_METADATA, "TUF 5.6.1: A: has more than");
}

static void clause_5_6_7_role_that_the_snapshot_does_not_list_is_refused(void **state) {
        Maker *m = *state;

        prepare_refusal(m);
        json_object_del(json_object_get(m->content[TUF_SNAPSHOT], "meta"), "A.json");
        maker_publish(m, TUF_SNAPSHOT);
        expect_refused(m, UPDATER_E_METADATA, "TUF 5.6.7: snapshot: does not list A.json");
}

static void clause_4_5_malformed_role_is_refused(void **state) {
        Maker *m = *state;

        prepare_refusal(m);
        json_object_set_new(graph_role(m, "A"), "_type", json_string("snapshot"));
        graph_write(m, "A", KEY);
        expect_refused(m, UPDATER_E_METADATA, "TUF 4.5: A: targets: \"_type\" is snapshot");
}

static void fetch_that_breaks_fails_the_walk(void **state) {
        Maker *m = *state;

        prepare_refusal(m);
        maker_put(m, "1.A.json", "ERROR reset");
        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(updater_look_up(m->updater, "x"), 0);
        assert_int_equal(maker_run(m), UPDATER_E_FETCH);
        assert_string_equal(m->why.text, "1.A.json: ERROR reset");
}

static void clause_5_6_7_1_search_ends_after_a_number_of_roles(void **state) {
        Maker *m = *state;
        char from[16] = "targets", to[16];
        const char *p;
        unsigned n = 0;

        for (unsigned i = 1; i < TUF_VISITS_MAX + 3; i++) {
                (void)snprintf(to, sizeof(to), "r%u", i);
                graph_delegate(m, from, to, "*", KEY);
                (void)strcpy(from, to);
        }
        graph_add_target(m, from, "x");
        graph_publish(m);
        maker_expect(m, UPDATER_OK, NULL);
        m->requests[0] = '\0';
        assert_int_equal(updater_look_up(m->updater, "x"), 0);
        assert_int_equal(maker_run(m), UPDATER_OK);
        for (p = m->requests; (p = strchr(p, ' ')); p++)
                n++;
        assert_int_equal(n, TUF_VISITS_MAX - 1); /* targets is one of them */
        graph_expect(m, "x", NULL);
        (void)updater_missing(m->updater, "x", &m->why);
        assert_true(startswith(m->why.text, "TUF 5.6.7.1: x: not found in the first 32 roles"));
}

static void odd_role_names_are_safe_in_urls_and_on_disk(void **state) {
        static const struct {
                const char *role, *request, *stored;
        } cases[] = {
                { "?", "1.%3F.json ", "%3F.json " },
                { "#", "1.%23.json ", "%23.json " },
                { "/delegated", "1.%2Fdelegated.json ", "%2Fdelegated.json " },
                { "../delegated", "1...%2Fdelegated.json ", "..%2Fdelegated.json " },
                { "..", "1....json ", "...json " },
                { "\xc3\xa9", "1.%C3%A9.json ", "%C3%A9.json " },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                void *fixture = NULL;
                Maker *m;

                assert_int_equal(maker_set_up(&fixture), 0);
                m = fixture;
                graph_delegate(m, "targets", cases[i].role, "*", KEY);
                graph_add_target(m, cases[i].role, "x");
                graph_publish(m);
                maker_expect(m, UPDATER_OK, NULL);
                m->requests[0] = m->stores[0] = '\0';
                assert_int_equal(updater_look_up(m->updater, "x"), 0);
                assert_int_equal(maker_run(m), UPDATER_OK);
                assert_string_equal(m->requests, cases[i].request);
                assert_string_equal(m->stores, cases[i].stored);
                graph_expect(m, "x", cases[i].role);
                (void)maker_tear_down(&fixture);
        }
}

static void role_name_too_long_for_a_file_is_refused(void **state) {
        char role[400];
        Maker *m = *state;

        memset(role, '/', sizeof(role) - 1);
        role[sizeof(role) - 1] = '\0';
        graph_delegate(m, "targets", role, "*", KEY);
        graph_publish(m);
        graph_look_up(m, "x", "");
        assert_int_equal(updater_missing(m->updater, "x", &m->why), UPDATER_E_METADATA);
        assert_non_null(strstr(m->why.text, "too long for a file"));
}

static void without_consistent_snapshots_role_names_have_no_version(void **state) {
        Maker *m = *state;

        json_object_set_new(m->content[TUF_ROOT], "consistent_snapshot", json_false());
        maker_publish(m, TUF_ROOT);
        graph_delegate(m, "targets", "A", "*", KEY);
        graph_add_target(m, "A", "x");
        graph_publish(m);
        maker_expect(m, UPDATER_OK, NULL);
        m->requests[0] = '\0';
        assert_int_equal(updater_look_up(m->updater, "x"), 0);
        assert_int_equal(maker_run(m), UPDATER_OK);
        assert_string_equal(m->requests, "A.json ");
        graph_expect(m, "x", "A");
}

static void clause_4_5_malformed_delegations_are_refused(void **state) {
        static const char ids[] = "\"keyids\": [\"a\"], \"threshold\": 1";
        static const struct {
                const char *delegations, *text; /* @ stands for ids */
        } cases[] = {
                { "[]", "has to be an object" },
                { "{}", "\"keys\" is missing" },
                { "{\"keys\": {}}", "one of \"roles\" and \"succinct_roles\"" },
                { "{\"keys\": {}, \"roles\": {}}", "\"roles\" is an object" },
                { "{\"keys\": {}, \"roles\": [1]}", "has to be an object" },
                { "{\"keys\": {}, \"roles\": [{@, \"paths\": []}]}", "\"name\"" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"\", @, \"paths\": []}]}", "\"name\"" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"root\", @, \"paths\": []}]}",
                                "no name for a delegated role" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", @}]}", "one of \"paths\"" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", @, \"paths\": [],"
                  " \"path_hash_prefixes\": []}]}",
                                "one of \"paths\"" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", @, \"paths\": [1]}]}",
                                "has to be a string" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", @, \"path_hash_prefixes\": [\"0g\"]}]}",
                                "hexadecimal" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", @, \"path_hash_prefixes\": [\"\"]}]}",
                                "hexadecimal" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", @, \"paths\": [], \"terminating\": 1}]}",
                                "true or false" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", \"keyids\": [\"a\"], \"threshold\": 0,"
                  " \"paths\": []}]}",
                                "\"threshold\" is 0" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", \"keyids\": [\"a\", \"a\"],"
                  " \"threshold\": 1, \"paths\": []}]}",
                                "stands twice" },
                { "{\"keys\": {}, \"roles\": [{\"name\": \"A\", @, \"paths\": []},"
                  " {\"name\": \"A\", @, \"paths\": []}]}",
                                "two delegations to" },
                { "{\"keys\": {}, \"roles\": [], \"succinct_roles\": {}}", "one of \"roles\"" },
                { "{\"keys\": {}, \"succinct_roles\": {@, \"name_prefix\": \"b\", \"bit_length\": 0}}",
                                "\"bit_length\" is 0" },
                { "{\"keys\": {}, \"succinct_roles\": {@, \"name_prefix\": \"b\", \"bit_length\": 33}}",
                                "\"bit_length\" is 33" },
                { "{\"keys\": {}, \"succinct_roles\": {@, \"name_prefix\": \"b\", \"bit_length\": 1.5}}",
                                "with a fraction" },
                { "{\"keys\": {}, \"succinct_roles\": {@, \"bit_length\": 4}}", "\"name_prefix\"" },
        };
        Maker *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[512] = "", *bytes;
                TufMetadata *parsed = NULL;
                json_t *document, *o;
                size_t n = 0;

                for (const char *p = cases[i].delegations; *p; p++)
                        n += (size_t)snprintf(text + n, sizeof(text) - n, *p == '@' ? "%s" : "%.1s",
                                        *p == '@' ? ids : p);
                assert_int_equal(json_parse(text, strlen(text), &o, NULL), 0);
                json_object_set_new(m->content[TUF_TARGETS], "delegations", o);
                document = json_pack(
                                "{s:O, s:[]}", "signed", m->content[TUF_TARGETS], "signatures");
                bytes = json_dumps(document, 0);
                assert_int_equal(tuf_metadata_new(TUF_TARGETS, bytes, strlen(bytes), &parsed,
                                                 &m->why),
                                -EBADMSG);
                if (!strstr(m->why.text, cases[i].text))
                        fail_msg("%s says \"%s\"", text, m->why.text);
                free(bytes);
                json_decref(document);
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, maker_set_up, maker_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(clause_5_6_7_search_is_pre_order_and_depth_first),
                TEST(clause_4_5_every_role_in_the_chain_has_to_be_trusted_for_the_path),
                TEST(first_role_in_the_order_wins),
                TEST(stored_roles_are_not_fetched_again),
                TEST(walks_of_one_refresh_share_what_was_fetched),
                TEST(path_hash_prefixes_are_hexadecimal_digests_of_the_path),
                cmocka_unit_test(tap_15_bins_are_named_by_the_first_bits),
                TEST(clause_5_6_3_role_needs_the_keys_of_its_delegator),
                TEST(clause_5_6_3_role_is_judged_for_each_delegator),
                TEST(clause_5_6_4_role_of_another_version_is_refused),
                TEST(clause_5_6_5_expired_role_is_refused),
                TEST(clause_5_6_2_role_of_another_hash_is_refused),
                TEST(clause_5_6_1_role_that_is_missing_or_endless_is_refused),
                TEST(clause_5_6_7_role_that_the_snapshot_does_not_list_is_refused),
                TEST(clause_4_5_malformed_role_is_refused),
                TEST(fetch_that_breaks_fails_the_walk),
                TEST(clause_5_6_7_1_search_ends_after_a_number_of_roles),
                cmocka_unit_test(odd_role_names_are_safe_in_urls_and_on_disk),
                TEST(role_name_too_long_for_a_file_is_refused),
                TEST(without_consistent_snapshots_role_names_have_no_version),
                TEST(clause_4_5_malformed_delegations_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

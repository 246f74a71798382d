/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Updater: the workflow, request by request, and every way in which a repository can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tuf-maker.h"

static void first_refresh_fetches_each_role_once(void **state) {
        Maker *m = *state;

        maker_expect(m, UPDATER_OK, NULL);
        assert_string_equal(
                        m->requests, "2.root.json timestamp.json 1.snapshot.json 1.targets.json ");
        assert_string_equal(m->stores, "timestamp.json snapshot.json targets.json ");
}

static void nothing_new_costs_two_requests(void **state) {
        Maker *m = *state;

        maker_expect(m, UPDATER_OK, NULL);
        maker_expect(m, UPDATER_OK, NULL);
        assert_string_equal(m->requests, "2.root.json timestamp.json ");
        assert_string_equal(m->stores, "");
}

static void new_timestamp_alone_keeps_snapshot_and_targets(void **state) {
        Maker *m = *state;

        maker_expect(m, UPDATER_OK, NULL);
        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_OK, NULL);
        assert_string_equal(m->requests, "2.root.json timestamp.json ");
        assert_string_equal(m->stores, "timestamp.json ");
}

static void new_targets_are_fetched_and_stored(void **state) {
        Maker *m = *state;

        maker_expect(m, UPDATER_OK, NULL);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        assert_string_equal(
                        m->requests, "2.root.json timestamp.json 2.snapshot.json 2.targets.json ");
        assert_string_equal(m->stores, "timestamp.json snapshot.json targets.json ");
}

static void without_consistent_snapshots_names_have_no_version(void **state) {
        Maker *m = *state;

        json_object_set_new(m->content[TUF_ROOT], "consistent_snapshot", json_false());
        maker_publish(m, TUF_ROOT);
        maker_put(m, "2.root.json", maker_get(m, "2.root.json"));
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        assert_string_equal(m->requests,
                        "2.root.json 3.root.json timestamp.json snapshot.json targets.json ");
        assert_false(updater_is_consistent(m->updater));
}

static void each_new_root_is_stored_before_the_next_is_asked_for(void **state) {
        Maker *m = *state;

        maker_publish(m, TUF_ROOT);
        maker_publish(m, TUF_ROOT);
        maker_expect(m, UPDATER_OK, NULL);
        assert_true(startswith(m->requests, "2.root.json 3.root.json 4.root.json timestamp.json "));
        assert_true(startswith(m->stores, "root.json root.json timestamp.json "));
        assert_string_equal(json_string_value(json_object_get(m->local, "root.json")),
                        maker_get(m, "3.root.json"));
}

static void expired_root_on_the_way_is_no_matter(void **state) {
        Maker *m = *state;

        maker_set_expires(m, TUF_ROOT, MAKER_PAST);
        maker_publish(m, TUF_ROOT);
        maker_set_expires(m, TUF_ROOT, MAKER_FUTURE);
        maker_publish(m, TUF_ROOT);
        maker_expect(m, UPDATER_OK, NULL);
}

static void expired_last_root_is_refused_before_anything_else_is_asked_for(void **state) {
        Maker *m = *state;

        maker_set_expires(m, TUF_ROOT, MAKER_PAST);
        maker_publish(m, TUF_ROOT);
        maker_expect(m, UPDATER_E_EXPIRED, "root: version 2 expired at 2020-01-01T00:00:00Z");
        assert_string_equal(m->requests, "2.root.json 3.root.json ");
}

static void expiry_at_this_very_second_is_expired(void **state) {
        Maker *m = *state;

        maker_set_expires(m, TUF_TIMESTAMP, "2031-01-01T00:00:00Z");
        maker_publish(m, TUF_TIMESTAMP);
        assert_int_equal(rfc3339_parse("2031-01-01T00:00:00Z", &m->now), 0);
        maker_expect(m, UPDATER_E_EXPIRED, "timestamp");
        m->now--;
        maker_expect(m, UPDATER_OK, NULL);
}

static void roots_end_after_a_number(void **state) {
        Maker *m = *state;
        unsigned n = 0;

        for (unsigned i = 0; i < TUF_ROOTS_MAX + 3; i++)
                maker_publish(m, TUF_ROOT);
        maker_expect(m, UPDATER_OK, NULL);
        for (const char *p = m->requests; (p = strstr(p, ".root.json")); p++)
                n++;
        assert_int_equal(n, TUF_ROOTS_MAX);
}

static void rotated_root_key_needs_both_signatures(void **state) {
        static const unsigned both[] = { 0, 4 };
        Maker *m = *state;

        maker_set_role_keys(m, TUF_ROOT, &(unsigned){ 4 }, 1, 1);
        maker_publish(m, TUF_ROOT);
        maker_expect(m, UPDATER_E_SIGNATURE, "by root 1");
        maker_set_role_keys(m, TUF_ROOT, both, 2, 1);
        maker_set_role_keys(m, TUF_ROOT, &(unsigned){ 4 }, 1, 1);
        m->signers[TUF_ROOT][0] = 0;
        maker_write(m, TUF_ROOT);
        maker_expect(m, UPDATER_E_SIGNATURE, "by itself");
        memcpy(m->signers[TUF_ROOT], both, sizeof(both));
        m->n_signers[TUF_ROOT] = 2;
        maker_write(m, TUF_ROOT);
        maker_expect(m, UPDATER_OK, NULL);
}

static void root_of_another_version_is_refused(void **state) {
        static const int versions[] = { 1, 3 };
        Maker *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(versions); i++) {
                char name[32];

                maker_set_version(m, TUF_ROOT, versions[i]);
                maker_write(m, TUF_ROOT);
                (void)snprintf(name, sizeof(name), "%d.root.json", versions[i]);
                maker_put(m, "2.root.json", maker_get(m, name));
                maker_expect(m, UPDATER_E_VERSION, "it has to be 2");
        }
}

static void root_that_cannot_be_fetched_is_an_error(void **state) {
        Maker *m = *state;

        maker_put(m, "2.root.json", "ERROR timeout");
        maker_expect(m, UPDATER_E_FETCH, "2.root.json: ERROR timeout");
}

static void missing_files_are_told_apart_from_broken_fetches(void **state) {
        static const char *const names[] = { "timestamp.json", "1.snapshot.json",
                "1.targets.json" };
        Maker *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char *good = strdup(maker_get(m, names[i]));

                maker_put(m, names[i], "ERROR reset");
                maker_expect(m, UPDATER_E_FETCH, names[i]);
                maker_put(m, names[i], NULL);
                maker_expect(m, UPDATER_E_NOT_FOUND, names[i]);
                maker_put(m, names[i], good);
                free(good);
        }
}

static void timestamp_of_a_lower_version_is_refused(void **state) {
        Maker *m = *state;

        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_OK, NULL);
        maker_set_version(m, TUF_TIMESTAMP, 1);
        maker_write(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_VERSION, "timestamp: is version 1, but 2 was seen before");
        assert_string_equal(m->stores, "");
}

static void equal_timestamp_keeps_the_old_one(void **state) {
        Maker *m = *state;

        maker_expect(m, UPDATER_OK, NULL);
        json_object_set_new(m->content[TUF_TIMESTAMP], "x", json_integer(1));
        maker_write(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_OK, NULL);
        assert_string_equal(m->stores, "");
}

static void equal_timestamp_does_not_prolong_an_expired_one(void **state) {
        Maker *m = *state;

        maker_set_expires(m, TUF_TIMESTAMP, "2031-01-01T00:00:00Z");
        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_OK, NULL);
        maker_set_expires(m, TUF_TIMESTAMP, MAKER_FUTURE);
        maker_write(m, TUF_TIMESTAMP);
        assert_int_equal(rfc3339_parse("2032-01-01T00:00:00Z", &m->now), 0);
        maker_expect(m, UPDATER_E_EXPIRED, "timestamp");
}

static void timestamp_that_names_an_older_snapshot_is_refused(void **state) {
        Maker *m = *state;

        maker_publish(m, TUF_SNAPSHOT);
        maker_expect(m, UPDATER_OK, NULL);
        json_object_set_new(json_object_get(json_object_get(m->content[TUF_TIMESTAMP], "meta"),
                                            "snapshot.json"),
                        "version", json_integer(1));
        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_VERSION, "version of the snapshot fell from 2 to 1");
}

static void expired_local_timestamp_still_stops_a_rollback(void **state) {
        Maker *m = *state;

        maker_set_expires(m, TUF_TIMESTAMP, "2031-01-01T00:00:00Z");
        maker_set_version(m, TUF_TIMESTAMP, 7);
        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(rfc3339_parse("2032-01-01T00:00:00Z", &m->now), 0);
        maker_set_expires(m, TUF_TIMESTAMP, MAKER_FUTURE);
        maker_set_version(m, TUF_TIMESTAMP, 7);
        maker_write(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_VERSION, "is version 7, but 8 was seen before");
}

static void expired_timestamp_is_not_stored(void **state) {
        Maker *m = *state;

        maker_set_expires(m, TUF_TIMESTAMP, MAKER_PAST);
        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_EXPIRED, "timestamp");
        assert_string_equal(m->stores, "");
}

static void expired_snapshot_and_targets_are_refused(void **state) {
        Maker *m = *state;

        maker_set_expires(m, TUF_TARGETS, MAKER_PAST);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_E_EXPIRED, "targets: version 2");
        assert_string_equal(m->stores, "timestamp.json snapshot.json ");
        maker_set_expires(m, TUF_SNAPSHOT, MAKER_PAST);
        maker_publish(m, TUF_SNAPSHOT);
        maker_expect(m, UPDATER_E_EXPIRED, "snapshot: version 3");
        assert_string_equal(m->stores, "timestamp.json ");
}

static void expired_local_snapshot_is_fetched_again(void **state) {
        Maker *m = *state;

        maker_set_expires(m, TUF_SNAPSHOT, "2031-01-01T00:00:00Z");
        maker_publish(m, TUF_SNAPSHOT);
        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(rfc3339_parse("2032-01-01T00:00:00Z", &m->now), 0);
        maker_expect(m, UPDATER_E_EXPIRED, "snapshot");
        maker_set_expires(m, TUF_SNAPSHOT, MAKER_FUTURE);
        maker_publish(m, TUF_SNAPSHOT);
        maker_expect(m, UPDATER_OK, NULL);
}

static void snapshot_with_lower_targets_is_refused(void **state) {
        Maker *m = *state;

        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        maker_set_version(m, TUF_TARGETS, 0);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_E_VERSION, "\"targets.json\" fell from 2 to 1");
}

static void snapshot_that_forgets_an_entry_is_refused(void **state) {
        Maker *m = *state;

        json_object_set_new(json_object_get(m->content[TUF_SNAPSHOT], "meta"), "extra.json",
                        json_pack("{s:i}", "version", 1));
        maker_publish(m, TUF_SNAPSHOT);
        maker_expect(m, UPDATER_OK, NULL);
        json_object_del(json_object_get(m->content[TUF_SNAPSHOT], "meta"), "extra.json");
        maker_publish(m, TUF_SNAPSHOT);
        maker_expect(m, UPDATER_E_VERSION, "\"extra.json\" was listed before and is gone");
}

static void snapshot_without_targets_is_refused(void **state) {
        Maker *m = *state;

        json_object_clear(json_object_get(m->content[TUF_SNAPSHOT], "meta"));
        maker_publish(m, TUF_SNAPSHOT);
        maker_expect(m, UPDATER_E_METADATA, "does not list targets.json");
}

/* Well signed, but another version than promised (with length and hash left out, so that only
 * the version speaks). */
static void other_version_than_promised_is_refused(void **state) {
        static const TufRole roles[] = { TUF_SNAPSHOT, TUF_TARGETS };
        Maker *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(roles); i++) {
                const char *name = tuf_role_to_string(roles[i]);
                TufRole above = roles[i] == TUF_SNAPSHOT ? TUF_TIMESTAMP : TUF_SNAPSHOT;
                char listed[32], wanted[32];

                (void)snprintf(listed, sizeof(listed), "%s.json", name);
                (void)snprintf(wanted, sizeof(wanted), "9.%s.json", name);
                json_object_set_new(json_object_get(m->content[above], "meta"), listed,
                                json_pack("{s:i}", "version", 9));
                maker_publish(m, above);
                (void)snprintf(listed, sizeof(listed), "1.%s.json", name);
                maker_put(m, wanted, maker_get(m, listed));
                maker_expect(m, UPDATER_E_VERSION, "is version 1, but 9 is promised");
                maker_tear_down(state);
                maker_set_up(state);
                m = *state;
        }
}

static void wrong_length_and_wrong_hash_are_refused(void **state) {
        static const char *const names[] = { "1.snapshot.json", "1.targets.json" };
        Maker *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char *good = strdup(maker_get(m, names[i]));

                maker_edit(m, names[i], "{", "{ ");
                maker_expect(m, UPDATER_E_METADATA, "has more than");
                maker_put(m, names[i], good);
                maker_edit(m, names[i], "\"version\":1,", "\"version\":1");
                maker_expect(m, UPDATER_E_METADATA, "are promised");
                maker_put(m, names[i], good);
                maker_edit(m, names[i], "\"version\":1,", "\"version\": 1");
                maker_expect(m, UPDATER_E_METADATA, "another sha256 than promised");
                maker_put(m, names[i], good);
                free(good);
        }
        maker_expect(m, UPDATER_OK, NULL);
}

static void hashes_of_unknown_kind_alone_are_refused(void **state) {
        Maker *m = *state;

        json_object_set_new(json_object_get(m->content[TUF_TIMESTAMP], "meta"), "snapshot.json",
                        json_pack("{s:i, s:{s:s}}", "version", 1, "hashes", "md5", "00"));
        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_METADATA, "no hash of a kind known here");
}

static void sha512_is_checked_too(void **state) {
        Maker *m = *state;

        json_object_set_new(
                        json_object_get(json_object_get(json_object_get(m->content[TUF_TIMESTAMP],
                                                                        "meta"),
                                                        "snapshot.json"),
                                        "hashes"),
                        "sha512", json_string("00"));
        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_METADATA, "another sha512");
}

static void promised_length_beyond_the_limit_is_refused_before_fetching(void **state) {
        Maker *m = *state;

        json_object_set_new(json_object_get(m->content[TUF_TIMESTAMP], "meta"), "snapshot.json",
                        json_pack("{s:i, s:i}", "version", 1, "length", TUF_SNAPSHOT_MAX + 1));
        maker_publish(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_METADATA, "at most");
        assert_string_equal(m->requests, "2.root.json timestamp.json ");
}

static void endless_timestamp_is_refused(void **state) {
        Maker *m = *state;
        char *text = malloc(TUF_TIMESTAMP_MAX + 2);

        memset(text, ' ', TUF_TIMESTAMP_MAX + 1);
        text[TUF_TIMESTAMP_MAX + 1] = '\0';
        maker_put(m, "timestamp.json", text);
        free(text);
        maker_expect(m, UPDATER_E_METADATA, "more than 16384 bytes");
}

static void fast_forward_attack_is_recovered_from_by_new_keys(void **state) {
        Maker *m = *state;

        maker_set_version(m, TUF_TARGETS, 1000);
        maker_set_version(m, TUF_SNAPSHOT, 1000);
        maker_set_version(m, TUF_TIMESTAMP, 1000);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        maker_set_version(m, TUF_TARGETS, 1);
        maker_set_version(m, TUF_SNAPSHOT, 1);
        maker_set_version(m, TUF_TIMESTAMP, 1);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_E_VERSION, NULL);
        maker_set_role_keys(m, TUF_TIMESTAMP, &(unsigned){ 4 }, 1, 1);
        maker_set_role_keys(m, TUF_SNAPSHOT, &(unsigned){ 5 }, 1, 1);
        maker_publish(m, TUF_ROOT);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        assert_string_equal(m->stores, "root.json timestamp.json snapshot.json targets.json ");
}

static void damaged_local_files_are_fetched_again(void **state) {
        static const char *const names[] = { "timestamp.json", "snapshot.json", "targets.json" };
        Maker *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                maker_expect(m, UPDATER_OK, NULL);
                json_object_set_new(m->local, names[i], json_string("{\"signed\":"));
                maker_expect(m, UPDATER_OK, NULL);
                assert_non_null(strstr(m->stores, names[i]));
        }
}

static void forged_local_files_are_not_believed(void **state) {
        Maker *m = *state;
        char *good = strdup(maker_get(m, "1.targets.json"));

        maker_expect(m, UPDATER_OK, NULL);
        json_object_set_new(m->content[TUF_TARGETS], "x", json_integer(1));
        m->signers[TUF_TARGETS][0] = 6;
        maker_write(m, TUF_TARGETS);
        json_object_set(m->local, "targets.json", json_object_get(m->files, "1.targets.json"));
        maker_put(m, "1.targets.json", good);
        free(good);
        maker_expect(m, UPDATER_OK, NULL);
        assert_string_equal(m->stores, "targets.json ");
}

static void damaged_trusted_root_is_no_start(void **state) {
        Maker *m = *state;

        json_object_set_new(m->local, "root.json", json_string("{}"));
        assert_int_equal(maker_refresh(m), _UPDATER_ERROR_MAX);
        assert_true(startswith(m->why.text, "trusted root: "));
        assert_null(m->updater);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, maker_set_up, maker_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(first_refresh_fetches_each_role_once),
                TEST(nothing_new_costs_two_requests),
                TEST(new_timestamp_alone_keeps_snapshot_and_targets),
                TEST(new_targets_are_fetched_and_stored),
                TEST(without_consistent_snapshots_names_have_no_version),
                TEST(each_new_root_is_stored_before_the_next_is_asked_for),
                TEST(expired_root_on_the_way_is_no_matter),
                TEST(expired_last_root_is_refused_before_anything_else_is_asked_for),
                TEST(expiry_at_this_very_second_is_expired),
                TEST(roots_end_after_a_number),
                TEST(rotated_root_key_needs_both_signatures),
                TEST(root_of_another_version_is_refused),
                TEST(root_that_cannot_be_fetched_is_an_error),
                TEST(missing_files_are_told_apart_from_broken_fetches),
                TEST(timestamp_of_a_lower_version_is_refused),
                TEST(equal_timestamp_keeps_the_old_one),
                TEST(equal_timestamp_does_not_prolong_an_expired_one),
                TEST(timestamp_that_names_an_older_snapshot_is_refused),
                TEST(expired_local_timestamp_still_stops_a_rollback),
                TEST(expired_timestamp_is_not_stored),
                TEST(expired_snapshot_and_targets_are_refused),
                TEST(expired_local_snapshot_is_fetched_again),
                TEST(snapshot_with_lower_targets_is_refused),
                TEST(snapshot_that_forgets_an_entry_is_refused),
                TEST(snapshot_without_targets_is_refused),
                TEST(other_version_than_promised_is_refused),
                TEST(wrong_length_and_wrong_hash_are_refused),
                TEST(hashes_of_unknown_kind_alone_are_refused),
                TEST(sha512_is_checked_too),
                TEST(promised_length_beyond_the_limit_is_refused_before_fetching),
                TEST(endless_timestamp_is_refused),
                TEST(fast_forward_attack_is_recovered_from_by_new_keys),
                TEST(damaged_local_files_are_fetched_again),
                TEST(forged_local_files_are_not_believed),
                TEST(damaged_trusted_root_is_no_start),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signatures, thresholds and the form of metadata, seen through the updater: nothing unsigned
 * gets in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tuf-maker.h"
#include "tuf/key.h"

static const char *const names[_TUF_ROLE_MAX] = { "2.root.json", "timestamp.json",
        "1.snapshot.json", "1.targets.json" };

/* Rewrites the role, and above it promises without length and hashes, so that only the signature
 * can refuse. */
static void write_unchecked(Maker *m, TufRole role) {
        static const TufRole above[] = {
                [TUF_SNAPSHOT] = TUF_TIMESTAMP, [TUF_TARGETS] = TUF_SNAPSHOT
        };
        char listed[32];

        if (role == TUF_ROOT)
                maker_set_version(m, TUF_ROOT, 2);
        maker_write(m, role);
        (void)snprintf(listed, sizeof(listed), "%s.json", tuf_role_to_string(role));
        for (; role == TUF_SNAPSHOT || role == TUF_TARGETS; role = above[role]) {
                json_object_set_new(json_object_get(m->content[TUF_SNAPSHOT], "meta"),
                                "targets.json", json_pack("{s:i}", "version", 1));
                json_object_set_new(json_object_get(m->content[TUF_TIMESTAMP], "meta"),
                                "snapshot.json", json_pack("{s:i}", "version", 1));
                maker_write(m, above[role]);
        }
}

static void foreach_role(void **state, void (*func)(Maker *m, TufRole role)) {
        for (TufRole role = 0; role < _TUF_ROLE_MAX; role++) {
                func(*state, role);
                maker_tear_down(state);
                maker_set_up(state);
        }
}

static void swap_key(Maker *m, TufRole role) {
        m->signers[role][0] = 7;
        write_unchecked(m, role);
        maker_expect(m, UPDATER_E_SIGNATURE, tuf_role_to_string(role));
}

static void signature_of_a_foreign_key_is_refused_in_each_role(void **state) {
        foreach_role(state, swap_key);
}

static void use_other_role(Maker *m, TufRole role) {
        m->signers[role][0] = (role + 1) % _TUF_ROLE_MAX;
        write_unchecked(m, role);
        maker_expect(m, UPDATER_E_SIGNATURE, NULL);
}

static void key_of_another_role_does_not_count(void **state) {
        foreach_role(state, use_other_role);
}

static void drop_signature(Maker *m, TufRole role) {
        m->n_signers[role] = 0;
        write_unchecked(m, role);
        maker_expect(m, UPDATER_E_SIGNATURE, "0 good signatures of its keys, 1 are needed");
}

static void dropped_signature_is_refused_in_each_role(void **state) {
        foreach_role(state, drop_signature);
}

static void tamper(Maker *m, TufRole role) {
        json_object_set_new(m->content[role], "x", json_string("good"));
        write_unchecked(m, role);
        maker_edit(m, names[role], "\"good\"", "\"evil\"");
        maker_expect(m, UPDATER_E_SIGNATURE, NULL);
}

static void changed_byte_is_refused_in_each_role(void **state) {
        foreach_role(state, tamper);
}

static void keep_unknown(Maker *m, TufRole role) {
        json_object_set_new(m->content[role], "x",
                        json_pack("{s:[s, i, n, b]}", "y", "\x01\"\\", 5, 1));
        write_unchecked(m, role);
        maker_expect(m, UPDATER_OK, NULL);
}

static void unknown_members_are_signed_and_allowed(void **state) {
        foreach_role(state, keep_unknown);
}

static void wrong_type(Maker *m, TufRole role) {
        json_object_set_new(m->content[role], "_type",
                        json_string(tuf_role_to_string((role + 1) % _TUF_ROLE_MAX)));
        write_unchecked(m, role);
        maker_expect(m, UPDATER_E_METADATA, "\"_type\"");
}

static void type_of_another_role_is_refused(void **state) {
        foreach_role(state, wrong_type);
}

static void duplicate_member(Maker *m, TufRole role) {
        write_unchecked(m, role);
        maker_edit(m, names[role], "\"version\":", "\"version\":7,\"version\":");
        maker_expect(m, UPDATER_E_METADATA, "no JSON");
}

static void duplicate_json_keys_are_refused(void **state) {
        foreach_role(state, duplicate_member);
}

static void repeat_signature(Maker *m, TufRole role) {
        m->signers[role][1] = m->signers[role][0];
        m->n_signers[role] = 2;
        write_unchecked(m, role);
        maker_expect(m, UPDATER_E_METADATA, "two signatures of key id");
}

static void two_signatures_of_one_key_id_are_refused(void **state) {
        foreach_role(state, repeat_signature);
}

static void threshold_counts_distinct_keys(void **state) {
        static const unsigned keys[] = { 1, 5, 6 };
        Maker *m = *state;

        maker_set_role_keys(m, TUF_TIMESTAMP, keys, 3, 2);
        maker_publish(m, TUF_ROOT);
        m->n_signers[TUF_TIMESTAMP] = 1;
        maker_write(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_SIGNATURE, "1 good signatures of its keys, 2 are needed");
        m->n_signers[TUF_TIMESTAMP] = 2;
        maker_write(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_OK, NULL);
}

/* The same public key with a member more has another (right) id. */
static void one_key_under_two_ids_counts_once(void **state) {
        static const unsigned keys[] = { 1, 5 };
        Maker *m = *state;
        json_t *root = m->content[TUF_ROOT], *object = maker_key_object(m, 1);
        char id[SHA256_HEX];

        json_object_set_new(object, "x", json_integer(1));
        assert_int_equal(tuf_key_id(object, id, NULL), 0);
        memcpy(m->ids[5], id, sizeof(id));
        EVP_PKEY_free(m->keys[5]);
        m->keys[5] = m->keys[1];
        EVP_PKEY_up_ref(m->keys[1]);
        maker_set_role_keys(m, TUF_TIMESTAMP, keys, 2, 2);
        json_object_set_new(json_object_get(root, "keys"), id, object);
        maker_publish(m, TUF_ROOT);
        maker_write(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_SIGNATURE, "1 good signatures of its keys, 2 are needed");
}

static void key_with_a_wrong_id_does_not_count(void **state) {
        Maker *m = *state;

        m->ids[1][0] = m->ids[1][0] == 'a' ? 'b' : 'a';
        maker_set_role_keys(m, TUF_TIMESTAMP, &(unsigned){ 1 }, 1, 1);
        maker_publish(m, TUF_ROOT);
        maker_write(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_E_SIGNATURE, "timestamp: 0 good");
}

static void threshold_above_the_number_of_keys_loads_but_is_never_met(void **state) {
        Maker *m = *state;

        maker_set_role_keys(m, TUF_TARGETS, &(unsigned){ 3 }, 1, 2);
        maker_publish(m, TUF_ROOT);
        maker_expect(m, UPDATER_E_SIGNATURE,
                        "targets: 1 good signatures of its keys, 2 are needed");
        assert_true(startswith(m->stores, "root.json timestamp.json snapshot.json "));
}

static void unknown_key_type_does_not_count_and_does_not_break(void **state) {
        static const unsigned keys[] = { 1, 5 };
        Maker *m = *state;
        json_t *object = json_pack("{s:s, s:s, s:{s:s}}", "keytype", "quantum", "scheme", "new",
                        "keyval", "public", "?");

        assert_int_equal(tuf_key_id(object, m->ids[5], NULL), 0);
        maker_set_role_keys(m, TUF_TIMESTAMP, keys, 2, 1);
        json_object_set_new(json_object_get(m->content[TUF_ROOT], "keys"), m->ids[5], object);
        maker_publish(m, TUF_ROOT);
        maker_write(m, TUF_TIMESTAMP);
        maker_expect(m, UPDATER_OK, NULL);
}

static void odd_signature_text_is_an_invalid_signature(void **state) {
        static const char *const texts[] = { "", "00", "zz", "0", "\xc3\xbc" };
        Maker *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                json_t *document = json_pack("{s:O, s:[{s:s, s:s}]}", "signed",
                                m->content[TUF_TIMESTAMP], "signatures", "keyid", m->ids[1], "sig",
                                texts[i]);
                char *text = json_dumps(document, 0);

                maker_put(m, "timestamp.json", text);
                maker_expect(m, UPDATER_E_SIGNATURE, "timestamp");
                free(text);
                json_decref(document);
        }
}

static const struct {
        TufRole role;
        const char *member, *value; /* JSON; NULL: removed */
        const char *text;
} odd[] = {
        { TUF_TIMESTAMP, "version", "0", "\"version\"" },
        { TUF_TIMESTAMP, "version", "-1", "\"version\"" },
        { TUF_TIMESTAMP, "version", "1.0", "\"version\"" },
        { TUF_TIMESTAMP, "version", "\"1\"", "\"version\"" },
        { TUF_TIMESTAMP, "version", "9223372036854775808", "" },
        { TUF_TIMESTAMP, "expires", "\"2035-01-01\"", "\"expires\"" },
        { TUF_TIMESTAMP, "expires", "\"2035-01-01T00:00:00+00:00\"", "\"expires\"" },
        { TUF_TIMESTAMP, "expires", "\"2035-02-30T00:00:00Z\"", "\"expires\"" },
        { TUF_TIMESTAMP, "expires", NULL, "\"expires\"" },
        { TUF_TIMESTAMP, "spec_version", "\"2.0.0\"", "\"spec_version\"" },
        { TUF_TIMESTAMP, "spec_version", NULL, "\"spec_version\"" },
        { TUF_TIMESTAMP, "_type", NULL, "\"_type\"" },
        { TUF_TIMESTAMP, "meta", NULL, "\"meta\"" },
        { TUF_TIMESTAMP, "meta", "{}", "snapshot.json" },
        { TUF_TIMESTAMP, "meta", "{\"snapshot.json\":{}}", "\"version\"" },
        { TUF_TIMESTAMP, "meta", "{\"snapshot.json\":{\"version\":1,\"length\":0}}", "\"length\"" },
        { TUF_TIMESTAMP, "meta", "{\"snapshot.json\":{\"version\":1,\"hashes\":{}}}",
                        "\"hashes\"" },
        { TUF_TIMESTAMP, "meta", "{\"snapshot.json\":{\"version\":1,\"hashes\":{\"sha256\":1}}}",
                        "sha256" },
        { TUF_TIMESTAMP, "x", "1.5", "whole number" },
        { TUF_SNAPSHOT, "meta", "[]", "\"meta\"" },
        { TUF_TARGETS, "targets", "{\"a\":{}}", "\"length\"" },
        { TUF_TARGETS, "targets", "{\"a\":{\"length\":1}}", "\"hashes\"" },
        { TUF_TARGETS, "targets", "{\"a\":7}", "object" },
        { TUF_TARGETS, "targets", NULL, "\"targets\"" },
        { TUF_ROOT, "keys", NULL, "\"keys\"" },
        { TUF_ROOT, "roles", "{}", "\"root\"" },
        { TUF_ROOT, "consistent_snapshot", "1", "\"consistent_snapshot\"" },
};

static void odd_members_are_refused(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(odd); i++) {
                Maker *m = *state;
                TufRole role = odd[i].role;
                char text[256], from[64];

                json_object_set_new(m->content[role], odd[i].member, json_string("@"));
                if (role == TUF_ROOT && !streq(odd[i].member, "version"))
                        maker_set_version(m, TUF_ROOT, 2);
                write_unchecked(m, role);
                (void)snprintf(from, sizeof(from), "\"%s\":\"@\"", odd[i].member);
                (void)snprintf(text, sizeof(text), "\"%s\":%s",
                                odd[i].value ? odd[i].member : "gone", odd[i].value ?: "0");
                maker_edit(m, names[role], from, text);
                maker_expect(m, UPDATER_E_METADATA, odd[i].text);
                maker_tear_down(state);
                maker_set_up(state);
        }
}

static void odd_files_are_refused(void **state) {
        static const char *const files[] = { "", "{}", "[]", "null",
                "{\"signed\":{},\"signatures\":{}}", "{\"signed\":[],\"signatures\":[]}",
                "{\"signatures\":[]}", "{\"signed\":{}}", "\xff" };
        Maker *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                json_object_set_new(m->files, "timestamp.json",
                                json_stringn_nocheck(files[i], strlen(files[i])));
                maker_expect(m, UPDATER_E_METADATA, "timestamp");
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, maker_set_up, maker_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(signature_of_a_foreign_key_is_refused_in_each_role),
                TEST(key_of_another_role_does_not_count),
                TEST(dropped_signature_is_refused_in_each_role),
                TEST(changed_byte_is_refused_in_each_role),
                TEST(unknown_members_are_signed_and_allowed),
                TEST(type_of_another_role_is_refused),
                TEST(duplicate_json_keys_are_refused),
                TEST(two_signatures_of_one_key_id_are_refused),
                TEST(threshold_counts_distinct_keys),
                TEST(one_key_under_two_ids_counts_once),
                TEST(key_with_a_wrong_id_does_not_count),
                TEST(threshold_above_the_number_of_keys_loads_but_is_never_met),
                TEST(unknown_key_type_does_not_count_and_does_not_break),
                TEST(odd_signature_text_is_an_invalid_signature),
                TEST(odd_members_are_refused),
                TEST(odd_files_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking targets up, once they are trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tuf-maker.h"

#define HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void add_target(Maker *m, const char *name, json_t *hashes, json_t *custom) {
        json_t *entry = json_pack("{s:i, s:o}", "length", 3, "hashes", hashes);

        if (custom)
                json_object_set_new(entry, "custom", custom);
        json_object_set_new(json_object_get(m->content[TUF_TARGETS], "targets"), name, entry);
}

static json_t *sha256(void) {
        return json_pack("{s:s}", "sha256", HEX);
}

static int count(const TufTarget *target, void *userdata) {
        unsigned *n = userdata;

        assert_non_null(target->name);
        (*n)++;
        return 0;
}

static int stop(const TufTarget *target, void *userdata) {
        unsigned *n = userdata;

        (*n)++;
        return -ECANCELED;
}

static void target_is_found_with_what_belongs_to_it(void **state) {
        Maker *m = *state;
        TufTarget t;
        Sha256 digest;

        add_target(m, "m/1/a.bin", sha256(), json_pack("{s:i}", "x", 7));
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(updater_find_target(m->updater, "m/1/a.bin", &t), 0);
        assert_string_equal(t.name, "m/1/a.bin");
        assert_int_equal(t.length, 3);
        assert_int_equal(sha256_of("abc", 3, &digest), 0);
        assert_true(sha256_equal(&t.digest, &digest));
        assert_int_equal(json_integer_value(json_object_get(t.custom, "x")), 7);
        assert_int_equal(updater_find_target(m->updater, "m/1", &t), -ENOENT);
        assert_int_equal(updater_find_target(m->updater, "", &t), -ENOENT);
}

static void target_without_sha256_is_left_out(void **state) {
        Maker *m = *state;
        unsigned n = 0;
        TufTarget t;

        add_target(m, "m/1/a.bin", sha256(), NULL);
        add_target(m, "m/1/b.bin", json_pack("{s:s}", "md5", "00"), NULL);
        add_target(m, "m/1/c.bin", json_pack("{s:s}", "sha256", "00"), NULL);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(updater_find_target(m->updater, "m/1/b.bin", &t), -ENOENT);
        assert_int_equal(updater_find_target(m->updater, "m/1/c.bin", &t), -ENOENT);
        assert_int_equal(updater_foreach_target(m->updater, count, &n), 0);
        assert_int_equal(n, 1);
}

static void walk_stops_when_it_is_told_to(void **state) {
        Maker *m = *state;
        unsigned n = 0;

        add_target(m, "a", sha256(), NULL);
        add_target(m, "b", sha256(), NULL);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(updater_foreach_target(m->updater, stop, &n), -ECANCELED);
        assert_int_equal(n, 1);
}

static void path_carries_the_digest_before_the_file(void **state) {
        static const struct {
                const char *name, *path;
        } cases[] = {
                { "m/1.0+b~1/a.bin", "m/1.0+b~1/" HEX ".a.bin" },
                { "a.bin", HEX ".a.bin" },
                { "m/..x/a", "m/..x/" HEX ".a" },
                { "/a", NULL },
                { "m//a", NULL },
                { "m/../a", NULL },
                { "./a", NULL },
                { "m/..", NULL },
                { "m/", NULL },
                { "", NULL },
        };
        Maker *m = *state;

        maker_expect(m, UPDATER_OK, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                TufTarget t = { .name = cases[i].name, .has_sha256 = true };
                char *path = NULL;

                assert_int_equal(sha256_of("abc", 3, &t.digest), 0);
                assert_int_equal(updater_target_path(m->updater, &t, &path),
                                cases[i].path ? 0 : -EBADMSG);
                if (cases[i].path)
                        assert_string_equal(path, cases[i].path);
                free(path);
        }
}

static void path_is_the_name_without_consistent_snapshots(void **state) {
        TufTarget t = { .name = "m/1/a.bin" };
        Maker *m = *state;
        char *path = NULL;

        json_object_set_new(m->content[TUF_ROOT], "consistent_snapshot", json_false());
        maker_publish(m, TUF_ROOT);
        maker_publish(m, TUF_TARGETS);
        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(updater_target_path(m->updater, &t, &path), 0);
        assert_string_equal(path, "m/1/a.bin");
        free(path);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, maker_set_up, maker_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(target_is_found_with_what_belongs_to_it),
                TEST(target_without_sha256_is_left_out),
                TEST(walk_stops_when_it_is_told_to),
                TEST(path_carries_the_digest_before_the_file),
                TEST(path_is_the_name_without_consistent_snapshots),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

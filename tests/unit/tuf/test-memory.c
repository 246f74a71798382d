/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Nth allocation fails, for every N, in a whole refresh and in reading the release that it
 * brings: nothing crashes, nothing leaks (the sanitizer's part), no failure is taken for a bad
 * signature, and in the end it works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph.h"
#include "image/release.h"

#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define LOOPS_MAX  20000

static unsigned long countdown; /* 0: none fails */
static bool fired;

static bool fails(void) {
        if (countdown == 0 || --countdown > 0)
                return false;
        fired = true;
        return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
char *__real_strdup(const char *s);
void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_malloc(size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
char *__wrap_strdup(const char *s);
json_t *__real_json_loadb(const char *bytes, size_t n, size_t flags, json_error_t *ret_error);
json_t *__wrap_json_loadb(const char *bytes, size_t n, size_t flags, json_error_t *ret_error);

void *__wrap_malloc(size_t n) {
        return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
        return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size) {
        return fails() ? NULL : __real_reallocarray(p, n, size);
}

char *__wrap_strdup(const char *s) {
        return fails() ? NULL : __real_strdup(s);
}

/* Left out: jansson 2.14 does not notice when it cannot grow the text of a string that it reads,
 * and goes on with a shorter one. Of signed metadata that is a bad signature: refused, but not
 * to be told apart. */
json_t *__wrap_json_loadb(const char *bytes, size_t n, size_t flags, json_error_t *ret_error) {
        unsigned long paused = countdown;
        json_t *o;

        countdown = 0;
        o = __real_json_loadb(bytes, n, flags, ret_error);
        countdown = paused;
        return o;
}

static void arm(unsigned long n) {
        fired = false;
        countdown = n;
}

static int set_up(void **state) {
        static const char custom[] =
                        "{\"rekindle\":{\"format\":1,\"model\":\"m\",\"version\":\"2\",\"hardware\":[\"A\"],"
                        "\"image\":{\"length\":3,\"sha256\":\"" ABC_SHA256
                        "\",\"parts\":[{\"offset\":0,"
                        "\"length\":3,\"sha256\":\"" ABC_SHA256
                        "\"}]},\"encoding\":\"zstd\",\"floor\":\"1\","
                        "\"requires\":[{\"model\":\"p\",\"min-version\":\"1\"}],\"notes\":\"n\"}}";
        json_t *o = NULL;
        Maker *m;

        json_set_alloc_funcs(__wrap_malloc, free);
        if (maker_set_up(state) < 0 || json_parse(custom, strlen(custom), &o, NULL) < 0)
                return -1;
        m = *state;
        json_object_set_new(json_object_get(m->content[TUF_TARGETS], "targets"), "m/2/a",
                        json_pack("{s:i, s:{s:s}, s:o}", "length", 3, "hashes", "sha256",
                                        ABC_SHA256, "custom", o));
        maker_publish(m, TUF_ROOT);
        maker_publish(m, TUF_TARGETS);
        return 0;
}

static void refresh_survives_each_failure(void **state) {
        Maker *m = *state;
        unsigned long n = 0;
        UpdaterError e;

        do {
                json_object_clear(m->local);
                json_object_set(m->local, "root.json", json_object_get(m->files, "1.root.json"));
                arm(++n);
                e = maker_refresh(m);
                countdown = 0;
                if (e == UPDATER_E_SIGNATURE || e == UPDATER_E_VERSION || e == UPDATER_E_EXPIRED)
                        fail_msg("allocation %lu: %s", n, m->why.text);
                assert_true(e == UPDATER_OK || fired);
                assert_true(n < LOOPS_MAX);
        } while (fired);
        print_message("%lu allocations\n", n);
        assert_true(n > 50);
}

/* The refresh of the fixture is good; then a survey and a search, with the Nth failure. */
static bool walk(Maker *m, unsigned long n) {
        static const char *const folders[] = { "team" };
        TufTarget t;
        bool found;

        json_object_clear(m->local);
        json_object_set(m->local, "root.json", json_object_get(m->files, "1.root.json"));
        maker_expect(m, UPDATER_OK, NULL);
        arm(n);
        if (updater_survey(m->updater, folders, 1) < 0 || maker_run(m) != UPDATER_OK ||
                        updater_look_up(m->updater, "team/1/a") < 0 || maker_run(m) != UPDATER_OK) {
                countdown = 0;
                return false;
        }
        found = updater_find_target(m->updater, "team/1/a", &t) == 0;
        countdown = 0;
        if (!found && updater_missing(m->updater, "team/1/a", &m->why) == UPDATER_E_SIGNATURE)
                fail_msg("allocation %lu: %s", n, m->why.text);
        return found;
}

static void walk_survives_each_failure(void **state) {
        Maker *m = *state;
        unsigned long n = 0;

        graph_delegate(m, "targets", "A", "team/*/*", 6);
        graph_delegate(m, "A", "B", "team/*/*", 7);
        graph_add_target(m, "B", "team/1/a");
        graph_publish(m);
        do {
                bool found = walk(m, ++n);

                assert_true(found || fired);
                assert_true(n < LOOPS_MAX);
        } while (fired);
        print_message("%lu allocations\n", n);
        assert_true(n > 40);
}

static int read_release(const TufTarget *t, Release **ret) {
        Release *release = NULL, *copy;
        json_t *custom;
        int r;

        r = release_parse(t->name, t->length, &t->digest, t->custom, &release, NULL);
        if (r < 0)
                return r;
        copy = release_copy(release);
        release_free(release);
        if (!copy)
                return -ENOMEM;
        custom = release_to_custom(copy);
        if (!custom) {
                release_free(copy);
                return -ENOMEM;
        }
        json_decref(custom);
        *ret = copy;
        return 0;
}

static void release_survives_each_failure(void **state) {
        Maker *m = *state;
        Release *release = NULL;
        unsigned long n = 0;
        TufTarget t;
        int r;

        maker_expect(m, UPDATER_OK, NULL);
        assert_int_equal(updater_find_target(m->updater, "m/2/a", &t), 0);
        do {
                arm(++n);
                r = read_release(&t, &release);
                countdown = 0;
                assert_true(r == 0 || r == -ENOMEM);
                assert_true(n < LOOPS_MAX);
        } while (r < 0);
        print_message("%lu allocations\n", n);
        assert_true(n > 30);
        release_free(release);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, maker_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(refresh_survives_each_failure),
                TEST(walk_survives_each_failure),
                TEST(release_survives_each_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The survey: all targets of some folders through delegated roles, as single searches would find
 * them. */
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

static int note(const TufTarget *target, void *userdata) {
        char *list = userdata;
        size_t n = strlen(list);

        (void)snprintf(list + n, 1024 - n, "%s=%s ", target->name, target->role);
        return 0;
}

static void expect_targets(Maker *m, const char *list) {
        char got[1024] = "";

        assert_int_equal(updater_foreach_target(m->updater, note, got), 0);
        assert_string_equal(got, list);
}

static void only_roles_that_reach_the_folders_are_asked_for(void **state) {
        Maker *m = *state;

        graph_delegate(m, "targets", "boilers", "boiler*/*/*", KEY);
        graph_delegate(m, "targets", "panels", "panel/*/*", KEY);
        graph_delegate(m, "boilers", "b2", "boiler-2/*/*", KEY);
        graph_delegate(m, "boilers", "b3", "boiler-3/*/*", KEY);
        graph_add_target(m, "targets", "pump/1/a");
        graph_add_target(m, "boilers", "boiler-2/1/a");
        graph_add_target(m, "boilers", "panel/1/a"); /* not theirs */
        graph_add_target(m, "b2", "boiler-2/2/a");
        graph_add_target(m, "panels", "panel/9/a");
        graph_publish(m);
        graph_survey(m, "boiler-2", "boilers b2 ");
        expect_targets(m, "pump/1/a=targets boiler-2/1/a=boilers boiler-2/2/a=b2 ");
        assert_true(updater_is_partial(m->updater));
        graph_survey(m, "boiler-2 panel boiler-3", "b3 panels ");
        assert_false(updater_is_partial(m->updater));
        graph_survey(m, NULL, "");
        assert_false(updater_is_partial(m->updater));
        graph_survey(m, "", "");
        assert_true(updater_is_partial(m->updater));
}

static void survey_finds_what_single_searches_find(void **state) {
        Maker *m = *state;

        graph_delegate(m, "targets", "A", "m/*!", KEY);
        graph_delegate(m, "targets", "B", "m/* n/*", KEY);
        graph_add_target(m, "A", "m/1");
        graph_add_target(m, "B", "m/1"); /* A comes first */
        graph_add_target(m, "B", "m/2"); /* A ends the search */
        graph_add_target(m, "B", "n/1");
        graph_publish(m);
        graph_survey(m, "m n", "A B ");
        expect_targets(m, "m/1=A n/1=B ");
}

static void refused_role_takes_only_its_own_along(void **state) {
        const char *role;
        Maker *m = *state;
        const Why *w;

        graph_delegate(m, "targets", "A", "a/*", KEY);
        graph_delegate(m, "targets", "B", "a/* b/*", KEY);
        graph_add_target(m, "A", "a/1");
        graph_add_target(m, "B", "a/2");
        graph_add_target(m, "B", "b/1");
        graph_publish(m);
        graph_write(m, "A", OTHER);
        graph_survey(m, "a b", "A B ");
        expect_targets(m, "b/1=B "); /* the search for a/2 ends at A */
        assert_true(updater_refusal(m->updater, 0, &role, &w));
        assert_string_equal(role, "A");
        assert_non_null(strstr(w->text, "TUF 5.6.3"));
}

static void role_with_two_delegators_needs_one_that_vouches(void **state) {
        Maker *m = *state;

        graph_delegate(m, "targets", "A", "a/*", KEY);
        graph_delegate(m, "targets", "B", "b/*", KEY);
        graph_delegate(m, "A", "C", "*/*", KEY);
        graph_delegate(m, "B", "C", "*/*", OTHER);
        json_object_set_new(m->role_keys, "C", json_integer(KEY));
        graph_add_target(m, "C", "a/1");
        graph_add_target(m, "C", "b/1");
        graph_publish(m);
        graph_survey(m, NULL, "A C B ");
        expect_targets(m, "a/1=C ");
}

static void bins_are_surveyed_when_they_are_few(void **state) {
        static const char *const bins[] = { "bin-0", "bin-1", "bin-2", "bin-3" };
        Maker *m = *state;

        graph_delegate_bins(m, "targets", "bin", 2, KEY);
        for (size_t i = 0; i < ELEMENTSOF(bins); i++) {
                graph_add_target(m, bins[i], "m/x"); /* 2 bits of its digest name the bin */
                json_object_set_new(m->role_keys, bins[i], json_integer(KEY));
        }
        graph_publish(m);
        graph_survey(m, "m", "bin-0 bin-1 bin-2 bin-3 ");
        expect_targets(m, "m/x=bin-3 ");
        assert_false(updater_is_cut(m->updater));
}

static void bins_without_end_are_not_begun(void **state) {
        Maker *m = *state;

        graph_delegate_bins(m, "targets", "bin", 32, KEY);
        graph_publish(m);
        graph_survey(m, "m", "");
        assert_true(updater_is_cut(m->updater));
}

static void survey_ends_after_a_number_of_roles(void **state) {
        Maker *m = *state;
        unsigned n = 0;

        for (unsigned i = 0; i < TUF_EDGES_MAX + 2; i++) {
                char role[16];

                (void)snprintf(role, sizeof(role), "r%u", i);
                graph_delegate(m, "targets", role, "m/*", KEY);
        }
        graph_add_target(m, "r0", "m/1");
        graph_add_target(m, "targets", "m/2");
        graph_publish(m);
        maker_expect(m, UPDATER_OK, NULL);
        m->requests[0] = '\0';
        assert_int_equal(updater_survey(m->updater, NULL, 0), 0);
        assert_int_equal(maker_run(m), UPDATER_OK);
        for (const char *p = m->requests; (p = strchr(p, ' ')); p++)
                n++;
        assert_int_equal(n, TUF_EDGES_MAX);
        assert_true(updater_is_cut(m->updater));
        expect_targets(m, "m/2=targets m/1=r0 ");
}

/* A team that makes everybody work: what is ahead in the order is found, the rest is not, and it
 * ends. */
static void work_of_matching_is_bounded(void **state) {
        char *slow = malloc(5000), *name = malloc(40000);
        Maker *m = *state;
        TufTarget t;

        memset(slow, 'a', 4000);
        slow[0] = '*';
        (void)strcpy(slow + 4000, "b");
        memset(name, 'a', 39999);
        name[39999] = '\0';
        graph_delegate(m, "targets", "first", "m/*", KEY);
        graph_delegate(m, "targets", "slow", slow, KEY);
        graph_delegate(m, "targets", "last", "*", KEY);
        graph_add_target(m, "first", "m/1");
        graph_add_target(m, "last", name);
        graph_publish(m);
        graph_survey(m, NULL, "first slow last ");
        expect_targets(m, "m/1=first ");
        assert_int_equal(updater_find_target(m->updater, name, &t), -ENOENT);
        (void)updater_missing(m->updater, name, &m->why);
        assert_true(startswith(m->why.text, "TUF 5.6.7.1: "));
        free(slow);
        free(name);
}

static void files_of_roles_that_are_gone_are_told_apart(void **state) {
        Maker *m = *state;

        graph_delegate(m, "targets", "a/b", "*", KEY);
        graph_publish(m);
        maker_expect(m, UPDATER_OK, NULL);
        assert_true(updater_is_listed(m->updater, "a%2Fb.json"));
        assert_true(updater_is_listed(m->updater, "root.json"));
        assert_true(updater_is_listed(m->updater, "snapshot.json"));
        assert_false(updater_is_listed(m->updater, "a.json"));
        assert_false(updater_is_listed(m->updater, "roots.json"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, maker_set_up, maker_tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(only_roles_that_reach_the_folders_are_asked_for),
                TEST(survey_finds_what_single_searches_find),
                TEST(refused_role_takes_only_its_own_along),
                TEST(role_with_two_delegators_needs_one_that_vouches),
                TEST(bins_are_surveyed_when_they_are_few),
                TEST(bins_without_end_are_not_begun),
                TEST(survey_ends_after_a_number_of_roles),
                TEST(work_of_matching_is_bounded),
                TEST(files_of_roles_that_are_gone_are_told_apart),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running detection from the gateway's side: what is evidence against a program, and what is
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "update-fixture.h"

#define CAUSE_POWER 0
#define CAUSE_CRASH 5

static bool is_watched(World *w, void *userdata) {
        const Update *u = w->device->update;

        return u && u->state == UPDATE_TRIAL && !u->entering && u->trial_seen;
}

/* Until the candidate runs and was heard to be healthy. */
static void watch(World *w) {
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        w->patient = true;
        world_until(w, is_watched, NULL);
}

static bool has_noticed(World *w, void *userdata) {
        const Update *u = w->device->update;

        return !u || u->state != UPDATE_TRIAL || u->trial_boots == w->unit.id.boots;
}

/* It starts again, and is healthy again when it is asked next. */
static void start_again(World *w, unsigned cause) {
        w->unit.id.boots++;
        w->unit.id.reset_cause = cause;
        while (!has_noticed(w, NULL)) {
                if (w->device->update->timer)
                        (void)sd_event_source_set_time_relative(w->device->update->timer, 0);
                world_turns(w, 1);
        }
}

static bool is_candidate_bad(World *w) {
        Sha256 digest;

        program_digest(PROGRAM_CANDIDATE, &digest);
        return record_is_bad(w->device->record, &digest);
}

static void end(World *w) {
        w->patient = false;
        world_until_over(w);
}

static void three_crashes_are_forgiven(void **state) {
        World *w = *state;

        watch(w);
        for (unsigned i = 0; i < 3; i++)
                start_again(w, CAUSE_CRASH);
        end(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

static void the_fourth_crash_is_evidence(void **state) {
        World *w = *state;

        watch(w);
        for (unsigned i = 0; i < 4; i++)
                start_again(w, CAUSE_CRASH);
        end(w);
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
        assert_true(is_candidate_bad(w));
}

static void a_plug_that_is_pulled_is_no_evidence(void **state) {
        World *w = *state;

        watch(w);
        for (unsigned i = 0; i < 6; i++)
                start_again(w, CAUSE_POWER);
        end(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
        assert_false(is_candidate_bad(w));
}

static bool is_waiting(World *w, void *userdata) {
        return w->device->update->state == UPDATE_WAITING;
}

/* Each crash takes the line down with it: it is counted all the same. */
static void crashes_are_counted_across_waits(void **state) {
        const Script gone = { .op = DRIVER_IDENTIFY, .code = DRIVER_E_PROTOCOL, .silent = true };
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        w->unit.id.reset_cause = CAUSE_CRASH;
        for (unsigned i = 0; i < 4; i++) {
                w->patient = true;
                world_until(w, is_watched, NULL);
                unit_script(&w->unit, &gone);
                w->unit.id.boots++;
                w->patient = false;
                world_until(w, is_waiting, NULL);
        }
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
        assert_true(is_candidate_bad(w));
}

static bool was_asked(World *w, void *userdata) {
        const Update *u = w->device->update;

        return u && u->state == UPDATE_TRIAL && u->trial_limit_usec > 0;
}

/* It ends each time before it can be asked; the bootloader answers. */
static void watch_bootloader(World *w, unsigned starts_between) {
        const Script lost = { .op = DRIVER_START, .heard = true, .times = 100 };

        unit_script(&w->unit, &lost);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        w->patient = true;
        world_until(w, was_asked, NULL);
        w->unit.id.state = DEVICE_TRIAL;
        w->unit.id.reset_cause = CAUSE_CRASH;
        for (unsigned i = 0; i < 10 && w->device->update->state == UPDATE_TRIAL; i++) {
                w->unit.id.boots += starts_between;
                if (w->device->update->timer)
                        (void)sd_event_source_set_time_relative(w->device->update->timer, 0);
                world_turns(w, 5);
        }
}

static void starts_that_only_the_bootloader_tells_of_are_evidence(void **state) {
        World *w = *state;

        watch_bootloader(w, 2);
        w->unit.n_scripts = 0;
        end(w);
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
        assert_true(is_candidate_bad(w));
}

static void a_bootloader_that_does_not_start_it_is_none(void **state) {
        World *w = *state;

        watch_bootloader(w, 0);
        assert_int_equal(w->device->update->state, UPDATE_TRIAL);
        w->unit.n_scripts = 0;
        end(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
        assert_false(is_candidate_bad(w));
}

static void the_same_version_in_other_words_is_the_same(void **state) {
        World *w = *state;

        watch(w);
        (void)snprintf(w->unit.id.version, sizeof(w->unit.id.version), "v1.2");
        end(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

static void another_version_is_evidence(void **state) {
        World *w = *state;

        watch(w);
        (void)snprintf(w->unit.id.version, sizeof(w->unit.id.version), "1.3.0");
        end(w);
        assert_true(is_candidate_bad(w));
}

static void another_digest_is_evidence(void **state) {
        World *w = *state;

        watch(w);
        program_digest(PROGRAM_PREVIOUS, &w->unit.id.digest);
        end(w);
        assert_true(is_candidate_bad(w));
}

static void silence_is_no_evidence(void **state) {
        World *w = *state;

        watch(w);
        w->unit.off = true;
        w->patient = false;
        world_until(w, is_waiting, NULL);
        world_turns(w, 200);
        assert_false(is_candidate_bad(w));
        w->unit.off = false;
        end(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(three_crashes_are_forgiven),
                TEST(the_fourth_crash_is_evidence),
                TEST(a_plug_that_is_pulled_is_no_evidence),
                TEST(crashes_are_counted_across_waits),
                TEST(starts_that_only_the_bootloader_tells_of_are_evidence),
                TEST(a_bootloader_that_does_not_start_it_is_none),
                TEST(the_same_version_in_other_words_is_the_same),
                TEST(another_version_is_evidence),
                TEST(another_digest_is_evidence),
                TEST(silence_is_no_evidence),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

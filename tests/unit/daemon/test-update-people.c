/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people ask for, in the middle of what goes on by itself: it is done, or refused with a
 * word, and never waits in silence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "update-fixture.h"

static void assert_runs(World *w, Program p) {
        Sha256 digest;

        program_digest(p, &digest);
        assert_true(sha256_equal(&w->unit.id.digest, &digest));
        assert_int_equal(w->unit.id.state, DEVICE_CONFIRMED);
}

static bool has_update(World *w, void *userdata) {
        return w->device->update != NULL;
}

static void hold(World *w, bool on) {
        Why text;

        assert_int_equal(device_request_hold(w->device, on, &text), OUTCOME_DONE);
}

static bool was_pushed(World *w, void *userdata) {
        return w->unit.asked[DRIVER_PUSH] == *(unsigned *)userdata;
}

/* ---- hold ---- */

static void what_a_person_asks_for_under_hold_is_refused(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        hold(w, true);
        assert_int_equal(device_request_restore(w->device, &text), OUTCOME_WAIT_HOLD);
        assert_int_equal(device_request_update(w->device, NULL, &text), OUTCOME_NO_RELEASE);
        w->device->record->backup = (RecordImage){};
        assert_int_equal(device_request_adopt(w->device, &text), OUTCOME_WAIT_HOLD);
        assert_non_null(strstr(text.text, "rekindlectl unhold boiler"));
        assert_null(w->device->update);
}

/* Decided before the hold, and not begun: it can be taken back. */
static void a_held_push_that_has_not_begun_can_be_canceled(void **state) {
        World *w = *state;
        Why text;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_PUSHING);
        hold(w, true);
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(device_request_cancel(w->device, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_CANCELED), 1);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
}

static void a_push_to_a_device_that_went_silent_can_be_canceled(void **state) {
        World *w = *state;
        Why text;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_PUSHING);
        w->unit.off = true;
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(w->device->update->resume, UPDATE_PUSHING);
        assert_int_equal(device_request_cancel(w->device, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
}

/* Nobody knows how far a push came that was under way when the gateway lost its power. */
static void a_push_of_a_former_run_cannot_be_canceled(void **state) {
        World *w = *state;
        Why text;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_PUSHING);
        world_stop(w);
        w->unit.off = true;
        world_start(w);
        assert_int_equal(device_request_cancel(w->device, &text), OUTCOME_TOO_LATE);
}

static void a_hold_stops_a_restore_that_has_not_begun(void **state) {
        World *w = *state;
        unsigned one = 1;

        w->unit.health = DEVICE_HEALTH_SICK;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until(w, was_pushed, &one);
        world_until_state(w, UPDATE_RESTORING);
        w->unit.health = DEVICE_HEALTH_HEALTHY;
        world_until_state(w, UPDATE_PUSHING);
        hold(w, true);
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(w->device->update->wait, OUTCOME_WAIT_HOLD);
        assert_int_equal(w->device->update->tries[ROLE_BACKUP], 0);
        world_turns(w, 50);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
        hold(w, false);
        world_until_over(w);
        assert_runs(w, PROGRAM_BACKUP);
}

static void a_requested_restore_that_is_held_can_be_canceled(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        assert_int_equal(device_request_restore(w->device, &text), OUTCOME_DONE);
        world_until_state(w, UPDATE_PUSHING);
        hold(w, true);
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(device_request_cancel(w->device, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
}

/* The power went in the first write of the record of its life: the push has begun, and is
 * finished. */
static void a_hold_finishes_a_push_that_was_cut_at_its_first_write(void **state) {
        const Script cut = {
                .op = DRIVER_PUSH, .code = DRIVER_E_NO_ANSWER, .heard = true, .erased = true
        };
        World *w = *state;
        unsigned two = 2;

        unit_script(&w->unit, &cut);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_WAITING);
        w->unit.id.state = DEVICE_PUSHING;
        w->unit.id.in_bootloader = true;
        w->unit.id.push_id = 0;
        w->unit.confirmed = false;
        hold(w, true);
        world_until(w, was_pushed, &two);
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(w->device->update->resume, UPDATE_TRIAL);
}

/* ---- what a person chose ---- */

static const Program both[] = { PROGRAM_BACKUP, PROGRAM_CANDIDATE, PROGRAM_NONE };

static void request(World *w, const char *version) {
        Why text;

        if (device_request_update(w->device, version, &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        world_until_over(w);
}

static void an_older_version_that_was_asked_for_stays(void **state) {
        World *w = *state;

        world_turns(w, 20);
        world_offer(w, both);
        world_until(w, has_update, NULL);
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
        request(w, "1.1.0");
        assert_runs(w, PROGRAM_BACKUP);
        world_turns(w, 100);
        world_restart(w);
        world_offer(w, both);
        world_turns(w, 100);
        assert_runs(w, PROGRAM_BACKUP);
        assert_int_equal(w->device->verdict.outcome, OUTCOME_PASSED_OVER);
        assert_string_equal(w->device->record->passed_over, "1.2.0");
        request(w, NULL);
        assert_runs(w, PROGRAM_CANDIDATE);
        assert_string_equal(w->device->record->passed_over, "");
}

static void a_newer_release_than_the_choice_is_installed(void **state) {
        const Program older[] = { PROGRAM_PREVIOUS, PROGRAM_BACKUP, PROGRAM_NONE };
        World *w = *state;

        world_turns(w, 20);
        world_offer(w, older);
        world_turns(w, 20);
        request(w, "1.0.0");
        assert_runs(w, PROGRAM_PREVIOUS);
        assert_string_equal(w->device->record->passed_over, "1.1.0");
        world_offer(w, both);
        world_until(w, has_update, NULL);
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
        assert_string_equal(w->device->record->passed_over, "");
}

/* The choice failed; what runs is upgraded as ever. */
static void a_choice_that_fails_its_trial_binds_nobody(void **state) {
        const Program older[] = { PROGRAM_PREVIOUS, PROGRAM_BACKUP, PROGRAM_NONE };
        World *w = *state;

        world_turns(w, 20);
        world_offer(w, older);
        world_turns(w, 20);
        w->unit.sick[PROGRAM_PREVIOUS] = true;
        request(w, "1.0.0");
        assert_runs(w, PROGRAM_BACKUP);
        assert_string_equal(w->device->record->passed_over, "");
}

static void cancel_one(World *w) {
        Why text;

        world_until(w, has_update, NULL);
        assert_int_equal(device_request_cancel(w->device, &text), OUTCOME_DONE);
        world_until_over(w);
}

static void what_was_canceled_stays_away_until_it_is_asked_for(void **state) {
        World *w = *state;

        world_turns(w, 20);
        world_offer(w, both);
        cancel_one(w);
        w->device->retry_usec = 0;
        world_turns(w, 100);
        world_restart(w);
        world_offer(w, both);
        world_turns(w, 100);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        assert_int_equal(w->device->verdict.outcome, OUTCOME_PASSED_OVER);
        request(w, NULL);
        assert_runs(w, PROGRAM_CANDIDATE);
}

static void an_approval_is_used_up_by_its_update(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        assert_int_equal(device_request_approve(
                                         w->device, program_versions[PROGRAM_CANDIDATE], &text),
                        OUTCOME_DONE);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
        assert_string_equal(w->device->record->approved, "");
}

static void what_was_canceled_is_no_longer_approved(void **state) {
        World *w = *state;
        Why text;

        w->manager->config->ask = true;
        world_turns(w, 20);
        world_offer(w, both);
        world_turns(w, 20);
        assert_int_equal(device_request_approve(w->device, NULL, &text), OUTCOME_DONE);
        cancel_one(w);
        w->device->retry_usec = 0;
        world_turns(w, 100);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        assert_int_equal(device_request_approve(w->device, "1.2.0", &text), OUTCOME_DONE);
        world_until(w, has_update, NULL);
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
}

static void a_canceled_adoption_stays_away_until_it_is_asked_for(void **state) {
        World *w = *state;
        Why text;

        world_lose(w, PROGRAM_CANDIDATE);
        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_UNMANAGED);
        cancel_one(w);
        w->device->retry_usec = 0;
        world_turns(w, 100);
        assert_int_equal(w->unit.asked[DRIVER_READ_BACK], 0);
        assert_int_equal(device_request_adopt(w->device, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_READ_BACK], 1);
        assert_string_equal(w->device->record->backup.version, "1.2.0");
}

/* ---- what nobody can do ---- */

static void a_line_that_is_missing_is_not_handed_over(void **state) {
        World *w = *state;
        char path[128];
        Why text;

        w->port_keys = "Mode=on-demand";
        world_restart(w);
        assert_int_equal(manager_release_port(w->manager, "line", &text), OUTCOME_NOT_RUNNING);
        port_want(w->device->port->port);
        (void)snprintf(path, sizeof(path), "%s/line", w->path);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(manager_release_port(w->manager, "line", &text), OUTCOME_PORT_FAILED);
        assert_non_null(strstr(text.text, "No such file"));
        assert_int_equal(manager_release_port(w->manager, "other", &text), OUTCOME_UNKNOWN_PORT);
}

/* ---- the day's pushes ---- */

static void use_up_the_day(World *w) {
        w->manager->config->pushes_per_day = 1;
        device_count_erase(w->device);
}

static void the_next_day_has_pushes_again(void **state) {
        const Program offer[] = { PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;
        uint64_t due, now;

        world_turns(w, 20);
        use_up_the_day(w);
        world_offer(w, offer);
        world_turns(w, 50);
        assert_int_equal(w->device->verdict.outcome, OUTCOME_WAIT_PAUSE);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        assert_non_null(w->device->look_timer);
        assert_int_equal(sd_event_now(w->event, CLOCK_BOOTTIME, &now), 0);
        assert_int_equal(sd_event_source_get_time(w->device->look_timer, &due), 0);
        assert_in_range(due - now, 12 * 3600 * USEC_PER_SEC - 60 * USEC_PER_SEC,
                        12 * 3600 * USEC_PER_SEC + USEC_PER_SEC);
        w->patient = true; /* no answer of the device looks for us */
        w->now += 12 * 3600;
        assert_int_equal(sd_event_source_set_time(w->device->look_timer, 0), 0);
        world_until(w, has_update, NULL);
}

/* It was counted in a future that has gone: it bounds nothing. */
static void a_clock_that_was_set_back_does_not_block(void **state) {
        const Program offer[] = { PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;

        world_turns(w, 20);
        w->now += 1000 * 24 * 3600;
        use_up_the_day(w);
        w->now = 5; /* 1970 */
        world_offer(w, offer);
        world_until(w, has_update, NULL);
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
        assert_int_equal(w->device->record->erase_day, 0);
        assert_int_equal(w->device->record->erases, 1);
}

/* The last push of the day was that of a program that does not run. */
static void the_way_back_from_a_push_is_not_bounded_by_the_day(void **state) {
        World *w = *state;

        world_turns(w, 20);
        use_up_the_day(w);
        w->device->record->erases--;
        w->unit.sick[PROGRAM_CANDIDATE] = true;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 2);
        assert_runs(w, PROGRAM_BACKUP);
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
}

static void what_a_person_asks_for_is_not_bounded_by_the_day(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        use_up_the_day(w);
        assert_int_equal(device_request_restore(w->device, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
        assert_int_equal(world_results(w, OUTCOME_RESTORED_BY_REQUEST), 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(what_a_person_asks_for_under_hold_is_refused),
                TEST(a_held_push_that_has_not_begun_can_be_canceled),
                TEST(a_push_to_a_device_that_went_silent_can_be_canceled),
                TEST(a_push_of_a_former_run_cannot_be_canceled),
                TEST(a_hold_stops_a_restore_that_has_not_begun),
                TEST(a_requested_restore_that_is_held_can_be_canceled),
                TEST(a_hold_finishes_a_push_that_was_cut_at_its_first_write),
                TEST(an_older_version_that_was_asked_for_stays),
                TEST(a_newer_release_than_the_choice_is_installed),
                TEST(a_choice_that_fails_its_trial_binds_nobody),
                TEST(what_was_canceled_stays_away_until_it_is_asked_for),
                TEST(an_approval_is_used_up_by_its_update),
                TEST(what_was_canceled_is_no_longer_approved),
                TEST(a_canceled_adoption_stays_away_until_it_is_asked_for),
                TEST(a_line_that_is_missing_is_not_handed_over),
                TEST(the_next_day_has_pushes_again),
                TEST(a_clock_that_was_set_back_does_not_block),
                TEST(the_way_back_from_a_push_is_not_bounded_by_the_day),
                TEST(what_a_person_asks_for_is_not_bounded_by_the_day),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

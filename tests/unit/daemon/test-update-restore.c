/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way back: what is put back, what is never pushed over, whose push it is, and how it ends
 * where nothing helps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "basic/file.h"
#include "update-fixture.h"

/* The image in the store is no longer what it was. */
static void damage(World *w, Program p) {
        char name[SHA256_HEX];
        Sha256 digest;
        int fd;

        program_digest(p, &digest);
        sha256_to_hex(&digest, name);
        fd = openat(w->manager->images_fd, name, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(write_all(fd, "?", 1), 0);
        (void)close(fd);
}

static void assert_runs(World *w, Program p) {
        Sha256 digest;

        program_digest(p, &digest);
        assert_true(sha256_equal(&w->unit.id.digest, &digest));
        assert_int_equal(w->unit.id.state, DEVICE_CONFIRMED);
        assert_true(sha256_equal(&w->device->record->backup.digest, &digest));
}

static bool is_bad(World *w, Program p) {
        Sha256 digest;

        program_digest(p, &digest);
        return record_is_bad(w->device->record, &digest);
}

static bool was_pushed(World *w, void *userdata) {
        return w->unit.asked[DRIVER_PUSH] == *(unsigned *)userdata;
}

/* It runs and says that it is sick: the device stays on trial, its push stays open. */
static void fall_sick(World *w) {
        unsigned pushes = w->unit.asked[DRIVER_PUSH] + 1;

        w->unit.health = DEVICE_HEALTH_SICK;
        world_until(w, was_pushed, &pushes);
        world_until_state(w, UPDATE_RESTORING);
        w->unit.health = DEVICE_HEALTH_HEALTHY;
}

static void a_sick_candidate_is_bad_and_the_backup_runs_again(void **state) {
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        fall_sick(w);
        world_until_over(w);
        assert_runs(w, PROGRAM_BACKUP);
        assert_true(is_bad(w, PROGRAM_CANDIDATE));
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
}

/* That the gateway lost its image is no evidence of the device against it. */
static void a_backup_that_was_lost_is_not_bad(void **state) {
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        fall_sick(w);
        damage(w, PROGRAM_BACKUP);
        world_until_over(w);
        assert_runs(w, PROGRAM_PREVIOUS);
        assert_false(is_bad(w, PROGRAM_BACKUP));
        assert_int_equal(world_results(w, OUTCOME_RESTORED_PREVIOUS), 1);
        assert_false(w->device->record->foreign_push);
}

static void a_backup_that_no_longer_runs_is_bad(void **state) {
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        for (unsigned i = 0; i < 3; i++)
                fall_sick(w);
        world_until_over(w);
        assert_runs(w, PROGRAM_PREVIOUS);
        assert_true(is_bad(w, PROGRAM_BACKUP));
}

static void a_damaged_backup_is_found_before_the_first_erase(void **state) {
        World *w = *state;

        damage(w, PROGRAM_BACKUP);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        assert_int_equal(world_results(w, OUTCOME_NO_BACKUP), 1);
}

/* The power went while the first record of its life was written: nobody's push. */
static void a_push_cut_at_its_first_write_goes_on(void **state) {
        const Script cut = {
                .op = DRIVER_PUSH, .code = DRIVER_E_NO_ANSWER, .heard = true, .erased = true
        };
        World *w = *state;
        unsigned one = 1;

        unit_script(&w->unit, &cut);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until(w, was_pushed, &one);
        w->unit.id.state = DEVICE_PUSHING;
        w->unit.id.in_bootloader = true;
        w->unit.id.push_id = 0;
        w->unit.confirmed = false;
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
}

static void a_refused_push_leaves_what_runs(void **state) {
        const Script refuses = { .op = DRIVER_PUSH, .code = DRIVER_E_SIGNATURE, .heard = true };
        World *w = *state;

        unit_runs(&w->unit, PROGRAM_BACKUP, DEVICE_UNMANAGED); /* it was adopted */
        unit_script(&w->unit, &refuses);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
        assert_int_equal(world_results(w, OUTCOME_DEVICE_REFUSED), 1);
        assert_false(is_bad(w, PROGRAM_CANDIDATE));
}

/* Nothing was done, and nobody is told otherwise. */
static void a_restore_without_an_image_is_no_success(void **state) {
        World *w = *state;
        Update *u = world_update(w, UPDATE_RESTORE, UPDATE_RESTORING);

        damage(w, PROGRAM_BACKUP);
        damage(w, PROGRAM_PREVIOUS);
        u->by_request = true;
        world_begin(w, u);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 0);
        assert_int_equal(world_results(w, OUTCOME_STORE_FAILED), 1);
        assert_int_equal(w->device->record->stranded_since, 0);
        assert_int_equal(w->device->record->stranded_tries, 0);
}

static void a_device_that_cannot_be_confirmed_gets_its_backup(void **state) {
        const Script refuses = {
                .op = DRIVER_CONFIRM, .code = DRIVER_E_FLASH, .heard = true, .times = 3
        };
        World *w = *state;

        unit_script(&w->unit, &refuses);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_runs(w, PROGRAM_BACKUP);
        assert_false(is_bad(w, PROGRAM_CANDIDATE));
}

/* ---- a device without a past ---- */

static void make_blank(World *w) {
        w->device->record->backup = w->device->record->previous = w->device->record->running =
                        (RecordImage){};
        w->unit.id.state = DEVICE_EMPTY;
        w->unit.id.in_bootloader = true;
        w->unit.id.health = DEVICE_HEALTH_NONE;
        w->unit.id.push_id = 0;
        w->unit.confirmed = false;
        memset(&w->unit.id.digest, 0, sizeof(w->unit.id.digest));
}

static bool is_stranded(World *w, void *userdata) {
        return w->device->record->stranded_since > 0 && !w->device->update;
}

static bool is_confirmed(World *w, void *userdata) {
        return w->device->record->backup.known && !w->device->update;
}

static void the_next_lower_release_is_provisioned(void **state) {
        const Program offer[] = { PROGRAM_BACKUP, PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;

        make_blank(w);
        world_turns(w, 20);
        world_offer(w, offer);
        fall_sick(w);
        world_until(w, is_confirmed, NULL);
        assert_runs(w, PROGRAM_BACKUP);
        assert_true(is_bad(w, PROGRAM_CANDIDATE));
        assert_int_equal(world_results(w, OUTCOME_PROVISION_FAILED), 1);
        assert_false(w->device->record->foreign_push);
}

static void provisioning_without_a_release_left_strands_until_a_later_one(void **state) {
        const Program first[] = { PROGRAM_BACKUP, PROGRAM_NONE };
        const Program later[] = { PROGRAM_BACKUP, PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;

        make_blank(w);
        world_turns(w, 20);
        world_offer(w, first);
        fall_sick(w);
        world_until(w, is_stranded, NULL);
        world_turns(w, 50);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
        world_offer(w, later);
        world_until(w, is_confirmed, NULL);
        assert_runs(w, PROGRAM_CANDIDATE);
        assert_int_equal(w->device->record->stranded_since, 0);
        assert_int_equal(w->device->record->stranded_tries, 0);
}

static bool is_mended(World *w, void *userdata) {
        return w->device->record->stranded_since == 0;
}

static void a_stranded_device_is_mended_by_other_means(void **state) {
        const Program first[] = { PROGRAM_BACKUP, PROGRAM_NONE };
        World *w = *state;

        make_blank(w);
        world_turns(w, 20);
        world_offer(w, first);
        fall_sick(w);
        world_until(w, is_stranded, NULL);
        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_UNMANAGED);
        world_until(w, is_mended, NULL);
}

/* ---- stranded ---- */

static void strand(World *w) {
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        for (unsigned i = 0; i < 5; i++)
                fall_sick(w);
        w->patient = true;
        world_until_state(w, UPDATE_STRANDED);
}

/* Its last program says healthy now and then: no reason to push as often as it says so. */
static void a_stranded_device_that_wavers_is_left_to_the_pauses(void **state) {
        World *w = *state;

        strand(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 5);
        w->unit.id.health = DEVICE_HEALTH_HEALTHY;
        for (unsigned i = 0; i < 20; i++) {
                device_ask_soon(w->device, 0);
                world_turns(w, 5);
        }
        assert_int_equal(w->device->update->state, UPDATE_STRANDED);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 5);
}

static void what_was_given_up_and_runs_after_all_is_watched_not_pushed(void **state) {
        World *w = *state;

        strand(w);
        w->unit.id.health = DEVICE_HEALTH_HEALTHY;
        w->patient = false;
        world_until_over(w);
        assert_runs(w, PROGRAM_PREVIOUS);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 5);
        assert_int_equal(w->device->record->stranded_since, 0);
        assert_int_equal(w->device->record->stranded_tries, 0);
}

static void a_stranded_device_that_somebody_mended_is_left_alone(void **state) {
        World *w = *state;

        strand(w);
        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_CONFIRMED);
        w->unit.id.push_id = 4711;
        device_ask_soon(w->device, 0);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 5);
        assert_int_equal(w->device->record->stranded_since, 0);
        assert_int_equal(w->device->record->stranded_tries, 0);
}

/* ---- somebody else's push ---- */

static void open_foreign(World *w) {
        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_TRIAL);
        w->unit.id.push_id = 4711;
        w->unit.confirmed = false;
}

static bool is_foreign(World *w, void *userdata) {
        return w->device->record->foreign_push;
}

static bool waits_for_accept(World *w, void *userdata) {
        const Update *u = w->device->update;

        return u && u->state == UPDATE_WAITING && u->wait == OUTCOME_FOREIGN_PUSH && !u->entering;
}

static void what_somebody_else_has_on_trial_is_not_started(void **state) {
        World *w = *state;

        open_foreign(w);
        w->unit.id.in_bootloader = true;
        w->unit.id.health = DEVICE_HEALTH_NONE;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until(w, waits_for_accept, NULL);
        for (unsigned i = 0; i < 5; i++) {
                device_ask_soon(w->device, 0);
                world_turns(w, 20);
        }
        assert_int_equal(w->unit.asked[DRIVER_START], 0);
}

static void a_foreign_push_is_over_when_it_is_confirmed(void **state) {
        World *w = *state;

        open_foreign(w);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until(w, waits_for_accept, NULL);
        unit_runs(&w->unit, PROGRAM_BACKUP, DEVICE_CONFIRMED);
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

static void one_accept_is_enough(void **state) {
        World *w = *state;
        Why text;

        open_foreign(w);
        world_until(w, is_foreign, NULL);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        assert_int_equal(device_request_accept(w->device, &text), OUTCOME_DONE);
        world_turns(w, 5);
        world_until_over(w);
        assert_runs(w, PROGRAM_BACKUP);
        assert_false(w->device->record->foreign_push);
}

static void an_accepted_unit_ends_an_update_once(void **state) {
        World *w = *state;
        Why text;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_REPORTING);
        w->device->record->identity_changed = true;
        (void)snprintf(w->device->record->claimed_model, 65, "boiler-ctl");
        (void)snprintf(w->device->record->claimed_serial, 65, "SN-2");
        assert_int_equal(device_request_accept(w->device, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

/* The other gateway's program failed: whether it was ever confirmed cannot be seen, so this is
 * found out by one refused push, not by one each time that the device is asked. */
static void a_foreign_push_that_failed_is_tried_once(void **state) {
        const Script refuses = {
                .op = DRIVER_PUSH, .code = DRIVER_E_FOREIGN_PUSH, .heard = true, .times = 1000
        };
        World *w = *state;

        open_foreign(w);
        w->unit.id.state = DEVICE_FAILED;
        w->unit.id.in_bootloader = true;
        unit_script(&w->unit, &refuses);
        world_until(w, waits_for_accept, NULL);
        world_turns(w, 200);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
        assert_true(waits_for_accept(w, NULL));
}

static void what_was_not_heard_of_cannot_be_accepted(void **state) {
        World *w = *state;
        Why text;

        open_foreign(w);
        world_until(w, is_foreign, NULL);
        world_until_over(w);
        world_stop(w);
        w->unit.off = true;
        world_start(w);
        assert_int_equal(device_request_accept(w->device, &text), OUTCOME_WAIT_DEVICE);
}

/* ---- bounds ---- */

static void a_day_has_so_many_pushes(void **state) {
        const Program offer[] = { PROGRAM_BACKUP, PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;

        make_blank(w);
        world_turns(w, 20);
        w->manager->config->pushes_per_day = 1;
        world_offer(w, offer);
        fall_sick(w);
        world_until_over(w);
        world_turns(w, 100);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
        assert_int_equal(w->device->verdict.outcome, OUTCOME_WAIT_PAUSE);
        w->now += 24 * 3600;
        world_until(w, is_confirmed, NULL);
        assert_runs(w, PROGRAM_BACKUP);
}

static void a_program_that_the_bootloader_does_not_start_is_given_up(void **state) {
        const Script refuses = {
                .op = DRIVER_START, .code = DRIVER_E_STATE, .heard = true, .times = 20
        };
        World *w = *state;

        unit_script(&w->unit, &refuses);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_TRIAL);
        w->device->update->trial_limit_usec = 1; /* long ago */
        world_until_state(w, UPDATE_RESTORING);
        w->unit.n_scripts = 0;
        world_until_over(w);
        assert_runs(w, PROGRAM_BACKUP);
        assert_false(is_bad(w, PROGRAM_CANDIDATE));
}

/* ---- people ---- */

static void a_restore_that_has_not_begun_can_be_canceled(void **state) {
        World *w = *state;
        Why text;

        w->unit.off = true;
        assert_int_equal(device_request_restore(w->device, &text), OUTCOME_DONE);
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(device_request_cancel(w->device, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_CANCELED), 1);
}

static void a_hold_stops_a_push_that_has_not_begun(void **state) {
        World *w = *state;
        Why text;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_PUSHING);
        assert_int_equal(device_request_hold(w->device, true, &text), OUTCOME_DONE);
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(w->device->update->wait, OUTCOME_WAIT_HOLD);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        assert_int_equal(device_request_hold(w->device, false, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
}

/* ---- nobody waits where a device lies ---- */

static void a_waiting_update_gives_way_to_a_restore(void **state) {
        World *w = *state;

        w->device->record->hold = true;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_WAITING);
        w->device->update->wait = OUTCOME_WAIT_WINDOW;
        w->manager->config->window_from = 0;
        w->manager->config->window_to = 1;
        w->device->record->hold = false;
        w->unit.id.state = DEVICE_DAMAGED;
        w->unit.id.in_bootloader = true;
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_CANCELED), 1);
        world_turns(w, 5);
        world_until_over(w);
        assert_runs(w, PROGRAM_BACKUP);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_sick_candidate_is_bad_and_the_backup_runs_again),
                TEST(a_backup_that_was_lost_is_not_bad),
                TEST(a_backup_that_no_longer_runs_is_bad),
                TEST(a_damaged_backup_is_found_before_the_first_erase),
                TEST(a_push_cut_at_its_first_write_goes_on),
                TEST(a_refused_push_leaves_what_runs),
                TEST(a_restore_without_an_image_is_no_success),
                TEST(a_device_that_cannot_be_confirmed_gets_its_backup),
                TEST(the_next_lower_release_is_provisioned),
                TEST(provisioning_without_a_release_left_strands_until_a_later_one),
                TEST(a_stranded_device_is_mended_by_other_means),
                TEST(a_stranded_device_that_wavers_is_left_to_the_pauses),
                TEST(what_was_given_up_and_runs_after_all_is_watched_not_pushed),
                TEST(a_stranded_device_that_somebody_mended_is_left_alone),
                TEST(what_somebody_else_has_on_trial_is_not_started),
                TEST(a_foreign_push_is_over_when_it_is_confirmed),
                TEST(one_accept_is_enough),
                TEST(an_accepted_unit_ends_an_update_once),
                TEST(a_foreign_push_that_failed_is_tried_once),
                TEST(what_was_not_heard_of_cannot_be_accepted),
                TEST(a_day_has_so_many_pushes),
                TEST(a_program_that_the_bootloader_does_not_start_is_given_up),
                TEST(a_restore_that_has_not_begun_can_be_canceled),
                TEST(a_hold_stops_a_push_that_has_not_begun),
                TEST(a_waiting_update_gives_way_to_a_restore),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

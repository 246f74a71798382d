/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dead ends: a device that lies there without a program while one could be had, and a program
 * that is pushed for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/numbers.h"
#include "update-fixture.h"

static void assert_runs(World *w, Program p) {
        Sha256 digest;

        program_digest(p, &digest);
        assert_true(sha256_equal(&w->unit.id.digest, &digest));
        assert_int_equal(w->unit.id.state, DEVICE_CONFIRMED);
}

static void without_program(World *w, DeviceState state) {
        w->unit.id.state = state;
        w->unit.id.in_bootloader = true;
        w->unit.id.health = DEVICE_HEALTH_NONE;
        if (state == DEVICE_EMPTY) {
                w->unit.id.push_id = 0;
                w->unit.confirmed = false;
                memset(&w->unit.id.digest, 0, sizeof(w->unit.id.digest));
        }
}

static bool runs(World *w, void *userdata) {
        return !w->unit.id.in_bootloader && w->unit.id.state == DEVICE_CONFIRMED &&
               !w->device->update;
}

static bool is_stranded(World *w, void *userdata) {
        return w->device->record->stranded_since > 0;
}

static bool has_backup(World *w, void *userdata) {
        return w->device->record->backup.known && !w->device->update;
}

/* A programmer erased all of it, the record of its pushes too; nobody offers anything. */
static void an_erased_device_gets_its_backup(void **state) {
        World *w = *state;

        without_program(w, DEVICE_EMPTY);
        world_until(w, runs, NULL);
        assert_runs(w, PROGRAM_BACKUP);
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
}

/* The gateway lost what it kept; the server still has a program. */
static void a_device_whose_images_are_lost_gets_what_is_offered(void **state) {
        const Program offer[] = { PROGRAM_BACKUP, PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;

        world_lose(w, PROGRAM_BACKUP);
        world_lose(w, PROGRAM_PREVIOUS);
        without_program(w, DEVICE_FAILED);
        world_turns(w, 50);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        world_offer(w, offer);
        world_until(w, runs, NULL);
        assert_runs(w, PROGRAM_CANDIDATE);
}

/* They are lost while it is stranded: the update ends, and gives way to what is offered. */
static void a_stranded_device_whose_images_are_lost_gets_what_is_offered(void **state) {
        const Program offer[] = { PROGRAM_BACKUP, PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;

        w->unit.sick[PROGRAM_BACKUP] = w->unit.sick[PROGRAM_PREVIOUS] = true;
        without_program(w, DEVICE_FAILED);
        world_until(w, is_stranded, NULL);
        world_lose(w, PROGRAM_BACKUP);
        world_lose(w, PROGRAM_PREVIOUS);
        world_until_over(w);
        world_turns(w, 50);
        assert_null(w->device->update);
        assert_true(is_stranded(w, NULL));
        record_pass_over(w->device->record, "1.2.0", "since it was canceled");
        world_offer(w, offer);
        world_until(w, runs, NULL);
        assert_runs(w, PROGRAM_CANDIDATE);
        assert_false(is_stranded(w, NULL));
}

/* Nothing that is kept runs, or may be put back: a person may give it what is newer. */
static void a_stranded_device_takes_what_a_person_asks_for(void **state) {
        const Program offer[] = { PROGRAM_BACKUP, PROGRAM_CANDIDATE, PROGRAM_NONE };
        World *w = *state;
        Why text;

        w->unit.sick[PROGRAM_BACKUP] = w->unit.sick[PROGRAM_PREVIOUS] = true;
        without_program(w, DEVICE_FAILED);
        w->patient = false;
        world_until(w, is_stranded, NULL);
        world_until_state(w, UPDATE_STRANDED);
        world_offer(w, offer);
        if (device_request_update(w->device, NULL, &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        world_until(w, runs, NULL);
        assert_runs(w, PROGRAM_CANDIDATE);
        assert_false(is_stranded(w, NULL));
}

/* It takes each push, and says in the trial that it is in the middle of one. */
static bool forgets_again(World *w, void *userdata) {
        Update *u = w->device->update;

        if (u && u->state == UPDATE_TRIAL && !u->entering && u->role == ROLE_CANDIDATE &&
                        w->unit.id.push_id == u->push_id)
                w->unit.id.state = DEVICE_PUSHING;
        return u && u->role != ROLE_CANDIDATE;
}

static void a_device_that_forgets_its_push_is_not_pushed_to_for_ever(void **state) {
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until(w, forgets_again, NULL);
        assert_in_range(w->unit.asked[DRIVER_PUSH], 2, 5);
        world_until(w, runs, NULL);
        assert_runs(w, PROGRAM_BACKUP);
}

/* Its flash takes the backup each time and this one never: that is no word of the device against
 * it, but an end has to be. */
static void what_the_device_does_not_take_is_passed_over(void **state) {
        const Program offer[] = { PROGRAM_BACKUP, PROGRAM_CANDIDATE, PROGRAM_NONE };
        const Script refuses = {
                .op = DRIVER_PUSH, .code = DRIVER_E_FLASH, .heard = true, .erased = true
        };
        World *w = *state;
        Why text;

        w->manager->config->pushes_per_day = 1000;
        world_turns(w, 20);
        for (unsigned i = 0; i < 6; i++) {
                w->device->retry_usec = 0;
                w->unit.n_scripts = 0;
                unit_script(&w->unit, &refuses);
                world_offer(w, offer);
                world_turns(w, 50);
                world_until_over(w);
        }
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 5);
        assert_int_equal(w->device->verdict.outcome, OUTCOME_PASSED_OVER);
        assert_non_null(strstr(w->device->verdict.why.text, "did not take it 5 times"));
        assert_int_equal(w->device->record->n_bad, 0);
        w->unit.n_scripts = 0;
        assert_int_equal(device_request_update(w->device, NULL, &text), OUTCOME_DONE);
        world_until_over(w);
        assert_runs(w, PROGRAM_CANDIDATE);
}

/* It has noted something of the push that keeps it from going on, such as a mark that it read
 * wrongly: with another id it does. */
static void a_push_that_the_device_cannot_go_on_with_is_begun_anew(void **state) {
        const Script refuses = { .op = DRIVER_PUSH,
                .code = DRIVER_E_STATE,
                .device_code = RKD_BAD_STATE,
                .heard = true };
        World *w = *state;
        uint64_t first;

        world_turns(w, 20);
        unit_script(&w->unit, &refuses);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_PUSHING);
        first = w->device->update->push_id;
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 2);
        assert_true(w->unit.id.push_id != first);
        assert_int_equal(w->device->record->push_id, w->unit.id.push_id);
        assert_runs(w, PROGRAM_CANDIDATE);
}

static void a_device_that_refuses_every_push_is_left_alone(void **state) {
        const Script refuses = { .op = DRIVER_PUSH,
                .code = DRIVER_E_STATE,
                .device_code = RKD_BAD_STATE,
                .heard = true,
                .times = 3 };
        World *w = *state;

        world_turns(w, 20);
        unit_script(&w->unit, &refuses);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 3);
        assert_int_equal(world_results(w, OUTCOME_DEVICE_REFUSED), 1);
        assert_runs(w, PROGRAM_BACKUP);
}

/* The record was lost, the image was not; neither server nor device can give it. */
static void what_runs_is_adopted_from_the_store(void **state) {
        World *w = *state;
        Record *r = w->device->record;

        r->backup = r->previous = r->running = (RecordImage){};
        w->unit.id.capabilities &= ~(uint32_t)DRIVER_CAN_READ_BACK;
        world_until(w, has_backup, NULL);
        assert_string_equal(w->device->record->backup.version, "1.1.0");
        assert_int_equal(w->unit.asked[DRIVER_READ_BACK], 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(an_erased_device_gets_its_backup),
                TEST(a_device_whose_images_are_lost_gets_what_is_offered),
                TEST(a_stranded_device_whose_images_are_lost_gets_what_is_offered),
                TEST(a_stranded_device_takes_what_a_person_asks_for),
                TEST(what_runs_is_adopted_from_the_store),
                TEST(what_the_device_does_not_take_is_passed_over),
                TEST(a_push_that_the_device_cannot_go_on_with_is_begun_anew),
                TEST(a_device_that_refuses_every_push_is_left_alone),
                TEST(a_device_that_forgets_its_push_is_not_pushed_to_for_ever),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device with two slots goes back by itself: what is made of that, and what is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "update-fixture.h"

#define CRASH      5 /* reset_cause */
#define KEPT_PUSH  77
#define OTHER_PUSH 99

static int setup_slots(void **state) {
        int r = world_setup(state);

        if (r == 0)
                ((World *)*state)->unit.id.capabilities |= DRIVER_HAS_SLOTS;
        return r;
}

static bool is_bad(World *w, Program p) {
        Sha256 digest;

        program_digest(p, &digest);
        return record_is_bad(w->device->record, &digest);
}

static bool runs(World *w, Program p) {
        Sha256 digest;

        program_digest(p, &digest);
        return sha256_equal(&w->unit.id.digest, &digest);
}

/* Its former program runs again, and is well. */
static void go_back(World *w, Program p, unsigned cause) {
        unit_runs(&w->unit, p, DEVICE_CONFIRMED);
        w->unit.id.push_id = KEPT_PUSH;
        w->unit.id.reset_cause = cause;
}

/* Its bootloader shows the push that failed. */
static void show(World *w, DeviceState state, uint64_t push_id) {
        unit_runs(&w->unit, PROGRAM_CANDIDATE, state);
        w->unit.id.push_id = push_id;
        w->unit.id.in_bootloader = true;
        w->unit.id.health = DEVICE_HEALTH_NONE;
}

static void a_program_that_the_device_gave_up_is_bad(void **state) {
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_TRIAL);
        go_back(w, PROGRAM_BACKUP, CRASH);
        world_until_over(w);
        assert_true(runs(w, PROGRAM_BACKUP));
        assert_true(is_bad(w, PROGRAM_CANDIDATE));
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
        assert_non_null(strstr(w->device->last_text.text, "the device went back by itself"));
}

static bool was_sent_back(World *w, void *userdata) {
        return !w->unit.last[DRIVER_START].push_id && w->unit.asked[DRIVER_START] > 0;
}

static void a_bootloader_that_has_another_program_is_asked_to_start_it(void **state) {
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_TRIAL);
        show(w, DEVICE_FAILED, w->unit.id.push_id);
        world_until(w, was_sent_back, NULL);
        go_back(w, PROGRAM_BACKUP, CRASH);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
        assert_true(is_bad(w, PROGRAM_CANDIDATE));
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
}

static void a_device_without_another_program_is_pushed_to(void **state) {
        const Script refuses = { .op = DRIVER_START, .code = DRIVER_E_REFUSED, .heard = true };
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_TRIAL);
        show(w, DEVICE_FAILED, w->unit.id.push_id);
        unit_script(&w->unit, &refuses);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 2);
        assert_true(runs(w, PROGRAM_BACKUP));
        assert_int_equal(world_results(w, OUTCOME_RESTORED), 1);
}

/* It answers with what it kept, and has the push open in its other slot. */
static void a_push_goes_on_although_the_former_program_runs(void **state) {
        const Script cut = {
                .op = DRIVER_PUSH, .code = DRIVER_E_NO_ANSWER, .heard = true, .erased = true
        };
        World *w = *state;
        uint64_t push_id;

        unit_script(&w->unit, &cut);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_WAITING);
        push_id = w->unit.last[DRIVER_PUSH].push_id;
        go_back(w, PROGRAM_BACKUP, 0);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 2);
        assert_int_equal(w->unit.last[DRIVER_PUSH].push_id, push_id);
        assert_true(w->unit.last[DRIVER_PUSH].take_over);
        assert_true(runs(w, PROGRAM_CANDIDATE));
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

static void a_confirmed_program_that_the_device_gave_up_is_bad(void **state) {
        World *w = *state;

        go_back(w, PROGRAM_PREVIOUS, CRASH);
        w->device->known = false;
        world_turns(w, 200);
        world_until_over(w);
        assert_true(runs(w, PROGRAM_PREVIOUS));
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        assert_true(is_bad(w, PROGRAM_BACKUP));
        assert_int_equal(world_results(w, OUTCOME_RESTORED_PREVIOUS), 1);
        assert_string_equal(w->device->record->backup.version, program_versions[PROGRAM_PREVIOUS]);
}

static void what_a_bootloader_shows_on_its_way_back_is_left_alone(void **state) {
        World *w = *state;

        w->device->record->push_id = OTHER_PUSH;
        show(w, DEVICE_PUSHING, OTHER_PUSH);
        world_turns(w, 50);
        assert_true(w->device->identity.in_bootloader);
        assert_null(w->device->update);
        assert_false(w->device->record->foreign_push);
        assert_int_equal(w->unit.asked[DRIVER_PUSH] + w->unit.asked[DRIVER_START], 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_slots, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_program_that_the_device_gave_up_is_bad),
                TEST(a_bootloader_that_has_another_program_is_asked_to_start_it),
                TEST(a_device_without_another_program_is_pushed_to),
                TEST(a_push_goes_on_although_the_former_program_runs),
                TEST(a_confirmed_program_that_the_device_gave_up_is_bad),
                TEST(what_a_bootloader_shows_on_its_way_back_is_left_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

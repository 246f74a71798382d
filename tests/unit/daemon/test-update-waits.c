/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An update that waits is woken when what it waits for is there, and keeps neither gateway nor
 * line busy until then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "update-fixture.h"

static int setup_on_demand(void **state) {
        int r = world_setup(state);
        World *w = *state;

        w->port_keys = "Mode=on-demand";
        world_restart(w);
        return r;
}

static bool is_wanted(World *w, void *userdata) {
        return port_state(w->device->port->port) == PORT_WANTED;
}

static bool is_given_back(World *w, void *userdata) {
        return port_state(w->device->port->port) == PORT_CLOSED;
}

static void hand_over(World *w) {
        Why text;

        world_until(w, is_wanted, NULL);
        if (manager_release_port(w->manager, "line", &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
}

static void a_line_on_demand_is_wanted_until_the_end(void **state) {
        World *w = *state;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        hand_over(w);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
        world_until(w, is_given_back, NULL);
}

static void a_line_on_demand_is_wanted_again_after_a_restart(void **state) {
        World *w = *state;
        Update *u = world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING);

        w->unit.off = true;
        world_begin(w, u);
        hand_over(w);
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(u->wait, OUTCOME_WAIT_DEVICE);
        world_restart(w);
        w->unit.off = false;
        hand_over(w);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

static void a_hold_before_the_push_gives_the_line_back(void **state) {
        World *w = *state;

        w->device->record->hold = true;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_WAITING);
        world_until(w, is_given_back, NULL);
        w->device->record->hold = false;
        manager_consider(w->manager);
        hand_over(w);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

/* It says who it is at once and fails at all else: each time it is asked after a longer pause. */
static void a_device_that_answers_nonsense_is_asked_with_pauses(void **state) {
        const Script nonsense = {
                .op = DRIVER_READ_BACK, .code = DRIVER_E_PROTOCOL, .heard = true, .times = 1000
        };
        World *w = *state;

        w->device->record->capabilities = DRIVER_CAN_READ_BACK;
        unit_script(&w->unit, &nonsense);
        world_begin(w, world_update(w, UPDATE_ADOPT, UPDATE_READING));
        w->patient = true;
        world_turns(w, 100);
        assert_true(w->unit.asked[DRIVER_READ_BACK] <= 8);
        assert_int_equal(w->device->update->state, UPDATE_WAITING);
        w->patient = false;
        w->unit.n_scripts = 0;
        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_UNMANAGED);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

static void a_device_that_was_away_is_woken_by_its_first_answer(void **state) {
        World *w = *state;

        w->unit.off = true;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_WAITING);
        world_turns(w, 50);
        w->unit.off = false;
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

/* Its signature is asked for by what the record knows, as nothing was heard since the start. */
static void reading_goes_on_with_the_release_after_a_restart(void **state) {
        World *w = *state;
        Update *u = world_update(w, UPDATE_ADOPT, UPDATE_READING);

        w->device->record->capabilities = w->unit.id.capabilities;
        device_save(w->device);
        w->unit.off = true;
        world_begin(w, u);
        world_until_state(w, UPDATE_READING);
        world_stop(w);
        w->unit.off = false;
        memset(w->unit.asked, 0, sizeof(w->unit.asked));
        world_start(w);
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_READ_RELEASE], 1);
}

static void a_held_device_is_not_read(void **state) {
        World *w = *state;

        w->device->record->hold = true;
        world_begin(w, world_update(w, UPDATE_ADOPT, UPDATE_READING));
        world_until_state(w, UPDATE_WAITING);
        world_turns(w, 20);
        assert_int_equal(w->unit.asked[DRIVER_READ_RELEASE] + w->unit.asked[DRIVER_READ_BACK], 0);
        assert_int_equal(w->device->update->wait, OUTCOME_WAIT_HOLD);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_line_on_demand_is_wanted_until_the_end,
                                setup_on_demand, world_teardown),
                cmocka_unit_test_setup_teardown(a_line_on_demand_is_wanted_again_after_a_restart,
                                setup_on_demand, world_teardown),
                cmocka_unit_test_setup_teardown(a_hold_before_the_push_gives_the_line_back,
                                setup_on_demand, world_teardown),
                cmocka_unit_test_setup_teardown(a_device_that_answers_nonsense_is_asked_with_pauses,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_device_that_was_away_is_woken_by_its_first_answer,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(reading_goes_on_with_the_release_after_a_restart,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_held_device_is_not_read, world_setup, world_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An update that waits is woken when what it waits for is there, and keeps neither gateway nor
 * line busy until then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <sys/stat.h>

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

static void a_closed_window_leaves_the_line_alone(void **state) {
        World *w = *state;

        w->manager->config->window_to = w->manager->config->window_from + 1;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(w->device->update->wait, OUTCOME_WAIT_WINDOW);
        assert_int_equal(port_state(w->device->port->port), PORT_CLOSED);
        w->manager->config->window_to = w->manager->config->window_from;
        manager_consider(w->manager);
        hand_over(w);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

static void a_wait_is_looked_at_again_by_a_new_configuration(void **state) {
        World *w = *state;

        w->manager->config->window_to = w->manager->config->window_from + 1;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_WAITING);
        w->device->update->wait = OUTCOME_WAIT_APPROVAL;
        update_wait(w->device->update, UPDATE_VALIDATING, OUTCOME_WAIT_APPROVAL, "ask \xff");
        world_until_state(w, UPDATE_WAITING);
        world_turns(w, 20);
        assert_string_equal(w->device->update->wait_text, "ask ?");
        world_restart(w);
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

static off_t journal_bytes(const World *w) {
        struct stat st;

        assert_int_equal(fstatat(w->manager->updates_fd, "boiler.journal", &st, 0), 0);
        return st.st_size;
}

static void a_device_that_stays_away_is_waited_for_after_a_restart(void **state) {
        World *w = *state;
        off_t before;

        w->unit.off = true;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_WAITING);
        w->patient = true;
        before = journal_bytes(w);
        world_restart(w);
        world_turns(w, 50);
        assert_int_equal(w->device->update->state, UPDATE_WAITING);
        assert_int_equal(journal_bytes(w), before);
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

static bool is_adopting(World *w, void *userdata) {
        return w->device->update->state == UPDATE_ADOPTING && w->device->update->exchange;
}

static void a_program_that_never_answers_healthy_is_not_adopted(void **state) {
        World *w = *state;
        Update *u = world_update(w, UPDATE_ADOPT, UPDATE_ADOPTING);
        Sha256 digest;

        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_UNMANAGED);
        w->unit.id.health = w->unit.health = DEVICE_HEALTH_STARTING;
        world_begin(w, u);
        world_until(w, is_adopting, NULL);
        u->trial_limit_usec = 1; /* long ago */
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_NOT_HEALTHY), 1);
        program_digest(PROGRAM_CANDIDATE, &digest);
        assert_false(sha256_equal(&w->device->record->backup.digest, &digest));
}

/* An adoption that fails is tried again after a pause, not at once and for ever. */
static void a_failed_adoption_pauses(void **state) {
        const Script refuses = {
                .op = DRIVER_READ_BACK, .code = DRIVER_E_UNSUPPORTED, .heard = true, .times = 1000
        };
        World *w = *state;

        world_lose(w, PROGRAM_CANDIDATE);
        unit_script(&w->unit, &refuses);
        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_UNMANAGED);
        world_turns(w, 300);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_CANNOT_READ_BACK), 1);
}

static Script cut_push(uint32_t units_right) {
        return (Script){ .op = DRIVER_PUSH,
                .code = DRIVER_E_LINE,
                .heard = true,
                .erased = true,
                .stream_bytes = 40,
                .units_right = units_right,
                .times = 1 };
}

static bool has_left_pushing(World *w, void *userdata) {
        const Update *u = w->device->update;

        return !u || u->state == UPDATE_RESTORING;
}

/* It takes bytes each time, but no more of it is right than before. */
static void a_push_that_comes_no_further_is_given_up(void **state) {
        World *w = *state;
        Script s = cut_push(10);

        s.times = 1000;
        unit_script(&w->unit, &s);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until(w, has_left_pushing, NULL);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 4);
        w->unit.n_scripts = 0;
        world_until_over(w);
        assert_int_equal(w->device->record->n_bad, 0);
}

static void a_push_that_comes_further_each_time_goes_on(void **state) {
        World *w = *state;

        for (uint32_t right = 1; right < 8; right++) {
                Script s = cut_push(right);

                unit_script(&w->unit, &s);
        }
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 8);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

/* ---- a candidate that is no longer offered ---- */

static void a_release_that_was_withdrawn_is_not_pushed(void **state) {
        const Program left[] = { PROGRAM_BACKUP, PROGRAM_NONE };
        World *w = *state;

        w->manager->last_check = WORLD_NOON;
        world_offer(w, left);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        assert_int_equal(world_results(w, OUTCOME_CANCELED), 1);
        assert_string_equal(w->device->last_text.text, "1.2.0 was withdrawn by its publisher");
        assert_string_equal(w->device->record->passed_over, "");
}

/* Whoever offered it may be out of reach: what was begun goes on. */
static void a_release_is_not_withdrawn_because_the_server_is_away(void **state) {
        World *w = *state;

        w->manager->last_check = WORLD_NOON;
        w->manager->check_outcome = OUTCOME_SERVER_UNREACHABLE;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

/* ---- devices that cannot make up their mind ---- */

static bool has_answered(World *w, void *userdata) {
        return w->unit.asked[DRIVER_IDENTIFY] > *(unsigned *)userdata && !w->device->status;
}

static void hear(World *w) {
        unsigned before = w->unit.asked[DRIVER_IDENTIFY];

        world_until(w, has_answered, &before);
}

static void a_program_that_wavers_does_not_flood_history(void **state) {
        World *w = *state;
        uint64_t *reports;
        size_t n;

        for (unsigned i = 0; i < 200; i++) {
                w->unit.id.health = i % 2 ? DEVICE_HEALTH_SICK : DEVICE_HEALTH_HEALTHY;
                hear(w);
        }
        assert_int_equal(outbox_list(w->manager->history, &reports, &n), 0);
        free(reports);
        assert_in_range(n, 10, 40);
}

static bool was_saved(World *w, struct stat *st) {
        struct stat now;

        assert_int_equal(fstatat(w->manager->devices_fd, "boiler.json", &now, 0), 0);
        if (now.st_ino == st->st_ino && now.st_mtim.tv_nsec == st->st_mtim.tv_nsec)
                return false;
        *st = now;
        return true;
}

static void a_device_that_says_another_thing_each_time_is_not_saved_each_time(void **state) {
        World *w = *state;
        struct stat st = {};
        unsigned saved = 0;

        for (unsigned i = 0; i < 100; i++) {
                (void)snprintf(w->unit.id.hardware, sizeof(w->unit.id.hardware), "%u", i);
                hear(w);
                saved += was_saved(w, &st);
        }
        assert_in_range(saved, 1, 10);
        assert_string_equal(w->device->record->hardware, "99");
}

static void a_serial_that_changes_each_time_is_not_saved_each_time(void **state) {
        World *w = *state;
        struct stat st = {};
        unsigned saved = 0;

        for (unsigned i = 0; i < 100; i++) {
                (void)snprintf(w->unit.id.serial, sizeof(w->unit.id.serial), "SN-%u", 2 + i);
                hear(w);
                saved += was_saved(w, &st);
        }
        assert_in_range(saved, 1, 10);
        assert_string_equal(w->device->record->claimed_serial, "SN-101");
        assert_string_equal(w->device->record->serial, "SN-1");
}

/* ---- many at once ---- */

#define MANY 200

static void two_hundred_devices_may_write_at_once(void **state) {
        World *w = *state;
        char keys[MANY * 64] = "[Port bus]\nPath=unix:/nonexistent\n";
        struct rlimit limit;
        Why text;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        for (unsigned i = 1; i <= MANY; i++)
                (void)snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys),
                                "[Device d%u]\nPort=bus\nAddress=%u\n", i, i);
        w->port_keys = keys;
        world_restart(w);
        for (size_t i = 0; i < w->manager->n_devices; i++)
                assert_int_equal(device_request_hold(w->manager->devices[i], true, &text),
                                OUTCOME_DONE);
        world_until_over(w);
        assert_int_equal(w->manager->n_devices, MANY + 1);
}

/* ---- the clock ---- */

static void on_checked(Outcome outcome, const char *text, void *userdata) {
        *(Outcome *)userdata = outcome;
}

static bool is_checked(World *w, void *userdata) {
        return *(Outcome *)userdata != _OUTCOME_MAX;
}

static bool waits_for_clock(World *w, void *userdata) {
        const Update *u = w->device->update;

        return u && u->state == UPDATE_WAITING && u->wait == OUTCOME_WAIT_CLOCK && !u->entering;
}

/* Metadata was seen to be expired. A refresh that fails for another reason, here for want of a
 * root, is no news about that; nor is a start. */
static void what_had_expired_stays_so_until_something_fresh_is_seen(void **state) {
        const Program offer[] = { PROGRAM_CANDIDATE, PROGRAM_NONE };
        Outcome outcome = _OUTCOME_MAX;
        World *w = *state;

        w->manager->check_outcome = OUTCOME_METADATA_EXPIRED;
        w->manager->expired = true;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until(w, waits_for_clock, NULL);
        assert_int_equal(manager_check(w->manager, on_checked, &outcome), 0);
        world_until(w, is_checked, &outcome);
        assert_int_equal(outcome, OUTCOME_METADATA_INVALID);
        world_turns(w, 50);
        assert_true(waits_for_clock(w, NULL));
        world_restart(w);
        world_turns(w, 50);
        world_until(w, waits_for_clock, NULL);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
        world_offer(w, offer);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                what_had_expired_stays_so_until_something_fresh_is_seen,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_line_on_demand_is_wanted_until_the_end,
                                setup_on_demand, world_teardown),
                cmocka_unit_test_setup_teardown(a_line_on_demand_is_wanted_again_after_a_restart,
                                setup_on_demand, world_teardown),
                cmocka_unit_test_setup_teardown(a_hold_before_the_push_gives_the_line_back,
                                setup_on_demand, world_teardown),
                cmocka_unit_test_setup_teardown(a_closed_window_leaves_the_line_alone,
                                setup_on_demand, world_teardown),
                cmocka_unit_test_setup_teardown(a_wait_is_looked_at_again_by_a_new_configuration,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_device_that_answers_nonsense_is_asked_with_pauses,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_device_that_was_away_is_woken_by_its_first_answer,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_device_that_stays_away_is_waited_for_after_a_restart, world_setup,
                                world_teardown),
                cmocka_unit_test_setup_teardown(reading_goes_on_with_the_release_after_a_restart,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_held_device_is_not_read, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_program_that_never_answers_healthy_is_not_adopted,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_failed_adoption_pauses, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_push_that_comes_no_further_is_given_up,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_push_that_comes_further_each_time_goes_on,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(a_release_that_was_withdrawn_is_not_pushed,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_release_is_not_withdrawn_because_the_server_is_away, world_setup,
                                world_teardown),
                cmocka_unit_test_setup_teardown(a_program_that_wavers_does_not_flood_history,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_device_that_says_another_thing_each_time_is_not_saved_each_time,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_serial_that_changes_each_time_is_not_saved_each_time, world_setup,
                                world_teardown),
                cmocka_unit_test_setup_teardown(
                                two_hundred_devices_may_write_at_once, world_setup, world_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

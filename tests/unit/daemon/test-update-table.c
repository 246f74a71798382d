/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of stages from outside: in each state each end of a driver's operation, and in the
 * trial each thing that a device may say of itself, leads to the state, wait or outcome that is
 * written here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "update-fixture.h"

#define PUSH_ID 500

typedef struct Expect {
        UpdateState next;
        Outcome reason; /* WAITING: for what; else: decided so far */
} Expect;

typedef struct Row {
        UpdateKind kind;
        UpdateState state;
        DriverOp op;
        void (*prepare)(World *w, Update *u);
        Expect expect[_DRIVER_CODE_MAX];
} Row;

/* ---- what the device is in the middle of ---- */

static void idle(World *w, Update *u) {
        u->device->record->capabilities = w->unit.id.capabilities & ~DRIVER_CAN_READ_RELEASE;
}

static void other_program(World *w, Update *u) {
        idle(w, u);
        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_UNMANAGED);
}

static void pushing(World *w, Update *u) {
        u->push_id = w->unit.id.push_id = PUSH_ID;
        u->touched = true;
        w->unit.id.state = DEVICE_PUSHING;
        w->unit.id.in_bootloader = true;
        w->unit.id.health = DEVICE_HEALTH_NONE;
        w->unit.confirmed = false;
}

static void trial(World *w, Update *u) {
        pushing(w, u);
        unit_runs(&w->unit, PROGRAM_CANDIDATE, DEVICE_TRIAL);
}

/* ---- one step ---- */

typedef struct Left {
        Update *update;
        UpdateState from;
} Left;

static bool has_left(World *w, void *userdata) {
        const Left *l = userdata;

        return w->device->update != l->update || l->update->state != l->from;
}

/* What came of the update's first step out of this state. */
static Expect step(World *w, Update *u) {
        UpdateState from = u->state;
        Expect seen = { from, OUTCOME_DONE };

        world_begin(w, u);
        world_until(w, has_left, &(Left){ u, from });
        if (w->device->update == u)
                seen = (Expect){ u->state, u->state == UPDATE_WAITING ? u->wait : u->outcome };
        return seen;
}

static void check(const Row *row, DriverCode code) {
        const Expect *expect = &row->expect[code];
        Script script = { .op = row->op, .code = code, .heard = true, .times = 100 };
        void *state = NULL;
        Expect seen;
        Update *u;
        World *w;

        if (world_setup(&state) < 0)
                fail_msg("no world");
        w = state;
        u = world_update(w, row->kind, row->state);
        row->prepare(w, u);
        if (code != DRIVER_OK)
                unit_script(&w->unit, &script);
        seen = step(w, u);
        if (seen.next != expect->next || seen.reason != expect->reason)
                fail_msg("%s, %s: %s (%s) instead of %s (%s)", update_state_to_string(row->state),
                                driver_code_to_string(code), update_state_to_string(seen.next),
                                outcome_info(seen.reason)->code,
                                update_state_to_string(expect->next),
                                outcome_info(expect->reason)->code);
        world_teardown(&state);
}

static void check_row(const Row *row) {
        for (DriverCode code = 0; code < _DRIVER_CODE_MAX; code++)
                check(row, code);
}

/* clang-format off */
#define PARKED         { UPDATE_WAITING, OUTCOME_WAIT_DEVICE }
#define SILENT         [DRIVER_E_NO_ANSWER] = PARKED, [DRIVER_E_LINE] = PARKED, \
                       [DRIVER_E_PORT] = PARKED, [DRIVER_E_OTHER_UNIT] = PARKED, \
                       [DRIVER_E_CANCELED] = PARKED, \
                       [DRIVER_E_UNCONFIRMED_END] = PARKED, [DRIVER_E_PROTOCOL] = PARKED
#define SAYS_NO(...)   [DRIVER_E_REFUSED] = __VA_ARGS__, [DRIVER_E_SIGNATURE] = __VA_ARGS__, \
                       [DRIVER_E_STATE] = __VA_ARGS__, [DRIVER_E_UNSUPPORTED] = __VA_ARGS__
#define OTHERS(...)    [DRIVER_E_FOREIGN_PUSH] = __VA_ARGS__, [DRIVER_E_FLASH] = __VA_ARGS__, \
                       [DRIVER_E_DIGEST] = __VA_ARGS__, [DRIVER_E_PLAN] = __VA_ARGS__

static const Row validating = { UPDATE_UPGRADE, UPDATE_VALIDATING, DRIVER_IDENTIFY, idle, {
        [DRIVER_OK] = { UPDATE_PUSHING, OUTCOME_DONE }, SILENT,
        SAYS_NO({ UPDATE_REPORTING, OUTCOME_DEVICE_REFUSED }),
        OTHERS({ UPDATE_REPORTING, OUTCOME_DEVICE_REFUSED }) } };

static const Row asking_before_the_push = {
        UPDATE_UPGRADE, UPDATE_PUSHING, DRIVER_IDENTIFY, pushing, {
        [DRIVER_OK] = { UPDATE_TRIAL, OUTCOME_DONE }, SILENT,
        SAYS_NO({ UPDATE_RESTORING, OUTCOME_DEVICE_REFUSED }),
        OTHERS({ UPDATE_RESTORING, OUTCOME_DEVICE_REFUSED }) } };

static const Row a_push = { UPDATE_UPGRADE, UPDATE_PUSHING, DRIVER_PUSH, pushing, {
        [DRIVER_OK] = { UPDATE_TRIAL, OUTCOME_DONE }, SILENT,
        SAYS_NO({ UPDATE_RESTORING, OUTCOME_DEVICE_REFUSED }),
        [DRIVER_E_FOREIGN_PUSH] = { UPDATE_WAITING, OUTCOME_FOREIGN_PUSH },
        [DRIVER_E_FLASH] = { UPDATE_RESTORING, OUTCOME_PUSH_FAILED_FLASH },
        [DRIVER_E_DIGEST] = { UPDATE_RESTORING, OUTCOME_PUSH_FAILED_FLASH },
        [DRIVER_E_PLAN] = { UPDATE_RESTORING, OUTCOME_INTERNAL } } };

static const Row a_trial = { UPDATE_UPGRADE, UPDATE_TRIAL, DRIVER_IDENTIFY, trial, {
        [DRIVER_OK] = { UPDATE_CONFIRMING, OUTCOME_DONE }, SILENT,
        SAYS_NO({ UPDATE_RESTORING, OUTCOME_DEVICE_REFUSED }),
        OTHERS({ UPDATE_RESTORING, OUTCOME_DEVICE_REFUSED }) } };

static const Row a_confirm = { UPDATE_UPGRADE, UPDATE_CONFIRMING, DRIVER_CONFIRM, trial, {
        [DRIVER_OK] = { UPDATE_REPORTING, OUTCOME_DONE }, SILENT,
        SAYS_NO({ UPDATE_TRIAL, OUTCOME_DONE }),
        OTHERS({ UPDATE_TRIAL, OUTCOME_DONE }) } };

static const Row asking_for_the_way_back = {
        UPDATE_RESTORE, UPDATE_RESTORING, DRIVER_IDENTIFY, pushing, {
        [DRIVER_OK] = { UPDATE_PUSHING, OUTCOME_DONE }, SILENT,
        SAYS_NO({ UPDATE_STRANDED, OUTCOME_DONE }),
        OTHERS({ UPDATE_STRANDED, OUTCOME_DONE }) } };

static const Row reading_back = { UPDATE_ADOPT, UPDATE_READING, DRIVER_READ_BACK, other_program, {
        [DRIVER_OK] = { UPDATE_ADOPTING, OUTCOME_DONE }, SILENT,
        SAYS_NO({ UPDATE_REPORTING, OUTCOME_CANNOT_READ_BACK }),
        OTHERS({ UPDATE_REPORTING, OUTCOME_CANNOT_READ_BACK }) } };

static const Row adopting = { UPDATE_ADOPT, UPDATE_ADOPTING, DRIVER_IDENTIFY, other_program, {
        [DRIVER_OK] = { UPDATE_REPORTING, OUTCOME_DONE }, SILENT,
        SAYS_NO({ UPDATE_REPORTING, OUTCOME_DEVICE_REFUSED }),
        OTHERS({ UPDATE_REPORTING, OUTCOME_DEVICE_REFUSED }) } };
/* clang-format on */

static void every_answer_while_validating(void **state) {
        check_row(&validating);
}

static void every_answer_before_a_push(void **state) {
        check_row(&asking_before_the_push);
}

static void every_end_of_a_push(void **state) {
        check_row(&a_push);
}

static void every_answer_in_a_trial(void **state) {
        check_row(&a_trial);
}

static void every_end_of_a_confirm(void **state) {
        check_row(&a_confirm);
}

static void every_answer_before_a_restore(void **state) {
        check_row(&asking_for_the_way_back);
}

static void every_end_of_reading_back(void **state) {
        check_row(&reading_back);
}

static void every_answer_while_adopting(void **state) {
        check_row(&adopting);
}

/* ---- what a device may say of itself ---- */

typedef struct Says {
        const char *what;
        DeviceState state;
        bool in_bootloader;
        DeviceHealth health;
        uint64_t push_id;
        Expect expect;
        bool bad; /* evidence against the candidate */
} Says;

static void check_says(UpdateKind kind, UpdateState from, const Says *s) {
        void *state = NULL;
        Sha256 digest;
        Expect seen;
        Update *u;
        World *w;

        if (world_setup(&state) < 0)
                fail_msg("no world");
        w = state;
        u = world_update(w, kind, from);
        trial(w, u);
        u->trial_seconds = 1;
        w->unit.id.state = s->state;
        w->unit.id.in_bootloader = s->in_bootloader;
        w->unit.id.health = s->health;
        w->unit.id.push_id = s->push_id;
        w->unit.health = s->health;
        seen = step(w, u);
        program_digest(PROGRAM_CANDIDATE, &digest);
        if (seen.next != s->expect.next || seen.reason != s->expect.reason ||
                        record_is_bad(w->device->record, &digest) != s->bad)
                fail_msg("%s: %s (%s), %s", s->what, update_state_to_string(seen.next),
                                outcome_info(seen.reason)->code,
                                record_is_bad(w->device->record, &digest) ? "bad" : "not bad");
        world_teardown(&state);
}

/* clang-format off */
static const Says in_trial[] = {
        { "healthy", DEVICE_TRIAL, false, DEVICE_HEALTH_HEALTHY, PUSH_ID,
                { UPDATE_CONFIRMING, OUTCOME_DONE }, false },
        { "healthy, confirmed already", DEVICE_CONFIRMED, false, DEVICE_HEALTH_HEALTHY, PUSH_ID,
                { UPDATE_CONFIRMING, OUTCOME_DONE }, false },
        { "not started yet", DEVICE_VERIFIED, true, DEVICE_HEALTH_HEALTHY, PUSH_ID,
                { UPDATE_CONFIRMING, OUTCOME_DONE }, false },
        { "sick", DEVICE_TRIAL, false, DEVICE_HEALTH_SICK, PUSH_ID,
                { UPDATE_RESTORING, OUTCOME_RESTORED }, true },
        { "starts used up", DEVICE_FAILED, true, DEVICE_HEALTH_NONE, PUSH_ID,
                { UPDATE_RESTORING, OUTCOME_RESTORED }, true },
        { "damaged", DEVICE_DAMAGED, true, DEVICE_HEALTH_NONE, PUSH_ID,
                { UPDATE_RESTORING, OUTCOME_PUSH_FAILED_FLASH }, false },
        { "not written to its end", DEVICE_PUSHING, true, DEVICE_HEALTH_NONE, PUSH_ID,
                { UPDATE_PUSHING, OUTCOME_DONE }, false },
        { "empty", DEVICE_EMPTY, true, DEVICE_HEALTH_NONE, 0,
                { UPDATE_RESTORING, OUTCOME_DEVICE_REFUSED }, false },
        { "never pushed to", DEVICE_UNMANAGED, false, DEVICE_HEALTH_HEALTHY, 0,
                { UPDATE_RESTORING, OUTCOME_DEVICE_REFUSED }, false },
        { "another push, confirmed", DEVICE_CONFIRMED, false, DEVICE_HEALTH_HEALTHY, 4711,
                { UPDATE_RESTORING, OUTCOME_DEVICE_REFUSED }, false },
        { "another push, on trial", DEVICE_TRIAL, false, DEVICE_HEALTH_HEALTHY, 4711,
                { UPDATE_WAITING, OUTCOME_FOREIGN_PUSH }, false },
};

/* The way back, for a device that runs the candidate or nothing. */
static const Says before_restore[] = {
        { "on trial, healthy", DEVICE_TRIAL, false, DEVICE_HEALTH_HEALTHY, PUSH_ID,
                { UPDATE_PUSHING, OUTCOME_DONE }, false },
        { "starts used up", DEVICE_FAILED, true, DEVICE_HEALTH_NONE, PUSH_ID,
                { UPDATE_PUSHING, OUTCOME_DONE }, false },
        { "damaged", DEVICE_DAMAGED, true, DEVICE_HEALTH_NONE, PUSH_ID,
                { UPDATE_PUSHING, OUTCOME_DONE }, false },
        { "empty", DEVICE_EMPTY, true, DEVICE_HEALTH_NONE, 0,
                { UPDATE_PUSHING, OUTCOME_DONE }, false },
        { "a record cut in its first write", DEVICE_PUSHING, true, DEVICE_HEALTH_NONE, 0,
                { UPDATE_PUSHING, OUTCOME_DONE }, false },
        { "confirmed", DEVICE_CONFIRMED, false, DEVICE_HEALTH_HEALTHY, 4711,
                { UPDATE_REPORTING, OUTCOME_DONE }, false },
        { "confirmed, behind its bootloader", DEVICE_CONFIRMED, true, DEVICE_HEALTH_NONE, 4711,
                { UPDATE_REPORTING, OUTCOME_DONE }, false },
        { "never pushed to", DEVICE_UNMANAGED, false, DEVICE_HEALTH_STARTING, 0,
                { UPDATE_REPORTING, OUTCOME_DONE }, false },
        { "somebody else's", DEVICE_PUSHING, true, DEVICE_HEALTH_NONE, 4711,
                { UPDATE_WAITING, OUTCOME_FOREIGN_PUSH }, false },
};
/* clang-format on */

static void everything_that_is_said_in_a_trial(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(in_trial); i++)
                check_says(UPDATE_UPGRADE, UPDATE_TRIAL, in_trial + i);
}

static void everything_that_is_said_before_a_restore(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(before_restore); i++)
                check_says(UPDATE_RESTORE, UPDATE_RESTORING, before_restore + i);
}

/* ---- the states that ask nobody ---- */

static void what_is_in_the_store_is_not_fetched(void **state) {
        World *w = *state;
        Expect seen = step(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));

        assert_int_equal(seen.next, UPDATE_VALIDATING);
}

static void a_server_that_is_away_is_waited_for(void **state) {
        World *w = *state;
        char name[SHA256_HEX];
        Sha256 digest;
        Expect seen;

        program_digest(PROGRAM_CANDIDATE, &digest);
        sha256_to_hex(&digest, name);
        assert_int_equal(unlinkat(w->manager->images_fd, name, 0), 0);
        seen = step(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        assert_int_equal(seen.next, UPDATE_WAITING);
        assert_int_equal(seen.reason, OUTCOME_WAIT_SERVER);
}

static void a_hold_stops_every_state_that_acts(void **state) {
        static const UpdateState states[] = { UPDATE_READING, UPDATE_VALIDATING, UPDATE_TRIAL,
                UPDATE_CONFIRMING, UPDATE_RESTORING };
        void *s = NULL;

        for (size_t i = 0; i < ELEMENTSOF(states); i++) {
                World *w;
                Expect seen;

                assert_int_equal(world_setup(&s), 0);
                w = s;
                w->device->record->hold = true;
                seen = step(w, world_update(w, UPDATE_UPGRADE, states[i]));
                assert_int_equal(seen.next, UPDATE_WAITING);
                assert_int_equal(seen.reason, OUTCOME_WAIT_HOLD);
                assert_int_equal(w->device->update->resume, states[i]);
                world_teardown(&s);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_answer_while_validating),
                cmocka_unit_test(every_answer_before_a_push),
                cmocka_unit_test(every_end_of_a_push),
                cmocka_unit_test(every_answer_in_a_trial),
                cmocka_unit_test(every_end_of_a_confirm),
                cmocka_unit_test(every_answer_before_a_restore),
                cmocka_unit_test(every_end_of_reading_back),
                cmocka_unit_test(every_answer_while_adopting),
                cmocka_unit_test(everything_that_is_said_in_a_trial),
                cmocka_unit_test(everything_that_is_said_before_a_restore),
                cmocka_unit_test_setup_teardown(
                                what_is_in_the_store_is_not_fetched, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_server_that_is_away_is_waited_for, world_setup, world_teardown),
                cmocka_unit_test(a_hold_stops_every_state_that_acts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

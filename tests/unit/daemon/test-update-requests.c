/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All that can be asked of a device, in all states of an update. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "daemon/backup.h"
#include "update-fixture.h"

static void ignore(Outcome outcome, const Why *w, void *userdata) {}

static void ask(World *w, unsigned what) {
        Device *d = w->device;
        Why text = {};

        switch (what) {
        case 0:
                (void)device_request_update(d, NULL, &text);
                break;
        case 1:
                (void)device_request_update(d, "1.2.0", &text);
                break;
        case 2:
                (void)device_request_restore(d, &text);
                break;
        case 3:
                (void)device_request_cancel(d, &text);
                break;
        case 4:
                (void)device_request_hold(d, true, &text);
                break;
        case 5:
                (void)device_request_hold(d, false, &text);
                break;
        case 6:
                (void)device_request_adopt(d, &text);
                break;
        case 7:
                (void)device_request_adopt_file(d, w->line, "3.0.0", ignore, NULL, &text);
                break;
        case 8:
                (void)device_request_accept(d, &text);
                break;
        case 9:
                (void)device_request_approve(d, NULL, &text);
                break;
        case 10:
                (void)device_request_clear_bad(d, NULL, &text);
                break;
        default:
                (void)backup_check(d, ignore, NULL, &text);
                break;
        }
}

#define QUESTIONS 12

static bool is_there(World *w, void *userdata) {
        const Update *u = w->device->update;

        return !u || u->state >= *(UpdateState *)userdata;
}

static void begin_round(World *w, const Record *first, bool sick) {
        Device *d = w->device;

        unit_runs(&w->unit, PROGRAM_BACKUP, DEVICE_CONFIRMED);
        d->record->running = d->record->backup = first->backup;
        d->record->previous = first->previous;
        record_end_pass_over(d->record);
        (void)record_clear_bad(d->record, NULL);
        d->retry_usec = 0;
        device_ask_soon(d, 0);
        world_until_over(w);
        w->unit.sick[PROGRAM_CANDIDATE] = sick;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
}

/* Whatever people ask for in the middle of an update, twice in a row, the device ends on a program
 * that is confirmed and kept, and with nothing open. */
static void any_two_requests_in_any_state_lead_to_a_good_end(void **state) {
        static const UpdateState states[] = { UPDATE_DOWNLOADING, UPDATE_VALIDATING, UPDATE_PUSHING,
                UPDATE_TRIAL, UPDATE_CONFIRMING, UPDATE_RESTORING, UPDATE_REPORTING };
        const unsigned n = ELEMENTSOF(states) * QUESTIONS * QUESTIONS;
        World *w = *state;
        Record first;
        Why text;

        w->manager->config->pushes_per_day = 1000000;
        world_turns(w, 20);
        first = *w->device->record;
        for (unsigned i = 0; i < n; i++) {
                UpdateState s = states[i % ELEMENTSOF(states)];

                begin_round(w, &first, i % 5 == 4 || s == UPDATE_RESTORING);
                world_until(w, is_there, &s);
                ask(w, i / ELEMENTSOF(states) % QUESTIONS);
                world_turns(w, i % 4);
                ask(w, i / ELEMENTSOF(states) / QUESTIONS);
                world_turns(w, 20);
                (void)device_request_hold(w->device, false, &text);
                world_until_over(w);
                if (w->unit.id.state != DEVICE_CONFIRMED)
                        fail_msg("round %u: %s", i, device_state_to_string(w->unit.id.state));
                assert_true(store_has(w->manager->store, &w->device->record->backup.digest));
        }
        assert_true(w->unit.asked[DRIVER_PUSH] > n / 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(any_two_requests_in_any_state_lead_to_a_good_end,
                                world_setup, world_teardown),
        };
        sigset_t mask;

        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGCHLD);
        (void)sigprocmask(SIG_BLOCK, &mask, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

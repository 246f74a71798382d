/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device tells of a confirmed program, and what is made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "update-fixture.h"

#define CAUSE_POWER 0
#define CAUSE_CRASH 5
#define PUSH        7
#define MINUTE_USEC (60 * USEC_PER_SEC)

static void tell(Device *d, unsigned cause, unsigned boots) {
        d->identity.state = DEVICE_CONFIRMED;
        d->identity.in_bootloader = false;
        d->identity.health = DEVICE_HEALTH_HEALTHY;
        d->identity.push_id = PUSH;
        d->identity.reset_cause = cause;
        d->identity.boots = boots;
        d->seen_usec += MINUTE_USEC;
        device_watch_health(d);
}

static bool is_unhealthy(const Device *d) {
        return d->unhealthy.text[0] != '\0';
}

static void four_crashes_in_a_row_are_told(void **state) {
        World *w = *state;
        Device *d = w->device;

        tell(d, CAUSE_POWER, 1);
        tell(d, CAUSE_CRASH, 4);
        assert_false(is_unhealthy(d));
        tell(d, CAUSE_CRASH, 5);
        assert_true(is_unhealthy(d));
}

static void what_was_before_it_was_met_counts_nothing(void **state) {
        World *w = *state;

        tell(w->device, CAUSE_CRASH, 50);
        tell(w->device, CAUSE_CRASH, 50);
        assert_false(is_unhealthy(w->device));
}

static void a_plug_that_is_pulled_counts_nothing(void **state) {
        World *w = *state;

        for (unsigned boots = 1; boots < 20; boots++)
                tell(w->device, CAUSE_POWER, boots);
        assert_false(is_unhealthy(w->device));
}

static void another_push_begins_anew(void **state) {
        World *w = *state;
        Device *d = w->device;

        tell(d, CAUSE_POWER, 1);
        d->boots_push_id = PUSH + 1;
        tell(d, CAUSE_CRASH, 50);
        assert_false(is_unhealthy(d));
}

static void ten_minutes_without_a_crash_forget_them(void **state) {
        World *w = *state;
        Device *d = w->device;

        tell(d, CAUSE_POWER, 1);
        tell(d, CAUSE_CRASH, 9);
        for (unsigned i = 0; i < 9; i++)
                tell(d, CAUSE_CRASH, 9);
        assert_true(is_unhealthy(d));
        tell(d, CAUSE_CRASH, 9);
        assert_false(is_unhealthy(d));
        tell(d, CAUSE_CRASH, 12);
        assert_false(is_unhealthy(d));
}

static void a_counter_that_lost_its_memory_counts_from_there(void **state) {
        World *w = *state;
        Device *d = w->device;

        tell(d, CAUSE_POWER, 100);
        tell(d, CAUSE_CRASH, 2);
        assert_false(is_unhealthy(d));
        tell(d, CAUSE_CRASH, 6);
        assert_true(is_unhealthy(d));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(four_crashes_in_a_row_are_told),
                TEST(what_was_before_it_was_met_counts_nothing),
                TEST(a_plug_that_is_pulled_counts_nothing),
                TEST(another_push_begins_anew),
                TEST(ten_minutes_without_a_crash_forget_them),
                TEST(a_counter_that_lost_its_memory_counts_from_there),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

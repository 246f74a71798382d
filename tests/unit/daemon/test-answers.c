/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people ask for is answered when it is on disk: a power cut after the answer takes nothing
 * back. Looked at from outside: the files of the state folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/file.h"
#include "update-fixture.h"

typedef struct Answer {
        World *world;
        const char *file, *text; /* what has to be on disk, and where; text NULL: no such file */
        bool given, was_there;
} Answer;

static bool is_on_disk(const Answer *a) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        r = file_read(a->world->manager->state_fd, a->file, 1024 * 1024, &bytes, &n);
        return a->text ? r >= 0 && strstr(bytes, a->text) : r == -ENOENT;
}

static void on_durable(int error, void *userdata) {
        Answer *a = userdata;

        assert_int_equal(error, 0);
        assert_false(a->given);
        a->given = true;
        a->was_there = is_on_disk(a);
}

static bool is_given(World *w, void *userdata) {
        return ((const Answer *)userdata)->given;
}

/* After a request. */
static void assert_answered(World *w, const char *file, const char *text) {
        Answer a = { .world = w, .file = file, .text = text };

        assert_int_equal(device_when_durable(w->device, on_durable, &a), 0);
        assert_false(a.given); /* something has to be written first */
        world_until(w, is_given, &a);
        if (!a.was_there)
                fail_msg("%s does not say %s yet", file, text);
}

static void a_hold_is_answered_when_it_is_on_disk(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        assert_int_equal(device_request_hold(w->device, true, &text), OUTCOME_DONE);
        assert_answered(w, "devices/boiler.json", "\"hold\":true");
}

/* Whoever asks for what was just asked for is not told sooner. */
static void the_same_hold_again_is_answered_when_it_is_on_disk(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        assert_int_equal(device_request_hold(w->device, true, &text), OUTCOME_DONE);
        assert_int_equal(device_request_hold(w->device, true, &text), OUTCOME_DONE);
        assert_answered(w, "devices/boiler.json", "\"hold\":true");
}

static void what_is_asked_for_during_a_write_is_written_too(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        assert_int_equal(device_request_hold(w->device, true, &text), OUTCOME_DONE);
        assert_int_equal(device_request_approve(w->device, "1.2.0", &text), OUTCOME_DONE);
        assert_answered(w, "devices/boiler.json", "\"approved\":\"1.2.0\"");
}

static void a_cancel_is_answered_when_the_update_cannot_come_back(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        w->unit.off = true;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_VALIDATING));
        world_until_state(w, UPDATE_WAITING);
        assert_int_equal(device_request_cancel(w->device, &text), OUTCOME_DONE);
        assert_answered(w, "updates/boiler.journal", "\"state\":\"reporting\"");
        assert_int_equal(w->device->update->state, UPDATE_REPORTING);
        w->unit.off = false;
        world_restart(w);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_CANCELED), 1);
        assert_string_equal(w->device->record->passed_over, "1.2.0");
}

/* Its present state is still on its way to the journal. */
static void a_cancel_between_two_states_is_answered_no_sooner(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        assert_true(w->device->update->entering);
        assert_int_equal(device_request_cancel(w->device, &text), OUTCOME_DONE);
        assert_answered(w, "updates/boiler.journal", "\"state\":\"reporting\"");
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 0);
}

static void a_restore_is_answered_when_its_journal_is_there(void **state) {
        World *w = *state;
        Why text;

        world_turns(w, 20);
        assert_int_equal(device_request_restore(w->device, &text), OUTCOME_DONE);
        assert_answered(w, "updates/boiler.journal", "\"state\":\"restoring\"");
}

static bool saves_until_given(World *w, void *userdata) {
        device_save(w->device);
        return ((Answer *)userdata)->given;
}

/* Before its end is told: who waits for both sees them in this order. */
static void an_answer_does_not_wait_for_what_is_written_later(void **state) {
        World *w = *state;
        Answer a = { .world = w, .file = "updates/boiler.journal", .text = "restoring" };
        Why text;

        world_turns(w, 20);
        assert_int_equal(device_request_restore(w->device, &text), OUTCOME_DONE);
        assert_int_equal(device_when_durable(w->device, on_durable, &a), 0);
        world_until(w, saves_until_given, &a);
        assert_true(a.was_there);
}

static void nothing_to_write_is_answered_at_once(void **state) {
        World *w = *state;
        Answer a = { .world = w, .file = "updates/boiler.journal" };

        world_turns(w, 20);
        world_until_over(w);
        assert_int_equal(device_when_durable(w->device, on_durable, &a), 0);
        assert_true(a.given && a.was_there);
}

static void who_is_gone_is_not_answered(void **state) {
        World *w = *state;
        Answer a = { .world = w, .file = "updates/boiler.journal" },
               b = { .world = w, .file = "devices/boiler.json", .text = "\"hold\":true" };
        Why text;

        world_turns(w, 20);
        assert_int_equal(device_request_hold(w->device, true, &text), OUTCOME_DONE);
        assert_int_equal(device_when_durable(w->device, on_durable, &a), 0);
        assert_int_equal(device_when_durable(w->device, on_durable, &b), 0);
        device_saved_forget(w->device, &a);
        world_until(w, is_given, &b);
        assert_true(b.was_there);
        assert_false(a.given);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(a_hold_is_answered_when_it_is_on_disk),
                TEST(the_same_hold_again_is_answered_when_it_is_on_disk),
                TEST(what_is_asked_for_during_a_write_is_written_too),
                TEST(a_cancel_is_answered_when_the_update_cannot_come_back),
                TEST(a_cancel_between_two_states_is_answered_no_sooner),
                TEST(a_restore_is_answered_when_its_journal_is_there),
                TEST(an_answer_does_not_wait_for_what_is_written_later),
                TEST(nothing_to_write_is_answered_at_once),
                TEST(who_is_gone_is_not_answered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

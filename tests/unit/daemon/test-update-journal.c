/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An update as a journal entry: what goes in comes out, and what is odd is refused with its
 * name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/device.h"
#include "daemon/update-journal.h"
#include "state-fixture.h"

typedef struct Fixture {
        Manager manager;
        Device device;
        Release *release;
} Fixture;

static int64_t noon(void *userdata) {
        return 1780000000;
}

static const Clock clock_noon = { noon, NULL, NULL };

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);
        Sha256 digest;

        memset(&digest, 0x5a, sizeof(digest));
        f->manager.clock = &clock_noon;
        f->manager.updates_fd = -1;
        f->device.manager = &f->manager;
        if (record_new("boiler", &f->device.record) < 0 ||
                        release_new_bare("boiler-ctl", "2.4.1", 4711, &digest, &f->release) < 0)
                return -1;
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        release_free(f->release);
        record_free(f->device.record);
        free(f);
        return 0;
}

static Update *make(Fixture *f) {
        Update *u;

        assert_int_equal(update_new(&f->device, UPDATE_UPGRADE, UPDATE_PUSHING, f->release, &u), 0);
        u->resume = UPDATE_TRIAL;
        u->push_id = 0xfedcba9876543210;
        u->last_push_id = 1;
        u->touched = u->by_name = u->provision = true;
        u->tries[ROLE_BACKUP] = 2;
        u->stalls = 1;
        u->trial_restarts = 4;
        u->trial_seconds = 9;
        u->outcome = OUTCOME_RESTORED;
        u->wait = OUTCOME_WAIT_DEVICE;
        u->stranded_tries = 7;
        (void)snprintf(u->instead_of, sizeof(u->instead_of), "2.5.0");
        u->backup_bad = true;
        u->kept = (RecordImage){ .known = true, .version = "2.3.0", .length = 12 };
        memset(&u->kept.digest, 0xa5, sizeof(u->kept.digest));
        (void)snprintf(u->text, sizeof(u->text), "why \"so\"");
        (void)snprintf(u->wait_text, sizeof(u->wait_text), "the line is silent");
        return u;
}

static void an_update_survives_its_entry(void **state) {
        Fixture *f = *state;
        Update *u = make(f), *back = NULL;
        json_t *e = update_to_json(u);
        Why w;

        assert_non_null(e);
        assert_int_equal(update_from_journal(&f->device, e, &back, &w), 0);
        assert_int_equal(back->kind, UPDATE_UPGRADE);
        assert_int_equal(back->state, UPDATE_PUSHING);
        assert_int_equal(back->resume, UPDATE_TRIAL);
        assert_true(back->push_id == u->push_id && back->last_push_id == 1);
        assert_true(back->touched && back->by_name && back->provision);
        assert_false(back->by_request);
        assert_int_equal(back->tries[ROLE_BACKUP], 2);
        assert_int_equal(back->stalls, 1);
        assert_int_equal(back->trial_restarts, 4);
        assert_int_equal(back->trial_seconds, 9);
        assert_int_equal(back->outcome, OUTCOME_RESTORED);
        assert_int_equal(back->wait, OUTCOME_WAIT_DEVICE);
        assert_int_equal(back->stranded_tries, 7);
        assert_true(back->started == u->started);
        assert_true(back->backup_bad && back->kept.known && back->kept.length == 12);
        assert_string_equal(back->kept.version, "2.3.0");
        assert_string_equal(back->instead_of, "2.5.0");
        assert_true(sha256_equal(&back->kept.digest, &u->kept.digest));
        assert_string_equal(back->text, u->text);
        assert_string_equal(back->wait_text, u->wait_text);
        assert_string_equal(back->candidate->version, "2.4.1");
        assert_true(sha256_equal(&back->candidate->image_digest, &u->candidate->image_digest));
        json_decref(e);
        update_free(back);
        update_free(u);
}

static void a_restore_has_no_candidate(void **state) {
        Fixture *f = *state;
        Update *u, *back = NULL;
        json_t *e;
        Why w;

        assert_int_equal(update_new(&f->device, UPDATE_RESTORE, UPDATE_RESTORING, NULL, &u), 0);
        assert_int_equal(u->role, ROLE_BACKUP);
        e = update_to_json(u);
        assert_int_equal(update_from_journal(&f->device, e, &back, &w), 0);
        assert_null(back->candidate);
        assert_int_equal(back->role, ROLE_BACKUP);
        json_decref(e);
        update_free(back);
        update_free(u);
}

static void assert_refused(Fixture *f, const char *key, json_t *value, const char *text) {
        Update *u = make(f), *back = NULL;
        json_t *e = update_to_json(u);
        Why w = {};

        if (value)
                assert_int_equal(json_object_set_new(e, key, value), 0);
        else
                assert_int_equal(json_object_del(e, key), 0);
        assert_true(update_from_journal(&f->device, e, &back, &w) < 0);
        assert_null(back);
        if (!strstr(w.text, text))
                fail_msg("\"%s\" does not say \"%s\"", w.text, text);
        json_decref(e);
        update_free(u);
}

static void odd_entries_are_refused(void **state) {
        Fixture *f = *state;

        assert_refused(f, "format", json_integer(2), "newer");
        assert_refused(f, "format", NULL, "format");
        assert_refused(f, "state", json_string("dreaming"), "dreaming");
        assert_refused(f, "kind", json_integer(1), "kind");
        assert_refused(f, "role", json_string(""), "role");
        assert_refused(f, "push-id", json_string("12"), "16 hexadecimal");
        assert_refused(f, "push-id", json_string("00000000000000zz"), "16 hexadecimal");
        assert_refused(f, "candidate", json_null(), "candidate");
        assert_refused(f, "candidate", json_string("x"), "candidate");
        assert_refused(f, "kept", json_string("1.0.0"), "kept");
        assert_refused(f, "kept", json_pack("{s:s}", "version", "1.0.0"), "sha256");
        assert_refused(f, "tries", json_pack("[iiii]", 1, 2, 3, 4), "tries");
        assert_refused(f, "stalls", json_integer(-1), "stalls");
        assert_refused(f, "outcome", json_string("wonderful"), "wonderful");
        assert_refused(f, "touched", json_integer(1), "touched");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(an_update_survives_its_entry, setup, teardown),
                cmocka_unit_test_setup_teardown(a_restore_has_no_candidate, setup, teardown),
                cmocka_unit_test_setup_teardown(odd_entries_are_refused, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

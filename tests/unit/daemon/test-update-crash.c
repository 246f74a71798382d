/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon dies between any two of its writes: what the next start finds leads to the same end,
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "basic/file.h"
#include "daemon/manager-port.h"
#include "proto/crc.h"
#include "update-fixture.h"

/* The journal as it is now, to be put back: everything later was lost but what is in the other
 * files. */
typedef struct Kept {
        char *bytes;
        size_t n;
} Kept;

static Kept keep_journal(World *w) {
        Kept k;

        assert_int_equal(file_read(w->manager->updates_fd, "boiler.journal", 1 << 20, &k.bytes,
                                         &k.n),
                        0);
        return k;
}

static void restart_with_journal(World *w, Kept *k) {
        int fd;

        fd = openat(w->manager->updates_fd, "boiler.journal",
                        O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write_all(fd, k->bytes, k->n), 0);
        (void)close(fd);
        free(k->bytes);
        world_restart(w);
}

static void a_good_update_is_confirmed(void **state) {
        World *w = *state;
        Sha256 digest;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_over(w);
        program_digest(PROGRAM_CANDIDATE, &digest);
        assert_true(sha256_equal(&w->device->record->backup.digest, &digest));
        assert_string_equal(w->device->record->previous.version, "1.1.0");
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
        assert_int_equal(w->unit.asked[DRIVER_PUSH], 1);
}

static void a_result_is_written_once(void **state) {
        World *w = *state;
        uint64_t *reports;
        size_t n;
        Kept k;

        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        world_until_state(w, UPDATE_REPORTING);
        k = keep_journal(w);
        world_until_over(w);
        restart_with_journal(w, &k);
        world_until_over(w);
        assert_int_equal(world_results(w, OUTCOME_DONE), 1);
        assert_int_equal(outbox_list(w->manager->history, &reports, &n), 0);
        free(reports);
        assert_int_equal(n, 1);
}

static void confirming_the_previous_twice_changes_nothing(void **state) {
        World *w = *state;
        Update *u = world_update(w, UPDATE_RESTORE, UPDATE_RESTORING);
        const Record *r;
        Kept k;

        w->unit.id.state = DEVICE_FAILED;
        w->unit.id.in_bootloader = true;
        u->touched = true;
        u->tries[ROLE_BACKUP] = 2;
        u->backup_bad = true;
        world_begin(w, u);
        world_until_state(w, UPDATE_CONFIRMING);
        k = keep_journal(w);
        world_until_over(w);
        restart_with_journal(w, &k);
        world_until_over(w);
        r = w->device->record;
        assert_string_equal(r->backup.version, "1.0.0");
        assert_false(r->previous.known);
        assert_int_equal(r->n_bad, 1);
        assert_string_equal(r->bad[0].version, "1.1.0");
        assert_string_equal(r->running.version, "1.0.0");
}

static void put_line(World *w, const char *json) {
        char line[256];
        int fd, n;

        n = snprintf(line, sizeof(line), "%zu %08x %s\n", strlen(json),
                        rkd_crc32(json, strlen(json)), json);
        fd = openat(w->manager->updates_fd, "boiler.journal", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write_all(fd, line, (size_t)n), 0);
        (void)close(fd);
}

/* It knows of a push that must not become somebody else's. */
static void the_journal_of_a_newer_program_is_not_touched(void **state) {
        World *w = *state;

        put_line(w, "{\"format\":2,\"state\":\"floating\"}");
        assert_int_equal(manager_resume_updates(w->manager), -EOPNOTSUPP);
        assert_int_equal(faccessat(w->manager->updates_fd, "boiler.journal", F_OK, 0), 0);
}

static void a_journal_without_sense_is_set_aside(void **state) {
        World *w = *state;

        put_line(w, "{\"format\":1,\"state\":\"floating\"}");
        world_restart(w);
        assert_null(w->device->update);
        assert_int_equal(faccessat(w->manager->updates_fd, "boiler.journal.damaged", F_OK, 0), 0);
}

/* ---- killed after each turn of the loop ---- */

typedef struct Story {
        const char *name;
        Program sick[2];
        Program runs; /* in the end */
        Outcome outcome;
} Story;

static bool is_over(World *w) {
        return !w->device->update && !w->device->saving && sync_is_idle(w->manager->sync);
}

/* Runs the story and kills the daemon after so many turns; false: it was over before. */
static bool run_and_kill(World *w, const Story *s, unsigned turns) {
        for (size_t i = 0; i < ELEMENTSOF(s->sick); i++)
                w->unit.sick[s->sick[i]] = true;
        world_begin(w, world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING));
        for (unsigned i = 0; i < turns; i++) {
                if (is_over(w))
                        return false;
                world_turns(w, 1);
        }
        world_restart(w);
        return true;
}

static void check_end(World *w, const Story *s, unsigned turns) {
        bool begun = w->unit.asked[DRIVER_PUSH] > 0 || world_results(w, s->outcome) > 0;
        const Record *r = w->device->record;
        Sha256 digest;

        program_digest(begun ? s->runs : PROGRAM_BACKUP, &digest);
        if (w->unit.id.state != DEVICE_CONFIRMED || !sha256_equal(&w->unit.id.digest, &digest) ||
                        !r->backup.known || !sha256_equal(&r->backup.digest, &digest) ||
                        r->foreign_push || r->stranded_since > 0 ||
                        world_results(w, s->outcome) != begun ||
                        r->n_bad != (begun ? s->outcome == OUTCOME_DONE ? 0
                                                                    : s->outcome == OUTCOME_RESTORED
                                                                                    ? 1
                                                                                    : 2
                                           : 0))
                fail_msg("%s, killed after %u turns: the unit is %s with %s, backup %s, %zu bad, %zu "
                         "results",
                                s->name, turns, device_state_to_string(w->unit.id.state),
                                w->unit.id.version, r->backup.version, r->n_bad,
                                world_results(w, s->outcome));
}

static void kill_everywhere(const Story *s) {
        unsigned turns = 0;
        bool killed = true;

        while (killed) {
                void *state = NULL;

                turns++;
                assert_int_equal(world_setup(&state), 0);
                killed = run_and_kill(state, s, turns);
                world_until_over(state);
                world_turns(state, 10);
                world_until_over(state);
                check_end(state, s, turns);
                world_teardown(&state);
                assert_true(turns < 1000);
        }
        print_message("%s: killed %u times\n", s->name, turns - 1);
        assert_true(turns > 20);
}

static void a_good_update_survives_every_kill(void **state) {
        const Story s = { "good update", { 0 }, PROGRAM_CANDIDATE, OUTCOME_DONE };

        kill_everywhere(&s);
}

static void a_restore_survives_every_kill(void **state) {
        const Story s = { "bad candidate", { PROGRAM_CANDIDATE }, PROGRAM_BACKUP,
                OUTCOME_RESTORED };

        kill_everywhere(&s);
}

static void a_restore_of_the_previous_survives_every_kill(void **state) {
        const Story s = { "bad backup", { PROGRAM_CANDIDATE, PROGRAM_BACKUP }, PROGRAM_PREVIOUS,
                OUTCOME_RESTORED_PREVIOUS };

        kill_everywhere(&s);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                a_good_update_is_confirmed, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_result_is_written_once, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(confirming_the_previous_twice_changes_nothing,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(the_journal_of_a_newer_program_is_not_touched,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                a_journal_without_sense_is_set_aside, world_setup, world_teardown),
                cmocka_unit_test(a_good_update_survives_every_kill),
                cmocka_unit_test(a_restore_survives_every_kill),
                cmocka_unit_test(a_restore_of_the_previous_survives_every_kill),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

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
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people do with whole images: the lines have their turn meanwhile, and who goes leaves
 * nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/backup.h"
#include "state-fixture.h"
#include "update-fixture.h"

#define BIG (3 * 1024 * 1024 + 5)

typedef struct Told {
        unsigned times;
        Outcome outcome;
        Why why;
        unsigned turns; /* of the loop, until then */
} Told;

static void on_told(Outcome outcome, const Why *w, void *userdata) {
        Told *t = userdata;

        t->times++;
        t->outcome = outcome;
        t->why = *w;
}

static bool is_told(World *w, void *userdata) {
        Told *t = userdata;

        t->turns += t->times == 0;
        return t->times > 0;
}

static int file_of(size_t n, uint8_t byte) {
        uint8_t block[4096];
        int fd = memfd_create("program", MFD_CLOEXEC);

        assert_true(fd >= 0);
        memset(block, byte, sizeof(block));
        for (size_t at = 0; at < n;) {
                size_t k = MIN(sizeof(block), n - at);

                assert_int_equal(write(fd, block, k), (ssize_t)k);
                at += k;
        }
        return fd;
}

/* Files of the store that are no image nor its release. */
static unsigned count_left(World *w) {
        struct dirent *entry;
        unsigned n = 0;
        DIR *dir;
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/state/images", w->path);
        dir = opendir(path);
        assert_non_null(dir);
        while ((entry = readdir(dir)))
                n += strstr(entry->d_name, ".tmp") || strstr(entry->d_name, ".part");
        (void)closedir(dir);
        return n;
}

/* The unit tells no digest: it believes what people say. */
static void say_nothing(World *w) {
        w->unit.id.digest = (Sha256){};
        w->unit.id.version[0] = '\0';
        world_restart(w);
        world_turns(w, 20);
        assert_true(w->device->present);
}

static void adopt(World *w, int fd, Told *t) {
        Why text = {};

        *t = (Told){};
        if (device_request_adopt_file(w->device, fd, "3.0.0", on_told, t, &text) != OUTCOME_DONE)
                fail_msg("%s", text.text);
        world_until(w, is_told, t);
}

/* ---- files ---- */

static void an_adopted_file_is_durable_when_that_is_told(void **state) {
        World *w = *state;
        Told t;
        int fd;

        say_nothing(w);
        fd = file_of(BIG, 'x');
        adopt(w, fd, &t);
        (void)close(fd);
        assert_int_equal(t.outcome, OUTCOME_DONE);
        assert_true(t.turns > BIG / (64 * 1024)); /* in pieces */
        world_restart(w);
        assert_string_equal(w->device->record->backup.version, "3.0.0");
        assert_int_equal(w->device->record->backup.length, BIG);
        assert_true(w->device->record->backup.declared);
        assert_true(store_has(w->manager->store, &w->device->record->backup.digest));
        assert_int_equal(count_left(w), 0);
}

static void a_file_of_which_others_have_read_is_adopted_from_its_beginning(void **state) {
        World *w = *state;
        Told t;
        int fd;

        say_nothing(w);
        fd = file_of(5000, 'x');
        assert_int_equal(lseek(fd, 4000, SEEK_SET), 4000);
        adopt(w, fd, &t);
        (void)close(fd);
        assert_int_equal(w->device->record->backup.length, 5000);
}

static void a_file_that_is_not_what_runs_is_not_adopted(void **state) {
        World *w = *state;
        int fd = file_of(5000, 'x');
        Told t;

        world_turns(w, 20);
        adopt(w, fd, &t);
        (void)close(fd);
        assert_int_equal(t.outcome, OUTCOME_DIGEST_MISMATCH);
        assert_string_equal(w->device->record->backup.version, "1.1.0");
        assert_int_equal(count_left(w), 0);
}

static void what_is_no_program_is_not_adopted(void **state) {
        static const struct {
                const char *path;
                int flags;
                const char *says;
        } cases[] = {
                { "/dev/null", O_RDONLY, "not a regular file" },
                { "/dev/zero", O_RDONLY, "not a regular file" },
                { "/", O_RDONLY, "not a regular file" },
                { "/proc/version", O_PATH, "Bad file descriptor" },
                { "/dev/shm/.", O_RDONLY, "not a regular file" },
        };
        World *w = *state;
        Told t;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                int fd = open(cases[i].path, cases[i].flags | O_CLOEXEC);

                assert_true(fd >= 0);
                adopt(w, fd, &t);
                (void)close(fd);
                assert_int_equal(t.outcome, OUTCOME_INVALID_ARGUMENT);
                if (!strstr(t.why.text, cases[i].says))
                        fail_msg("%s: %s", cases[i].path, t.why.text);
        }
        assert_int_equal(count_left(w), 0);
}

static void files_without_end_or_content_are_not_adopted(void **state) {
        static const struct {
                off_t size;
                const char *says;
        } cases[] = {
                { 0, "is empty" },
                { 16 * 1024 * 1024 + 1, "larger than a program may be, 16 MiB" },
        };
        World *w = *state;
        Told t;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                int fd = file_of(0, 0);

                assert_int_equal(ftruncate(fd, cases[i].size), 0);
                adopt(w, fd, &t);
                (void)close(fd);
                assert_int_equal(t.outcome, OUTCOME_INVALID_ARGUMENT);
                if (!strstr(t.why.text, cases[i].says))
                        fail_msg("%s", t.why.text);
        }
}

static void pipes_and_sockets_are_not_adopted(void **state) {
        World *w = *state;
        int fds[2];
        Told t;

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        adopt(w, fds[0], &t);
        assert_int_equal(t.outcome, OUTCOME_INVALID_ARGUMENT);
        adopt(w, w->line, &t);
        assert_int_equal(t.outcome, OUTCOME_INVALID_ARGUMENT);
        (void)close(fds[0]);
        (void)close(fds[1]);
}

static void a_version_that_is_none_is_refused_at_once(void **state) {
        World *w = *state;
        Why text;

        assert_int_equal(device_request_adopt_file(w->device, 0, "one two", on_told, NULL, &text),
                        OUTCOME_INVALID_ARGUMENT);
        assert_non_null(strstr(text.text, "\"one two\" is no version: digits"));
        assert_int_equal(device_request_adopt_file(w->device, 0, "", on_told, NULL, &text),
                        OUTCOME_INVALID_ARGUMENT);
}

static void who_goes_while_his_file_is_read_leaves_nothing(void **state) {
        World *w = *state;
        int fd = file_of(BIG, 'x');
        Told t = {};
        Why text;

        say_nothing(w);
        assert_int_equal(device_request_adopt_file(w->device, fd, "3.0.0", on_told, &t, &text),
                        OUTCOME_DONE);
        assert_int_equal(device_request_adopt_file(w->device, fd, "3.0.0", on_told, NULL, &text),
                        OUTCOME_BUSY);
        world_turns(w, 5);
        assert_int_equal(count_left(w), 1);
        backup_forget(w->device, &t);
        assert_int_equal(count_left(w), 0);
        world_turns(w, 20);
        assert_int_equal(t.times, 0);
        assert_string_equal(w->device->record->backup.version, "1.1.0");
        adopt(w, fd, &t);
        assert_int_equal(t.outcome, OUTCOME_DONE);
        (void)close(fd);
}

static void a_stop_while_a_file_is_read_leaves_nothing(void **state) {
        World *w = *state;
        int fd = file_of(BIG, 'x');
        Told t = {};
        Why text;

        say_nothing(w);
        assert_int_equal(device_request_adopt_file(w->device, fd, "3.0.0", on_told, &t, &text),
                        OUTCOME_DONE);
        world_turns(w, 5);
        world_stop(w);
        assert_int_equal(count_left(w), 0);
        assert_int_equal(t.times, 0);
        world_start(w);
        assert_string_equal(w->device->record->backup.version, "1.1.0");
        (void)close(fd);
}

/* What a person says of the program that was there is not said of the one that comes. */
static void a_file_is_not_adopted_into_an_update_that_erases(void **state) {
        World *w = *state;
        int fd = file_of(5000, 'x');
        Told t = {};
        Why text;
        Update *u;

        say_nothing(w);
        assert_int_equal(device_request_adopt_file(w->device, fd, "3.0.0", on_told, &t, &text),
                        OUTCOME_DONE);
        u = world_update(w, UPDATE_UPGRADE, UPDATE_DOWNLOADING);
        u->touched = true;
        w->unit.off = true; /* so it stays */
        world_begin(w, u);
        world_until(w, is_told, &t);
        assert_int_equal(t.outcome, OUTCOME_BUSY);
        assert_string_equal(w->device->record->backup.version, "1.1.0");
        (void)close(fd);
}

static void a_file_is_not_adopted_after_an_update_that_erased(void **state) {
        World *w = *state;
        int fd = file_of(5000, 'x');
        Told t = {};
        Why text;

        say_nothing(w);
        assert_int_equal(device_request_adopt_file(w->device, fd, "3.0.0", on_told, &t, &text),
                        OUTCOME_DONE);
        device_count_erase(w->device);
        world_until(w, is_told, &t);
        assert_int_equal(t.outcome, OUTCOME_BUSY);
        assert_string_equal(w->device->record->backup.version, "1.1.0");
        (void)close(fd);
}

/* ---- checks ---- */

static void keep_big(World *w) {
        int fd;
        Told t;

        say_nothing(w);
        fd = file_of(BIG, 'x');
        adopt(w, fd, &t);
        (void)close(fd);
        assert_int_equal(t.outcome, OUTCOME_DONE);
}

static void begin_check(World *w, Told *t) {
        Why text;

        *t = (Told){};
        assert_int_equal(backup_check(w->device, on_told, t, &text), OUTCOME_DONE);
}

static void a_check_is_done_in_slices(void **state) {
        World *w = *state;
        Told t;

        keep_big(w);
        begin_check(w, &t);
        assert_int_equal(t.times, 0);
        world_until(w, is_told, &t);
        assert_int_equal(t.outcome, OUTCOME_DONE);
        assert_true(t.turns >= BIG / (512 * 1024));
}

static void flip_byte(World *w, const Sha256 *digest, off_t at) {
        char name[SHA256_HEX];
        uint8_t byte;
        int fd;

        sha256_to_hex(digest, name);
        fd = openat(w->manager->images_fd, name, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        (void)close(fd);
}

static void the_last_byte_and_the_previous_image_are_checked_too(void **state) {
        World *w = *state;
        const Record *r;
        Told t;

        keep_big(w);
        r = w->device->record;
        flip_byte(w, &r->previous.digest, 0);
        begin_check(w, &t);
        world_until(w, is_told, &t);
        assert_int_equal(t.outcome, OUTCOME_DIGEST_MISMATCH);
        flip_byte(w, &r->previous.digest, 0);
        flip_byte(w, &r->backup.digest, BIG - 1);
        begin_check(w, &t);
        world_until(w, is_told, &t);
        assert_int_equal(t.outcome, OUTCOME_DIGEST_MISMATCH);
        assert_true(store_has(w->manager->store, &r->backup.digest)); /* only looked at */
}

/* However many ask, each turn of the loop has one slice. */
static void checks_wait_for_each_other(void **state) {
        World *w = *state;
        Told t[3];

        keep_big(w);
        for (size_t i = 0; i < ELEMENTSOF(t); i++)
                begin_check(w, t + i);
        world_until(w, is_told, t);
        assert_int_equal(t[1].times, 0);
        backup_forget(w->device, t + 1); /* who asked is gone */
        world_until(w, is_told, t + 2);
        assert_int_equal(t[2].outcome, OUTCOME_DONE);
        assert_true(t[2].turns >= BIG / (512 * 1024));
        assert_int_equal(t[1].times, 0);
        assert_null(w->manager->checks);
        begin_check(w, t);
        world_turns(w, 2);
        backup_forget(w->device, t);
        assert_null(w->manager->check_source);
}

static void a_stop_ends_checks_without_a_word(void **state) {
        World *w = *state;
        Told t[2];

        keep_big(w);
        begin_check(w, t);
        begin_check(w, t + 1);
        world_turns(w, 2);
        world_restart(w);
        world_turns(w, 20);
        assert_int_equal(t[0].times + t[1].times, 0);
}

static void what_is_not_there_is_not_checked(void **state) {
        World *w = *state;
        Why text;

        w->device->record->backup = (RecordImage){};
        assert_int_equal(backup_check(w->device, on_told, NULL, &text), OUTCOME_NO_BACKUP);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
        const struct CMUnitTest tests[] = {
                TEST(an_adopted_file_is_durable_when_that_is_told),
                TEST(a_file_of_which_others_have_read_is_adopted_from_its_beginning),
                TEST(a_file_that_is_not_what_runs_is_not_adopted),
                TEST(what_is_no_program_is_not_adopted),
                TEST(files_without_end_or_content_are_not_adopted),
                TEST(pipes_and_sockets_are_not_adopted),
                TEST(a_version_that_is_none_is_refused_at_once),
                TEST(who_goes_while_his_file_is_read_leaves_nothing),
                TEST(a_stop_while_a_file_is_read_leaves_nothing),
                TEST(a_file_is_not_adopted_into_an_update_that_erases),
                TEST(a_file_is_not_adopted_after_an_update_that_erased),
                TEST(a_check_is_done_in_slices),
                TEST(the_last_byte_and_the_previous_image_are_checked_too),
                TEST(checks_wait_for_each_other),
                TEST(a_stop_ends_checks_without_a_word),
                TEST(what_is_not_there_is_not_checked),
        };
        sigset_t mask;

        (void)sigemptyset(&mask);
        (void)sigaddset(&mask, SIGCHLD);
        (void)sigprocmask(SIG_BLOCK, &mask, NULL);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of a folder that somebody handed over: plain ones come whole, and no name leads out of
 * it or to anything else. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/folder-read.h"

#define LARGE_BYTES (3 * 1000 * 1000)

typedef struct Fixture {
        sd_event *event;
        char *path;
        int fd;
        FolderRead *read;
        unsigned calls;
        int error, stop_with;
        char text[WHY_MAX];
        uint64_t bytes, sum;
        char first[16];
} Fixture;

static void put(const char *folder, const char *name, size_t n) {
        char path[300];
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/%s", folder, name);
        f = fopen(path, "we");
        assert_non_null(f);
        for (size_t i = 0; i < n; i++)
                (void)fputc((int)(i & 0x7f), f);
        assert_int_equal(fclose(f), 0);
}

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);
        char template[] = "/tmp/rkfolder-XXXXXX";
        sigset_t set;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGCHLD);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        *state = f;
        if (sd_event_new(&f->event) < 0 || !mkdtemp(template))
                return -1;
        f->path = strdup(template);
        f->fd = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (f->fd < 0 || mkdirat(f->fd, "inner", 0755) < 0 || mkfifoat(f->fd, "fifo", 0600) < 0 ||
                        symlinkat("plain", f->fd, "link") < 0 ||
                        symlinkat("inner", f->fd, "way") < 0 ||
                        symlinkat("/etc/passwd", f->fd, "outside") < 0)
                return -1;
        put(f->path, "plain", 1000);
        put(f->path, "inner/deep", 10);
        put(f->path, "empty", 0);
        put(f->path, "large", LARGE_BYTES);
        return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

static int teardown(void **state) {
        Fixture *f = *state;

        (void)folder_read_free(f->read);
        (void)close(f->fd);
        (void)nftw(f->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        sd_event_unref(f->event);
        free(f->path);
        free(f);
        return 0;
}

static int on_bytes(const void *bytes, size_t n, void *userdata) {
        const uint8_t *b = bytes;
        Fixture *f = userdata;

        for (size_t i = 0; i < n; i++)
                f->sum += b[i] == ((f->bytes + i) & 0x7f);
        f->bytes += n;
        return f->stop_with;
}

static void on_done(int error, const char *text, void *userdata) {
        Fixture *f = userdata;

        f->read = NULL;
        f->calls++;
        f->error = error;
        (void)snprintf(f->text, sizeof f->text, "%s", text);
}

static void start(Fixture *f, int folder_fd, const char *path, uint64_t limit) {
        const FolderRequest request = { folder_fd, path, limit, on_bytes, on_done, f };

        f->calls = 0;
        f->bytes = f->sum = 0;
        assert_int_equal(folder_read_new(f->event, &request, &f->read), 0);
}

/* Runs the loop until every child is gone. */
static void reap(Fixture *f) {
        siginfo_t si;

        for (int i = 0; waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0; i++) {
                assert_true(i < 1000);
                assert_true(sd_event_run(f->event, 10 * USEC_PER_MSEC) >= 0);
        }
        assert_int_equal(errno, ECHILD);
}

static void fetch(Fixture *f, const char *path, uint64_t limit) {
        start(f, f->fd, path, limit);
        for (int i = 0; i < 1000 && f->calls == 0; i++)
                assert_true(sd_event_run(f->event, 100 * USEC_PER_MSEC) >= 0);
        assert_int_equal(f->calls, 1);
        reap(f);
}

static void plain_files_come_whole(void **state) {
        static const struct {
                const char *path;
                uint64_t bytes;
        } files[] = { { "plain", 1000 }, { "inner/deep", 10 }, { "empty", 0 },
                { "large", LARGE_BYTES } };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                fetch(f, files[i].path, files[i].bytes);
                assert_int_equal(f->error, 0);
                assert_string_equal(f->text, "");
                assert_int_equal(f->bytes, files[i].bytes);
                assert_int_equal(f->sum, files[i].bytes);
        }
}

static void file_over_its_limit_is_refused(void **state) {
        Fixture *f = *state;

        fetch(f, "plain", 999);
        assert_int_equal(f->error, -EFBIG);
        assert_int_equal(f->bytes, 0);
        assert_non_null(strstr(f->text, "plain in the folder: it is larger"));
        /* Files that tell no length are counted. */
        (void)close(f->fd);
        f->fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fetch(f, "status", 20);
        assert_int_equal(f->error, -EFBIG);
        assert_true(f->bytes <= 20);
}

/* Both ways in must judge alike. */
static void names_that_lead_elsewhere_are_refused(void **state) {
        static const struct {
                const char *path;
                int error;
        } names[] = {
                { "link", -ELOOP },
                { "outside", -ELOOP },
                { "way/deep", -ELOOP },
                { "../plain", -EXDEV },
                { "inner/../../x", -EXDEV },
                { "/etc/passwd", -EXDEV },
                { "fifo", -ENOTSUP },
                { "inner", -ENOTSUP },
                { "nothing", -ENOENT },
                { "inner/nothing", -ENOENT },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                int a = folder_open_file(f->fd, names[i].path, false);
                int b = folder_open_file(f->fd, names[i].path, true);

                if (a != names[i].error || b != names[i].error)
                        fail_msg("%s: %d and %d instead of %d", names[i].path, a, b,
                                        names[i].error);
                fetch(f, names[i].path, 100000);
                assert_int_equal(f->error, names[i].error);
                assert_int_equal(f->bytes, 0);
                assert_true(startswith(f->text, names[i].path));
        }
}

static void both_ways_in_open_plain_files(void **state) {
        Fixture *f = *state;

        for (int way = 0; way < 2; way++) {
                int fd = folder_open_file(f->fd, "inner/deep", way == 1);

                assert_true(fd >= 0);
                assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
                (void)close(fd);
        }
}

static void medium_that_fails_is_said_so(void **state) {
        Fixture *f = *state;

        /* The kernel reads nothing at address 0 of a process: EIO, as from a stick that is gone. */
        (void)close(f->fd);
        f->fd = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fetch(f, "mem", 1000);
        assert_int_equal(f->error, -EIO);
        assert_non_null(strstr(f->text, "mem in the folder: Input/output error"));
}

static void reader_that_refuses_ends_it(void **state) {
        Fixture *f = *state;

        f->stop_with = -ENOSPC;
        fetch(f, "large", LARGE_BYTES);
        assert_int_equal(f->error, -ENOSPC);
        assert_true(f->bytes > 0 && f->bytes <= 65536);
}

static void given_up_read_leaves_nobody(void **state) {
        Fixture *f = *state;

        start(f, f->fd, "large", LARGE_BYTES);
        f->read = folder_read_free(f->read);
        reap(f);
        assert_int_equal(f->calls, 0);
}

static void only_folders_that_could_be_read_are_taken(void **state) {
        Fixture *f = *state;
        int path_only = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        int file = openat(f->fd, "plain", O_RDONLY | O_CLOEXEC);

        assert_true(folder_fd_is_valid(f->fd));
        assert_false(folder_fd_is_valid(path_only));
        assert_false(folder_fd_is_valid(file));
        assert_false(folder_fd_is_valid(-1));
        (void)close(path_only);
        (void)close(file);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_FOLDER(plain_files_come_whole),
                WITH_FOLDER(file_over_its_limit_is_refused),
                WITH_FOLDER(names_that_lead_elsewhere_are_refused),
                WITH_FOLDER(both_ways_in_open_plain_files),
                WITH_FOLDER(medium_that_fails_is_said_so),
                WITH_FOLDER(reader_that_refuses_ends_it),
                WITH_FOLDER(given_up_read_leaves_nobody),
                WITH_FOLDER(only_folders_that_could_be_read_are_taken),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

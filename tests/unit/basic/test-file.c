/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole files and folders, each test in a folder of its own; full disks by RLIMIT_FSIZE and
 * /dev/full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/file.h"

typedef struct Fixture {
        char path[64];
        int dirfd;
} Fixture;

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);

        (void)strcpy(f->path, "/tmp/test-file.XXXXXX");
        if (!mkdtemp(f->path))
                return -1;
        f->dirfd = folder_open(AT_FDCWD, f->path);
        *state = f;
        return f->dirfd < 0 ? -1 : 0;
}

static void remove_all(int dirfd) {
        DIR *dir = fdopendir(dup(dirfd));
        struct dirent *e;

        rewinddir(dir);
        while ((e = readdir(dir))) {
                int sub;

                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                if (unlinkat(dirfd, e->d_name, 0) == 0)
                        continue;
                sub = folder_open(dirfd, e->d_name);
                if (sub >= 0)
                        remove_all(sub);
                (void)close_fd(sub);
                (void)unlinkat(dirfd, e->d_name, AT_REMOVEDIR);
        }
        (void)closedir(dir);
}

static int teardown(void **state) {
        Fixture *f = *state;

        remove_all(f->dirfd);
        (void)close(f->dirfd);
        (void)rmdir(f->path);
        free(f);
        return 0;
}

static size_t count_entries(int dirfd) {
        DIR *dir = fdopendir(dup(dirfd));
        struct dirent *e;
        size_t n = 0;

        rewinddir(dir);
        while ((e = readdir(dir)))
                n += !streq(e->d_name, ".") && !streq(e->d_name, "..");
        (void)closedir(dir);
        return n;
}

static void assert_content(int dirfd, const char *path, const char *expected) {
        char *bytes = NULL;
        size_t n = 0;

        assert_int_equal(file_read(dirfd, path, 100000, &bytes, &n), 0);
        assert_int_equal(n, strlen(expected));
        assert_string_equal(bytes, expected);
        free(bytes);
}

static void make(int dirfd, const char *path, const char *content) {
        int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write_all(fd, content, strlen(content)), 0);
        (void)close(fd);
}

static void replaced_files_hold_the_new_bytes(void **state) {
        Fixture *f = *state;
        struct stat st;

        make(f->dirfd, "a", "old and longer");
        assert_int_equal(file_replace(f->dirfd, "a", "new", 3, 0640), 0);
        assert_content(f->dirfd, "a", "new");
        assert_int_equal(fstatat(f->dirfd, "a", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(count_entries(f->dirfd), 1);
}

static void the_umask_does_not_narrow_the_mode(void **state) {
        Fixture *f = *state;
        mode_t old = umask(077);
        struct stat st;

        assert_int_equal(file_replace(f->dirfd, "a", "new", 3, 0644), 0);
        assert_int_equal(folder_make(f->dirfd, "d", 0755), 0);
        (void)umask(old);
        assert_int_equal(fstatat(f->dirfd, "a", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(fstatat(f->dirfd, "d", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
}

static void files_in_folders_are_replaced_there(void **state) {
        Fixture *f = *state;

        assert_int_equal(folder_make(f->dirfd, "d", 0700), 0);
        assert_int_equal(file_replace(f->dirfd, "d/a", "new", 3, 0600), 0);
        assert_content(f->dirfd, "d/a", "new");
        assert_int_equal(count_entries(f->dirfd), 1);
        assert_int_equal(file_replace(f->dirfd, "none/a", "new", 3, 0600), -ENOENT);
        assert_int_equal(file_replace(f->dirfd, "d/", "new", 3, 0600), -EISDIR);
}

static void a_full_disk_leaves_the_old_file_alone(void **state) {
        struct rlimit limit = { .rlim_cur = 10, .rlim_max = RLIM_INFINITY }, old;
        Fixture *f = *state;
        int r;

        make(f->dirfd, "a", "old");
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        limit.rlim_max = old.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        r = file_replace(f->dirfd, "a", "eleven bytes", 12, 0600);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(r, -EFBIG);
        assert_content(f->dirfd, "a", "old");
        assert_int_equal(count_entries(f->dirfd), 1);
}

static void a_failed_rename_leaves_no_temporary(void **state) {
        Fixture *f = *state;

        assert_int_equal(folder_make(f->dirfd, "a", 0700), 0);
        assert_int_equal(file_replace(f->dirfd, "a", "new", 3, 0600), -EISDIR);
        assert_int_equal(count_entries(f->dirfd), 1);
}

static void reading_is_bounded(void **state) {
        Fixture *f = *state;
        char *bytes = NULL;
        size_t n = 9;

        make(f->dirfd, "a", "12345");
        assert_int_equal(file_read(f->dirfd, "a", 4, &bytes, &n), -EFBIG);
        assert_null(bytes);
        assert_int_equal(n, 9);
        assert_int_equal(file_read(f->dirfd, "a", 5, &bytes, &n), 0);
        assert_int_equal(n, 5);
        assert_string_equal(bytes, "12345");
        free(bytes);
}

static void empty_files_are_read(void **state) {
        Fixture *f = *state;

        make(f->dirfd, "a", "");
        assert_content(f->dirfd, "a", "");
}

static void files_without_a_size_are_read_to_their_end(void **state) {
        char *bytes = NULL;
        size_t n = 0;

        assert_int_equal(file_read(AT_FDCWD, "/proc/self/maps", 1 << 20, &bytes, &n), 0);
        assert_true(n > 0 && bytes[n] == '\0');
        free(bytes);
        assert_int_equal(file_read(AT_FDCWD, "/proc/self/maps", 10, &bytes, &n), -EFBIG);
}

static void only_regular_files_are_read(void **state) {
        Fixture *f = *state;
        char *bytes = NULL;
        size_t n;

        assert_int_equal(mkfifoat(f->dirfd, "pipe", 0600), 0);
        assert_int_equal(symlinkat("loop", f->dirfd, "loop"), 0);
        assert_int_equal(file_read(f->dirfd, "pipe", 10, &bytes, &n), -ENOTSUP);
        assert_int_equal(file_read(f->dirfd, "loop", 10, &bytes, &n), -ELOOP);
        assert_int_equal(file_read(f->dirfd, ".", 10, &bytes, &n), -EISDIR);
        assert_int_equal(file_read(f->dirfd, "none", 10, &bytes, &n), -ENOENT);
        assert_int_equal(file_read(AT_FDCWD, "/dev/null", 10, &bytes, &n), -ENOTSUP);
}

static void on_alarm(int number) {}

/* A pipe that takes 4096 bytes at a time, its reader slow to come: short writes and EINTR both
 * happen. */
static void writing_goes_on_after_short_writes_and_signals(void **state) {
        struct sigaction act = { .sa_handler = on_alarm }, old;
        uint8_t *bytes = calloc(1, 300000), part[4096];
        int pair[2], status = -1;
        size_t total = 0;
        ssize_t n;
        pid_t pid;

        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        assert_int_equal(sigaction(SIGUSR1, &act, &old), 0);
        pid = fork();
        if (pid == 0) {
                (void)close(pair[0]);
                _exit(write_all(pair[1], bytes, 300000) == 0 ? 0 : 1);
        }
        (void)close(pair[1]);
        while ((n = read(pair[0], part, sizeof(part))) > 0) {
                total += (size_t)n;
                (void)kill(pid, SIGUSR1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void)sigaction(SIGUSR1, &old, NULL);
        (void)close(pair[0]);
        free(bytes);
        assert_int_equal(status, 0);
        assert_int_equal(total, 300000);
}

static void writing_tells_that_the_disk_is_full(void **state) {
        int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(write_all(fd, "x", 1), -ENOSPC);
        assert_int_equal(write_all(fd, "", 0), 0);
        (void)close(fd);
}

static void temporaries_lie_beside_their_file(void **state) {
        Fixture *f = *state;
        char *name = NULL;
        int fd;

        assert_int_equal(folder_make(f->dirfd, "d", 0700), 0);
        fd = file_open_temporary(f->dirfd, "d/image", 0600, &name);
        assert_true(fd >= 0);
        assert_true(startswith(name, "d/.image."));
        assert_string_equal(name + strlen(name) - 4, ".tmp");
        assert_int_equal(strlen(name), strlen("d/.image.XXXXXX.tmp"));
        assert_int_equal(faccessat(f->dirfd, name, F_OK, 0), 0);
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        (void)close(fd);
        free(name);
}

static void the_sweep_takes_temporaries_only(void **state) {
        static const char *const kept[] = { "a", "a.tmp", ".hidden", ".a.tmp", ".a.12345.tmp",
                ".a.ABCDEF.tmp", ".a.abcdef.tmp2", ".abcdef.tmp", "..abcdef.tmp" };
        Fixture *f = *state;
        char *name = NULL;
        int fd;

        for (size_t i = 0; i < ELEMENTSOF(kept); i++)
                make(f->dirfd, kept[i], "x");
        fd = file_open_temporary(f->dirfd, "record.json", 0600, &name);
        assert_true(fd >= 0);
        (void)close(fd);
        make(f->dirfd, ".a.abcd09.tmp", "x");
        assert_int_equal(folder_sweep_temporaries(f->dirfd), 0);
        assert_int_equal(faccessat(f->dirfd, name, F_OK, 0), -1);
        assert_int_equal(count_entries(f->dirfd), ELEMENTSOF(kept));
        assert_int_equal(folder_sweep_temporaries(f->dirfd), 0);
        assert_int_equal(folder_sweep_temporaries(-1), -EBADF);
        free(name);
}

static void a_folder_is_made_once(void **state) {
        Fixture *f = *state;
        struct stat st;

        assert_int_equal(folder_make(f->dirfd, "d", 0700), 0);
        assert_int_equal(folder_make(f->dirfd, "d", 0755), 0);
        assert_int_equal(fstatat(f->dirfd, "d", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
        make(f->dirfd, "file", "x");
        assert_int_equal(folder_make(f->dirfd, "file", 0700), -ENOTDIR);
        assert_int_equal(folder_make(f->dirfd, "none/d", 0700), -ENOENT);
        assert_int_equal(folder_open(f->dirfd, "file"), -ENOTDIR);
}

static void folders_only_are_listed(void **state) {
        Fixture *f = *state;
        DIR *dir = NULL;
        unsigned n = 0;

        make(f->dirfd, "file", "x");
        assert_int_equal(folder_list(f->dirfd, "none", &dir), -ENOENT);
        assert_int_equal(folder_list(f->dirfd, "file", &dir), -ENOTDIR);
        assert_null(dir);
        assert_int_equal(folder_list(f->dirfd, ".", &dir), 0);
        for (struct dirent *entry; (entry = readdir(dir));)
                n += streq(entry->d_name, "file");
        assert_int_equal(n, 1);
        closedirp(&dir);
}

static void a_path_is_cleared_of_its_own_kind_only(void **state) {
        Fixture *f = *state;

        make(f->dirfd, "file", "x");
        assert_int_equal(symlinkat("nowhere", f->dirfd, "link"), 0);
        assert_int_equal(fchdir(f->dirfd), 0);
        assert_int_equal(path_clear("file", S_IFSOCK), -EEXIST);
        assert_int_equal(path_clear("file", S_IFLNK), -EEXIST);
        assert_int_equal(path_clear("link", S_IFSOCK), -EEXIST);
        assert_int_equal(faccessat(f->dirfd, "file", F_OK, 0), 0);
        assert_int_equal(path_clear("link", S_IFLNK), 0);
        assert_int_equal(faccessat(f->dirfd, "link", F_OK, AT_SYMLINK_NOFOLLOW), -1);
        assert_int_equal(path_clear("link", S_IFLNK), 0);
}

static void free_room_is_told(void **state) {
        Fixture *f = *state;
        uint64_t bytes = 0;

        assert_int_equal(folder_free_bytes(f->dirfd, &bytes), 0);
        assert_true(bytes > 0);
        assert_int_equal(folder_free_bytes(-1, &bytes), -EBADF);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(replaced_files_hold_the_new_bytes),
                TEST(the_umask_does_not_narrow_the_mode),
                TEST(files_in_folders_are_replaced_there),
                TEST(a_full_disk_leaves_the_old_file_alone),
                TEST(a_failed_rename_leaves_no_temporary),
                TEST(reading_is_bounded),
                TEST(empty_files_are_read),
                TEST(files_without_a_size_are_read_to_their_end),
                TEST(only_regular_files_are_read),
                TEST(writing_goes_on_after_short_writes_and_signals),
                TEST(writing_tells_that_the_disk_is_full),
                TEST(temporaries_lie_beside_their_file),
                TEST(the_sweep_takes_temporaries_only),
                TEST(a_folder_is_made_once),
                TEST(folders_only_are_listed),
                TEST(a_path_is_cleared_of_its_own_kind_only),
                TEST(free_room_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The syncing child: order, ownership, failures, death. The child is held with SIGSTOP where a
 * test wants jobs to pile up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "basic/file.h"
#include "basic/sync.h"

#define ENDS_MAX   4200
#define GUARD_USEC (60 * USEC_PER_SEC) /* longer than anything here takes; its end is a failure */

typedef struct Fixture Fixture;

typedef struct Job {
        Fixture *fixture;
        int number;
} Job;

struct Fixture {
        char path[64];
        int dirfd;
        sd_event *event;
        Sync *sync;
        pid_t child;
        Job jobs[ENDS_MAX];
        struct {
                int number, error;
        } ends[ENDS_MAX];
        int n_ends;
        SyncJob *victim; /* what forget_victim forgets */
};

/* The process whose parent is `parent` and whose name is "rekindle-sync", or 0. */
static pid_t find_child(pid_t parent) {
        DIR *dir = opendir("/proc");
        struct dirent *e;
        pid_t found = 0;

        while (!found && (e = readdir(dir))) {
                char path[300], text[200] = "", *comm, *rest;
                int fd, ppid;

                (void)snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
                fd = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? open(path, O_RDONLY | O_CLOEXEC)
                                                                : -1;
                if (fd < 0)
                        continue;
                (void)!read(fd, text, sizeof(text) - 1);
                (void)close(fd);
                comm = strstr(text, "(rekindle-sync) ");
                rest = comm ? comm + strlen("(rekindle-sync) ") : NULL;
                if (rest && sscanf(rest, "%*c %d", &ppid) == 1 && ppid == parent)
                        found = atoi(e->d_name);
        }
        (void)closedir(dir);
        return found;
}

static void on_end(int error, void *userdata) {
        Job *job = userdata;
        Fixture *f = job->fixture;

        f->ends[f->n_ends].number = job->number;
        f->ends[f->n_ends++].error = error;
}

static void run_until_idle(Fixture *f) {
        while (!sync_is_idle(f->sync))
                if (sd_event_run(f->event, GUARD_USEC) <= 0)
                        fail_msg("nothing comes from the child");
}

static void make(int dirfd, const char *name, const char *content) {
        assert_int_equal(file_replace(dirfd, name, content, strlen(content), 0600), 0);
}

static bool exists(int dirfd, const char *name) {
        return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int setup(void **state) {
        Fixture *f = new0(Fixture, 1);
        int fd;

        (void)strcpy(f->path, "/tmp/test-sync.XXXXXX");
        if (!mkdtemp(f->path))
                return -1;
        f->dirfd = folder_open(AT_FDCWD, f->path);
        for (int i = 0; i < ENDS_MAX; i++)
                f->jobs[i] = (Job){ .fixture = f, .number = i };
        if (sd_event_new(&f->event) < 0 || sync_new(&f->sync, f->event) < 0)
                return -1;
        /* The first answer tells that the child has become what it is. */
        make(f->dirfd, "first", "");
        fd = openat(f->dirfd, "first", O_RDWR | O_CLOEXEC);
        if (sync_file(f->sync, fd, NULL, NULL, NULL) < 0)
                return -1;
        (void)close(fd);
        run_until_idle(f);
        (void)unlinkat(f->dirfd, "first", 0);
        f->child = find_child(getpid());
        *state = f;
        return f->child > 0 ? 0 : -1;
}

static int teardown(void **state) {
        Fixture *f = *state;
        DIR *dir;
        struct dirent *e;

        if (f->sync)
                (void)kill(f->child, SIGCONT);
        (void)sync_free(f->sync);
        (void)sd_event_unref(f->event);
        dir = fdopendir(f->dirfd);
        while ((e = readdir(dir)))
                if (e->d_name[0] != '.' || strlen(e->d_name) > 2)
                        (void)unlinkat(f->dirfd, e->d_name, 0);
        (void)closedir(dir);
        (void)rmdir(f->path);
        free(f);
        return 0;
}

static void hold(Fixture *f) {
        int status;

        assert_int_equal(kill(f->child, SIGSTOP), 0);
        assert_int_equal(waitpid(f->child, &status, WUNTRACED), f->child);
        assert_true(WIFSTOPPED(status));
}

static void let_go(Fixture *f) {
        assert_int_equal(kill(f->child, SIGCONT), 0);
}

/* Ends 0..n-1 in order, each with this error. */
static void assert_ends(Fixture *f, int n, int error) {
        assert_int_equal(f->n_ends, n);
        for (int i = 0; i < n; i++) {
                assert_int_equal(f->ends[i].number, i);
                assert_int_equal(f->ends[i].error, error);
        }
}

static void a_written_file_replaces_the_old(void **state) {
        Fixture *f = *state;
        char *bytes = NULL;
        struct stat st;
        size_t n;

        make(f->dirfd, "a", "old");
        assert_int_equal(
                        sync_write(f->sync, f->dirfd, "a", "new", 3, on_end, &f->jobs[0], NULL), 0);
        assert_false(sync_is_idle(f->sync));
        assert_int_equal(f->n_ends, 0);
        run_until_idle(f);
        assert_ends(f, 1, 0);
        assert_int_equal(file_read(f->dirfd, "a", 10, &bytes, &n), 0);
        assert_string_equal(bytes, "new");
        free(bytes);
        assert_int_equal(fstatat(f->dirfd, "a", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
}

static void removing_also_what_is_not_there_is_success(void **state) {
        Fixture *f = *state;

        make(f->dirfd, "a", "x");
        for (int i = 0; i < 2; i++)
                assert_int_equal(sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[i], NULL), 0);
        run_until_idle(f);
        assert_ends(f, 2, 0);
        assert_false(exists(f->dirfd, "a"));
}

static void the_caller_may_close_at_once(void **state) {
        Fixture *f = *state;
        int fd, dirfd = folder_open(AT_FDCWD, f->path);

        hold(f);
        make(f->dirfd, "from", "x");
        fd = openat(f->dirfd, "from", O_RDWR | O_CLOEXEC);
        assert_int_equal(sync_replace(f->sync, fd, dirfd, "from", "to", on_end, &f->jobs[0], NULL),
                        0);
        (void)close(fd);
        (void)close(dirfd);
        let_go(f);
        run_until_idle(f);
        assert_ends(f, 1, 0);
        assert_true(exists(f->dirfd, "to") && !exists(f->dirfd, "from"));
}

static void many_jobs_end_in_the_order_of_submission(void **state) {
        Fixture *f = *state;
        char text[16];

        hold(f);
        for (int i = 0; i < 100; i++) {
                (void)snprintf(text, sizeof(text), "%d", i);
                assert_int_equal(sync_write(f->sync, f->dirfd, "a", text, strlen(text), on_end,
                                                 &f->jobs[i], NULL),
                                0);
        }
        assert_int_equal(f->n_ends, 0);
        let_go(f);
        run_until_idle(f);
        assert_ends(f, 100, 0);
}

static void too_many_open_jobs_are_refused(void **state) {
        Fixture *f = *state;
        struct rlimit limit;
        int n = 0, r;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = limit.rlim_max; /* an open job holds descriptors */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        hold(f);
        while ((r = sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[n], NULL)) == 0 &&
                        n < ENDS_MAX - 1)
                n++;
        assert_int_equal(r, -ENOBUFS);
        assert_int_equal(n, 4096);
        assert_int_equal(sync_write(f->sync, f->dirfd, "b", "x", 1, on_end, &f->jobs[n], NULL),
                        -ENOBUFS);
        let_go(f);
        run_until_idle(f);
        assert_ends(f, 4096, 0);
        /* Neither the file nor its temporary: the folder is empty, it can be removed. */
        assert_int_equal(rmdir(f->path), 0);
}

static void a_forgotten_job_is_done_in_silence(void **state) {
        Fixture *f = *state;
        SyncJob *job = NULL;

        hold(f);
        assert_int_equal(sync_write(f->sync, f->dirfd, "a", "x", 1, on_end, &f->jobs[9], &job), 0);
        assert_int_equal(sync_write(f->sync, f->dirfd, "b", "x", 1, on_end, &f->jobs[0], NULL), 0);
        assert_non_null(job);
        assert_null(sync_job_forget(job));
        assert_null(sync_job_forget(NULL));
        let_go(f);
        run_until_idle(f);
        assert_ends(f, 1, 0);
        assert_true(exists(f->dirfd, "a"));
}

static void on_end_submit_another(int error, void *userdata) {
        Job *job = userdata;
        Fixture *f = job->fixture;

        on_end(error, userdata);
        (void)sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[job->number + 1], NULL);
}

static void a_callback_may_submit(void **state) {
        Fixture *f = *state;

        assert_int_equal(sync_unlink(f->sync, f->dirfd, "a", on_end_submit_another, &f->jobs[0],
                                         NULL),
                        0);
        run_until_idle(f);
        assert_ends(f, 2, 0);
}

static void on_end_forget_victim(int error, void *userdata) {
        Job *job = userdata;

        on_end(error, userdata);
        job->fixture->victim = sync_job_forget(job->fixture->victim);
}

static void a_callback_may_forget_the_next_job(void **state) {
        Fixture *f = *state;

        for (int round = 0; round < 2; round++) {
                f->n_ends = 0;
                hold(f);
                assert_int_equal(sync_unlink(f->sync, f->dirfd, "a", on_end_forget_victim,
                                                 &f->jobs[0], NULL),
                                0);
                assert_int_equal(sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[1],
                                                 &f->victim),
                                0);
                /* Second round: both end because the child is dead. */
                assert_int_equal(kill(f->child, round == 0 ? SIGCONT : SIGKILL), 0);
                run_until_idle(f);
                assert_ends(f, 1, round == 0 ? 0 : -EIO);
        }
}

static void names_in_other_folders_are_refused(void **state) {
        char long_name[300];
        Fixture *f = *state;

        memset(long_name, 'x', sizeof(long_name) - 1);
        long_name[sizeof(long_name) - 1] = '\0';
        assert_int_equal(sync_unlink(f->sync, f->dirfd, "d/a", on_end, &f->jobs[0], NULL), -EINVAL);
        assert_int_equal(sync_unlink(f->sync, f->dirfd, "", on_end, &f->jobs[0], NULL), -EINVAL);
        assert_int_equal(sync_unlink(f->sync, f->dirfd, long_name, on_end, &f->jobs[0], NULL),
                        -ENAMETOOLONG);
        assert_int_equal(sync_replace(f->sync, f->dirfd, f->dirfd, "a", "../a", on_end, &f->jobs[0],
                                         NULL),
                        -EINVAL);
        assert_int_equal(sync_write(f->sync, f->dirfd, "d/a", "x", 1, on_end, &f->jobs[0], NULL),
                        -ENOENT);
        assert_int_equal(sync_file(f->sync, -1, on_end, &f->jobs[0], NULL), -EBADF);
        assert_true(sync_is_idle(f->sync));
}

static void after_a_failure_nothing_more_is_done(void **state) {
        Fixture *f = *state;
        int pair[2];

        make(f->dirfd, "kept", "x");
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        /* A pipe cannot be synced (fsync(2): EINVAL). */
        assert_int_equal(sync_file(f->sync, pair[1], on_end, &f->jobs[0], NULL), 0);
        assert_int_equal(sync_unlink(f->sync, f->dirfd, "kept", on_end, &f->jobs[1], NULL), 0);
        run_until_idle(f);
        (void)close(pair[0]);
        (void)close(pair[1]);
        assert_int_equal(f->n_ends, 2);
        assert_int_equal(f->ends[0].error, -EINVAL);
        assert_int_equal(f->ends[1].error, -EIO);
        assert_true(exists(f->dirfd, "kept"));
}

static void a_file_gets_its_name_only_once_it_is_synced(void **state) {
        Fixture *f = *state;
        int pair[2];

        make(f->dirfd, "new", "x");
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        /* A pipe cannot be synced. */
        assert_int_equal(sync_replace(f->sync, pair[1], f->dirfd, "new", "a", on_end, &f->jobs[0],
                                         NULL),
                        0);
        run_until_idle(f);
        (void)close(pair[0]);
        (void)close(pair[1]);
        assert_ends(f, 1, -EINVAL);
        assert_true(exists(f->dirfd, "new"));
        assert_false(exists(f->dirfd, "a"));
}

static void a_name_counts_only_once_its_folder_is_synced(void **state) {
        Fixture *f = *state;
        /* Through such a descriptor names can be changed, but nothing can be synced (EBADF). */
        int dirfd = openat(f->dirfd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

        assert_true(dirfd >= 0);
        make(f->dirfd, "new", "x");
        assert_int_equal(sync_replace(f->sync, f->dirfd, dirfd, "new", "a", on_end, &f->jobs[0],
                                         NULL),
                        0);
        run_until_idle(f);
        (void)close(dirfd);
        assert_ends(f, 1, -EBADF);
        assert_true(exists(f->dirfd, "a"));
}

static void a_failed_rename_is_told(void **state) {
        Fixture *f = *state;

        assert_int_equal(sync_replace(f->sync, f->dirfd, f->dirfd, "none", "a", on_end, &f->jobs[0],
                                         NULL),
                        0);
        run_until_idle(f);
        assert_ends(f, 1, -ENOENT);
}

static void a_dead_child_ends_every_job_with_an_error(void **state) {
        Fixture *f = *state;

        hold(f);
        for (int i = 0; i < 100; i++)
                assert_int_equal(sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[i], NULL), 0);
        assert_int_equal(kill(f->child, SIGKILL), 0);
        run_until_idle(f);
        assert_ends(f, 100, -EIO);
        assert_int_equal(sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[0], NULL), -EIO);
        assert_int_equal(sync_write(f->sync, f->dirfd, "a", "x", 1, on_end, &f->jobs[0], NULL),
                        -EIO);
        assert_false(exists(f->dirfd, "a"));
}

static void a_child_that_dies_idle_is_noticed_at_the_next_job(void **state) {
        Fixture *f = *state;
        siginfo_t info;
        int r;

        assert_int_equal(kill(f->child, SIGKILL), 0);
        assert_int_equal(waitid(P_PID, (id_t)f->child, &info, WEXITED | WNOWAIT), 0);
        r = sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[0], NULL);
        if (r == 0) {
                run_until_idle(f);
                assert_ends(f, 1, -EIO);
        }
        assert_int_equal(sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[1], NULL), -EIO);
}

static void freeing_forgets_open_jobs_and_ends_the_child(void **state) {
        Fixture *f = *state;
        siginfo_t info;

        hold(f);
        for (int i = 0; i < 100; i++)
                assert_int_equal(sync_unlink(f->sync, f->dirfd, "a", on_end, &f->jobs[i], NULL), 0);
        let_go(f);
        f->sync = sync_free(f->sync);
        assert_null(f->sync);
        assert_int_equal(f->n_ends, 0);
        assert_int_equal(waitid(P_PID, (id_t)f->child, &info, WEXITED | WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
}

static void a_full_disk_is_told_when_the_reserve_is_used_up(void **state) {
        Fixture *f = *state;
        Reserve *reserve = NULL;
        int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

        assert_int_equal(sync_write_bytes(f->sync, fd, "x", 1), -ENOSPC);
        assert_int_equal(reserve_new(f->dirfd, "reserve", 256 * 1024, &reserve), 0);
        assert_int_equal(reserve_missing(reserve), 0);
        sync_use_reserve(f->sync, reserve);
        assert_int_equal(sync_write_bytes(f->sync, fd, "x", 1), -ENOSPC);
        assert_int_equal(reserve_missing(reserve), 256 * 1024);
        sync_use_reserve(f->sync, NULL);
        reserve_free(reserve);
        (void)close(fd);
}

static void requests_to_stop_do_not_stop_the_child(void **state) {
        Fixture *f = *state;

        (void)kill(f->child, SIGTERM);
        (void)kill(f->child, SIGINT);
        (void)kill(f->child, SIGHUP);
        assert_int_equal(sync_write(f->sync, f->dirfd, "a", "x", 1, on_end, &f->jobs[0], NULL), 0);
        run_until_idle(f);
        assert_ends(f, 1, 0);
}

static void the_child_holds_nothing_but_its_socket(void **state) {
        Fixture *f = *state;
        char path[64], target[64];
        ssize_t n;

        for (int fd = 0; fd < 64; fd++) {
                (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", f->child, fd);
                n = readlink(path, target, sizeof(target) - 1);
                target[MAX(n, 0)] = '\0';
                if (fd < 3)
                        assert_string_equal(target, "/dev/null");
                else if (fd == 3)
                        assert_true(startswith(target, "socket:"));
                else
                        assert_int_equal(n, -1);
        }
}

/* In a process of its own: makes a Sync, tells the pid of its child, and waits to be killed. */
static _Noreturn void be_a_daemon(int fd) {
        sd_event *event = NULL;
        Sync *sync = NULL;
        pid_t pid;

        if (sd_event_new(&event) < 0 || sync_new(&sync, event) < 0)
                _exit(1);
        while ((pid = find_child(getpid())) == 0)
                ;
        (void)!write(fd, &pid, sizeof(pid));
        for (;;)
                (void)pause();
}

static void the_child_dies_with_its_parent(void **state) {
        pid_t daemon, child = 0;
        int pair[2], status = 0;

        assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
        assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
        daemon = fork();
        if (daemon == 0)
                be_a_daemon(pair[1]);
        assert_int_equal(read(pair[0], &child, sizeof(child)), sizeof(child));
        (void)close(pair[0]);
        (void)close(pair[1]);
        assert_int_equal(kill(daemon, SIGKILL), 0);
        assert_int_equal(waitpid(daemon, &status, 0), daemon);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
                        (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_written_file_replaces_the_old),
                TEST(removing_also_what_is_not_there_is_success),
                TEST(the_caller_may_close_at_once),
                TEST(many_jobs_end_in_the_order_of_submission),
                TEST(too_many_open_jobs_are_refused),
                TEST(a_forgotten_job_is_done_in_silence),
                TEST(a_callback_may_submit),
                TEST(a_callback_may_forget_the_next_job),
                TEST(names_in_other_folders_are_refused),
                TEST(after_a_failure_nothing_more_is_done),
                TEST(a_file_gets_its_name_only_once_it_is_synced),
                TEST(a_name_counts_only_once_its_folder_is_synced),
                TEST(a_failed_rename_is_told),
                TEST(a_dead_child_ends_every_job_with_an_error),
                TEST(a_child_that_dies_idle_is_noticed_at_the_next_job),
                TEST(freeing_forgets_open_jobs_and_ends_the_child),
                TEST(a_full_disk_is_told_when_the_reserve_is_used_up),
                TEST(requests_to_stop_do_not_stop_the_child),
                TEST(the_child_holds_nothing_but_its_socket),
                cmocka_unit_test(the_child_dies_with_its_parent),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

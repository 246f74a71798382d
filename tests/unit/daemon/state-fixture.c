/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>

#include "basic/file.h"
#include "state-fixture.h"

#define GUARD_USEC (60 * USEC_PER_SEC) /* longer than anything here takes; its end is a failure */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        return remove(path);
}

void state_remove_tree(const char *path) {
        (void)nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int state_setup(void **state) {
        StateFixture *f = new0(StateFixture, 1);

        if (!f)
                return -1;
        (void)strcpy(f->path, "/tmp/test-state.XXXXXX");
        if (!mkdtemp(f->path))
                return -1;
        f->dirfd = folder_open(AT_FDCWD, f->path);
        if (f->dirfd < 0 || sd_event_new(&f->event) < 0 || sync_new(&f->sync, f->event) < 0)
                return -1;
        *state = f;
        return 0;
}

int state_teardown(void **state) {
        StateFixture *f = *state;

        sync_free(f->sync);
        (void)sd_event_unref(f->event);
        (void)close_fd(f->dirfd);
        state_remove_tree(f->path);
        free(f);
        return 0;
}

void state_restart(StateFixture *f) {
        f->sync = sync_free(f->sync);
        assert_int_equal(sync_new(&f->sync, f->event), 0);
}

void state_on_done(int error, void *userdata) {
        StateFixture *f = userdata;

        f->n_done++;
        f->error = error;
}

int state_wait(StateFixture *f) {
        unsigned before = f->n_done;

        while (f->n_done == before)
                if (sd_event_run(f->event, GUARD_USEC) <= 0)
                        fail_msg("a write does not end");
        return f->error;
}

void state_settle(StateFixture *f) {
        while (!sync_is_idle(f->sync))
                if (sd_event_run(f->event, GUARD_USEC) <= 0)
                        fail_msg("a write does not end");
}

void state_put(StateFixture *f, const char *name, const void *bytes, size_t n) {
        int fd = openat(f->dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write_all(fd, bytes, n), 0);
        (void)close(fd);
}

bool state_has(StateFixture *f, const char *name) {
        return faccessat(f->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

unsigned state_count(StateFixture *f, const char *suffix) {
        size_t n = strlen(suffix);
        struct dirent *e;
        unsigned count = 0;
        DIR *dir = fdopendir(folder_open(f->dirfd, "."));

        assert_non_null(dir);
        while ((e = readdir(dir))) {
                size_t k = strlen(e->d_name);

                if (streq(e->d_name, ".") || streq(e->d_name, ".."))
                        continue;
                count += k >= n && streq(e->d_name + k - n, suffix);
        }
        (void)closedir(dir);
        return count;
}

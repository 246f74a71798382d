/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exchange: over renameat2(2). */
#include <assert.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "repo/exchange.h"

int folder_foreach(int parent_fd, const char *path,
                int (*func)(int fd, const char *name, void *userdata), void *userdata) {
        _cleanup_(closedirp) DIR *dir = NULL;
        int r;

        assert(func);
        r = folder_list(parent_fd, path, &dir);
        if (r == -ENOENT)
                return 0;
        while (r >= 0) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return -errno;
                if (!streq(entry->d_name, ".") && !streq(entry->d_name, ".."))
                        r = func(dirfd(dir), entry->d_name, userdata);
        }
        return r;
}

static int remove_name(int fd, const char *name, void *userdata) {
        (void)userdata;
        return unlinkat(fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int folder_remove(int dirfd, const char *path) {
        int r = folder_foreach(dirfd, path, remove_name, NULL);

        if (r >= 0 && unlinkat(dirfd, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
                r = -errno;
        return r;
}

int folder_make_fresh(int dirfd, const char *path, const char *like) {
        _cleanup_close_ int fd = -1;
        struct stat st;
        int r;

        r = folder_remove(dirfd, path);
        if (r >= 0)
                r = folder_make(dirfd, path, 0755);
        if (r < 0)
                return r;
        fd = folder_open(dirfd, path);
        if (fd < 0)
                return fd;
        if (fstatat(dirfd, like, &st, 0) == 0 && fchmod(fd, st.st_mode & 07777) < 0)
                return -errno;
        return TAKE_FD(fd);
}

static int sync_folder(int dirfd, const char *path) {
        _cleanup_close_ int fd = folder_open(dirfd, path);

        return fd < 0 ? fd : fd_sync_folder(fd);
}

/* The folder that holds path. */
static int sync_parent(int dirfd, const char *path) {
        _cleanup_free_ char *up = NULL;

        if (asprintf(&up, "%s/..", path) < 0) {
                up = NULL;
                return -ENOMEM;
        }
        return sync_folder(dirfd, up);
}

int folder_exchange(int dirfd, const char *fresh, const char *path) {
        unsigned flags = faccessat(dirfd, path, F_OK, 0) == 0 ? RENAME_EXCHANGE : 0;
        int r;

        r = sync_folder(dirfd, fresh);
        if (r < 0)
                return r;
        if (renameat2(dirfd, fresh, dirfd, path, flags) < 0)
                return -errno;
        return sync_parent(dirfd, path);
}

bool is_unable(int r) {
        return r == -EINVAL || r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP || r == -EMLINK ||
               r == -EXDEV || r == -EBUSY;
}

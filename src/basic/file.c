/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files as a whole. Every path is taken relative to a folder's descriptor; what has to be
 * durable ends with fsync of the folder that holds the name. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "backoff.h"
#include "file.h"

#define TEMPORARY_SUFFIX ".tmp"
#define TEMPORARY_TRIES  100
#define RANDOM_LENGTH    6
#define READ_STEP        4096

static ssize_t pread_again(int fd, void *buffer, size_t n, size_t offset) {
        ssize_t k;

        do
                k = pread(fd, buffer, n, (off_t)offset);
        while (k < 0 && errno == EINTR);
        return k < 0 ? -errno : k;
}

/* Length of the part of path that names its folder: "a/b" 1, "/b" 1, "b" 0. */
static size_t folder_length(const char *path) {
        const char *slash = strrchr(path, '/');

        return !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
}

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* Opens the folder that holds the last component of path. */
static int open_parent(int dirfd, const char *path) {
        _cleanup_free_ char *folder = NULL;
        size_t n = folder_length(path);

        if (n == 0)
                return folder_open(dirfd, ".");
        folder = strndup(path, n);
        if (!folder)
                return -ENOMEM;
        return folder_open(dirfd, folder);
}

int file_read_fd(int fd, size_t max, char **ret, size_t *ret_n) {
        _cleanup_free_ char *buffer = NULL;
        size_t room, n = 0;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISDIR(st.st_mode))
                return -EISDIR;
        if (!S_ISREG(st.st_mode))
                return -ENOTSUP;
        if ((uint64_t)st.st_size > max)
                return -EFBIG;
        /* One byte more than is thought to be there, so that the end is seen; files of /proc
         * have no size. */
        room = (size_t)st.st_size + 1;
        for (;;) {
                char *p = realloc(buffer, room + 1);
                ssize_t k;

                if (!p)
                        return -ENOMEM;
                buffer = p;
                k = pread_again(fd, buffer + n, room - n, n);
                if (k < 0)
                        return (int)k;
                n += (size_t)k;
                if (n > max)
                        return -EFBIG;
                if (k == 0)
                        break;
                if (n == room)
                        room += MIN(MAX(room, (size_t)READ_STEP), max - n + 1);
        }
        buffer[n] = '\0';
        *ret = TAKE_PTR(buffer);
        *ret_n = n;
        return 0;
}

int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_n) {
        /* Non-blocking: opening a pipe that nobody writes must not hang. */
        _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

        if (fd < 0)
                return -errno;
        return file_read_fd(fd, max, ret, ret_n);
}

int write_all(int fd, const void *bytes, size_t n) {
        const uint8_t *p = bytes;

        while (n > 0) {
                ssize_t k = write(fd, p, n);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        return -EIO;
                p += k;
                n -= (size_t)k;
        }
        return 0;
}

int file_open_temporary(int dirfd, const char *path, unsigned mode, char **ret) {
        static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
        const char *base = base_name(path);

        if (!*base)
                return -EISDIR;
        for (unsigned try = 0; try < TEMPORARY_TRIES; try++) {
                _cleanup_free_ char *name = NULL;
                char random[RANDOM_LENGTH + 1] = "";
                uint64_t bits = random_u64();
                int fd;

                for (size_t i = 0; i < RANDOM_LENGTH; i++, bits /= sizeof(letters) - 1)
                        random[i] = letters[bits % (sizeof(letters) - 1)];
                if (asprintf(&name, "%.*s.%s.%s" TEMPORARY_SUFFIX, (int)(base - path), path, base,
                                    random) < 0) {
                        name = NULL;
                        return -ENOMEM;
                }
                fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
                if (fd < 0 && errno == EEXIST)
                        continue;
                if (fd < 0)
                        return -errno;
                /* The mode is what was asked for, whatever the umask. */
                if (fchmod(fd, mode) < 0) {
                        int r = -errno;

                        (void)unlinkat(dirfd, name, 0);
                        (void)close(fd);
                        return r;
                }
                *ret = TAKE_PTR(name);
                return fd;
        }
        return -EEXIST;
}

int file_replace(int dirfd, const char *path, const void *bytes, size_t n, unsigned mode) {
        _cleanup_close_ int parent = -1, fd = -1;
        _cleanup_free_ char *temporary = NULL;
        const char *base = base_name(path);
        int r;

        parent = open_parent(dirfd, path);
        if (parent < 0)
                return parent;
        fd = file_open_temporary(parent, base, mode, &temporary);
        if (fd < 0)
                return fd;
        r = write_all(fd, bytes, n);
        if (r == 0 && fsync(fd) < 0)
                r = -errno;
        if (r == 0 && renameat(parent, temporary, parent, base) < 0)
                r = -errno;
        if (r < 0) {
                (void)unlinkat(parent, temporary, 0);
                return r;
        }
        return fd_sync_folder(parent);
}

int folder_make(int dirfd, const char *path, unsigned mode) {
        _cleanup_close_ int parent = -1, fd = -1;

        if (mkdirat(dirfd, path, 0700) == 0) {
                if (fchmodat(dirfd, path, mode, 0) < 0)
                        return -errno;
        } else if (errno != EEXIST)
                return -errno;
        /* Also says -ENOTDIR where something else has the name. */
        fd = folder_open(dirfd, path);
        if (fd < 0)
                return fd;
        /* Synced even when it was there: whoever made it may have died before he came to this. */
        parent = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
                return -errno;
        return fd_sync_folder(parent);
}

int folder_open(int dirfd, const char *path) {
        int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int fd_sync_folder(int dirfd) {
        return fsync(dirfd) < 0 ? -errno : 0;
}

int folder_free_bytes(int dirfd, uint64_t *ret) {
        struct statvfs s;

        if (fstatvfs(dirfd, &s) < 0)
                return -errno;
        *ret = (uint64_t)s.f_bavail * s.f_frsize;
        return 0;
}

/* ".NAME.XXXXXX.tmp", as file_open_temporary makes them. */
static bool is_temporary(const char *name) {
        size_t n = strlen(name), tail = 1 + RANDOM_LENGTH + strlen(TEMPORARY_SUFFIX);
        const char *p;

        if (name[0] != '.' || n < 2 + tail ||
                        !streq(name + n - strlen(TEMPORARY_SUFFIX), TEMPORARY_SUFFIX))
                return false;
        p = name + n - tail;
        return *p == '.' && strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789") == RANDOM_LENGTH;
}

int folder_list(int dirfd, const char *path, DIR **ret) {
        _cleanup_close_ int fd = folder_open(dirfd, path);
        DIR *dir;

        if (fd < 0)
                return fd;
        dir = fdopendir(fd);
        if (!dir)
                return -errno;
        fd = -1; /* closed with dir */
        *ret = dir;
        return 0;
}

int folder_sweep_temporaries(int dirfd) {
        _cleanup_(closedirp) DIR *dir = NULL;
        int r;

        r = folder_list(dirfd, ".", &dir);
        if (r < 0)
                return r;
        for (;;) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(dir);
                if (!entry)
                        return errno != 0 ? -errno : r;
                if (is_temporary(entry->d_name) && unlinkat(dirfd, entry->d_name, 0) < 0 &&
                                errno != ENOENT && errno != EISDIR && r == 0)
                        r = -errno;
        }
}

int path_clear(const char *path, unsigned kind) {
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if ((st.st_mode & S_IFMT) != kind)
                return -EEXIST;
        return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files as a whole: bounded reads, and replacing in the one safe order: temporary file, write,
 * fsync, rename, fsync of the folder. The calls here block; the daemon uses basic/sync for what
 * it writes while it runs. */
#pragma once

#include <dirent.h>

#include "cleanup.h"

/* Reads dirfd/path (dirfd may be AT_FDCWD) whole. -EFBIG when larger than max bytes,
 * -EISDIR/-ELOOP.. as open(2). *ret is NUL-ended behind its *ret_n bytes; free it. Regular files
 * only (-ENOTSUP otherwise). */
int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_n);
/* The same from an open descriptor, from its start. */
int file_read_fd(int fd, size_t max, char **ret, size_t *ret_n);

/* Writes all bytes, going on after short writes and EINTR. */
int write_all(int fd, const void *bytes, size_t n);

/* Replaces dirfd/path durably by the given bytes, mode as given. On failure the old file stands
 * and no temporary is left; only when the last step fails, the fsync of the folder, the new one
 * stands without being durable. */
int file_replace(int dirfd, const char *path, const void *bytes, size_t n, unsigned mode);

/* Name of the temporary that replaces `path`: ".NAME.XXXXXX.tmp" in the same folder; opened
 * O_EXCL, its name in *ret. fd or -errno. */
int file_open_temporary(int dirfd, const char *path, unsigned mode, char **ret);

/* Makes dirfd/path a folder (mode) if it is none, syncing its parent. 0 or -errno. */
int folder_make(int dirfd, const char *path, unsigned mode);
/* Opens a folder O_DIRECTORY|O_CLOEXEC. */
int folder_open(int dirfd, const char *path);
/* Opens a folder for readdir(3). */
int folder_list(int dirfd, const char *path, DIR **ret);
static inline void closedirp(DIR **dir) {
        if (*dir)
                (void)closedir(*dir);
}
int fd_sync_folder(int dirfd);
/* Removes what file_open_temporary left behind in this folder when its program was killed; the
 * first error is told, the rest is swept nevertheless. */
int folder_sweep_temporaries(int dirfd);

/* Removes what a program that was killed has left at its path, if it is of this kind (S_IFSOCK,
 * S_IFLNK); nothing there is fine. -EEXIST: something else is there, and stays. */
int path_clear(const char *path, unsigned kind);

/* Bytes available to unprivileged writers on the file system that holds dirfd. */
int folder_free_bytes(int dirfd, uint64_t *ret);

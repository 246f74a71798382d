/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The counter lies in shared memory, so that a forked child counts on. The names with 64 at
 * their end are those that programs with 64-bit offsets call. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "fault-files.h"

typedef struct Shared {
        bool armed;
        FaultMode mode;
        unsigned left; /* operations until the fault */
        bool fired;
} Shared;

static Shared *shared;

/* The functions that stand before those of the C library, under its names. */
int fault_openat(int dirfd, const char *path, int flags, ...) __asm__("openat64");
ssize_t fault_write(int fd, const void *bytes, size_t n) __asm__("write");
ssize_t fault_pwrite(int fd, const void *bytes, size_t n, off_t at) __asm__("pwrite64");
int fault_fallocate(int fd, int mode, off_t at, off_t n) __asm__("fallocate64");
int fault_ftruncate(int fd, off_t n) __asm__("ftruncate64");
int fault_fsync(int fd) __asm__("fsync");
int fault_renameat(int olddir, const char *old, int newdir, const char *new) __asm__("renameat");
int fault_unlinkat(int dirfd, const char *path, int flags) __asm__("unlinkat");

#define REAL(name, ...)                                                                            \
        ({                                                                                         \
                static __typeof__(&fault_##name) real;                                             \
                if (!real)                                                                         \
                        real = (__typeof__(real))dlsym(RTLD_NEXT, symbol_##name);                  \
                real(__VA_ARGS__);                                                                 \
        })

static const char symbol_openat[] = "openat64";
static const char symbol_write[] = "write";
static const char symbol_pwrite[] = "pwrite64";
static const char symbol_fallocate[] = "fallocate64";
static const char symbol_ftruncate[] = "ftruncate64";
static const char symbol_fsync[] = "fsync";
static const char symbol_renameat[] = "renameat";
static const char symbol_unlinkat[] = "unlinkat";

/* Counts an operation: true when it must not be done. *ret_first: it is the Nth itself. */
static bool fails(bool *ret_first) {
        *ret_first = false;
        if (!shared || !shared->armed)
                return false;
        if (shared->fired) {
                errno = EIO;
                return shared->mode != FAULT_ONCE;
        }
        if (--shared->left > 0)
                return false;
        shared->fired = *ret_first = true;
        errno = EIO;
        return true;
}

void fault_arm(FaultMode mode, unsigned n) {
        if (!shared) {
                shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
                if (shared == MAP_FAILED)
                        abort();
        }
        *shared = (Shared){ .armed = true, .mode = mode, .left = n };
}

bool fault_disarm(void) {
        shared->armed = false;
        return shared->fired;
}

int fault_openat(int dirfd, const char *path, int flags, ...) {
        mode_t mode = 0;
        bool first;
        va_list ap;

        if (flags & O_CREAT) {
                va_start(ap, flags);
                mode = (mode_t)va_arg(ap, int);
                va_end(ap);
        }
        if ((flags & O_ACCMODE) != O_RDONLY && fails(&first))
                return -1;
        return REAL(openat, dirfd, path, flags, mode);
}

ssize_t fault_write(int fd, const void *bytes, size_t n) {
        bool first;

        if (!fails(&first))
                return REAL(write, fd, bytes, n);
        if (first && shared->mode == FAULT_SHORT)
                return REAL(write, fd, bytes, n / 2) < 0 ? -1 : (errno = EIO, -1);
        return -1;
}

ssize_t fault_pwrite(int fd, const void *bytes, size_t n, off_t at) {
        bool first;

        if (!fails(&first))
                return REAL(pwrite, fd, bytes, n, at);
        if (first && shared->mode == FAULT_SHORT)
                return REAL(pwrite, fd, bytes, n / 2, at) < 0 ? -1 : (errno = EIO, -1);
        return -1;
}

int fault_fallocate(int fd, int mode, off_t at, off_t n) {
        bool first;

        return fails(&first) ? -1 : REAL(fallocate, fd, mode, at, n);
}

int fault_ftruncate(int fd, off_t n) {
        bool first;

        return fails(&first) ? -1 : REAL(ftruncate, fd, n);
}

int fault_fsync(int fd) {
        bool first;

        return fails(&first) ? -1 : REAL(fsync, fd);
}

int fault_renameat(int olddir, const char *old, int newdir, const char *new) {
        bool first;

        return fails(&first) ? -1 : REAL(renameat, olddir, old, newdir, new);
}

int fault_unlinkat(int dirfd, const char *path, int flags) {
        bool first;

        return fails(&first) ? -1 : REAL(unlinkat, dirfd, path, flags);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ptyshim: to be loaded with LD_PRELOAD, so that libserialport 0.1.1 can open a pty. That library
 * takes a port only when the kernel lists it under /sys/class/tty, and asks for modem lines, which
 * a pty does not have. Here the listing is made up and the lines are kept in memory; CTS, DSR and
 * carrier are always there.
 *
 * PTYSHIM_LOG=FILE: a line "NAME DTR=n RTS=n" for each change, so that a test can see pulses. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTING     "/sys/class/tty/"
#define DEVICE      "../../devices/virtual/tty/pty"
#define INPUT_LINES (TIOCM_CTS | TIOCM_DSR | TIOCM_CAR)
#define FDS_MAX     4096

int __lxstat(int version, const char *path, struct stat *st);

static int lines[FDS_MAX]; /* by descriptor: DTR and RTS */

/* Whether the listing is asked for a name whose device is a pty: "pts/3", or any node or link
 * that leads to one. */
static int is_pty_listing(const char *path) {
        char device[256];
        struct stat st;

        if (strncmp(path, LISTING, strlen(LISTING)) != 0)
                return 0;
        if (snprintf(device, sizeof(device), "/dev/%s", path + strlen(LISTING)) >=
                        (int)sizeof(device))
                return 0;
        return stat(device, &st) == 0 && S_ISCHR(st.st_mode) && (st.st_rdev >> 8) >= 136 &&
               (st.st_rdev >> 8) <= 143;
}

static int fake_link(struct stat *st) {
        memset(st, 0, sizeof(*st));
        st->st_mode = S_IFLNK | 0777;
        st->st_nlink = 1;
        return 0;
}

/* What Debian 12's library imports. */
int __lxstat(int version, const char *path, struct stat *st) {
        static int (*real)(int, const char *, struct stat *);

        if (is_pty_listing(path))
                return fake_link(st);
        if (!real)
                *(void **)&real = dlsym(RTLD_NEXT, "__lxstat");
        return real(version, path, st);
}

int lstat(const char *path, struct stat *st) {
        static int (*real)(const char *, struct stat *);

        if (is_pty_listing(path))
                return fake_link(st);
        if (!real)
                *(void **)&real = dlsym(RTLD_NEXT, "lstat");
        return real(path, st);
}

ssize_t readlink(const char *path, char *buffer, size_t n) {
        static ssize_t (*real)(const char *, char *, size_t);
        size_t length = strlen(DEVICE);

        if (is_pty_listing(path)) {
                length = length < n ? length : n;
                memcpy(buffer, DEVICE, length);
                return (ssize_t)length;
        }
        if (!real)
                *(void **)&real = dlsym(RTLD_NEXT, "readlink");
        return real(path, buffer, n);
}

static void note(int fd) {
        const char *path = getenv("PTYSHIM_LOG");
        char name[64] = "?";
        int log;

        if (!path)
                return;
        (void)ttyname_r(fd, name, sizeof(name));
        log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (log < 0)
                return;
        (void)dprintf(log, "%s DTR=%d RTS=%d\n", name, !!(lines[fd] & TIOCM_DTR),
                        !!(lines[fd] & TIOCM_RTS));
        (void)close(log);
}

static int modem_lines(int fd, unsigned long request, int *argument) {
        int before = lines[fd];

        switch (request) {
        case TIOCMGET:
                *argument = lines[fd] | INPUT_LINES;
                return 0;
        case TIOCMBIS:
                lines[fd] |= *argument;
                break;
        case TIOCMBIC:
                lines[fd] &= ~*argument;
                break;
        default:
                lines[fd] = *argument;
        }
        if (lines[fd] != before)
                note(fd);
        return 0;
}

int ioctl(int fd, unsigned long request, ...) {
        static int (*real)(int, unsigned long, ...);
        void *argument;
        va_list ap;
        int r, e;

        va_start(ap, request);
        argument = va_arg(ap, void *);
        va_end(ap);
        if (!real)
                *(void **)&real = dlsym(RTLD_NEXT, "ioctl");
        r = real(fd, request, argument);
        if (r == 0 || errno != ENOTTY || fd < 0 || fd >= FDS_MAX)
                return r;
        e = errno;
        if (isatty(fd) && (request == TIOCMGET || request == TIOCMBIS || request == TIOCMBIC ||
                                          request == TIOCMSET))
                return modem_lines(fd, request, argument);
        errno = e;
        return r;
}

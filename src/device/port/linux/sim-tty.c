/* SPDX-License-Identifier: MIT */

/*
 * The pty as a serial port: opening it, the speed that the other end has set (any number, so
 * through termios2), and the symlink under which a gateway finds it again after the plug was
 * pulled.
 */

#include "sim-tty.h"

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>

#include "sim-util.h"

static int tty_make_raw(int fd) {
        struct termios2 settings;

        if (ioctl(fd, TCGETS2, &settings) < 0)
                return -errno;
        settings.c_iflag = 0;
        settings.c_oflag = 0;
        settings.c_lflag = 0;
        settings.c_cflag &= ~(tcflag_t)(CSIZE | PARENB | CSTOPB | CRTSCTS);
        settings.c_cflag |= CS8 | CREAD | CLOCAL;
        settings.c_cc[VMIN] = 1;
        settings.c_cc[VTIME] = 0;
        return ioctl(fd, TCSETS2, &settings) < 0 ? -errno : 0;
}

int sim_tty_open(int *ret_master_fd, int *ret_slave_fd, char **ret_name) {
        char name[64];
        int master_fd, slave_fd = -1, r;

        master_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        if (master_fd < 0)
                return -errno;
        r = grantpt(master_fd) < 0 || unlockpt(master_fd) < 0
                            ? -errno
                            : -ptsname_r(master_fd, name, sizeof(name));
        if (r == 0)
                slave_fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        if (r == 0)
                r = slave_fd < 0 ? -errno : tty_make_raw(slave_fd);
        if (r == 0) {
                *ret_name = strdup(name);
                r = *ret_name ? 0 : -ENOMEM;
        }
        if (r < 0) {
                (void)sim_close(slave_fd);
                (void)sim_close(master_fd);
                return r;
        }
        *ret_master_fd = master_fd;
        *ret_slave_fd = slave_fd;
        return 0;
}

uint32_t sim_tty_baud(int fd) {
        struct termios2 settings;

        return ioctl(fd, TCGETS2, &settings) < 0 ? 0 : settings.c_ospeed;
}

int sim_tty_watch(const char *name) {
        int fd, r;

        fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (inotify_add_watch(fd, name, IN_OPEN | IN_CLOSE) < 0) {
                r = -errno;
                (void)close(fd);
                return r;
        }
        return fd;
}

int sim_tty_count_users(int watch_fd, int n_users) {
        struct inotify_event events[16];
        ssize_t n;
        size_t i;

        while ((n = read(watch_fd, events, sizeof(events))) > 0)
                for (i = 0; i < (size_t)n / sizeof(events[0]); i++)
                        n_users += events[i].mask & IN_OPEN    ? 1
                                   : events[i].mask & IN_CLOSE ? -1
                                                               : 0;
        return n_users;
}

void sim_tty_flush(int slave_fd) {
        (void)ioctl(slave_fd, TCFLSH, TCIFLUSH);
}

int sim_tty_link(const char *path, const char *target) {
        char temporary[PATH_MAX];
        int n, r;

        n = snprintf(temporary, sizeof(temporary), "%s.%d", path, (int)getpid());
        if (n < 0 || (size_t)n >= sizeof(temporary))
                return -ENAMETOOLONG;
        r = sim_clear_path(path, S_IFLNK);
        if (r < 0)
                return r;
        (void)unlink(temporary);
        if (symlink(target, temporary) < 0)
                return -errno;
        if (rename(temporary, path) < 0) {
                r = -errno;

                (void)unlink(temporary);
                return r;
        }
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PortBackend over a plain descriptor: a pty, which libserialport cannot open, or a stream
 * socket, which has no line settings. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>

#include "driver/port-backend.h"

#define SOCKET_PREFIX "unix:"

typedef struct PortFd {
        PortBackend backend;
        bool is_tty;
} PortFd;

static int fd_set_line(PortBackend *b, const DriverLine *line) {
        if (line->baud == 0)
                return -EINVAL;
        return ((PortFd *)b)->is_tty ? termios_set_line(b->fd, line) : 0;
}

static int fd_pulse(PortBackend *b, const DriverPulse *pulse) {
        return ((PortFd *)b)->is_tty ? termios_pulse(b->fd, pulse) : -EOPNOTSUPP;
}

static ssize_t fd_read(PortBackend *b, void *buffer, size_t n) {
        ssize_t r = read(b->fd, buffer, n);

        if (r > 0)
                return r;
        if (r == 0)
                return -ENODEV;
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static ssize_t fd_write(PortBackend *b, const void *bytes, size_t n) {
        ssize_t r = ((PortFd *)b)->is_tty ? write(b->fd, bytes, n)
                                          : send(b->fd, bytes, n, MSG_NOSIGNAL);

        if (r >= 0)
                return r;
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static ssize_t fd_queued(PortBackend *b) {
        int n = 0;

        if (!((PortFd *)b)->is_tty)
                return 0;
        return ioctl(b->fd, TIOCOUTQ, &n) < 0 ? -errno : n;
}

static void fd_discard(PortBackend *b) {
        if (((PortFd *)b)->is_tty)
                (void)tcflush(b->fd, TCOFLUSH);
}

static void fd_close(PortBackend *b) {
        if (((PortFd *)b)->is_tty)
                port_unlock(b->fd);
        b->fd = close_fd(b->fd);
        free(b);
}

static const PortBackendVTable fd_vtable = {
        .set_line = fd_set_line,
        .pulse = fd_pulse,
        .read = fd_read,
        .write = fd_write,
        .queued = fd_queued,
        .discard = fd_discard,
        .close = fd_close,
};

static int open_socket(const char *path, Why *w) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = -1;

        if (strlen(path) >= sizeof(address.sun_path))
                return why(w, -ENAMETOOLONG,
                                "unix:%s: the path of a socket has at most %zu characters", path,
                                sizeof(address.sun_path) - 1);
        memcpy(address.sun_path, path, strlen(path));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return why(w, -errno, "unix:%s: no socket: %s", path, strerror(errno));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                return why(w, -errno, "unix:%s cannot be opened: %s", path, strerror(errno));
        return TAKE_FD(fd);
}

static int open_tty(const char *path, Why *w) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        int r;

        if (fd < 0 && errno == EBUSY) {
                r = port_refuse_holder(path, w);
                return r < 0 ? r
                             : why(w, -EBUSY, "%s is held by a process that cannot be seen from here",
                                               path);
        }
        if (fd < 0)
                return why(w, -errno, "%s cannot be opened: %s", path, strerror(errno));
        if (!isatty(fd))
                return why(w, -ENOTTY, "%s is no serial line", path);
        r = port_refuse_holder(path, w);
        if (r < 0)
                return r;
        r = port_lock(fd, path, w);
        return r < 0 ? r : TAKE_FD(fd);
}

int port_fd_open(const char *path, PortBackend **ret, Why *w) {
        bool is_tty = !startswith(path, SOCKET_PREFIX);
        PortFd *p = NULL;
        int fd;

        fd = is_tty ? open_tty(path, w) : open_socket(path + strlen(SOCKET_PREFIX), w);
        if (fd < 0)
                return fd;
        p = new0(PortFd, 1);
        if (!p) {
                if (is_tty)
                        port_unlock(fd);
                (void)close(fd);
                return why_oom(w);
        }
        *p = (PortFd){ .backend = { .vtable = &fd_vtable, .fd = fd }, .is_tty = is_tty };
        *ret = &p->backend;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PortBackend over libserialport, for the ttys that the kernel lists; and the choice between the
 * backends.
 *
 * What libserialport 0.1.1 leaves to its caller: it resolves no symlinks, does not close on
 * exec, locks nothing, leaves XON/XOFF on after opening, takes 0 baud for a speed, and sets
 * RTS/CTS in the wrong word of the settings. */
#include <fcntl.h>
#include <libserialport.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "driver/port-backend.h"

typedef struct PortSerial {
        PortBackend backend;
        struct sp_port *port;
} PortSerial;

static int error_of(enum sp_return r) {
        int e;

        switch (r) {
        case SP_ERR_ARG:
                return -EINVAL;
        case SP_ERR_MEM:
                return -ENOMEM;
        case SP_ERR_SUPP:
                return -EOPNOTSUPP;
        default:
                e = sp_last_error_code();
                return e > 0 ? -e : -EIO;
        }
}

static int serial_set_line(PortBackend *b, const DriverLine *line) {
        struct sp_port *port = ((PortSerial *)b)->port;
        enum sp_parity parity = line->parity == 'E'   ? SP_PARITY_EVEN
                                : line->parity == 'O' ? SP_PARITY_ODD
                                                      : SP_PARITY_NONE;
        enum sp_return r;

        if (line->baud == 0 || line->baud > INT32_MAX)
                return -EINVAL;
        r = sp_set_baudrate(port, (int)line->baud);
        if (r == SP_OK)
                r = sp_set_bits(port, line->data_bits);
        if (r == SP_OK)
                r = sp_set_parity(port, parity);
        if (r == SP_OK)
                r = sp_set_stopbits(port, line->stop_bits);
        if (r == SP_OK)
                r = sp_set_flowcontrol(port, SP_FLOWCONTROL_NONE);
        if (r == SP_OK)
                r = sp_set_xon_xoff(port, SP_XONXOFF_DISABLED);
        return r == SP_OK ? termios_set_rtscts(b->fd, line->rtscts) : error_of(r);
}

/* Not by libserialport: its calls write the other line too, as it was read before. */
static int serial_pulse(PortBackend *b, const DriverPulse *pulse) {
        return termios_pulse(b->fd, pulse);
}

/* Nothing there and hung up look the same here; epoll(7) tells them apart. */
static ssize_t serial_read(PortBackend *b, void *buffer, size_t n) {
        enum sp_return r = sp_nonblocking_read(((PortSerial *)b)->port, buffer, n);

        return r >= 0 ? (ssize_t)r : error_of(r);
}

static ssize_t serial_write(PortBackend *b, const void *bytes, size_t n) {
        enum sp_return r = sp_nonblocking_write(((PortSerial *)b)->port, bytes, n);
        int e;

        if (r >= 0)
                return (ssize_t)r;
        e = error_of(r);
        return e == -EAGAIN ? 0 : e;
}

static ssize_t serial_queued(PortBackend *b) {
        int n = 0;

        return ioctl(b->fd, TIOCOUTQ, &n) < 0 ? -errno : n;
}

static void serial_discard(PortBackend *b) {
        (void)tcflush(b->fd, TCOFLUSH);
}

static void serial_close(PortBackend *b) {
        PortSerial *s = (PortSerial *)b;

        if (b->fd >= 0)
                port_unlock(b->fd);
        (void)sp_close(s->port);
        sp_free_port(s->port);
        free(s);
}

static const PortBackendVTable serial_vtable = {
        .set_line = serial_set_line,
        .pulse = serial_pulse,
        .read = serial_read,
        .write = serial_write,
        .queued = serial_queued,
        .discard = serial_discard,
        .close = serial_close,
};

static int no_port(const char *path, enum sp_return r, Why *w) {
        int e = error_of(r);

        if (e == -EBUSY)
                return why(w, e, "%s is held by a process that cannot be seen from here", path);
        return why(w, e, "%s cannot be opened: %s", path,
                        r == SP_ERR_ARG ? "the kernel lists no such serial line" : strerror(-e));
}

static int open_locked(struct sp_port *port, const char *path, PortSerial *ret, Why *w) {
        enum sp_return r = sp_open(port, SP_MODE_READ_WRITE);
        int e, fd = -1;

        if (r != SP_OK)
                return no_port(path, r, w);
        r = sp_get_port_handle(port, &fd);
        if (r == SP_OK && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                r = SP_ERR_FAIL;
        if (r != SP_OK) {
                (void)sp_close(port);
                return no_port(path, r, w);
        }
        e = port_lock(fd, path, w);
        if (e < 0) {
                (void)sp_close(port);
                return e;
        }
        *ret = (PortSerial){ .backend = { .vtable = &serial_vtable, .fd = fd }, .port = port };
        return 0;
}

int port_serial_open(const char *path, PortBackend **ret, Why *w) {
        _cleanup_free_ char *real = realpath(path, NULL);
        _cleanup_free_ PortSerial *s = NULL;
        struct sp_port *port;
        enum sp_return r;
        int e;

        if (!real)
                return why(w, -errno, "%s cannot be opened: %s", path, strerror(errno));
        e = port_refuse_holder(real, w);
        if (e < 0)
                return e;
        s = new0(PortSerial, 1);
        if (!s)
                return why_oom(w);
        r = sp_get_port_by_name(real, &port);
        if (r != SP_OK)
                return no_port(path, r, w);
        e = open_locked(port, real, s, w);
        if (e < 0) {
                sp_free_port(port);
                return e;
        }
        *ret = &TAKE_PTR(s)->backend;
        return 0;
}

int port_backend_open(const char *path, PortBackend **ret, Why *w) {
        _cleanup_free_ char *real = NULL;

        if (startswith(path, "unix:"))
                return port_fd_open(path, ret, w);
        real = realpath(path, NULL);
        if (!real)
                return why(w, -errno, "%s cannot be opened: %s", path, strerror(errno));
        return startswith(real, "/dev/pts/") ? port_fd_open(real, ret, w)
                                             : port_serial_open(real, ret, w);
}

PortBackend *port_backend_close(PortBackend *b) {
        if (b)
                b->vtable->close(b);
        return NULL;
}

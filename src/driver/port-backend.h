/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PortBackend: an open line, whatever it is made of. Real ttys go through libserialport
 * (port-serial), ptys and stream sockets through a plain descriptor (port-fd). No call waits. */
#pragma once

#include "driver/driver.h"

typedef struct PortBackend PortBackend;

typedef struct PortBackendVTable {
        int (*set_line)(PortBackend *b, const DriverLine *line);
        int (*pulse)(PortBackend *b,
                        const DriverPulse *pulse); /* lines that do not exist: -EOPNOTSUPP */
        ssize_t (*read)(PortBackend *b, void *buffer,
                        size_t n); /* 0: nothing there now; < 0: the line is lost */
        ssize_t (*write)(PortBackend *b, const void *bytes,
                        size_t n);         /* bytes taken, 0: full; < 0: the line is lost */
        ssize_t (*queued)(PortBackend *b); /* bytes taken that have not left yet */
        void (*discard)(PortBackend *b);   /* those */
        void (*close)(PortBackend *b);
} PortBackendVTable;

struct PortBackend { /* backends embed this first */
        const PortBackendVTable *vtable;
        int fd; /* for epoll(7): EPOLLHUP and EPOLLERR mean that the line is lost */
};

/* Opens a line for this process alone. path: /dev/…, a symlink, a pty, or "unix:/path" of a
 * stream socket. -EBUSY names the holder. */
int port_backend_open(const char *path, PortBackend **ret, Why *w);
int port_fd_open(const char *path, PortBackend **ret, Why *w);
int port_serial_open(const char *path, PortBackend **ret, Why *w);
PortBackend *port_backend_close(PortBackend *b);
DEFINE_TRIVIAL_CLEANUP_FUNC(PortBackend *, port_backend_close);

/* Locks an open tty against everybody who asks (flock(2), TIOCEXCL), and gives it back. */
int port_lock(int fd, const char *path, Why *w);
void port_unlock(int fd);

/* Who else holds the tty at path: returns 1 with a text such as "minicom (pid 812)", 0 when
 * nobody is seen. The far end of a pty does not count. */
#define PORT_HOLDER_MAX 64
int port_holder(const char *path, char ret[static PORT_HOLDER_MAX]);
/* -EBUSY with its sentence when somebody is seen. */
int port_refuse_holder(const char *path, Why *w);

/* Raw mode with any speed (termios2) for a descriptor of a tty. */
int termios_set_line(int fd, const DriverLine *line);
int termios_set_rtscts(int fd, bool on);
/* DTR, RTS, break; without the hold. A pty has no DTR and RTS: -EOPNOTSUPP. */
int termios_pulse(int fd, const DriverPulse *pulse);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>

#include "fake-port.h"

typedef struct FakeBackend {
        PortBackend backend;
        FakePort *owner;
} FakeBackend;

static bool fails(FakePort *f) {
        return ++f->n_operations == f->fail_at;
}

static FakePort *owner(PortBackend *b) {
        return ((FakeBackend *)b)->owner;
}

static int fake_set_line(PortBackend *b, const DriverLine *line) {
        if (fails(owner(b)))
                return -EIO;
        owner(b)->line = *line;
        return 0;
}

static int fake_pulse(PortBackend *b, const DriverPulse *pulse) {
        if (fails(owner(b)))
                return -EIO;
        owner(b)->n_pulses++;
        return 0;
}

static ssize_t fake_read(PortBackend *b, void *buffer, size_t n) {
        ssize_t r;

        if (fails(owner(b)))
                return -EIO;
        r = recv(b->fd, buffer, n, MSG_DONTWAIT);
        if (r > 0)
                return r;
        return r == 0 ? -ENODEV : errno == EAGAIN ? 0 : -errno;
}

static ssize_t fake_write(PortBackend *b, const void *bytes, size_t n) {
        FakePort *f = owner(b);
        ssize_t r;

        if (fails(f))
                return -EIO;
        r = send(b->fd, bytes, f->write_max > 0 ? MIN(n, f->write_max) : n,
                        MSG_DONTWAIT | MSG_NOSIGNAL);
        return r >= 0 ? r : errno == EAGAIN ? 0 : -errno;
}

static ssize_t fake_queued(PortBackend *b) {
        return fails(owner(b)) ? -EIO : owner(b)->queued;
}

static void fake_discard(PortBackend *b) {
        owner(b)->n_discards++;
}

static void fake_close(PortBackend *b) {
        FakePort *f = owner(b);

        f->n_closes++;
        f->far = close_fd(f->far);
        (void)close(b->fd);
        free(b);
}

static const PortBackendVTable fake_vtable = {
        .set_line = fake_set_line,
        .pulse = fake_pulse,
        .read = fake_read,
        .write = fake_write,
        .queued = fake_queued,
        .discard = fake_discard,
        .close = fake_close,
};

int fake_port_open(void *userdata, const char *path, PortBackend **ret, Why *w) {
        FakePort *f = userdata;
        FakeBackend *b;
        int fds[2];

        if (f->refuse < 0)
                return why(w, f->refuse, "%s is held by minicom (pid 812)", path);
        if (fails(f))
                return why(w, -EIO, "%s cannot be opened", path);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
                return why(w, -errno, "no sockets");
        b = new0(FakeBackend, 1);
        if (!b)
                abort();
        *b = (FakeBackend){ .backend = { .vtable = &fake_vtable, .fd = fds[0] }, .owner = f };
        f->far = fds[1];
        f->n_opens++;
        *ret = &b->backend;
        return 0;
}

void fake_port_hang_up(FakePort *f) {
        f->far = close_fd(f->far);
}

void fake_port_done(FakePort *f) {
        f->far = close_fd(f->far);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports on real ptys and sockets, and the backend over libserialport, which runs here on a pty
 * with the help of ptyshim. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include "driver/port-private.h"

#define TURNS_MAX 2000

static char folder[] = "/tmp/test-port-line.XXXXXX";
static char link_path[64], socket_path[64];
static sd_event *event;
static Port *port;
static PortBackend *backend;
static int master = -1, server = -1, peer = -1;
static pid_t holder;

/* A pty behind link_path; nobody has its slave open. */
static void plug(void) {
        char next[80];

        master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        assert_true(master >= 0);
        assert_int_equal(grantpt(master), 0);
        assert_int_equal(unlockpt(master), 0);
        (void)snprintf(next, sizeof(next), "%s.next", link_path);
        assert_int_equal(symlink(ptsname(master), next), 0);
        assert_int_equal(rename(next, link_path), 0);
}

static void unplug(void) {
        master = close_fd(master);
}

static void serve(void) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        (void)strcpy(a.sun_path, socket_path);
        (void)unlink(socket_path);
        server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(server, (struct sockaddr *)&a, sizeof(a)), 0);
        assert_int_equal(listen(server, 4), 0);
}

static int setup(void **state) {
        return sd_event_new(&event);
}

static int teardown(void **state) {
        port = port_free(port);
        backend = port_backend_close(backend);
        event = sd_event_unref(event);
        if (holder > 0) {
                char text[PORT_HOLDER_MAX];

                (void)kill(holder, SIGKILL);
                (void)waitpid(holder, NULL, 0);
                holder = 0;
                /* An orphan cannot be waited for; the next test may get a pty of the same
                 * number. */
                for (int i = 0; i < 1000 && port_holder(link_path, text) == 1; i++)
                        (void)usleep(1000);
        }
        master = close_fd(master);
        server = close_fd(server);
        peer = close_fd(peer);
        (void)unlink(link_path);
        (void)unlink(socket_path);
        return 0;
}

static void make(const char *path) {
        PortConfig config = { .name = "p", .path = path, .baud = 57600 };
        Why w = { "" };

        assert_int_equal(port_new(event, &config, NULL, NULL, &port, &w), 0);
}

static void run_until(PortState state) {
        for (unsigned i = 0; i < TURNS_MAX && port_state(port) != state; i++)
                assert_true(sd_event_run(event, 20 * USEC_PER_MSEC) >= 0);
        assert_int_equal(port_state(port), state);
}

static void assert_carries_all_bytes(int far) {
        struct pollfd p = { .fd = far, .events = POLLIN };
        uint8_t all[256], got[256];
        size_t n = 0;

        for (size_t i = 0; i < sizeof(all); i++)
                all[i] = (uint8_t)i;
        assert_int_equal(backend->vtable->write(backend, all, sizeof(all)), sizeof(all));
        while (n < sizeof(got)) {
                assert_int_equal(poll(&p, 1, 60000), 1);
                n += (size_t)read(far, got + n, sizeof(got) - n);
        }
        assert_memory_equal(got, all, sizeof(all));
        assert_int_equal(write(far, all, sizeof(all)), sizeof(all));
        p.fd = backend->fd;
        for (n = 0; n < sizeof(got);) {
                assert_int_equal(poll(&p, 1, 60000), 1);
                n += (size_t)backend->vtable->read(backend, got + n, sizeof(got) - n);
        }
        assert_memory_equal(got, all, sizeof(all));
        assert_int_equal(backend->vtable->read(backend, got, sizeof(got)), 0);
}

static void set_speed(uint32_t baud) {
        DriverLine l = { .baud = baud, .data_bits = 8, .stop_bits = 1, .parity = 'N' };

        assert_int_equal(backend->vtable->set_line(backend, &l), 0);
}

static void pty_carries_every_byte_at_any_speed(void **state) {
        DriverLine none = { .data_bits = 8, .stop_bits = 1, .parity = 'N' };
        struct termios t;

        plug();
        assert_int_equal(port_backend_open(link_path, &backend, NULL), 0);
        set_speed(250000);
        assert_carries_all_bytes(master);
        assert_int_equal(backend->vtable->set_line(backend, &none), -EINVAL);
        set_speed(921600);
        assert_int_equal(tcgetattr(master, &t), 0);
        assert_int_equal(cfgetospeed(&t), B921600);
        assert_int_equal(t.c_iflag & (IXON | IXOFF | IXANY | ICRNL), 0);
        assert_int_equal(backend->vtable->queued(backend), 0);
        assert_true(fcntl(backend->fd, F_GETFD) & FD_CLOEXEC);
}

static void pty_that_hangs_up_says_so(void **state) {
        char c;

        plug();
        assert_int_equal(port_backend_open(link_path, &backend, NULL), 0);
        set_speed(9600);
        unplug();
        assert_true(backend->vtable->read(backend, &c, 1) < 0);
        assert_true(backend->vtable->write(backend, "x", 1) < 0);
}

static void open_line_is_locked_against_others(void **state) {
        PortBackend *second = NULL;
        Why w = { "" };

        plug();
        assert_int_equal(port_backend_open(link_path, &backend, NULL), 0);
        assert_int_equal(port_backend_open(link_path, &second, &w), -EBUSY);
        assert_non_null(strstr(w.text, "locked"));
        backend = port_backend_close(backend);
        assert_int_equal(port_backend_open(link_path, &backend, &w), 0);
}

/* A process that has nothing to do with the pty's master holds it. */
static void hold(const char *path) {
        int ready[2];
        char c;

        assert_int_equal(pipe(ready), 0);
        holder = fork();
        if (holder == 0) {
                char *const argv[] = { (char *)"sh", (char *)"-c",
                        (char *)"exec 3<>\"$0\"; echo r; read x <&3", (char *)path, NULL };

                /* An orphan: neither child of this process nor heir of its descriptors. */
                if (fork() > 0)
                        _exit(0);
                (void)dup2(ready[1], STDOUT_FILENO);
                (void)close(master);
                (void)execv("/bin/sh", argv);
                _exit(127);
        }
        (void)close(ready[1]);
        (void)waitpid(holder, NULL, 0);
        holder = 0;
        assert_int_equal(read(ready[0], &c, 1), 1);
        (void)close(ready[0]);
}

static void holder_is_named(void **state) {
        char text[PORT_HOLDER_MAX] = "";
        const char *pid;
        Why w = { "" };

        plug();
        assert_int_equal(port_holder(link_path, text), 0);
        hold(link_path);
        assert_int_equal(port_holder(link_path, text), 1);
        pid = strstr(text, "sh (pid ");
        assert_non_null(pid);
        holder = atoi(pid + strlen("sh (pid "));
        assert_int_equal(port_backend_open(link_path, &backend, &w), -EBUSY);
        assert_non_null(strstr(w.text, " is held by sh (pid "));
}

static void port_on_a_held_line_names_the_holder(void **state) {
        const char *pid;

        plug();
        hold(link_path);
        make(link_path);
        assert_int_equal(port_state(port), PORT_FAILED);
        pid = strstr(port_problem(port), "is held by sh (pid ");
        assert_non_null(pid);
        holder = atoi(pid + strlen("is held by sh (pid "));
        (void)kill(holder, SIGKILL);
        holder = 0;
        run_until(PORT_OPEN);
}

static void missing_line_is_told_and_found_when_it_appears(void **state) {
        make(link_path);
        assert_int_equal(port_state(port), PORT_FAILED);
        assert_non_null(strstr(port_problem(port), "No such file or directory"));
        plug();
        run_until(PORT_OPEN);
}

static void unplugged_line_is_found_again(void **state) {
        plug();
        make(link_path);
        assert_int_equal(port_state(port), PORT_OPEN);
        unplug();
        run_until(PORT_FAILED);
        plug();
        run_until(PORT_OPEN);
}

static void socket_is_a_line_too(void **state) {
        char path[80];

        serve();
        (void)snprintf(path, sizeof(path), "unix:%s", socket_path);
        assert_int_equal(port_backend_open(path, &backend, NULL), 0);
        set_speed(115200);
        peer = accept(server, NULL, NULL);
        assert_carries_all_bytes(peer);
        peer = close_fd(peer);
        assert_int_equal(backend->vtable->read(backend, path, 1), -ENODEV);
}

static void closed_socket_is_found_again(void **state) {
        char path[80];

        (void)snprintf(path, sizeof(path), "unix:%s", socket_path);
        make(path);
        assert_int_equal(port_state(port), PORT_FAILED);
        serve();
        run_until(PORT_OPEN);
        peer = accept(server, NULL, NULL);
        peer = close_fd(peer);
        run_until(PORT_FAILED);
        run_until(PORT_OPEN);
}

static void file_is_no_line(void **state) {
        Why w = { "" };

        assert_true(port_backend_open("/etc/hostname", &backend, &w) < 0);
        assert_string_not_equal(w.text, "");
        assert_int_equal(port_fd_open("/dev/null", &backend, &w), -ENOTTY);
}

static void libserialport_carries_every_byte(void **state) {
        DriverLine flow = {
                .baud = 19200, .data_bits = 8, .stop_bits = 1, .parity = 'N', .rtscts = true
        };
        DriverPulse pulse = { .dtr = 1, .rts = 0, .brk = -1 };
        struct termios t;
        Why w = { "" };
        int lines;

        plug();
        if (port_serial_open(link_path, &backend, &w) != 0)
                fail_msg("%s", w.text);
        set_speed(12345);
        assert_carries_all_bytes(master);
        assert_int_equal(tcgetattr(backend->fd, &t), 0);
        assert_int_equal(t.c_iflag & (IXON | IXOFF | IXANY), 0);
        assert_false(t.c_cflag & CRTSCTS);
        assert_int_equal(backend->vtable->set_line(backend, &flow), 0);
        assert_int_equal(tcgetattr(backend->fd, &t), 0);
        assert_true(t.c_cflag & CRTSCTS);
        assert_int_equal(backend->vtable->pulse(backend, &pulse), 0);
        assert_int_equal(ioctl(backend->fd, TIOCMGET, &lines), 0);
        assert_int_equal(lines & (TIOCM_DTR | TIOCM_RTS), TIOCM_DTR);
        assert_true(fcntl(backend->fd, F_GETFD) & FD_CLOEXEC);
}

static void libserialport_refuses_no_speed_and_a_locked_line(void **state) {
        DriverLine none = { .data_bits = 8, .stop_bits = 1, .parity = 'N' };
        PortBackend *second = NULL;
        Why w = { "" };

        plug();
        assert_int_equal(port_serial_open(link_path, &backend, &w), 0);
        assert_int_equal(backend->vtable->set_line(backend, &none), -EINVAL);
        assert_int_equal(port_serial_open(link_path, &second, &w), -EBUSY);
        assert_non_null(strstr(w.text, "locked"));
}

static void libserialport_line_that_hangs_up_is_noticed(void **state) {
        struct pollfd p;

        plug();
        assert_int_equal(port_serial_open(link_path, &backend, NULL), 0);
        set_speed(9600);
        unplug();
        p = (struct pollfd){ .fd = backend->fd, .events = POLLIN };
        assert_int_equal(poll(&p, 1, 60000), 1);
        assert_true(p.revents & POLLHUP);
        assert_true(backend->vtable->write(backend, "x", 1) < 0);
}

static int make_folder(void **state) {
        if (!mkdtemp(folder))
                return -1;
        (void)snprintf(link_path, sizeof(link_path), "%s/tty", folder);
        (void)snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
        return 0;
}

static int remove_folder(void **state) {
        return rmdir(folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(pty_carries_every_byte_at_any_speed),
                TEST(pty_that_hangs_up_says_so),
                TEST(open_line_is_locked_against_others),
                TEST(holder_is_named),
                TEST(port_on_a_held_line_names_the_holder),
                TEST(missing_line_is_told_and_found_when_it_appears),
                TEST(unplugged_line_is_found_again),
                TEST(socket_is_a_line_too),
                TEST(closed_socket_is_found_again),
                TEST(file_is_no_line),
                TEST(libserialport_carries_every_byte),
                TEST(libserialport_refuses_no_speed_and_a_locked_line),
                TEST(libserialport_line_that_hangs_up_is_noticed),
        };

        return cmocka_run_group_tests_name("port-line", tests, make_folder, remove_folder);
}

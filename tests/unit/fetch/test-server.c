/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The socket of the fetcher seen by peers who do not behave: in this process and on its loop, so
 * that "nothing happens" can be seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "fetch/message.h"
#include "fetch/server.h"

typedef struct Bench {
        sd_event *event;
        FetchConfig config;
        FetchServer *server;
        int listen_fd;
        struct sockaddr_un address;
        char folder[32];
        unsigned notes;
} Bench;

static const FetchRequest forbidden = {
        .method = "GET", .url = "https://elsewhere.example/", .byte_limit = 10
};

static void on_note(const char *text, void *userdata) {
        ((Bench *)userdata)->notes++;
}

static int bench_setup(void **state) {
        Bench *b = new0(Bench, 1);

        if (!b || sd_event_new(&b->event) < 0)
                return -1;
        (void)strcpy(b->folder, "/tmp/rkserver-XXXXXX");
        if (!mkdtemp(b->folder))
                return -1;
        b->address.sun_family = AF_UNIX;
        (void)snprintf(b->address.sun_path, sizeof b->address.sun_path, "%s/socket", b->folder);
        b->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(b->listen_fd, (struct sockaddr *)&b->address, sizeof b->address) < 0 ||
                        listen(b->listen_fd, 64) < 0)
                return -1;
        fetch_config_init(&b->config);
        b->config.origin = strdup("https://127.0.0.1:1");
        *state = b;
        if (fetch_server_new(b->event, &b->config, b->listen_fd, false, &b->server) < 0)
                return -1;
        fetch_server_on_note(b->server, on_note, b);
        return 0;
}

static int bench_teardown(void **state) {
        Bench *b = *state;

        (void)fetch_server_free(b->server);
        fetch_config_done(&b->config);
        (void)close(b->listen_fd);
        (void)unlink(b->address.sun_path);
        (void)rmdir(b->folder);
        (void)sd_event_unref(b->event);
        free(b);
        return 0;
}

/* Until the loop has nothing to do. */
static void settle(Bench *b) {
        for (unsigned i = 0; sd_event_run(b->event, 0) > 0; i++)
                assert_true(i < 10000);
}

static int connect_to(Bench *b) {
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&b->address, sizeof b->address), 0);
        return fd;
}

static ssize_t send_with(int fd, const void *bytes, size_t n, const int *fds, unsigned n_fds) {
        union {
                struct cmsghdr header;
                uint8_t bytes[CMSG_SPACE(16 * sizeof(int))];
        } control = { 0 };
        struct iovec iov = { (void *)bytes, n };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (n_fds > 0) {
                msg.msg_control = &control;
                msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
                memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
        }
        return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

/* A request with a proper pipe; returns the read end. */
static int send_request(int fd, const FetchRequest *request) {
        uint8_t *bytes = NULL;
        int ends[2];
        size_t n;

        assert_int_equal(fetch_request_encode(request, &bytes, &n, NULL), 0);
        assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        assert_int_equal(send_with(fd, bytes, n, &ends[1], 1), (ssize_t)n);
        free(bytes);
        (void)close(ends[1]);
        return ends[0];
}

/* What a peer sees: a closing message's error, 1 for nothing yet, 2 for a closed connection. */
static int answer_of(int fd) {
        static uint8_t bytes[FETCH_MESSAGE_MAX];
        FetchAnswer answer;
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);

        if (n < 0 && errno == EAGAIN)
                return 1;
        if (n <= 0)
                return 2;
        assert_int_equal(fetch_answer_decode(bytes, (size_t)n, &answer, NULL), 0);
        assert_int_equal(answer.type, FETCH_CLOSING);
        return answer.error;
}

static unsigned open_descriptors(void) {
        DIR *d = opendir("/proc/self/fd");
        unsigned n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        (void)closedir(d);
        return n;
}

static void request_is_answered_on_its_own_connection(void **state) {
        Bench *b = *state;
        int fd = connect_to(b), pipe = send_request(fd, &forbidden);
        char c;

        settle(b);
        assert_int_equal(answer_of(fd), -EACCES);
        assert_int_equal(answer_of(fd), 2);
        assert_int_equal(read(pipe, &c, 1), 0);
        (void)close(pipe);
        (void)close(fd);
}

static void what_is_no_request_ends_the_connection(void **state) {
        Bench *b = *state;
        uint8_t *good = NULL, huge[FETCH_MESSAGE_MAX + 1];
        int ends[2], many[10], fds[6];
        unsigned before;
        size_t n;

        assert_int_equal(fetch_request_encode(&forbidden, &good, &n, NULL), 0);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        for (size_t i = 0; i < ELEMENTSOF(many); i++)
                many[i] = ends[1];
        memset(huge, 0, sizeof huge);
        before = open_descriptors();
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = connect_to(b);
        assert_true(send_with(fds[0], good, n, NULL, 0) > 0);     /* no pipe */
        assert_true(send_with(fds[1], good, n, many, 2) > 0);     /* two */
        assert_true(send_with(fds[2], good, n, &ends[0], 1) > 0); /* the read end */
        assert_true(send_with(fds[3], good, n, many, 10) > 0);    /* more than there is room for */
        assert_true(send_with(fds[4], "hello", 5, &ends[1], 1) > 0); /* garbage */
        assert_true(send_with(fds[5], huge, sizeof huge, &ends[1], 1) > 0);
        settle(b);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                assert_int_equal(answer_of(fds[i]), 2);
                (void)close(fds[i]);
        }
        assert_int_equal(b->notes, ELEMENTSOF(fds));
        assert_int_equal(open_descriptors(), before);
        (void)close(ends[0]);
        (void)close(ends[1]);
        free(good);
}

static void regular_file_is_no_pipe(void **state) {
        Bench *b = *state;
        uint8_t *good = NULL;
        int file = memfd_create("file", MFD_CLOEXEC), fd = connect_to(b);
        struct stat st;
        size_t n;

        assert_int_equal(fetch_request_encode(&forbidden, &good, &n, NULL), 0);
        assert_true(send_with(fd, good, n, &file, 1) > 0);
        settle(b);
        assert_int_equal(answer_of(fd), 2);
        assert_int_equal(fstat(file, &st), 0);
        assert_int_equal(st.st_size, 0);
        (void)close(file);
        (void)close(fd);
        free(good);
}

/* A server that takes connections and says nothing; its port. */
static int silent_server(unsigned *ret_port) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                .sin_addr = { htonl(INADDR_LOOPBACK) } };
        socklen_t n = sizeof address;
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(fd, 4), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
        *ret_port = ntohs(address.sin_port);
        return fd;
}

static void second_message_ends_the_request(void **state) {
        FetchRequest request = { .method = "GET", .url = "/", .byte_limit = 10 };
        Bench *b = *state;
        int fd, pipe, server;
        unsigned port;

        server = silent_server(&port);
        free(TAKE_PTR(b->config.origin));
        assert_true(asprintf(&b->config.origin, "https://127.0.0.1:%u", port) > 0);
        fd = connect_to(b);
        pipe = send_request(fd, &request);
        settle(b);
        assert_int_equal(answer_of(fd), 1);
        assert_int_equal(send(fd, "more", 4, 0), 4);
        settle(b);
        assert_int_equal(answer_of(fd), 2);
        (void)close(pipe);
        (void)close(fd);
        (void)close(server);
}

static void seventeenth_connection_waits_for_a_place(void **state) {
        Bench *b = *state;
        int fds[FETCH_CONNECTIONS_MAX], last, pipe;

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = connect_to(b);
        last = connect_to(b);
        pipe = send_request(last, &forbidden);
        settle(b);
        assert_int_equal(answer_of(last), 1);
        (void)close(fds[7]);
        settle(b);
        assert_int_equal(answer_of(last), -EACCES);
        (void)close(pipe);
        (void)close(last);
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                if (i != 7)
                        (void)close(fds[i]);
}

/* How a forbidden request of another user ends: answer_of's numbers, an error as 3. */
static int asked_by(Bench *b, uid_t uid) {
        uint8_t *request = NULL;
        int status, ends[2];
        size_t n;
        pid_t pid;

        assert_int_equal(fetch_request_encode(&forbidden, &request, &n, NULL), 0);
        pid = fork();
        if (pid == 0) {
                int fd, e;

                if (setuid(uid) < 0)
                        _exit(100);
                fd = connect_to(b);
                e = pipe2(ends, O_CLOEXEC) == 0 && send_with(fd, request, n, &ends[1], 1) > 0 ? 0
                                                                                              : 2;
                (void)fcntl(fd, F_SETFL, 0);
                if (e == 0)
                        e = answer_of(fd);
                _exit(e < 0 ? 3 : e);
        }
        free(request);
        for (unsigned i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
                assert_true(i < 10000);
                assert_true(sd_event_run(b->event, 10 * USEC_PER_MSEC) >= 0);
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void only_root_and_the_owner_of_the_socket_are_let_in(void **state) {
        Bench *b = *state;

        assert_int_equal(geteuid(), 0); /* the test changes users */
        assert_int_equal(chmod(b->folder, 0755), 0);
        assert_int_equal(chmod(b->address.sun_path, 0666), 0);
        assert_int_equal(asked_by(b, 65534), 2);
        assert_int_equal(asked_by(b, 0), 3);
        assert_int_equal(chown(b->address.sun_path, 65534, 0), 0);
        assert_int_equal(asked_by(b, 65534), 3);
        assert_int_equal(asked_by(b, 65533), 2);
}

#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, bench_setup, bench_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_BENCH(request_is_answered_on_its_own_connection),
                WITH_BENCH(what_is_no_request_ends_the_connection),
                WITH_BENCH(regular_file_is_no_pipe),
                WITH_BENCH(second_message_ends_the_request),
                WITH_BENCH(seventeenth_connection_waits_for_a_place),
                WITH_BENCH(only_root_and_the_owner_of_the_socket_are_let_in),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

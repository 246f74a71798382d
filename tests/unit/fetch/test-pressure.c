/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client that does not read: the server waits, the fetcher holds next to nothing, others are
 * served, and no byte is lost. The client is the bare protocol here, because the real one always
 * reads. */
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

#include "fetch-world.h"
#include "fetch/message.h"

#define BIG_BYTES    (64 * 1024 * 1024)
#define GROWTH_BYTES (8 * 1024 * 1024)

static Got got;

static int raw_connect(const FetchWorld *world) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof address.sun_path, "%.80s/socket", world->folder);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        return fd;
}

static int raw_request(int fd, const FetchRequest *request) {
        union {
                struct cmsghdr header;
                uint8_t bytes[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        uint8_t *bytes = NULL;
        int ends[2];
        size_t n;

        assert_int_equal(fetch_request_encode(request, &bytes, &n, NULL), 0);
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        control.header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
        assert_int_equal(sendmsg(fd,
                                         &(struct msghdr){ .msg_iov = &(struct iovec){ bytes, n },
                                                         .msg_iovlen = 1,
                                                         .msg_control = &control,
                                                         .msg_controllen = sizeof control },
                                         0),
                        (ssize_t)n);
        free(bytes);
        (void)close(ends[1]);
        return ends[0];
}

static FetchAnswer raw_answer(int fd) {
        static uint8_t bytes[FETCH_MESSAGE_MAX];
        FetchAnswer answer = { 0 };
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);

        assert_true(n > 0);
        assert_int_equal(fetch_answer_decode(bytes, (size_t)n, &answer, NULL), 0);
        return answer;
}

/* Resident bytes of a process. */
static size_t resident(pid_t pid) {
        unsigned long pages = 0;
        char path[64];
        FILE *f;

        (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
        f = fopen(path, "r");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
        (void)fclose(f);
        return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static pid_t child_of_this(void) {
        char path[64];
        int pid = 0;
        FILE *f;

        (void)snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
        f = fopen(path, "r");
        assert_non_null(f);
        while (fscanf(f, "%d", &pid) == 1)
                ; /* the youngest */
        (void)fclose(f);
        return (pid_t)pid;
}

static void wait_until_pipe_is_full(int pipe) {
        int have = 0, size = fcntl(pipe, F_GETPIPE_SZ);

        for (unsigned i = 0; have < size - 4096; i++) {
                assert_true(i < 9000);
                assert_int_equal(ioctl(pipe, FIONREAD, &have), 0);
                (void)poll(NULL, 0, 10);
        }
}

static uint64_t drain(int pipe) {
        static uint8_t chunk[64 * 1024];
        uint64_t total = 0;
        ssize_t n;

        while ((n = read(pipe, chunk, sizeof chunk)) > 0) {
                for (ssize_t i = 0; i < n; i += 4093)
                        assert_int_equal(chunk[i], world_pattern(total + (size_t)i));
                total += (uint64_t)n;
        }
        assert_int_equal(n, 0);
        return total;
}

static void reader_who_waits_makes_the_server_wait(void **state) {
        FetchRequest big = { .method = "GET", .url = "/big", .byte_limit = BIG_BYTES };
        FetchWorld *world = *state;
        size_t before, after;
        FetchAnswer answer;
        pid_t pid;
        int fd, pipe;

        world_file(world, "big", BIG_BYTES);
        world_file(world, "small", 1000);
        world_get(world, "/small", &got); /* spawns the fetcher */
        pid = child_of_this();
        before = resident(pid);
        fd = raw_connect(world);
        pipe = raw_request(fd, &big);
        assert_int_equal(raw_answer(fd).status, 200);
        wait_until_pipe_is_full(pipe);
        for (unsigned i = 0; i < 50; i++) {
                world_get(world, "/small", &got);
                assert_int_equal(got.error, 0);
        }
        after = resident(pid);
        assert_int_equal(world_log_count(world, "/big"), 1);
        assert_int_equal(world_log_sent(world, "/big"), 0);
        assert_true(after < before + GROWTH_BYTES);
        assert_true(drain(pipe) == BIG_BYTES);
        answer = raw_answer(fd);
        assert_int_equal(answer.error, 0);
        assert_true(answer.bytes == BIG_BYTES);
        (void)close(pipe);
        (void)close(fd);
}

static void client_that_goes_cancels_the_transfer(void **state) {
        FetchRequest endless = {
                .method = "GET", .url = "/_evil/endless", .byte_limit = UINT64_MAX
        };
        FetchWorld *world = *state;
        int fd, pipe;

        world_get(world, "/small", &got);
        fd = raw_connect(world);
        pipe = raw_request(fd, &endless);
        wait_until_pipe_is_full(pipe);
        /* the pipe stays open: the connection alone says that the client is there */
        (void)close(fd);
        (void)world_wait_for_cut(world, "");
        (void)close(pipe);
}

static void client_that_closes_its_pipe_cancels_the_transfer(void **state) {
        FetchRequest endless = {
                .method = "GET", .url = "/_evil/endless", .byte_limit = UINT64_MAX
        };
        FetchWorld *world = *state;
        FetchAnswer answer;
        int fd, pipe;

        world_get(world, "/small", &got);
        fd = raw_connect(world);
        pipe = raw_request(fd, &endless);
        assert_int_equal(raw_answer(fd).status, 200);
        (void)close(pipe);
        (void)world_wait_for_cut(world, "");
        answer = (FetchAnswer){ 0 };
        if (recv(fd, &answer, 1, MSG_PEEK) > 0)
                assert_int_equal(raw_answer(fd).error, -ECANCELED);
        (void)close(fd);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_WORLD(reader_who_waits_makes_the_server_wait),
                WITH_WORLD(client_that_goes_cancels_the_transfer),
                WITH_WORLD(client_that_closes_its_pipe_cancels_the_transfer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

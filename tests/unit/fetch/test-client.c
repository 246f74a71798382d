/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client against a fetcher that is played here and does not keep to the protocol: the client
 * counts for itself and believes nothing that does not add up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fetch/client.h"
#include "fetch/message.h"
#include "fetch/receive.h"

typedef struct Stage {
        sd_event *event;
        FetchClient *client;
        FetchCall *call;
        struct sockaddr_un address;
        char folder[32];
        int listen_fd, connection, pipe; /* of the played fetcher */

        bool done, free_in_callback;
        unsigned calls;
        int error;
        uint64_t bytes;
        char text[400];
} Stage;

static int on_body(FetchCall *call, unsigned status, bool resumed, const void *bytes, size_t n,
                void *userdata) {
        Stage *s = userdata;

        assert_int_not_equal(status, 0);
        s->calls++;
        if (s->free_in_callback)
                s->client = fetch_client_free(s->client);
        return 0;
}

static void on_done(FetchCall *call, const FetchResult *result, void *userdata) {
        Stage *s = userdata;

        assert_false(s->done);
        s->done = true;
        s->error = result->error;
        s->bytes = result->bytes;
        (void)snprintf(s->text, sizeof s->text, "%s", result->text);
        if (s->free_in_callback)
                s->client = fetch_client_free(s->client);
}

static void settle(Stage *s) {
        for (unsigned i = 0; sd_event_run(s->event, 0) > 0; i++)
                assert_true(i < 10000);
}

/* A call with a limit of 100 bytes is open, and the played fetcher holds its connection and
 * pipe. */
static int stage_setup(void **state) {
        FetchRequest request = { .method = "GET", .url = "/", .byte_limit = 100 };
        Stage *s = new0(Stage, 1);
        FetchRequestView view;
        uint8_t *bytes = NULL;

        if (!s || sd_event_new(&s->event) < 0)
                return -1;
        *state = s;
        (void)strcpy(s->folder, "/tmp/rkclient-XXXXXX");
        if (!mkdtemp(s->folder))
                return -1;
        s->address.sun_family = AF_UNIX;
        (void)snprintf(s->address.sun_path, sizeof s->address.sun_path, "%s/socket", s->folder);
        s->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (bind(s->listen_fd, (struct sockaddr *)&s->address, sizeof s->address) < 0 ||
                        listen(s->listen_fd, 4) < 0)
                return -1;
        if (fetch_client_new(s->event, s->address.sun_path, NULL, NULL, &s->client) < 0 ||
                        fetch_client_call(s->client, &request, on_body, on_done, s, &s->call,
                                        NULL) < 0)
                return -1;
        settle(s);
        s->connection = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fetch_receive_request(s->connection, &bytes, &view, &s->pipe, NULL) < 0)
                return -1;
        free(bytes);
        return 0;
}

static int stage_teardown(void **state) {
        Stage *s = *state;

        (void)fetch_client_free(s->client);
        (void)close_fd(s->connection);
        (void)close_fd(s->pipe);
        (void)close(s->listen_fd);
        (void)unlink(s->address.sun_path);
        (void)rmdir(s->folder);
        (void)sd_event_unref(s->event);
        free(s);
        return 0;
}

static void say_head(Stage *s) {
        FetchAnswer head = { .type = FETCH_HEAD, .status = 200, .headers = "a: b\n" };

        assert_int_equal(fetch_send_answer(s->connection, &head), 0);
}

static void say_closing(Stage *s, int error, uint64_t bytes) {
        FetchAnswer closing = {
                .type = FETCH_CLOSING, .status = 200, .error = error, .text = "said", .bytes = bytes
        };

        assert_int_equal(fetch_send_answer(s->connection, &closing), 0);
}

static void put(Stage *s, size_t n) {
        static const uint8_t zeros[200];

        assert_int_equal(write(s->pipe, zeros, n), (ssize_t)n);
}

static void expect(Stage *s, int error, uint64_t bytes) {
        settle(s);
        assert_true(s->done);
        assert_int_equal(s->error, error);
        assert_int_equal(s->bytes, bytes);
        assert_int_equal(*s->text != 0, error != 0);
}

static void body_and_count_that_agree_are_taken(void **state) {
        Stage *s = *state;

        say_head(s);
        put(s, 100);
        say_closing(s, 0, 100);
        settle(s);
        assert_false(s->done); /* the pipe is still open */
        s->pipe = close_fd(s->pipe);
        expect(s, 0, 100);
}

static void count_that_does_not_agree_is_a_broken_transfer(void **state) {
        Stage *s = *state;

        say_head(s);
        put(s, 50);
        s->pipe = close_fd(s->pipe);
        settle(s);
        assert_false(s->done); /* the end of the pipe alone says nothing */
        say_closing(s, 0, 51);
        expect(s, -EPIPE, 50);
}

static void end_without_a_closing_message_is_a_broken_transfer(void **state) {
        Stage *s = *state;

        say_head(s);
        put(s, 70);
        s->connection = close_fd(s->connection);
        expect(s, -EPIPE, 70);
}

static void body_over_the_limit_is_stopped_here_too(void **state) {
        Stage *s = *state;

        say_head(s);
        put(s, 101);
        expect(s, -EFBIG, 0);
        assert_int_equal(s->calls, 0);
}

static void body_before_the_head_waits_and_counts_only_with_one(void **state) {
        Stage *s = *state;

        put(s, 10);
        settle(s);
        assert_int_equal(s->calls, 0);
        say_closing(s, 0, 10);
        expect(s, -EPROTO, 0);
}

static void second_head_is_refused(void **state) {
        Stage *s = *state;

        say_head(s);
        say_head(s);
        expect(s, -EPROTO, 0);
}

static void more_after_the_closing_message_is_refused(void **state) {
        Stage *s = *state;

        say_head(s);
        say_closing(s, 0, 0);
        say_closing(s, 0, 0);
        expect(s, -EPROTO, 0);
}

static void garbage_is_refused(void **state) {
        Stage *s = *state;

        assert_int_equal(send(s->connection, "hello", 5, 0), 5);
        expect(s, -EPROTO, 0);
}

static void answer_that_is_too_long_is_refused(void **state) {
        static uint8_t big[64 * 1024];
        Stage *s = *state;

        assert_int_equal(send(s->connection, big, sizeof big, 0), (ssize_t)sizeof big);
        expect(s, -EPROTO, 0);
}

static void error_comes_after_the_bytes_before_it(void **state) {
        Stage *s = *state;

        say_head(s);
        put(s, 30);
        say_closing(s, -ETIMEDOUT, 30);
        s->pipe = close_fd(s->pipe);
        expect(s, -ETIMEDOUT, 30);
        assert_string_equal(s->text, "said");
}

static void client_may_be_freed_in_the_callback_of_the_body(void **state) {
        Stage *s = *state;

        s->free_in_callback = true;
        say_head(s);
        put(s, 10);
        settle(s);
        assert_null(s->client);
        assert_int_equal(s->calls, 1);
        assert_false(s->done);
}

static void client_may_be_freed_in_the_callback_of_the_end(void **state) {
        Stage *s = *state;

        s->free_in_callback = true;
        say_closing(s, -ECONNREFUSED, 0);
        expect(s, -ECONNREFUSED, 0);
        assert_null(s->client);
}

/* It takes the request, and that is the last that is heard of it. */
static void fetcher_that_says_nothing_any_more_is_given_up(void **state) {
        FetchRequest request = { .method = "GET", .url = "/", .byte_limit = 100 };
        Stage *s = *state;

        s->call = fetch_call_cancel(s->call);
        fetch_client_set_patience(s->client, USEC_PER_MSEC);
        assert_int_equal(
                        fetch_client_call(s->client, &request, on_body, on_done, s, &s->call, NULL),
                        0);
        for (unsigned i = 0; i < 100 && !s->done; i++)
                assert_true(sd_event_run(s->event, USEC_PER_SEC) >= 0);
        assert_true(s->done);
        assert_int_equal(s->error, -ETIMEDOUT);
        assert_non_null(strstr(s->text, "says nothing"));
}

static void canceled_call_closes_both_its_ends(void **state) {
        Stage *s = *state;
        char c;

        assert_null(fetch_call_cancel(s->call));
        assert_int_equal(recv(s->connection, &c, 1, 0), 0);
        assert_int_equal(write(s->pipe, "x", 1), -1);
        assert_int_equal(errno, EPIPE);
        settle(s);
        assert_false(s->done);
}

#define ON_STAGE(test) cmocka_unit_test_setup_teardown(test, stage_setup, stage_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                ON_STAGE(body_and_count_that_agree_are_taken),
                ON_STAGE(count_that_does_not_agree_is_a_broken_transfer),
                ON_STAGE(end_without_a_closing_message_is_a_broken_transfer),
                ON_STAGE(body_over_the_limit_is_stopped_here_too),
                ON_STAGE(body_before_the_head_waits_and_counts_only_with_one),
                ON_STAGE(second_head_is_refused),
                ON_STAGE(more_after_the_closing_message_is_refused),
                ON_STAGE(garbage_is_refused),
                ON_STAGE(answer_that_is_too_long_is_refused),
                ON_STAGE(error_comes_after_the_bytes_before_it),
                ON_STAGE(client_may_be_freed_in_the_callback_of_the_body),
                ON_STAGE(client_may_be_freed_in_the_callback_of_the_end),
                ON_STAGE(fetcher_that_says_nothing_any_more_is_given_up),
                ON_STAGE(canceled_call_closes_both_its_ends),
        };

        (void)signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}

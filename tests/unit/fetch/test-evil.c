/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Servers that break off, stall, flood and lie: each ends with its own error, in bounded time
 * and memory, and the next request works. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fetch-world.h"

static Got got;

typedef struct Case {
        const char *path;
        int error;
        unsigned status;
        uint64_t bytes;
        const char *text; /* part of the sentence */
} Case;

static const Case cases[] = {
        { "/_evil/cut?length=1000&at=100", -EPIPE, 200, 100, "" },
        { "/_evil/chunks", -EPIPE, 200, 5, "" },
        { "/_evil/silent", -EPIPE, 0, 0, "" },
        { "/_evil/longer", 0, 200, 10, "" },
        { "/_evil/flood", -EPROTO, 0, 0, "16384 bytes of headers" },
        { "/_evil/trailers", -EPROTO, 200, 5, "trailers" },
        { "/_evil/interims", -EPROTO, 0, 0, "interim heads" },
        { "/_evil/bomb", -EPROTO, 0, 0, "Content-Encoding" },
        { "/_evil/bomb?in=transfer", -EPROTO, 0, 0, "Transfer-Encoding" },
        { "/_evil/header?line=Content-Encoding:+identity", 0, 200, 2, "" },
        { "/_evil/big-header", -EPROTO, 0, 0, "16384 bytes of headers" },
        { "/_evil/header?line=no+colon+here", -EPROTO, 0, 0, "" },
        { "/_evil/header?line=X-A:+b%0D%0A+folded", -EPROTO, 0, 0, "header line" },
        { "/_evil/header?line=X-A:+b%0DX-B:+c", -EPROTO, 0, 0, "header line" },
        { "/_evil/header?line=X-A:+b%00c", -EPROTO, 0, 0, "" },
        { "/_evil/header?line=X-A:+b%1Bc", -EPROTO, 0, 0, "header line" },
        { "/_evil/header?line=Content-Length:+7", -EPROTO, 0, 0, "" },
        { "/_evil/bad-length", -EPROTO, 0, 0, "" },
        { "/_evil/part", -EPROTO, 0, 0, "nobody asked" },
        { "/_evil/not-http", -EPROTO, 0, 0, "" },
        { "/_evil/loris", -ETIMEDOUT, 0, 0, "LowSpeedBytes=" },
};

static void every_evil_answer_has_its_error(void **state) {
        FetchWorld *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];

                if (i == 0 || c->error == -ETIMEDOUT)
                        world_configure(world, "%sLowSpeedSec=%u\n", world_plain(world),
                                        c->error == -ETIMEDOUT ? 3 : 30);
                world_get(world, c->path, &got);
                if (got.error != c->error || got.status != c->status || got.bytes != c->bytes)
                        fail_msg("%s: error %d status %u bytes %lu (%s)", c->path, got.error,
                                        got.status, (unsigned long)got.bytes, got.text);
                if (!strstr(got.text, c->text) || (c->error != 0) != (*got.text != 0))
                        fail_msg("%s: %s", c->path, got.text);
        }
}

/* 64 MiB are on their way at least: what was sent is what socket buffers hold. */
static void headers_without_end_are_cut_while_they_come(void **state) {
        static const char *const paths[] = { "/_evil/flood", "/_evil/trailers", "/_evil/interims" };
        FetchWorld *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                world_get(world, paths[i], &got);
                assert_int_equal(got.error, -EPROTO);
                assert_true(world_wait_for_cut(world, paths[i]) < 16 * 1024 * 1024);
        }
}

static void part_that_was_not_asked_for_is_refused(void **state) {
        FetchRequest request = {
                .method = "GET", .url = "/_evil/bad-part", .byte_limit = 100, .resume_offset = 6
        };

        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, -EPROTO);
        assert_int_equal(got.bytes, 0);
        request.resume_offset = 7;
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 4);
}

static void interim_answer_leaves_nothing_behind(void **state) {
        world_get(*state, "/_evil/interim", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 200);
        assert_memory_equal(got.body, "after\n", 6);
        assert_non_null(strstr(got.headers, "x-late: yes\n"));
        assert_null(strstr(got.headers, "x-early"));
}

static void server_that_never_answers_times_out(void **state) {
        FetchWorld *world = *state;

        world_configure(world, "%sLowSpeedSec=400ms\n", world_plain(world));
        world_command(world, "hang");
        world_get(world, "/a", &got);
        assert_int_equal(got.error, -ETIMEDOUT);
        assert_int_equal(got.status, 0);
}

static void body_that_trickles_times_out_with_what_came(void **state) {
        FetchWorld *world = *state;

        world_file(world, "a", 100000);
        world_configure(world, "%sLowSpeedSec=3\nLowSpeedBytes=64K\n", world_plain(world));
        world_command(world, "slow 4000");
        world_get(world, "/a", &got);
        assert_int_equal(got.error, -ETIMEDOUT);
        assert_int_equal(got.status, 200);
        assert_true(got.bytes > 0 && got.bytes < 100000);
}

/* One byte a second. Who asks at the same time is answered before the dripping ends. */
static void dripping_server_is_given_up_and_holds_nobody(void **state) {
        FetchRequest request = { .method = "GET", .url = "/_evil/drip", .byte_limit = 1 << 20 };
        FetchWorld *world = *state;
        static Got drip;

        drip = (Got){ 0 };
        world_file(world, "a", 100000);
        world_configure(world, "%sLowSpeedSec=6\n", world_plain(world));
        (void)world_start(world, &request, &drip);
        for (unsigned i = 0; i < 10 && !drip.done; i++) {
                world_get(world, "/a", &got);
                assert_int_equal(got.error, 0);
                assert_int_equal(got.bytes, 100000);
                assert_true(i > 0 || !drip.done);
        }
        world_run_until(world, &drip.done);
        assert_int_equal(drip.error, -ETIMEDOUT);
        assert_non_null(strstr(drip.text, "slower than LowSpeedBytes="));
        assert_true(drip.bytes > 0 && drip.bytes < 30);
}

static void silent_stream_is_no_timeout(void **state) {
        FetchRequest stream = { .kind = FETCH_STREAM,
                .method = "GET",
                .url = "/_evil/events?n=40",
                .byte_limit = UINT64_MAX };
        FetchWorld *world = *state;

        /* 40 events in 2 s, far slower than the rule allows a transfer. */
        world_configure(world, "%sLowSpeedSec=1\nLowSpeedBytes=64K\n", world_plain(world));
        world_fetch(world, &stream, &got);
        assert_int_equal(got.error, 0);
        assert_memory_equal(got.body + got.body_n - 10, "data: 39\n\n", 10);
        stream.kind = FETCH_TRANSFER;
        stream.url = "/_evil/events?n=1000";
        world_fetch(world, &stream, &got);
        assert_int_equal(got.error, -ETIMEDOUT);
}

static void closed_port_is_connection_refused_until_it_opens(void **state) {
        world_file(*state, "a", 10);
        world_command(*state, "refuse");
        world_get(*state, "/a", &got);
        assert_int_equal(got.error, -ECONNREFUSED);
        world_command(*state, "answer");
        world_get(*state, "/a", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 10);
}

static void address_without_a_way_is_host_unreachable(void **state) {
        world_configure(*state, "Origin=http://255.255.255.255\nAllowHttp=yes\n");
        world_get(*state, "/a", &got);
        assert_int_equal(got.error, -EHOSTUNREACH);
}

static void cut_transfer_is_resumed_to_the_end(void **state) {
        FetchRequest request = { .method = "GET", .url = "/a", .byte_limit = 1 << 20 };
        uint64_t have = 0;
        char etag[64];

        world_file(*state, "a", 100000);
        world_command(*state, "cut-after 30000");
        for (unsigned i = 0; i < 4; i++) {
                request.resume_offset = have;
                request.if_range = have > 0 ? etag : NULL;
                world_fetch(*state, &request, &got);
                assert_int_equal(got.resumed, have > 0);
                assert_int_equal(got.error, i < 3 ? -EPIPE : 0);
                for (size_t k = 0; k < got.body_n; k++)
                        assert_int_equal(got.body[k], world_pattern(have + k));
                have += got.bytes;
                (void)strcpy(etag, got.etag);
        }
        assert_int_equal(have, 100000);
}

static void reader_that_refuses_cancels_the_transfer(void **state) {
        got.cancel_after = 1;
        world_get(*state, "/_evil/endless", &got);
        got.cancel_after = 0;
        assert_int_equal(got.error, -ECANCELED);
        assert_int_equal(got.calls, 1);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_WORLD(every_evil_answer_has_its_error),
                WITH_WORLD(headers_without_end_are_cut_while_they_come),
                WITH_WORLD(part_that_was_not_asked_for_is_refused),
                WITH_WORLD(interim_answer_leaves_nothing_behind),
                WITH_WORLD(server_that_never_answers_times_out),
                WITH_WORLD(body_that_trickles_times_out_with_what_came),
                WITH_WORLD(dripping_server_is_given_up_and_holds_nobody),
                WITH_WORLD(silent_stream_is_no_timeout),
                WITH_WORLD(closed_port_is_connection_refused_until_it_opens),
                WITH_WORLD(address_without_a_way_is_host_unreachable),
                WITH_WORLD(cut_transfer_is_resumed_to_the_end),
                WITH_WORLD(reader_that_refuses_cancels_the_transfer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

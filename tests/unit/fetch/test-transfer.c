/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The two halves together: what a plain transfer gives, what its limits are, and how it is
 * resumed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fetch-world.h"

static Got got;

static void assert_body_is_pattern_from(size_t start, size_t n) {
        assert_int_equal(got.body_n, n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(got.body[i], world_pattern(start + i));
}

static void file_arrives_whole_with_status_and_etag(void **state) {
        FetchWorld *world = *state;

        world_file(world, "a", 200000);
        world_get(world, "/a", &got);
        assert_int_equal(got.error, 0);
        assert_string_equal(got.text, "");
        assert_int_equal(got.status, 200);
        assert_false(got.resumed);
        assert_int_equal(strlen(got.etag), 18);
        assert_non_null(strstr(got.headers, "content-length: 200000\n"));
        assert_body_is_pattern_from(0, 200000);
}

static void empty_file_is_done_without_a_byte(void **state) {
        world_file(*state, "empty", 0);
        world_get(*state, "/empty", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 200);
        assert_int_equal(got.calls, 0);
}

static void missing_file_is_status_404_and_no_error(void **state) {
        world_get(*state, "/nothing", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 404);
        assert_memory_equal(got.body, "not found\n", 10);
}

static void busy_server_shows_retry_after(void **state) {
        world_command(*state, "status 503 17");
        world_get(*state, "/a", &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 503);
        assert_string_equal(got.retry_after, "17");
}

static void body_as_large_as_the_limit_is_taken(void **state) {
        FetchRequest request = { .method = "GET", .url = "/a", .byte_limit = 100000 };

        world_file(*state, "a", 100000);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.bytes, 100000);
}

static void announced_body_over_the_limit_is_refused_at_once(void **state) {
        FetchRequest request = { .method = "GET", .url = "/a", .byte_limit = 99999 };

        world_file(*state, "a", 100000);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, -EFBIG);
        assert_int_equal(got.status, 200);
        assert_int_equal(got.bytes, 0);
}

static void endless_body_stops_at_the_limit(void **state) {
        FetchRequest request = { .method = "GET", .url = "/_evil/endless", .byte_limit = 100001 };

        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, -EFBIG);
        assert_int_equal(got.bytes, 100001);
}

static void page_of_an_error_is_cut_at_the_limit_without_an_error(void **state) {
        FetchRequest request = {
                .method = "GET", .url = "/_evil/page?code=404&n=90000", .byte_limit = 10
        };

        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 404);
        assert_int_equal(got.bytes, 10);
}

static void request_without_a_reader_ends_with_its_status(void **state) {
        FetchRequest request = { .method = "GET", .url = "/empty" };

        world_file(*state, "empty", 0);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 200);
}

static void resumed_transfer_brings_the_rest_only(void **state) {
        FetchRequest request = {
                .method = "GET", .url = "/a", .byte_limit = 1 << 20, .resume_offset = 70001
        };
        char etag[64];

        world_file(*state, "a", 100000);
        world_get(*state, "/a", &got);
        (void)strcpy(etag, got.etag);
        request.if_range = etag;
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 206);
        assert_true(got.resumed);
        assert_body_is_pattern_from(70001, 29999);
        assert_int_equal(world_log_count(*state, "\"range\": \"bytes=70001-\""), 1);
}

static void changed_file_is_sent_from_the_start(void **state) {
        FetchRequest request = { .method = "GET",
                .url = "/a",
                .byte_limit = 1 << 20,
                .resume_offset = 500,
                .if_range = "\"another\"" };

        world_file(*state, "a", 1000);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 200);
        assert_false(got.resumed);
        assert_body_is_pattern_from(0, 1000);
}

static void resume_behind_the_end_is_status_416(void **state) {
        FetchRequest request = {
                .method = "GET", .url = "/a", .byte_limit = 1 << 20, .resume_offset = 1000
        };

        world_file(*state, "a", 1000);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 416);
}

static void body_and_headers_of_a_post_reach_the_server(void **state) {
        static const char *const headers[] = { "Content-Type: application/json", "X-Device: boiler",
                NULL };
        FetchRequest request = { .method = "POST",
                .url = "/_evil/echo",
                .headers = headers,
                .body = "{\"a\":1}",
                .body_length = 7,
                .byte_limit = 1 << 20 };

        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_int_equal(got.status, 200);
        assert_non_null(strstr((char *)got.body, "\"method\": \"POST\""));
        assert_non_null(strstr((char *)got.body, "\"Content-Type: application/json\""));
        assert_non_null(strstr((char *)got.body, "\"X-Device: boiler\""));
        assert_non_null(strstr((char *)got.body, "\"body\": \"{\\\"a\\\":1}\""));
}

static void put_with_a_full_body_reaches_the_server(void **state) {
        static char body[FETCH_BODY_MAX];
        FetchRequest request = { .method = "PUT",
                .url = "/_evil/echo",
                .body = body,
                .body_length = sizeof body,
                .byte_limit = 1 << 20 };

        memset(body, 'b', sizeof body);
        world_fetch(*state, &request, &got);
        assert_int_equal(got.error, 0);
        assert_non_null(strstr((char *)got.body, "\"method\": \"PUT\""));
        assert_non_null(strstr((char *)got.body, "Content-Length: 65536"));
        assert_true(got.bytes > sizeof body);
}

static void stream_brings_events_as_they_come(void **state) {
        FetchRequest request = { .kind = FETCH_STREAM,
                .method = "GET",
                .url = "/_evil/events",
                .byte_limit = UINT64_MAX };

        got.cancel_after = 45; /* a few events of a stream without end */
        world_fetch(*state, &request, &got);
        got.cancel_after = 0;
        assert_int_equal(got.error, -ECANCELED);
        assert_int_equal(got.status, 200);
        assert_memory_equal(got.body, "data: 0\n\ndata: 1\n\n", 18);
        assert_true(got.calls > 1);
}

static void more_calls_than_at_once_all_end(void **state) {
        static Got many[3 * FETCH_AT_ONCE];
        FetchRequest request = { .method = "GET", .url = "/a", .byte_limit = 1 << 20 };

        world_file(*state, "a", 10000);
        for (size_t i = 0; i < ELEMENTSOF(many); i++) {
                memset(&many[i], 0, sizeof many[i]);
                (void)world_start(*state, &request, &many[i]);
        }
        for (size_t i = 0; i < ELEMENTSOF(many); i++) {
                world_run_until(*state, &many[i].done);
                assert_int_equal(many[i].error, 0);
                assert_int_equal(many[i].bytes, 10000);
        }
}

static void canceled_call_says_nothing_and_frees_its_place(void **state) {
        FetchRequest endless = {
                .method = "GET", .url = "/_evil/endless", .byte_limit = UINT64_MAX
        };
        static Got first;

        world_file(*state, "a", 10);
        memset(&first, 0, sizeof first);
        for (unsigned i = 0; i < 2 * FETCH_AT_ONCE; i++) {
                FetchCall *call = world_start(*state, &endless, &first);

                assert_null(fetch_call_cancel(call));
        }
        world_get(*state, "/a", &got);
        assert_int_equal(got.error, 0);
        assert_false(first.done);
}

static void malformed_request_is_refused_with_its_sentence(void **state) {
        FetchWorld *world = *state;
        FetchRequest request = { .method = "GET", .url = "/a b" };
        Why w;

        assert_int_equal(fetch_client_call(world->client, &request, NULL, NULL, NULL, NULL, &w),
                        -EINVAL);
        assert_non_null(strstr(w.text, "URL"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(file_arrives_whole_with_status_and_etag,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                empty_file_is_done_without_a_byte, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(missing_file_is_status_404_and_no_error,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                busy_server_shows_retry_after, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                body_as_large_as_the_limit_is_taken, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(announced_body_over_the_limit_is_refused_at_once,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                endless_body_stops_at_the_limit, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                page_of_an_error_is_cut_at_the_limit_without_an_error, world_setup,
                                world_teardown),
                cmocka_unit_test_setup_teardown(request_without_a_reader_ends_with_its_status,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                resumed_transfer_brings_the_rest_only, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                changed_file_is_sent_from_the_start, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                resume_behind_the_end_is_status_416, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(body_and_headers_of_a_post_reach_the_server,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(put_with_a_full_body_reaches_the_server,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                stream_brings_events_as_they_come, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(
                                more_calls_than_at_once_all_end, world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(canceled_call_says_nothing_and_frees_its_place,
                                world_setup, world_teardown),
                cmocka_unit_test_setup_teardown(malformed_request_is_refused_with_its_sentence,
                                world_setup, world_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

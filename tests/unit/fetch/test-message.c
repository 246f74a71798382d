/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of the fetcher's socket: what is said is heard, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fetch/message.h"

static const char *const headers[] = { "Accept: */*", "X-Empty:", NULL };

static const FetchRequest full = {
        .kind = FETCH_STREAM,
        .method = "GET",
        .url = "https://example.com/a?b=c",
        .headers = headers,
        .byte_limit = UINT64_MAX - 1,
        .resume_offset = 0x0102030405060708,
        .if_range = "\"etag\"",
};

static void request_comes_out_as_it_went_in(void **state) {
        FetchRequestView view;
        uint8_t *bytes = NULL;
        size_t n;

        assert_int_equal(fetch_request_encode(&full, &bytes, &n, NULL), 0);
        assert_int_equal(fetch_request_decode(bytes, n, &view, NULL), 0);
        assert_int_equal(view.request.kind, FETCH_STREAM);
        assert_string_equal(view.request.method, "GET");
        assert_string_equal(view.request.url, full.url);
        assert_string_equal(view.request.headers[0], "Accept: */*");
        assert_string_equal(view.request.headers[1], "X-Empty:");
        assert_null(view.request.headers[2]);
        assert_true(view.request.byte_limit == full.byte_limit);
        assert_true(view.request.resume_offset == full.resume_offset);
        assert_string_equal(view.request.if_range, "\"etag\"");
        assert_int_equal(view.request.body_length, 0);
        free(bytes);
}

static void body_of_any_bytes_comes_out_as_it_went_in(void **state) {
        static uint8_t body[FETCH_BODY_MAX];
        FetchRequest request = {
                .method = "PUT", .url = "/", .body = body, .body_length = sizeof body
        };
        FetchRequestView view;
        uint8_t *bytes = NULL;
        size_t n;

        for (size_t i = 0; i < sizeof body; i++)
                body[i] = (uint8_t)(i * 7);
        assert_int_equal(fetch_request_encode(&request, &bytes, &n, NULL), 0);
        assert_int_equal(fetch_request_decode(bytes, n, &view, NULL), 0);
        assert_int_equal(view.request.body_length, sizeof body);
        assert_memory_equal(view.request.body, body, sizeof body);
        assert_null(view.request.if_range);
        free(bytes);
}

static void cut_request_is_refused_at_every_length(void **state) {
        FetchRequestView view;
        uint8_t *bytes = NULL;
        size_t n;
        Why w;

        assert_int_equal(fetch_request_encode(&full, &bytes, &n, NULL), 0);
        for (size_t cut = 0; cut < n; cut++) {
                /* The last field is optional; without it, a resume offset alone is a request
                 * too. */
                if (cut == n - 5 - strlen(full.if_range) - 1)
                        continue;
                assert_int_equal(fetch_request_decode(bytes, cut, &view, &w), -EBADMSG);
                assert_true(*w.text);
        }
        free(bytes);
}

static void damaged_prefix_is_refused(void **state) {
        FetchRequestView view;
        uint8_t *bytes = NULL;
        size_t n;

        assert_int_equal(fetch_request_encode(&full, &bytes, &n, NULL), 0);
        for (size_t i = 0; i < 8; i++) {
                bytes[i] ^= 0x40;
                assert_int_equal(fetch_request_decode(bytes, n, &view, NULL), -EBADMSG);
                bytes[i] ^= 0x40;
        }
        free(bytes);
}

static void trailing_and_repeated_fields_are_refused(void **state) {
        static const uint8_t again[] = { 8, 1, 0, 0, 0, 0 }, unknown[] = { 99, 0, 0, 0, 0 },
                             answers[] = { 9, 2, 0, 0, 0, 200, 0 };
        const struct {
                const uint8_t *bytes;
                size_t n;
        } tails[] = { { again, sizeof again }, { unknown, sizeof unknown },
                { answers, sizeof answers } };
        FetchRequestView view;
        uint8_t *bytes = NULL;
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(tails); i++) {
                assert_int_equal(fetch_request_encode(&full, &bytes, &n, NULL), 0);
                bytes = realloc(bytes, n + tails[i].n);
                assert_non_null(bytes);
                memcpy(bytes + n, tails[i].bytes, tails[i].n);
                assert_int_equal(
                                fetch_request_decode(bytes, n + tails[i].n, &view, NULL), -EBADMSG);
                free(bytes);
        }
}

static char long_url[FETCH_URL_MAX + 2], long_value[FETCH_HEADER_MAX + 2];

static void malformed_requests_are_refused(void **state) {
        static const char *const
                        crlf[] = { "A: b\r\nC: d", NULL },
                        *const lf[] = { "A: b\nC: d", NULL }, *const nameless[] = { ": b", NULL },
                        *const blank[] = { "A b: c", NULL }, *const none[] = { "hello", NULL },
                        *const host[] = { "host: elsewhere", NULL },
                        *const range[] = { "Range: bytes=0-", NULL },
                        *const length[] = { "Content-Length: 5", NULL },
                        *const transfer[] = { "TRANSFER-ENCODING: chunked", NULL },
                        *const tunnel[] = { "Proxy-Authorization: x", NULL },
                        *const lengthy[] = { long_value, NULL };
        const FetchRequest bad[] = {
                { .method = "GET", .url = "" },
                { .method = "GET", .url = NULL },
                { .method = NULL, .url = "/" },
                { .method = "DELETE", .url = "/" },
                { .method = "get", .url = "/" },
                { .method = "GET /\r\n", .url = "/" },
                { .kind = (FetchKind)2, .method = "GET", .url = "/" },
                { .method = "GET", .url = "relative" },
                { .method = "GET", .url = "file:///etc/passwd" },
                { .method = "GET", .url = "ftp://example.com/" },
                { .method = "GET", .url = "HTTPS://example.com/" },
                { .method = "GET", .url = "/a b" },
                { .method = "GET", .url = "/a\r\nHost: x" },
                { .method = "GET", .url = "/a#b" },
                { .method = "GET", .url = "/a\\b" },
                { .method = "GET", .url = "/\xc3\xa4" },
                { .method = "GET", .url = long_url },
                { .method = "GET", .url = "/", .headers = crlf },
                { .method = "GET", .url = "/", .headers = lf },
                { .method = "GET", .url = "/", .headers = nameless },
                { .method = "GET", .url = "/", .headers = blank },
                { .method = "GET", .url = "/", .headers = none },
                { .method = "GET", .url = "/", .headers = host },
                { .method = "GET", .url = "/", .headers = range },
                { .method = "GET", .url = "/", .headers = length },
                { .method = "GET", .url = "/", .headers = transfer },
                { .method = "GET", .url = "/", .headers = tunnel },
                { .method = "GET", .url = "/", .headers = lengthy },
                { .method = "GET", .url = "/", .body = "b", .body_length = 1 },
                { .method = "POST", .url = "/", .body = "b", .body_length = FETCH_BODY_MAX + 1 },
                { .method = "GET", .url = "/", .if_range = "\"e\"" },
                { .method = "GET", .url = "/", .if_range = "\"e\r\n\"", .resume_offset = 1 },
                { .method = "GET", .url = "/", .if_range = "", .resume_offset = 1 },
                { .method = "POST", .url = "/", .resume_offset = 1 },
        };
        uint8_t *bytes = NULL;
        size_t n;

        memset(long_url, 'u', sizeof long_url - 1);
        long_url[0] = '/';
        memset(long_value, 'v', sizeof long_value - 1);
        memcpy(long_value, "A: ", 3);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Why w = { "" };

                if (fetch_request_encode(&bad[i], &bytes, &n, &w) != -EINVAL || !*w.text)
                        fail_msg("case %zu was taken (%s)", i, w.text);
        }
}

static void longest_allowed_request_fits(void **state) {
        static char url[FETCH_URL_MAX + 1], value[FETCH_HEADER_MAX], if_range[FETCH_VALUE_MAX + 1],
                        body[FETCH_BODY_MAX];
        static const char *const longest[] = { value, NULL };
        FetchRequest request = { .method = "POST",
                .url = url,
                .headers = longest,
                .body = body,
                .body_length = sizeof body };
        uint8_t *bytes = NULL;
        size_t n;

        memset(url, '/', FETCH_URL_MAX);
        memset(value, 'v', sizeof value - 1);
        value[1] = ':';
        assert_int_equal(fetch_request_encode(&request, &bytes, &n, NULL), 0);
        free(bytes);
        memset(if_range, '"', FETCH_VALUE_MAX);
        request = (FetchRequest){ .method = "GET",
                .url = url,
                .headers = longest,
                .resume_offset = 1,
                .if_range = if_range };
        assert_int_equal(fetch_request_encode(&request, &bytes, &n, NULL), 0);
        free(bytes);
}

static void answers_come_out_as_they_went_in(void **state) {
        FetchAnswer head = {
                .type = FETCH_HEAD, .status = 206, .resumed = true, .headers = "etag: \"e\"\nx:\n"
        };
        FetchAnswer closing = { .type = FETCH_CLOSING,
                .status = 206,
                .error = -EFBIG,
                .text = "too large",
                .bytes = 1 };
        FetchAnswer answer;
        uint8_t *bytes = NULL;
        size_t n;

        assert_int_equal(fetch_answer_encode(&head, &bytes, &n), 0);
        assert_int_equal(fetch_answer_decode(bytes, n, &answer, NULL), 0);
        assert_int_equal(answer.type, FETCH_HEAD);
        assert_int_equal(answer.status, 206);
        assert_true(answer.resumed);
        assert_string_equal(answer.headers, head.headers);
        free(bytes);
        assert_int_equal(fetch_answer_encode(&closing, &bytes, &n), 0);
        assert_int_equal(fetch_answer_decode(bytes, n, &answer, NULL), 0);
        assert_int_equal(answer.type, FETCH_CLOSING);
        assert_int_equal(answer.error, -EFBIG);
        assert_int_equal(answer.bytes, 1);
        assert_string_equal(answer.text, "too large");
        free(bytes);
}

static void every_error_survives_and_others_become_protocol_errors(void **state) {
        static const int errors[] = { 0, -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -EPROTO, -EFBIG,
                -ECANCELED, -EPIPE, -EACCES };
        FetchAnswer closing = { .type = FETCH_CLOSING }, answer;
        uint8_t *bytes = NULL;
        size_t n;

        for (size_t i = 0; i <= ELEMENTSOF(errors); i++) {
                closing.error = i < ELEMENTSOF(errors) ? errors[i] : -EXDEV;
                assert_int_equal(fetch_answer_encode(&closing, &bytes, &n), 0);
                assert_int_equal(fetch_answer_decode(bytes, n, &answer, NULL), 0);
                assert_int_equal(answer.error, i < ELEMENTSOF(errors) ? errors[i] : -EPROTO);
                free(bytes);
        }
}

static void heads_that_lie_are_refused(void **state) {
        const FetchAnswer heads[] = {
                { .type = FETCH_HEAD, .status = 0, .headers = "" },
                { .type = FETCH_HEAD, .status = 100, .headers = "" },
                { .type = FETCH_HEAD, .status = 1000, .headers = "" },
                { .type = FETCH_HEAD, .status = 200, .resumed = true, .headers = "" },
                { .type = FETCH_HEAD, .status = 200, .headers = "no colon\n" },
                { .type = FETCH_HEAD, .status = 200, .headers = "a: b" },
                { .type = FETCH_HEAD, .status = 200, .headers = "a: b\r\n" },
                { .type = FETCH_HEAD, .status = 200, .headers = "\n" },
        };
        FetchAnswer answer;
        uint8_t *bytes = NULL;
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(heads); i++) {
                assert_int_equal(fetch_answer_encode(&heads[i], &bytes, &n), 0);
                assert_int_equal(fetch_answer_decode(bytes, n, &answer, NULL), -EBADMSG);
                free(bytes);
        }
}

static void request_is_no_answer_and_answer_no_request(void **state) {
        FetchAnswer closing = { .type = FETCH_CLOSING }, answer;
        FetchRequestView view;
        uint8_t *bytes = NULL;
        size_t n;

        assert_int_equal(fetch_request_encode(&full, &bytes, &n, NULL), 0);
        assert_int_equal(fetch_answer_decode(bytes, n, &answer, NULL), -EBADMSG);
        free(bytes);
        assert_int_equal(fetch_answer_encode(&closing, &bytes, &n), 0);
        assert_int_equal(fetch_request_decode(bytes, n, &view, NULL), -EBADMSG);
        free(bytes);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(request_comes_out_as_it_went_in),
                cmocka_unit_test(body_of_any_bytes_comes_out_as_it_went_in),
                cmocka_unit_test(cut_request_is_refused_at_every_length),
                cmocka_unit_test(damaged_prefix_is_refused),
                cmocka_unit_test(trailing_and_repeated_fields_are_refused),
                cmocka_unit_test(malformed_requests_are_refused),
                cmocka_unit_test(longest_allowed_request_fits),
                cmocka_unit_test(answers_come_out_as_they_went_in),
                cmocka_unit_test(every_error_survives_and_others_become_protocol_errors),
                cmocka_unit_test(heads_that_lie_are_refused),
                cmocka_unit_test(request_is_no_answer_and_answer_no_request),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

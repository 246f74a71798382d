/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The head of an answer, line by line; and the header lists that go out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fetch/hop.h"
#include "fetch/response.h"

static FetchResponse response;

/* Feeds lines divided by '|'; returns the first error. */
static int feed(const char *lines, Why *w) {
        fetch_response_reset(&response);
        for (;;) {
                size_t n = strcspn(lines, "|");
                int r = fetch_response_line(&response, lines, n, w);

                if (r < 0)
                        return r;
                if (!lines[n])
                        return 0;
                lines += n + 1;
        }
}

static void head_is_kept_with_lower_case_names(void **state) {
        assert_int_equal(
                        feed("HTTP/1.1 206 Partial|ETag: \"AbC\"|X-Empty:|Content-Length: 12|Content-Range: bytes 7-18/19|",
                                        NULL),
                        0);
        assert_true(response.complete);
        assert_int_equal(response.status, 206);
        assert_string_equal(response.lines,
                        "etag: \"AbC\"\nx-empty:\ncontent-length: 12\ncontent-range: bytes 7-18/19\n");
        assert_true(response.has_length && response.length == 12);
        assert_true(response.has_range && response.range_start == 7);
        assert_false(fetch_response_is_redirect(&response));
}

static void last_head_counts_and_trailers_do_not(void **state) {
        assert_int_equal(feed("HTTP/1.1 100 Continue|A: 1||HTTP/1.1 200 OK|B: 2||C: 3|", NULL), 0);
        assert_int_equal(response.status, 200);
        assert_string_equal(response.lines, "b: 2\n");
}

static void redirects_are_the_five_with_a_location(void **state) {
        static const struct {
                const char *lines;
                bool is_redirect;
        } cases[] = {
                { "HTTP/1.1 301 M|Location: /a|", true },
                { "HTTP/1.1 302 M|LOCATION: /a|", true },
                { "HTTP/1.1 303 M|Location: /a|", true },
                { "HTTP/1.1 307 M|Location: /a|", true },
                { "HTTP/2 308|Location: /a|", true },
                { "HTTP/1.1 302 M|", false },
                { "HTTP/1.1 302 M|Location:|", false },
                { "HTTP/1.1 300 M|Location: /a|", false },
                { "HTTP/1.1 304 M|Location: /a|", false },
                { "HTTP/1.1 201 M|Location: /a|", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(feed(cases[i].lines, NULL), 0);
                assert_int_equal(fetch_response_is_redirect(&response), cases[i].is_redirect);
        }
}

static void odd_lines_are_refused(void **state) {
        static const char *const cases[] = {
                "A: b",
                "HTTP/1.1",
                "HTTP/1.1 ",
                "HTTP/1.1 2",
                "HTTP/1.1 abc",
                "HTTP/1.1 099 X",
                "HTTP/1.1 200 OK|no colon",
                "HTTP/1.1 200 OK|: empty",
                "HTTP/1.1 200 OK|A B: c",
                "HTTP/1.1 200 OK|A: b\x01",
                "HTTP/1.1 200 OK|A: b\rX: c",
                "HTTP/1.1 200 OK| folded: line",
                "HTTP/1.1 200 OK|Content-Length: x",
                "HTTP/1.1 200 OK|Content-Length: -1",
                "HTTP/1.1 200 OK|Content-Length: 99999999999999999999",
                "HTTP/1.1 200 OK|Content-Length: 1|Content-Length: 2",
                "HTTP/1.1 200 OK|Transfer-Encoding: gzip",
                "HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked",
                "HTTP/1.1 200 OK|Transfer-Encoding: chunked, gzip",
                "HTTP/1.1 200 OK|Transfer-Encoding: chunked|Transfer-Encoding: br",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Why w = { "" };

                if (feed(cases[i], &w) != -EPROTO || !*w.text)
                        fail_msg("%s was taken", cases[i]);
        }
}

static void encoded_body_is_noted(void **state) {
        static const struct {
                const char *lines;
                bool is_encoded;
        } cases[] = {
                { "HTTP/1.1 200 OK|Content-Encoding: gzip", true },
                { "HTTP/1.1 200 OK|content-encoding:br|", true },
                { "HTTP/1.1 200 OK|Content-Encoding: identity|Content-Encoding: zstd", true },
                { "HTTP/1.1 200 OK|Content-Encoding: identity", false },
                { "HTTP/1.1 200 OK|Content-Encoding:", false },
                { "HTTP/1.1 200 OK|Transfer-Encoding: Chunked", false },
                { "HTTP/1.1 103 E|Content-Encoding: gzip||HTTP/1.1 200 OK", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(feed(cases[i].lines, NULL), 0);
                assert_int_equal(response.is_encoded, cases[i].is_encoded);
        }
}

static void nul_in_a_header_is_refused(void **state) {
        assert_int_equal(feed("HTTP/1.1 200 OK", NULL), 0);
        assert_int_equal(fetch_response_line(&response, "A: b\0c\r\n", 8, NULL), -EPROTO);
}

static void headers_fill_their_limit_and_not_more(void **state) {
        char line[1025];

        assert_int_equal(feed("HTTP/1.1 200 OK", NULL), 0);
        memset(line, 'x', sizeof line);
        line[1] = ':';
        for (unsigned i = 0; i < FETCH_HEADER_MAX / 1024; i++)
                assert_int_equal(fetch_response_line(&response, line, 1023, NULL), 0);
        assert_int_equal(response.n, FETCH_HEADER_MAX);
        assert_int_equal(fetch_response_line(&response, "a:", 2, NULL), -EPROTO);
        assert_int_equal(response.lines[FETCH_HEADER_MAX], 0);
}

/* The list as one text, lines divided by '|'. */
static void assert_headers(const FetchConfig *config, const FetchRequest *request, bool is_origin,
                unsigned redirects, const char *wanted) {
        struct curl_slist *list = fetch_hop_headers(config, request, is_origin, redirects);
        char text[1000] = "";

        assert_non_null(list);
        for (const struct curl_slist *s = list; s; s = s->next) {
                (void)strcat(text, s->data);
                (void)strcat(text, "|");
        }
        curl_slist_free_all(list);
        assert_string_equal(text, wanted);
}

static void keys_go_to_the_origin_and_over_no_redirect(void **state) {
        static const char *const headers[] = { "authorization: r", "Cookie: r", "X-Own: r",
                "Accept: a", NULL };
        FetchConfig config = { .origin_headers = { (char *)"Authorization: c", (char *)"X-Own: c" },
                .n_origin_headers = 2 };
        FetchRequest request = { .method = "GET",
                .url = "/",
                .headers = headers,
                .resume_offset = 5,
                .if_range = "\"e\"" };

        assert_headers(&config, &request, true, 0,
                        "Expect:|Content-Type:|Authorization: c|X-Own: c|Cookie: r|Accept: a|Range: bytes=5-|If-Range: \"e\"|");
        assert_headers(&config, &request, true, 1,
                        "Expect:|Content-Type:|X-Own: r|Accept: a|Range: bytes=5-|If-Range: \"e\"|");
        assert_headers(&config, &request, false, 0,
                        "Expect:|Content-Type:|X-Own: r|Accept: a|Range: bytes=5-|If-Range: \"e\"|");
}

static void range_goes_only_with_an_offset(void **state) {
        FetchConfig config = { 0 };
        FetchRequest request = { .method = "GET", .url = "/" };

        assert_headers(&config, &request, true, 0, "Expect:|Content-Type:|");
        request.resume_offset = UINT64_MAX;
        assert_headers(&config, &request, true, 0,
                        "Expect:|Content-Type:|Range: bytes=18446744073709551615-|");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(head_is_kept_with_lower_case_names),
                cmocka_unit_test(last_head_counts_and_trailers_do_not),
                cmocka_unit_test(redirects_are_the_five_with_a_location),
                cmocka_unit_test(odd_lines_are_refused),
                cmocka_unit_test(encoded_body_is_noted),
                cmocka_unit_test(nul_in_a_header_is_refused),
                cmocka_unit_test(headers_fill_their_limit_and_not_more),
                cmocka_unit_test(keys_go_to_the_origin_and_over_no_redirect),
                cmocka_unit_test(range_goes_only_with_an_offset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

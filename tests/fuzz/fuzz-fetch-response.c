/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The head of an HTTP answer, a line at a time: what is kept stays within its limit and is what
 * a head message may carry. */
#include "fetch/response.h"

static void require(bool right) {
        if (!right)
                abort();
}

static void check_kept(const FetchResponse *response) {
        FetchAnswer answer = { .type = FETCH_HEAD, .status = 200, .headers = response->lines },
                    second;
        uint8_t *bytes = NULL;
        size_t n;

        require(response->n <= FETCH_HEADER_MAX && strlen(response->lines) == response->n);
        require(fetch_answer_encode(&answer, &bytes, &n) == 0);
        require(fetch_answer_decode(bytes, n, &second, NULL) == 0);
        free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        static FetchResponse response;
        size_t at = 0;
        Why w;

        fetch_response_reset(&response);
        while (at < n) {
                const uint8_t *end = memchr(bytes + at, '\n', n - at);
                size_t length = end ? (size_t)(end - bytes) + 1 - at : n - at;

                if (fetch_response_line(&response, (const char *)bytes + at, length, &w) < 0)
                        break;
                at += length;
        }
        check_kept(&response);
        return 0;
}

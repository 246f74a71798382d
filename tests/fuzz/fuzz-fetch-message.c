/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of the fetcher's socket: whatever is taken can be encoded again and is then the same
 * message. */
#include "fetch/message.h"

static void require(bool right) {
        if (!right)
                abort();
}

static void as_request(const uint8_t *bytes, size_t n) {
        FetchRequestView view, second;
        uint8_t *again = NULL;
        size_t again_n;
        Why w;

        if (fetch_request_decode(bytes, n, &view, &w) < 0)
                return;
        require(fetch_request_encode(&view.request, &again, &again_n, &w) == 0);
        require(again_n == n && memcmp(again, bytes, n) == 0);
        require(fetch_request_decode(again, again_n, &second, &w) == 0);
        require(streq(second.request.url, view.request.url));
        free(again);
}

static void as_answer(const uint8_t *bytes, size_t n) {
        uint8_t *again = NULL;
        FetchAnswer answer;
        size_t again_n;
        Why w;

        if (fetch_answer_decode(bytes, n, &answer, &w) < 0)
                return;
        require(fetch_answer_encode(&answer, &again, &again_n) == 0);
        require(again_n == n && memcmp(again, bytes, n) == 0);
        free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        as_request(bytes, n);
        as_answer(bytes, n);
        return 0;
}

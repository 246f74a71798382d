/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file that people hand on to sign: whatever it says, what the signer reads is plain text. */
#include <stdio.h>
#include <stdlib.h>

#include "repo/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_text(const char *text, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
                        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        Request q = {};
        char *text = NULL;
        size_t length = 0;
        Why w = {};

        if (request_parse(&q, (const char *)bytes, n, &w) >= 0) {
                FILE *out = open_memstream(&text, &length);

                if (!out)
                        abort();
                request_print(&q, out);
                if (fclose(out) != 0)
                        abort();
                check_text(text, length);
                free(text);
        } else if (!w.text[0])
                abort();
        request_done(&q);
        return 0;
}

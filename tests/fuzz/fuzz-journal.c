/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target of update journals: the entry that is found can be written and is found again,
 * also when a torn line follows it. */
#include <assert.h>

#include "daemon/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void again(const char *bytes, size_t n, const json_t *expected) {
        json_t *last = NULL;
        bool damaged;

        assert(journal_parse(bytes, n, &last, &damaged, NULL) == 0);
        assert(json_equal(last, expected) && !damaged);
        json_decref(last);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        json_t *last = NULL;
        bool damaged = false;
        Why w = { "" };
        int r = journal_parse((const char *)bytes, n, &last, &damaged, &w);
        size_t length;
        char *line;

        assert(r == 0 || r == -EOPNOTSUPP);
        assert((r < 0 || damaged) == (w.text[0] != '\0'));
        if (r < 0 || !last)
                return 0;
        assert(json_is_object(last));
        r = journal_format(last, &line, &length);
        assert(r == 0 || r == -E2BIG); /* escapes may grow */
        if (r == 0) {
                again(line, length, last);
                line = realloc(line, length + 6);
                assert(line);
                memcpy(line + length, "17 00f", 6);
                again(line, length + 6, last);
                free(line);
        }
        json_decref(last);
        return 0;
}

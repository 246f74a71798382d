/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target of device records: what is read can be written, reads the same again and keeps the
 * promises of a record; a refusal has a text. */
#include <assert.h>

#include "daemon/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check(const Record *r) {
        assert(r->id[0] && r->id[0] != '.' && !strchr(r->id, '/'));
        assert(r->address <= 254 && r->n_bad <= RECORD_BAD_MAX);
        assert(!r->floor[0] || version_is_valid(r->floor));
        assert(!r->backup.known || !record_is_bad(r, &r->backup.digest));
        assert(!r->previous.known || !record_is_bad(r, &r->previous.digest));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        Record *record = NULL, *again = NULL;
        char *text, *second;
        Why w = { "" };
        int r = record_parse((const char *)bytes, n, &record, &w);

        assert(r == 0 || r == -EBADMSG || r == -EOPNOTSUPP);
        assert((r == 0) == (w.text[0] == '\0') && (r == 0) == (record != NULL));
        if (r < 0)
                return 0;
        check(record);
        text = record_print(record);
        assert(text && record_parse(text, strlen(text), &again, NULL) == 0);
        second = record_print(again);
        assert(second && streq(text, second));
        free(text);
        free(second);
        record_free(record);
        record_free(again);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz target of the INI reader: whatever the bytes are, the callback sees only what the header
 * promises, and a refusal has a text that begins with the place. */
#include <assert.h>

#include "basic/ini.h"
#include "basic/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int on_line(const IniLine *line, void *userdata, Why *w) {
        unsigned *last = userdata;

        assert(line->line > *last);
        assert(line->section && name_is_valid(line->section));
        assert(!line->name || name_is_valid(line->name));
        assert(!line->key == !line->value);
        if (line->key) {
                assert(name_is_valid(line->key) && !strchr(line->key, '='));
                assert(strlen(line->value) < INI_LINE_MAX && !strpbrk(line->value, "\n\r\x1b"));
                assert(!*line->value ||
                                (!strchr(" \t", *line->value) &&
                                                !strchr(" \t", line->value[strlen(line->value) -
                                                                               1])));
        }
        *last = line->line;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        unsigned last = 0;
        Why w = { "" };
        int r = ini_parse("FILE", (const char *)bytes, n, on_line, &last, &w);

        assert(r == 0 || r == -EBADMSG || r == -E2BIG);
        assert((r == 0) == (w.text[0] == '\0'));
        assert(r == 0 || startswith(w.text, "FILE:"));
        return 0;
}

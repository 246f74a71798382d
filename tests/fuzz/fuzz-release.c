/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A target's custom object. What is read must be written and read again the same. */
#include "image/release.h"

#define TARGET "boiler-ctl/2.4.1/app.bin"
#define LENGTH 4096

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        _cleanup_(release_freep) Release *first = NULL, *second = NULL, *copy = NULL;
        _cleanup_json_ json_t *custom = NULL, *a = NULL, *b = NULL;
        Sha256 digest = {};
        Why w = {};

        if (json_parse((const char *)bytes, n, &custom, &w) < 0)
                return 0;
        if (release_parse(TARGET, LENGTH, &digest, custom, &first, &w) < 0) {
                if (w.text[0] == '\0')
                        abort(); /* refused without a sentence */
                return 0;
        }
        copy = release_copy(first);
        a = copy ? release_to_custom(copy) : NULL;
        if (!a || release_parse(TARGET, LENGTH, &digest, a, &second, NULL) < 0)
                abort();
        b = release_to_custom(second);
        if (!b || !json_equal(a, b))
                abort();
        return 0;
}

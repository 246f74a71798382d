/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The decoder: the first two bytes are the image's length and the size of the pieces, the rest
 * is the file. */
#include "image/decompress.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int count(const void *bytes, size_t n, void *userdata) {
        size_t *given = userdata;

        if (!bytes || n == 0)
                abort();
        *given += n;
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        _cleanup_(decoder_freep) Decoder *d = NULL;
        size_t given = 0, piece, image_length;
        int r = 0;

        if (n < 2)
                return 0;
        image_length = (size_t)bytes[0] * 1024;
        piece = (size_t)bytes[1] + 1;
        if (decoder_new(RELEASE_ZSTD, image_length, &d) < 0)
                return 0;
        for (size_t i = 2; r >= 0 && i < n; i += piece)
                r = decoder_write(d, bytes + i, MIN(piece, n - i), count, &given, NULL);
        if (given > image_length)
                abort();
        if (r >= 0 && decoder_finish(d, NULL) >= 0 && given != image_length)
                abort();
        return 0;
}

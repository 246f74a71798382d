/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoder: the only place that knows zstd. States: open → (frame ended) → finished. What is
 * behind the frame, a second frame, a window above 8 MiB or more output than promised are
 * refused as soon as they are seen; memory is bounded by the window. */
#include <assert.h>

#include <zstd.h>

#include "image/decompress.h"

#define WINDOW_LOG_MAX 23
#define OUTPUT_BYTES   (64 * 1024)
#define LEVEL          19

struct Decoder {
        ReleaseEncoding encoding;
        uint64_t image_length;
        uint64_t given; /* bytes handed to the sink */
        bool ended;     /* the frame is complete */
        ZSTD_DCtx *zstd;
        uint8_t *output;
};

int decoder_new(ReleaseEncoding encoding, uint64_t image_length, Decoder **ret) {
        _cleanup_(decoder_freep) Decoder *d = NULL;

        assert(encoding < _RELEASE_ENCODING_MAX && ret);
        d = new0(Decoder, 1);
        if (!d)
                return -ENOMEM;
        d->encoding = encoding;
        d->image_length = image_length;
        if (encoding == RELEASE_ZSTD) {
                d->zstd = ZSTD_createDCtx();
                d->output = malloc(OUTPUT_BYTES);
                if (!d->zstd || !d->output)
                        return -ENOMEM;
                if (ZSTD_isError(ZSTD_DCtx_setParameter(
                                    d->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_MAX)))
                        return -EOPNOTSUPP;
        }
        *ret = TAKE_PTR(d);
        return 0;
}

Decoder *decoder_free(Decoder *d) {
        if (!d)
                return NULL;
        (void)ZSTD_freeDCtx(d->zstd);
        free(d->output);
        free(d);
        return NULL;
}

static int give(Decoder *d, const uint8_t *bytes, size_t n, DecoderSink sink, void *userdata,
                Why *w) {
        int r;

        if (n == 0)
                return 0;
        if (n > d->image_length - d->given)
                return why(w, -EFBIG, "file: gives more than the %llu bytes of its image",
                                (unsigned long long)d->image_length);
        r = sink(bytes, n, userdata);
        if (r < 0)
                return why(w, r, "image: cannot be kept: %s", strerror(-r));
        d->given += n;
        return 0;
}

/* One call of zstd and what it gave. *ret_more: call again. */
static int step(Decoder *d, ZSTD_inBuffer *in, DecoderSink sink, void *userdata, bool *ret_more,
                Why *w) {
        ZSTD_outBuffer out = { .dst = d->output, .size = OUTPUT_BYTES };
        size_t z;
        int r;

        z = ZSTD_decompressStream(d->zstd, &out, in);
        if (ZSTD_isError(z))
                return why(w, -EBADMSG, "file: damaged zstd frame: %s", ZSTD_getErrorName(z));
        r = give(d, d->output, out.pos, sink, userdata, w);
        if (r < 0)
                return r;
        if (z == 0)
                d->ended = true;
        *ret_more = !d->ended && (in->pos < in->size || out.pos == out.size);
        return 0;
}

int decoder_write(
                Decoder *d, const void *bytes, size_t n, DecoderSink sink, void *userdata, Why *w) {
        ZSTD_inBuffer in = { .src = bytes, .size = n };
        bool more = n > 0;
        int r;

        assert(d && sink && (bytes || n == 0));
        if (d->encoding == RELEASE_IDENTITY)
                return give(d, bytes, n, sink, userdata, w);
        while (more && !d->ended) {
                r = step(d, &in, sink, userdata, &more, w);
                if (r < 0)
                        return r;
        }
        if (in.pos < in.size)
                return why(w, -EBADMSG, "file: has %zu bytes or more behind its zstd frame",
                                in.size - in.pos);
        return 0;
}

int decoder_finish(Decoder *d, Why *w) {
        assert(d);
        if (d->encoding == RELEASE_ZSTD && !d->ended)
                return why(w, -EBADMSG, "file: ends in the middle of its zstd frame");
        if (d->given != d->image_length)
                return why(w, -EBADMSG, "file: gives %llu bytes, but its image has %llu",
                                (unsigned long long)d->given, (unsigned long long)d->image_length);
        return 0;
}

static void cctx_freep(ZSTD_CCtx **c) {
        (void)ZSTD_freeCCtx(*c);
}

int zstd_compress(const void *bytes, size_t n, uint8_t **ret, size_t *ret_n) {
        _cleanup_(cctx_freep) ZSTD_CCtx *c = NULL;
        _cleanup_free_ uint8_t *out = NULL;
        size_t room, z;

        assert(bytes && ret && ret_n);
        room = ZSTD_compressBound(n);
        c = ZSTD_createCCtx();
        out = malloc(room);
        if (!c || !out)
                return -ENOMEM;
        if (ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, LEVEL)) ||
                        ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)))
                return -EINVAL;
        z = ZSTD_compress2(c, out, room, bytes, n);
        if (ZSTD_isError(z))
                return -ENOMEM;
        *ret = TAKE_PTR(out);
        *ret_n = z;
        return 0;
}

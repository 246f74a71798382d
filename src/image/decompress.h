/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Decoder of the files as served: identity or zstd (RFC 8878), streaming, bounded: never more
 * output than the release's image length, window log at most 23, exactly one frame, nothing
 * behind it. */
#pragma once

#include "image/release.h"

typedef struct Decoder Decoder;

int decoder_new(ReleaseEncoding encoding, uint64_t image_length, Decoder **ret);
Decoder *decoder_free(Decoder *d);
DEFINE_TRIVIAL_CLEANUP_FUNC(Decoder *, decoder_free);

/* Receives output; < 0 stops and is returned. */
typedef int (*DecoderSink)(const void *bytes, size_t n, void *userdata);

/* Feeds input. -EBADMSG: damaged; -EFBIG: would give more than image_length. */
int decoder_write(
                Decoder *d, const void *bytes, size_t n, DecoderSink sink, void *userdata, Why *w);
/* End of input: -EBADMSG when the image is not complete. */
int decoder_finish(Decoder *d, Why *w);

/* Publisher: whole buffer to one zstd frame at level 19 (content size and checksum in it). New
 * buffer, free it. */
int zstd_compress(const void *bytes, size_t n, uint8_t **ret, size_t *ret_n);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unpacking what was received, in slices: 16 MiB in one piece would keep every line of the gateway
 * waiting. First the file as it was served has to have the digest that was signed; then it is
 * decoded into the image's temporary file; then that is read again and has to have the image's
 * digest. */
#include <unistd.h>

#include "basic/file.h"
#include "daemon/store-private.h"
#include "image/image.h"

#define DECODE_SLICE (64 * 1024) /* of the file; the image has some times as much */

/* What was received is no good: away with it, and with everything that would be resumed. */
static int discard(StoreWriter *writer, int r) {
        (void)ftruncate(writer->fd, 0);
        writer->offset = 0;
        return r;
}

static int read_at(int fd, void *bytes, size_t n, uint64_t at, size_t *ret) {
        ssize_t k;

        do
                k = pread(fd, bytes, n, (off_t)at);
        while (k < 0 && errno == EINTR);
        if (k <= 0)
                return k < 0 ? -errno : -EIO;
        *ret = (size_t)k;
        return 0;
}

static int check_file(StoreWriter *writer, Why *w) {
        const Release *release = writer->release;
        Sha256 digest;
        int r;

        if (writer->offset != release->file_length || !writer->hash)
                return why(w, -EINVAL, "%s: %llu of %llu bytes are there", release->target,
                                (unsigned long long)writer->offset,
                                (unsigned long long)release->file_length);
        r = hash_final(writer->hash, &digest);
        writer->hash = hash_free(writer->hash);
        if (r < 0)
                return why(w, r, "%s: %s", release->target, strerror(-r));
        if (sha256_equal(&digest, &release->file_digest))
                return 0;
        if (writer->resumed)
                return why(w, discard(writer, -ESTALE),
                                "%s: the bytes of an earlier download do not go with the rest; "
                                "it has to begin again",
                                release->target);
        return why(w, discard(writer, -EBADMSG),
                        "%s is not the file that was signed: its digest is another",
                        release->target);
}

/* What was there before this writer was not hashed as it came. */
static int hash_slice(StoreWriter *writer, Why *w) {
        _cleanup_free_ uint8_t *block = malloc(STORE_SLICE);
        size_t n;
        int r;

        if (!block)
                return why_oom(w);
        r = read_at(writer->fd, block, MIN(STORE_SLICE, writer->offset - writer->hashed),
                        writer->hashed, &n);
        if (r == 0)
                r = hash_update(writer->hash, block, n);
        if (r < 0)
                return why(w, r, "%s cannot be read: %s", writer->part, strerror(-r));
        writer->hashed += n;
        return 1;
}

static int begin_decoding(StoreWriter *writer, Why *w) {
        const Release *release = writer->release;

        if (decoder_new(release->encoding, release->image_length, &writer->decoder) < 0)
                return why_oom(w);
        if (lseek(writer->image_fd, 0, SEEK_SET) < 0)
                return why(w, -errno, "%s: %s", writer->image_name, strerror(errno));
        writer->unpacked = 0;
        return 0;
}

static int sink(const void *bytes, size_t n, void *userdata) {
        const StoreWriter *writer = userdata;

        return write_all(writer->image_fd, bytes, n);
}

static int decode_slice(StoreWriter *writer, Why *w) {
        _cleanup_free_ uint8_t *block = malloc(DECODE_SLICE);
        size_t n;
        int r;

        if (!block)
                return why_oom(w);
        r = read_at(writer->fd, block, MIN(DECODE_SLICE, writer->offset - writer->unpacked),
                        writer->unpacked, &n);
        if (r < 0)
                return why(w, r, "%s cannot be read", writer->part);
        r = decoder_write(writer->decoder, block, n, sink, writer, w);
        if (r < 0)
                return r;
        writer->unpacked += n;
        if (writer->unpacked < writer->offset)
                return 1;
        return decoder_finish(writer->decoder, w);
}

static int begin_checking(StoreWriter *writer, Why *w) {
        writer->decoder = decoder_free(writer->decoder);
        writer->unpacked = 0;
        return hash_new(&writer->hash) < 0 ? why_oom(w) : 0;
}

/* An image of one piece is judged in slices. One with parts, or that is not what was signed, is
 * judged as a whole, by what finds the words for it. */
static int check_slice(StoreWriter *writer, Why *w) {
        _cleanup_free_ uint8_t *block = NULL;
        const Release *release = writer->release;
        Sha256 digest;
        size_t n;
        int r;

        if (release->n_parts > 0)
                return image_check_fd(writer->image_fd, release, w);
        if (writer->unpacked < release->image_length) {
                block = malloc(STORE_SLICE);
                if (!block)
                        return why_oom(w);
                r = read_at(writer->image_fd, block,
                                MIN(STORE_SLICE, release->image_length - writer->unpacked),
                                writer->unpacked, &n);
                if (r == 0)
                        r = hash_update(writer->hash, block, n);
                if (r < 0)
                        return image_check_fd(writer->image_fd, release, w);
                writer->unpacked += n;
                return 1;
        }
        r = hash_final(writer->hash, &digest);
        writer->hash = hash_free(writer->hash);
        if (r == 0 && sha256_equal(&digest, &release->image_digest) &&
                        lseek(writer->image_fd, 0, SEEK_END) == (off_t)release->image_length)
                return 0;
        return image_check_fd(writer->image_fd, release, w);
}

static int run_stage(StoreWriter *writer, Why *w) {
        int r;

        switch (writer->stage) {
        case UNPACK_RECEIVED:
                if (writer->hashed < writer->offset)
                        return hash_slice(writer, w);
                r = check_file(writer, w);
                return r < 0 ? r : begin_decoding(writer, w);
        case UNPACK_DECODING:
                r = decode_slice(writer, w);
                return r != 0 ? r : begin_checking(writer, w);
        default:
                return check_slice(writer, w);
        }
}

int store_writer_unpack(StoreWriter *writer, Why *w) {
        bool signed_for = writer->stage > UNPACK_RECEIVED;
        int r;

        if (writer->stage == UNPACK_DONE)
                return 0;
        r = run_stage(writer, w);
        if (r > 0)
                return r;
        if (r == 0)
                return ++writer->stage < UNPACK_DONE;
        /* Decoded to more than was signed: no better than any other bytes that were not signed. */
        if (signed_for && (r == -EBADMSG || r == -EFBIG))
                return why_prefix(w, discard(writer, -EBADMSG), "%s", writer->release->target);
        return r;
}

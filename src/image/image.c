/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image: digests over the bytes of a program, in memory or in a file, by one reader over both.
 * What lies between the parts of a part image is under no digest, so it must be erased flash
 * (0xff): nothing unsigned can travel there. */
#include <assert.h>
#include <sys/stat.h>

#include "image/image.h"

#define BLOCK_BYTES (64 * 1024)
#define TABLE_BYTES (2 + RELEASE_PARTS_MAX * (4 + 4 + SHA256_BYTES))

typedef struct Source {
        const uint8_t *bytes; /* NULL: fd */
        int fd;
        uint8_t *block; /* of BLOCK_BYTES, only with fd */
} Source;

/* Gives at most BLOCK_BYTES from offset on; *ret is valid until the next call. */
static int source_read(Source *s, uint64_t offset, size_t n, const uint8_t **ret) {
        size_t have = 0;

        if (s->bytes) {
                *ret = s->bytes + offset;
                return 0;
        }
        while (have < n) {
                ssize_t k = pread(s->fd, s->block + have, n - have, (off_t)(offset + have));

                if (k < 0 && errno == EINTR)
                        continue;
                if (k < 0)
                        return -errno;
                if (k == 0)
                        return -EBADMSG; /* became shorter while it was read */
                have += (size_t)k;
        }
        *ret = s->block;
        return 0;
}

static int hash_range(Source *s, Hash *hash, uint64_t offset, uint64_t length) {
        const uint8_t *bytes;
        int r;

        while (length > 0) {
                size_t n = MIN(length, BLOCK_BYTES);

                r = source_read(s, offset, n, &bytes);
                if (r < 0)
                        return r;
                r = hash_update(hash, bytes, n);
                if (r < 0)
                        return r;
                offset += n;
                length -= n;
        }
        return 0;
}

static int digest_range(Source *s, uint64_t offset, uint64_t length, Sha256 *ret) {
        _cleanup_(hash_freep) Hash *hash = NULL;
        int r;

        r = hash_new(&hash);
        if (r < 0)
                return r;
        r = hash_range(s, hash, offset, length);
        if (r < 0)
                return r;
        return hash_final(hash, ret);
}

static uint8_t *put_le32(uint8_t *p, uint32_t v) {
        for (unsigned i = 0; i < 4; i++)
                *p++ = (uint8_t)(v >> (8 * i));
        return p;
}

static int digest_parts(Source *s, const ReleasePart *parts, size_t n_parts, Sha256 *ret) {
        _cleanup_(hash_freep) Hash *hash = NULL;
        uint8_t table[TABLE_BYTES], *p = table;
        int r;

        *p++ = (uint8_t)n_parts;
        *p++ = (uint8_t)(n_parts >> 8);
        for (size_t i = 0; i < n_parts; i++) {
                p = put_le32(p, parts[i].offset);
                p = put_le32(p, parts[i].length);
                memcpy(p, parts[i].digest.bytes, SHA256_BYTES);
                p += SHA256_BYTES;
        }
        r = hash_new(&hash);
        if (r < 0)
                return r;
        r = hash_update(hash, table, (size_t)(p - table));
        for (size_t i = 0; r >= 0 && i < n_parts; i++)
                r = hash_range(s, hash, parts[i].offset, parts[i].length);
        if (r < 0)
                return r;
        return hash_final(hash, ret);
}

static int source_digest(
                Source *s, uint64_t n, const ReleasePart *parts, size_t n_parts, Sha256 *ret) {
        if (n_parts == 0)
                return digest_range(s, 0, n, ret);
        if (n_parts > RELEASE_PARTS_MAX)
                return -EINVAL;
        for (size_t i = 0; i < n_parts; i++)
                if ((uint64_t)parts[i].offset + parts[i].length > n)
                        return -EINVAL;
        return digest_parts(s, parts, n_parts, ret);
}

static int check_gap(Source *s, uint64_t from, uint64_t to, Why *w) {
        const uint8_t *bytes;
        int r;

        while (from < to) {
                size_t n = MIN(to - from, BLOCK_BYTES);

                r = source_read(s, from, n, &bytes);
                if (r < 0)
                        return why(w, r, "image: cannot be read at %llu: %s",
                                        (unsigned long long)from, strerror(-r));
                for (size_t i = 0; i < n; i++)
                        if (bytes[i] != 0xff)
                                return why(w, -EBADMSG,
                                                "image: byte %llu belongs to no part and must be 0xff, "
                                                "but is 0x%02x",
                                                (unsigned long long)(from + i), bytes[i]);
                from += n;
        }
        return 0;
}

static int check_parts(Source *s, const Release *release, Why *w) {
        uint64_t end = 0;
        Sha256 digest;
        int r;

        for (size_t i = 0; i < release->n_parts; i++) {
                const ReleasePart *part = &release->parts[i];

                if (part->offset < end ||
                                (uint64_t)part->offset + part->length > release->image_length)
                        return why(w, -EBADMSG, "image: part %zu does not lie in the image", i);
                r = check_gap(s, end, part->offset, w);
                if (r < 0)
                        return r;
                r = digest_range(s, part->offset, part->length, &digest);
                if (r < 0)
                        return why(w, r, "image: part %zu cannot be read: %s", i, strerror(-r));
                if (!sha256_equal(&digest, &part->digest))
                        return why(w, -EBADMSG,
                                        "image: part %zu (offset %u, %u bytes) has another "
                                        "SHA-256 than the release says",
                                        i, part->offset, part->length);
                end = (uint64_t)part->offset + part->length;
        }
        return check_gap(s, end, release->n_parts > 0 ? release->image_length : end, w);
}

static int source_check(Source *s, uint64_t n, const Release *release, Why *w) {
        char have[SHA256_HEX], want[SHA256_HEX];
        Sha256 digest;
        int r;

        if (n != release->image_length)
                return why(w, -EBADMSG, "image: %llu bytes, but the release says %llu",
                                (unsigned long long)n, (unsigned long long)release->image_length);
        r = check_parts(s, release, w);
        if (r < 0)
                return r;
        r = source_digest(s, n, release->parts, release->n_parts, &digest);
        if (r < 0)
                return why(w, r, "image: cannot be read: %s", strerror(-r));
        if (sha256_equal(&digest, &release->image_digest))
                return 0;
        sha256_to_hex(&digest, have);
        sha256_to_hex(&release->image_digest, want);
        return why(w, -EBADMSG, "image: SHA-256 is %s, but the release says %s", have, want);
}

int image_digest(const void *bytes, size_t n, const ReleasePart *parts, size_t n_parts,
                Sha256 *ret) {
        Source s = { .bytes = bytes, .fd = -1 };

        assert(bytes && ret);
        return source_digest(&s, n, parts, parts ? n_parts : 0, ret);
}

int image_check(const void *bytes, size_t n, const Release *release, Why *w) {
        Source s = { .bytes = bytes, .fd = -1 };

        assert(bytes && release);
        return source_check(&s, n, release, w);
}

int image_check_fd(int fd, const Release *release, Why *w) {
        _cleanup_free_ uint8_t *block = NULL;
        Source s = { .fd = fd };
        struct stat st;

        assert(fd >= 0 && release);
        if (fstat(fd, &st) < 0)
                return why(w, -errno, "image: %s", strerror(errno));
        if (st.st_size < 0)
                return why(w, -EBADMSG, "image: the file has no size");
        block = s.block = malloc(BLOCK_BYTES);
        if (!block)
                return why_oom(w);
        return source_check(&s, (uint64_t)st.st_size, release, w);
}

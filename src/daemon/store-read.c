/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Store, the way out. Nothing that is read is believed: release and image are checked against the
 * digest that was asked for, each time, and what does not pass is renamed to *.damaged, so that it
 * can be fetched anew and people can look at it. Hashing goes in slices, between which the lines
 * have their turn. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "daemon/store-private.h"
#include "image/image.h"

struct StoreReader {
        Store *store;
        Sha256 digest;
        Release *release;
        const uint8_t *bytes; /* NULL: given away */
        uint64_t hashed;
        Hash *hash;
        bool only_looks; /* leaves what is damaged where it is */
};

static const uint8_t nothing[1];

/* Maps a file of exactly n bytes. */
static int map_file(Store *s, const char *name, uint64_t n, const uint8_t **ret, Why *w) {
        _cleanup_close_ int fd = openat(s->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        struct stat st;
        void *p;

        if (fd < 0 || fstat(fd, &st) < 0)
                return why(w, -errno, "%.12s: %s", name, strerror(errno));
        if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != n)
                return why(w, -EBADMSG, "%.12s: the image has %llu bytes where %llu are right",
                                name, (unsigned long long)st.st_size, (unsigned long long)n);
        if (n == 0) {
                *ret = nothing;
                return 0;
        }
        p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
                return why(w, -errno, "%.12s: %s", name, strerror(errno));
        *ret = p;
        return 0;
}

static void set_aside(Store *s, const Sha256 *digest) {
        static const char *const suffixes[] = { ".json", "" };

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                char name[STORE_NAME_MAX], aside[STORE_NAME_MAX];

                store_name(digest, suffixes[i], name);
                store_name(digest, i == 0 ? ".json.damaged" : ".damaged", aside);
                (void)renameat(s->dirfd, name, s->dirfd, aside);
        }
}

/* What is damaged gives its place to a good one. */
static int judge(StoreReader *reader, int r, Why *w) {
        if (r != -EBADMSG || reader->only_looks)
                return r;
        set_aside(reader->store, &reader->digest);
        return why_prefix(w, r, "set aside as damaged");
}

static int reader_open(StoreReader *reader, Why *w) {
        char name[STORE_NAME_MAX];
        int r;

        r = store_release(reader->store, &reader->digest, &reader->release, w);
        if (r < 0)
                return r;
        store_name(&reader->digest, "", name);
        r = map_file(reader->store, name, reader->release->image_length, &reader->bytes, w);
        if (r < 0)
                return r;
        return hash_new(&reader->hash) < 0 ? why_oom(w) : 0;
}

static int reader_new(Store *s, const Sha256 *digest, bool only_looks, StoreReader **ret, Why *w) {
        _cleanup_(store_reader_freep) StoreReader *reader = new0(StoreReader, 1);
        int r;

        if (!reader)
                return why_oom(w);
        reader->store = s;
        reader->digest = *digest;
        reader->only_looks = only_looks;
        r = judge(reader, reader_open(reader, w), w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(reader);
        return 0;
}

int store_reader_new(Store *s, const Sha256 *digest, StoreReader **ret, Why *w) {
        return reader_new(s, digest, false, ret, w);
}

int store_checker_new(Store *s, const Sha256 *digest, StoreReader **ret, Why *w) {
        return reader_new(s, digest, true, ret, w);
}

StoreReader *store_reader_free(StoreReader *reader) {
        if (!reader)
                return NULL;
        if (reader->bytes)
                store_unmap(reader->bytes, reader->release->image_length);
        release_free(reader->release);
        hash_free(reader->hash);
        free(reader);
        return NULL;
}

/* As a whole: one with parts, or one that is not what was signed, by what finds the words. */
static int check_whole(StoreReader *reader, Why *w) {
        char name[STORE_NAME_MAX];
        int r;

        r = image_check(reader->bytes, reader->release->image_length, reader->release, w);
        if (r >= 0)
                return r;
        store_name(&reader->digest, "", name);
        return why_prefix(w, r, "%.12s", name);
}

static int check_slice(StoreReader *reader, Why *w) {
        uint64_t left = reader->release->image_length - reader->hashed;
        size_t n = MIN(left, (uint64_t)STORE_SLICE);
        Sha256 digest;

        if (reader->release->n_parts > 0)
                return check_whole(reader, w);
        if (hash_update(reader->hash, reader->bytes + reader->hashed, n) < 0)
                return check_whole(reader, w);
        reader->hashed += n;
        if (n < left)
                return 1;
        if (hash_final(reader->hash, &digest) < 0 || !sha256_equal(&digest, &reader->digest))
                return check_whole(reader, w);
        return 0;
}

int store_reader_step(StoreReader *reader, Why *w) {
        return judge(reader, check_slice(reader, w), w);
}

void store_reader_take(StoreReader *reader, const uint8_t **ret_bytes, size_t *ret_n,
                Release **ret_release) {
        char name[STORE_NAME_MAX];

        /* The time of the last use: the garbage rule reads it. */
        store_name(&reader->digest, ".json", name);
        (void)utimensat(reader->store->dirfd, name, NULL, 0);
        *ret_bytes = reader->bytes;
        *ret_n = reader->release->image_length;
        reader->bytes = NULL;
        if (ret_release)
                *ret_release = TAKE_PTR(reader->release);
}

static int read_whole(StoreReader *reader, Why *w) {
        int r;

        do
                r = store_reader_step(reader, w);
        while (r > 0);
        return r;
}

int store_map(Store *s, const Sha256 *digest, const uint8_t **ret_bytes, size_t *ret_n,
                Release **ret_release, Why *w) {
        _cleanup_(store_reader_freep) StoreReader *reader = NULL;
        int r;

        r = reader_new(s, digest, false, &reader, w);
        if (r >= 0)
                r = read_whole(reader, w);
        if (r < 0)
                return r;
        store_reader_take(reader, ret_bytes, ret_n, ret_release);
        return 0;
}

void store_unmap(const uint8_t *bytes, size_t n) {
        if (bytes && bytes != nothing)
                (void)munmap((void *)bytes, n);
}

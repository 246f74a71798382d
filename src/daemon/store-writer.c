/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Store, the way in: the part file grows as bytes arrive and is hashed meanwhile; nothing of it
 * is decoded before all of it has the digest that was signed. Room for both, the file and the
 * image that comes out of it, is taken before the first byte. Only one writer works on the part
 * file of a digest; a second one of the same file gets a temporary of its own, which cannot be
 * resumed. */
#include <assert.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "basic/names.h"
#include "daemon/store-private.h"
#include "image/image.h"

#define ETAG_MAX 256

uint64_t store_bytes_needed(const Release *release) {
        return release->file_length + release->image_length;
}

uint64_t store_reserve_missing(const Store *s) {
        return s->reserve ? reserve_missing(s->reserve) : STORE_RESERVE_BYTES;
}

int store_check_reserve(Store *s) {
        uint64_t bytes = 0;
        int r;

        r = folder_free_bytes(s->dirfd, &bytes);
        if (r < 0)
                return r;
        return bytes < store_reserve_missing(s) ? -ENOSPC : 0;
}

int store_reserve(Store *s, int fd, uint64_t n, uint64_t size) {
        uint64_t bytes = 0;
        int r;

        if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)n) == 0)
                return 0;
        r = -errno;
        if (r == -EOPNOTSUPP) {
                /* A file system without reservations: what is free now has to do. */
                r = folder_free_bytes(s->dirfd, &bytes);
                return r < 0 ? r : bytes < n - MIN(size, n) ? -ENOSPC : 0;
        }
        (void)ftruncate(fd, (off_t)size);
        return r == -EDQUOT || r == -EFBIG ? -ENOSPC : r;
}

/* Sooner or later, the part file goes; another writer that has it open keeps it. */
static void remove_part(Store *s, const Sha256 *file_digest) {
        char name[STORE_NAME_MAX];

        if (store_part_is_open(s, file_digest))
                return;
        store_name(file_digest, ".part", name);
        (void)unlinkat(s->dirfd, name, 0);
        store_name(file_digest, ".etag", name);
        (void)unlinkat(s->dirfd, name, 0);
}

static void on_placed(int error, void *userdata) {
        StorePending *p = userdata;
        SyncFunc func = p->func;
        void *func_userdata = p->userdata;

        LIST_REMOVE(p, link);
        if (p->writer)
                p->writer->pending = NULL;
        if (error == 0 && p->has_part) {
                char name[STORE_NAME_MAX];

                /* The writer may still be there, but it has done its work. */
                store_name(&p->file_digest, ".part", name);
                (void)unlinkat(p->store->dirfd, name, 0);
                store_name(&p->file_digest, ".etag", name);
                (void)unlinkat(p->store->dirfd, name, 0);
        }
        free(p);
        if (func)
                func(error, func_userdata);
}

static json_t *release_json(const Release *release) {
        _cleanup_json_ json_t *custom = release_to_custom(release);
        char hex[SHA256_HEX];

        if (!custom)
                return NULL;
        sha256_to_hex(&release->file_digest, hex);
        return json_pack("{si ss sI ss sO}", "format", STORE_FORMAT, "target", release->target,
                        "length", (json_int_t)release->file_length, "sha256", hex, "custom",
                        custom);
}

/* The release beside the image, as a temporary that is complete but not durable. */
static int write_json(Store *s, const Release *release, const char *name, char **ret) {
        _cleanup_json_ json_t *o = release_json(release);
        _cleanup_free_ char *text = NULL, *temporary = NULL;
        _cleanup_close_ int fd = -1;
        int r;

        text = o ? json_print(o) : NULL;
        if (!text)
                return -ENOMEM;
        fd = file_open_temporary(s->dirfd, name, 0600, &temporary);
        if (fd < 0)
                return fd;
        r = write_all(fd, text, strlen(text));
        if (r < 0) {
                (void)unlinkat(s->dirfd, temporary, 0);
                return r;
        }
        *ret = TAKE_PTR(temporary);
        return TAKE_FD(fd);
}

int store_place(Store *s, const Release *release, const StoreTemporary *temporary, SyncFunc func,
                void *userdata, StorePending **ret) {
        char name[STORE_NAME_MAX], json_name[STORE_NAME_MAX];
        _cleanup_free_ char *json_temporary = NULL;
        _cleanup_close_ int json_fd = -1;
        _cleanup_free_ StorePending *p = NULL;
        int r;

        store_name(&release->image_digest, "", name);
        store_name(&release->image_digest, ".json", json_name);
        p = new0(StorePending, 1);
        if (!p)
                return -ENOMEM;
        *p = (StorePending){ .store = s, .func = func, .userdata = userdata };
        /* All that may fail for want of room comes before the first rename. */
        json_fd = write_json(s, release, json_name, &json_temporary);
        if (json_fd < 0)
                return json_fd;
        r = sync_replace(s->sync, temporary->fd, s->dirfd, temporary->name, name, NULL, NULL, NULL);
        if (r == 0)
                r = sync_replace(s->sync, json_fd, s->dirfd, json_temporary, json_name, on_placed,
                                p, &p->job);
        if (r < 0) {
                (void)unlinkat(s->dirfd, json_temporary, 0);
                return r;
        }
        LIST_INSERT_HEAD(&s->pendings, p, link);
        if (ret)
                *ret = p;
        p = NULL;
        return 0;
}

static int hash_restart(StoreWriter *writer) {
        writer->hash = hash_free(writer->hash);
        return hash_new(&writer->hash);
}

static void read_etag(StoreWriter *writer) {
        size_t n;
        char *s;

        if (file_read(writer->store->dirfd, writer->etag_name, ETAG_MAX, &s, &n) < 0)
                return;
        if (n == 0 || strlen(s) != n || !text_is_printable(s, ETAG_MAX)) {
                free(s);
                return;
        }
        free(writer->etag);
        writer->etag = s;
}

/* The part file, and how much of it is there. */
static int open_part(StoreWriter *writer) {
        const Release *release = writer->release;
        Store *s = writer->store;
        struct stat st;

        writer->fd = openat(
                        s->dirfd, writer->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (writer->fd < 0 || fstat(writer->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EEXIST;
        if ((uint64_t)st.st_size > release->file_length) {
                if (ftruncate(writer->fd, 0) < 0)
                        return -errno;
                st.st_size = 0;
        }
        writer->offset = (uint64_t)st.st_size;
        writer->resumed = writer->offset > 0;
        if (writer->resumed)
                read_etag(writer);
        /* In use: the garbage rule counts from now. */
        (void)futimens(writer->fd, NULL);
        return 0;
}

static int open_private(StoreWriter *writer) {
        _cleanup_free_ char *temporary = NULL;

        writer->shared = true;
        writer->fd = file_open_temporary(writer->store->dirfd, writer->part, 0600, &temporary);
        if (writer->fd < 0)
                return writer->fd;
        assert(strlen(temporary) < sizeof(writer->part));
        memcpy(writer->part, temporary, strlen(temporary) + 1);
        return 0;
}

static int reserve(StoreWriter *writer) {
        Store *s = writer->store;
        int r;

        r = store_reserve(s, writer->fd, writer->release->file_length, writer->offset);
        if (r == 0)
                r = store_reserve(s, writer->image_fd, writer->release->image_length, 0);
        if (r == 0)
                r = store_check_reserve(s);
        return r;
}

static int writer_open(StoreWriter *writer) {
        Store *s = writer->store;
        char name[STORE_NAME_MAX];
        int r;

        store_name(&writer->release->file_digest, ".part", name);
        memcpy(writer->part, name, sizeof(name));
        store_name(&writer->release->file_digest, ".etag", writer->etag_name);
        r = hash_new(&writer->hash);
        if (r < 0)
                return r;
        r = store_part_is_open(s, &writer->release->file_digest) ? open_private(writer)
                                                                 : open_part(writer);
        if (r < 0)
                return r;
        store_name(&writer->release->image_digest, "", name);
        writer->image_fd = file_open_temporary(s->dirfd, name, 0600, &writer->image_name);
        return writer->image_fd < 0 ? writer->image_fd : reserve(writer);
}

int store_writer_new(Store *s, const Release *release, StoreWriter **ret, Why *w) {
        _cleanup_(store_writer_freep) StoreWriter *writer = NULL;
        Release *copy;
        int r;

        copy = release_copy(release);
        writer = copy ? new0(StoreWriter, 1) : NULL;
        if (!writer) {
                release_free(copy);
                return why_oom(w);
        }
        *writer = (StoreWriter){ .store = s, .release = copy, .fd = -1, .image_fd = -1 };
        r = writer_open(writer);
        LIST_INSERT_HEAD(&s->writers, writer, link);
        if (r == -ENOSPC)
                return why(w, r, "%s: no room for %llu bytes and %d kept in reserve",
                                release->version, (unsigned long long)store_bytes_needed(release),
                                STORE_RESERVE_BYTES);
        if (r < 0)
                return why(w, r, "%s: the store cannot take it: %s", release->version,
                                strerror(-r));
        *ret = TAKE_PTR(writer);
        return 0;
}

StoreWriter *store_writer_free(StoreWriter *writer) {
        if (!writer)
                return NULL;
        LIST_REMOVE(writer, link);
        if (writer->pending) {
                writer->pending->writer = NULL;
                writer->pending->func = NULL;
        }
        if (writer->image_name)
                (void)unlinkat(writer->store->dirfd, writer->image_name, 0);
        if (writer->fd >= 0) {
                /* The space that was reserved behind the bytes goes back. */
                (void)ftruncate(writer->fd, (off_t)writer->offset);
                if (writer->shared)
                        (void)unlinkat(writer->store->dirfd, writer->part, 0);
                else if (writer->offset == 0)
                        remove_part(writer->store, &writer->release->file_digest);
        }
        (void)close_fd(writer->fd);
        (void)close_fd(writer->image_fd);
        hash_free(writer->hash);
        decoder_free(writer->decoder);
        free(writer->etag);
        free(writer->image_name);
        release_free(writer->release);
        free(writer);
        return NULL;
}

uint64_t store_writer_offset(const StoreWriter *writer) {
        return writer->offset;
}

const char *store_writer_etag(const StoreWriter *writer) {
        return writer->etag;
}

int store_writer_restart(StoreWriter *writer, const char *etag) {
        int r;

        if (ftruncate(writer->fd, 0) < 0)
                return -errno;
        writer->offset = 0;
        writer->hashed = 0;
        writer->resumed = false;
        r = hash_restart(writer);
        if (r < 0)
                return r;
        r = store_writer_set_etag(writer, etag);
        if (r < 0)
                return r;
        return store_reserve(writer->store, writer->fd, writer->release->file_length, 0);
}

/* Not durable, and need not be: a tag that does not go with the bytes costs a download from the
 * start, no more. */
int store_writer_set_etag(StoreWriter *writer, const char *etag) {
        _cleanup_close_ int fd = -1;
        int r;

        if (etag && (!*etag || !text_is_printable(etag, ETAG_MAX)))
                etag = NULL;
        r = free_and_strdup(&writer->etag, etag);
        if (r < 0 || writer->shared)
                return r;
        (void)unlinkat(writer->store->dirfd, writer->etag_name, 0);
        if (!etag)
                return 0;
        fd = openat(writer->store->dirfd, writer->etag_name,
                        O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        return write_all(fd, etag, strlen(etag));
}

static int write_at(int fd, const void *bytes, size_t n, uint64_t at) {
        const uint8_t *p = bytes;

        while (n > 0) {
                ssize_t k = pwrite(fd, p, n, (off_t)at);

                if (k < 0 && errno == EINTR)
                        continue;
                if (k <= 0)
                        return k < 0 ? -errno : -EIO;
                p += k;
                at += (uint64_t)k;
                n -= (size_t)k;
        }
        return 0;
}

int store_writer_write(StoreWriter *writer, const void *bytes, size_t n, Why *w) {
        int r;

        if (n > writer->release->file_length - writer->offset)
                return why(w, -EFBIG, "%s has %llu bytes, more arrive", writer->release->target,
                                (unsigned long long)writer->release->file_length);
        r = write_at(writer->fd, bytes, n, writer->offset);
        if (r == 0 && writer->hashed == writer->offset) {
                r = hash_update(writer->hash, bytes, n);
                writer->hashed += n;
        }
        if (r < 0) {
                /* The file goes on to say how much of it is good. */
                (void)ftruncate(writer->fd, (off_t)writer->offset);
                return why(w, r, "%s: %s", writer->release->target, strerror(-r));
        }
        writer->offset += n;
        return 0;
}

int store_writer_commit(StoreWriter *writer, SyncFunc func, void *userdata, Why *w) {
        const Release *release = writer->release;
        int r;

        do
                r = store_writer_unpack(writer, w);
        while (r > 0);
        if (r < 0)
                return r;
        r = store_place(writer->store, release,
                        &(StoreTemporary){ writer->image_fd, writer->image_name }, func, userdata,
                        &writer->pending);
        if (r < 0)
                return why(w, r, "%s: %s", release->target, strerror(-r));
        writer->pending->writer = writer;
        writer->pending->has_part = !writer->shared;
        writer->pending->file_digest = release->file_digest;
        free(writer->image_name);
        writer->image_name = NULL;
        return 0;
}

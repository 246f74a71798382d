/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Store: images by content. images/<sha256> holds the bytes, images/<sha256>.json the release
 * that they belong to (device header and signature in it). An image is there when both are; the
 * bytes are made durable first. Downloads lie beside them as images/<file-sha256>.part with the
 * server's ETag in images/<file-sha256>.etag. */
#pragma once

#include "basic/reserve.h"
#include "basic/sync.h"
#include "image/decompress.h"
#include "image/release.h"

#define STORE_RESERVE_BYTES (2 * 1024 * 1024) /* for journals, records, outbox and metadata */

typedef struct Store Store;
typedef struct StoreWriter StoreWriter;
typedef struct StoreReader StoreReader;
typedef struct StoreAdder StoreAdder;

/* Room that the file of a release and its image take together while they are received. */
uint64_t store_bytes_needed(const Release *release);

/* dirfd: of images/, borrowed. Removes temporaries of former runs. */
int store_new(Sync *sync, int dirfd, uint64_t max_bytes, Store **ret);
Store *store_free(Store *s);
DEFINE_TRIVIAL_CLEANUP_FUNC(Store *, store_free);

/* What it holds already need not stay free; borrowed, NULL: none. */
void store_use_reserve(Store *s, const Reserve *reserve);
/* What has to stay free: STORE_RESERVE_BYTES but for those that the reserve holds. */
uint64_t store_reserve_missing(const Store *s);

/* Callbacks of store_add() and store_writer_commit() with this userdata will not run; the writes
 * go on. */
void store_forget(Store *s, void *userdata);

bool store_has(Store *s, const Sha256 *digest);
/* Maps the image after checking its digest (and parts). -ENOENT, -EBADMSG (then the image is set
 * aside as *.damaged and the text says so). munmap by store_unmap. *ret_release may be NULL. */
int store_map(Store *s, const Sha256 *digest, const uint8_t **ret_bytes, size_t *ret_n,
                Release **ret_release, Why *w);
void store_unmap(const uint8_t *bytes, size_t n);
/* The same, a slice of some milliseconds with each step. 1: there is more to do; 0: it is as it
 * has to be, and can be taken, once. */
int store_reader_new(Store *s, const Sha256 *digest, StoreReader **ret, Why *w);
StoreReader *store_reader_free(StoreReader *reader);
DEFINE_TRIVIAL_CLEANUP_FUNC(StoreReader *, store_reader_free);
/* One that only looks: what is damaged stays where it is, and nothing can be taken. */
int store_checker_new(Store *s, const Sha256 *digest, StoreReader **ret, Why *w);
int store_reader_step(StoreReader *reader, Why *w);
void store_reader_take(StoreReader *reader, const uint8_t **ret_bytes, size_t *ret_n,
                Release **ret_release);
int store_release(Store *s, const Sha256 *digest, Release **ret, Why *w);

/* Receives the served file of a release: resumable part file, space for it and for the image
 * reserved with fallocate first (-ENOSPC before anything is received; STORE_RESERVE_BYTES stay
 * free). */
/* A second writer of the same file receives into a temporary of its own, from 0. */
int store_writer_new(Store *s, const Release *release, StoreWriter **ret, Why *w);
/* Keeps the part file for a later resume, and forgets the callback of its commit. */
StoreWriter *store_writer_free(StoreWriter *writer);
DEFINE_TRIVIAL_CLEANUP_FUNC(StoreWriter *, store_writer_free);

uint64_t store_writer_offset(const StoreWriter *writer);  /* bytes that are there: Range */
const char *store_writer_etag(const StoreWriter *writer); /* for If-Range; NULL: none */
int store_writer_restart(StoreWriter *writer,
                const char *etag); /* the server began from 0: forget what is there */
int store_writer_set_etag(StoreWriter *writer, const char *etag);
/* More than release->file_length: -EFBIG. */
int store_writer_write(StoreWriter *writer, const void *bytes, size_t n, Why *w);
/* All bytes are there: checks the file's digest, decodes, checks the image, a slice of some
 * milliseconds with each call. 1: there is more to do; 0: all is as it was signed. -EBADMSG: it is
 * not (the part file is forgotten). -ESTALE: the same, but a part of it was there before this
 * writer: begin again from 0. */
int store_writer_unpack(StoreWriter *writer, Why *w);
/* Does what is left of that, with the same errors, then makes image and release durable; func
 * when the image is in the store. */
int store_writer_commit(StoreWriter *writer, SyncFunc func, void *userdata, Why *w);

/* Bytes of which nobody knows the digest before all of them are there. -ENOSPC as above. */
int store_adder_new(Store *s, StoreAdder **ret, Why *w);
StoreAdder *store_adder_free(StoreAdder *adder);
DEFINE_TRIVIAL_CLEANUP_FUNC(StoreAdder *, store_adder_free);
int store_adder_write(StoreAdder *adder, const void *bytes, size_t n, Why *w);
uint64_t store_adder_length(const StoreAdder *adder);
int store_adder_digest(StoreAdder *adder, Sha256 *ret); /* of all bytes, once */
/* Makes them durable as the image of this release, which has been made of that digest. */
int store_adder_commit(
                StoreAdder *adder, const Release *release, SyncFunc func, void *userdata, Why *w);
/* Bytes that are there already: checked against the release, then durable. */
int store_add(Store *s, const Release *release, const void *bytes, size_t n, SyncFunc func,
                void *userdata, Why *w);

/* The garbage rule: images in `keep` are never removed, the others least recently used first,
 * until the rest fits max_bytes; part files and damaged images without use for 7 days too.
 * -EBUSY inside a transfer. */
int store_collect(Store *s, const Sha256 *keep, size_t n_keep);
/* Removes least recently used images outside keep until `bytes` are free; -ENOSPC if that cannot
 * be. */
int store_make_room(Store *s, uint64_t bytes, const Sha256 *keep, size_t n_keep);

/* What store_make_room could remove at most. */
int store_removable(Store *s, const Sha256 *keep, size_t n_keep, uint64_t *ret_bytes);

typedef struct StoreEntry {
        Sha256 digest;
        uint64_t length;
        char *model, *version;
        int64_t used; /* seconds since 1970 */
} StoreEntry;
int store_list(Store *s, StoreEntry **ret, size_t *ret_n);
void store_entries_free(StoreEntry *entries, size_t n);

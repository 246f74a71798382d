/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the store share: the object itself, what it waits for, names. */
#pragma once

#include <sys/queue.h>

#include "daemon/store.h"
#include "image/decompress.h"

#define STORE_FORMAT   1
#define STORE_JSON_MAX (256 * 1024)
#define STORE_SLICE    (512 * 1024) /* is hashed at a time */
#define STORE_NAME_MAX (SHA256_HEX + sizeof(".json.damaged"))

/* An image that is being made durable. Ends by itself, even when nobody waits for it any more. */
typedef struct StorePending {
        LIST_ENTRY(StorePending) link;
        Store *store;
        StoreWriter *writer; /* NULL: gone, or store_add() */
        SyncJob *job;
        SyncFunc func; /* NULL: forgotten */
        void *userdata;
        Sha256 file_digest; /* its part file is not needed any more */
        bool has_part;
} StorePending;

/* In order; see store-unpack.c. */
typedef enum UnpackStage {
        UNPACK_RECEIVED,
        UNPACK_DECODING,
        UNPACK_CHECKING,
        UNPACK_DONE,
} UnpackStage;

struct StoreWriter {
        LIST_ENTRY(StoreWriter) link;
        Store *store;
        Release *release;
        char part[STORE_NAME_MAX + 16], etag_name[STORE_NAME_MAX];
        bool shared; /* another writer receives the same file: this one works on a temporary */
        bool resumed;
        int fd;
        uint64_t offset;
        Hash *hash;      /* over what was received */
        uint64_t hashed; /* so much of it; less than `offset` where a part was there before */
        char *etag;
        UnpackStage stage;
        Decoder *decoder;
        uint64_t unpacked; /* bytes that the present stage has done */
        int image_fd;
        char *image_name; /* temporary, with its space reserved */
        StorePending *pending;
};

struct Store {
        Sync *sync;
        int dirfd;
        uint64_t max_bytes;
        const Reserve *reserve;
        LIST_HEAD(, StorePending) pendings;
        LIST_HEAD(, StoreWriter) writers;
};

/* "HEX" and a suffix such as ".json". */
void store_name(const Sha256 *digest, const char *suffix, char ret[static STORE_NAME_MAX]);
/* Opens nothing: has a writer the part file of this digest in use? */
bool store_part_is_open(const Store *s, const Sha256 *file_digest);
/* Reserves room for n bytes in fd without changing its size. -ENOSPC; whatever was allocated
 * beyond `size` is given back. */
int store_reserve(Store *s, int fd, uint64_t n, uint64_t size);
/* Some bytes have to stay free for the small files. */
int store_check_reserve(Store *s);
/* An image that is complete and checked, but neither durable nor under its name. */
typedef struct StoreTemporary {
        int fd; /* the caller's */
        const char *name;
} StoreTemporary;
/* Takes over what has that name: image and release become durable in this order. */
int store_place(Store *s, const Release *release, const StoreTemporary *temporary, SyncFunc func,
                void *userdata, StorePending **ret);

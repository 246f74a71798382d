/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Store, the way out: what is there in order of its last use, and the garbage rule. The .json
 * goes first, so that an image that is half removed does not count; what is left over of one
 * goes with the next round. */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/file.h"
#include "daemon/store-private.h"

#define STALE_SECONDS (7 * 24 * 3600)

/* All files that belong to one digest. */
typedef struct Item {
        Sha256 digest;
        bool image, json;
        uint64_t size;
        struct timespec used;
        bool keep;
} Item;

typedef struct Items {
        Item *list;
        size_t n;
} Items;

static void items_done(Items *items) {
        free(items->list);
}

/* "HEX" + suffix: the digest and the suffix; else -EINVAL. */
static int name_split(const char *name, Sha256 *ret, const char **ret_suffix) {
        char hex[SHA256_HEX];

        if (strlen(name) < SHA256_HEX - 1)
                return -EINVAL;
        memcpy(hex, name, SHA256_HEX - 1);
        hex[SHA256_HEX - 1] = '\0';
        if (sha256_from_hex(hex, ret) < 0)
                return -EINVAL;
        *ret_suffix = name + SHA256_HEX - 1;
        return 0;
}

static Item *items_get(Items *items, const Sha256 *digest) {
        Item *p;

        for (size_t i = 0; i < items->n; i++)
                if (sha256_equal(&items->list[i].digest, digest))
                        return items->list + i;
        p = realloc(items->list, (items->n + 1) * sizeof(Item));
        if (!p)
                return NULL;
        items->list = p;
        p += items->n++;
        *p = (Item){ .digest = *digest };
        return p;
}

static int compare_used(const void *a, const void *b) {
        const Item *x = a, *y = b;

        if (x->used.tv_sec != y->used.tv_sec)
                return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : x->used.tv_nsec > y->used.tv_nsec;
}

/* Images and releases, least recently used first. */
static int items_read(Store *s, Items *items) {
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *entry;
        int r;

        r = folder_list(s->dirfd, ".", &dir);
        if (r < 0)
                return r;
        for (errno = 0; (entry = readdir(dir)); errno = 0) {
                const char *suffix;
                struct stat st;
                Sha256 digest;
                Item *item;
                bool json;

                if (name_split(entry->d_name, &digest, &suffix) < 0)
                        continue;
                json = streq(suffix, ".json");
                if ((*suffix && !json) ||
                                fstatat(s->dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                item = items_get(items, &digest);
                if (!item)
                        return -ENOMEM;
                item->size += (uint64_t)st.st_size;
                item->image = item->image || !json;
                item->json = item->json || json;
                if (json)
                        item->used = st.st_mtim;
        }
        if (errno != 0)
                return -errno;
        if (items->n > 0)
                qsort(items->list, items->n, sizeof(Item), compare_used);
        return 0;
}

static void item_remove(Store *s, const Item *item) {
        char name[STORE_NAME_MAX];

        store_name(&item->digest, ".json", name);
        (void)unlinkat(s->dirfd, name, 0);
        store_name(&item->digest, "", name);
        (void)unlinkat(s->dirfd, name, 0);
}

static void items_mark(Items *items, const Sha256 *keep, size_t n_keep) {
        for (size_t i = 0; i < items->n; i++)
                for (size_t k = 0; k < n_keep; k++)
                        if (sha256_equal(&items->list[i].digest, keep + k))
                                items->list[i].keep = true;
}

/* Part files, tags and damaged images; older than `seconds` (0: all), and never those in use. */
static int remove_rest(Store *s, int64_t seconds) {
        _cleanup_(closedirp) DIR *dir = NULL;
        int64_t now = (int64_t)time(NULL);
        struct dirent *entry;
        int r;

        r = folder_list(s->dirfd, ".", &dir);
        if (r < 0)
                return r;
        for (errno = 0; (entry = readdir(dir)); errno = 0) {
                const char *suffix;
                struct stat st;
                Sha256 digest;

                if (name_split(entry->d_name, &digest, &suffix) < 0)
                        continue;
                if (!streq(suffix, ".part") && !streq(suffix, ".etag") &&
                                !streq(suffix, ".damaged") && !streq(suffix, ".json.damaged"))
                        continue;
                if (store_part_is_open(s, &digest) ||
                                fstatat(s->dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        continue;
                if (now - (int64_t)st.st_mtime >= seconds)
                        (void)unlinkat(s->dirfd, entry->d_name, 0);
        }
        return errno != 0 ? -errno : 0;
}

static bool is_busy(const Store *s) {
        return !LIST_EMPTY(&s->writers) || !LIST_EMPTY(&s->pendings);
}

int store_collect(Store *s, const Sha256 *keep, size_t n_keep) {
        _cleanup_(items_done) Items items = { 0 };
        uint64_t total = 0;
        int r;

        if (is_busy(s))
                return -EBUSY;
        r = items_read(s, &items);
        if (r < 0)
                return r;
        items_mark(&items, keep, n_keep);
        for (size_t i = 0; i < items.n; i++)
                total += items.list[i].size;
        for (size_t i = 0; i < items.n; i++) {
                const Item *item = items.list + i;
                bool half = !item->image || !item->json;

                if (item->keep || (!half && total <= s->max_bytes))
                        continue;
                item_remove(s, item);
                total -= item->size;
        }
        return remove_rest(s, STALE_SECONDS);
}

static bool has_room(Store *s, uint64_t bytes, int *ret_error) {
        uint64_t available = 0;

        *ret_error = folder_free_bytes(s->dirfd, &available);
        return *ret_error < 0 || available >= bytes;
}

int store_make_room(Store *s, uint64_t bytes, const Sha256 *keep, size_t n_keep) {
        _cleanup_(items_done) Items items = { 0 };
        int r;

        if (has_room(s, bytes, &r))
                return r;
        r = items_read(s, &items);
        if (r < 0)
                return r;
        items_mark(&items, keep, n_keep);
        /* What is half there may be on its way in. */
        for (size_t i = 0; i < items.n; i++) {
                if (items.list[i].keep || !items.list[i].image || !items.list[i].json)
                        continue;
                item_remove(s, items.list + i);
                if (has_room(s, bytes, &r))
                        return r;
        }
        r = remove_rest(s, 0);
        if (r < 0)
                return r;
        return has_room(s, bytes, &r) ? r : -ENOSPC;
}

int store_removable(Store *s, const Sha256 *keep, size_t n_keep, uint64_t *ret_bytes) {
        _cleanup_(items_done) Items items = { 0 };
        uint64_t bytes = 0;
        int r;

        r = items_read(s, &items);
        if (r < 0)
                return r;
        items_mark(&items, keep, n_keep);
        for (size_t i = 0; i < items.n; i++)
                if (!items.list[i].keep && items.list[i].image && items.list[i].json)
                        bytes += items.list[i].size;
        *ret_bytes = bytes;
        return 0;
}

void store_entries_free(StoreEntry *entries, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(entries[i].model);
                free(entries[i].version);
        }
        free(entries);
}

/* 0, or -ENOMEM; an item that cannot be read is left out. */
static int entry_fill(Store *s, const Item *item, StoreEntry *entries, size_t *n) {
        _cleanup_(release_freep) Release *release = NULL;
        StoreEntry *e = entries + *n;

        if (!item->image || !item->json || store_release(s, &item->digest, &release, NULL) < 0)
                return 0;
        *e = (StoreEntry){
                .digest = item->digest,
                .length = release->image_length,
                .model = strdup(release->model),
                .version = strdup(release->version),
                .used = (int64_t)item->used.tv_sec,
        };
        (*n)++;
        return e->model && e->version ? 0 : -ENOMEM;
}

int store_list(Store *s, StoreEntry **ret, size_t *ret_n) {
        _cleanup_(items_done) Items items = { 0 };
        StoreEntry *entries;
        size_t n = 0;
        int r;

        r = items_read(s, &items);
        if (r < 0)
                return r;
        entries = new0(StoreEntry, items.n + 1);
        if (!entries)
                return -ENOMEM;
        /* Most recently used first. */
        for (size_t i = items.n; i-- > 0;) {
                r = entry_fill(s, items.list + i, entries, &n);
                if (r < 0) {
                        store_entries_free(entries, n);
                        return r;
                }
        }
        *ret = entries;
        *ret_n = n;
        return 0;
}

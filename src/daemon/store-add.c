/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Store, the way in of bytes that nobody has signed for: they are hashed as they are written, and
 * what that makes of them is their name. */
#include <unistd.h>

#include "basic/file.h"
#include "daemon/store-private.h"
#include "image/image.h"

struct StoreAdder {
        Store *store;
        int fd;
        char *name; /* of the temporary; NULL: it has become the image */
        uint64_t length;
        Hash *hash;
};

int store_adder_new(Store *s, StoreAdder **ret, Why *w) {
        _cleanup_(store_adder_freep) StoreAdder *a = new0(StoreAdder, 1);
        int r;

        if (!a)
                return why_oom(w);
        *a = (StoreAdder){ .store = s, .fd = -1 };
        r = hash_new(&a->hash);
        if (r >= 0)
                r = a->fd = file_open_temporary(s->dirfd, "added", 0600, &a->name);
        if (r < 0)
                return why(w, r, "the store cannot take it: %s", strerror(-r));
        *ret = TAKE_PTR(a);
        return 0;
}

StoreAdder *store_adder_free(StoreAdder *a) {
        if (!a)
                return NULL;
        if (a->name)
                (void)unlinkat(a->store->dirfd, a->name, 0);
        free(a->name);
        close_fd(a->fd);
        hash_free(a->hash);
        free(a);
        return NULL;
}

int store_adder_write(StoreAdder *a, const void *bytes, size_t n, Why *w) {
        int r;

        r = store_reserve(a->store, a->fd, a->length + n, a->length);
        if (r == 0)
                r = store_check_reserve(a->store);
        if (r == 0)
                r = write_all(a->fd, bytes, n);
        if (r == 0)
                r = hash_update(a->hash, bytes, n);
        if (r < 0)
                return why(w, r, "the store cannot take it: %s", strerror(-r));
        a->length += n;
        return 0;
}

uint64_t store_adder_length(const StoreAdder *a) {
        return a->length;
}

int store_adder_digest(StoreAdder *a, Sha256 *ret) {
        return hash_final(a->hash, ret);
}

int store_adder_commit(
                StoreAdder *a, const Release *release, SyncFunc func, void *userdata, Why *w) {
        int r;

        r = store_place(a->store, release, &(StoreTemporary){ a->fd, a->name }, func, userdata,
                        NULL);
        if (r < 0)
                return why(w, r, "%s: the store cannot take it: %s", release->version,
                                strerror(-r));
        free(a->name);
        a->name = NULL;
        return 0;
}

int store_add(Store *s, const Release *release, const void *bytes, size_t n, SyncFunc func,
                void *userdata, Why *w) {
        _cleanup_(store_adder_freep) StoreAdder *a = NULL;
        int r;

        r = image_check(bytes, n, release, w);
        if (r == 0)
                r = store_adder_new(s, &a, w);
        if (r == 0)
                r = store_adder_write(a, bytes, n, w);
        return r < 0 ? r : store_adder_commit(a, release, func, userdata, w);
}

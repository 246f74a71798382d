/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Store: what is there. An image counts from the moment at which its .json is there too; that
 * comes last and is durable after the image. What is read of it is in store-read.c. */
#include <fcntl.h>

#include "basic/file.h"
#include "daemon/store-private.h"

void store_name(const Sha256 *digest, const char *suffix, char ret[static STORE_NAME_MAX]) {
        char hex[SHA256_HEX];

        sha256_to_hex(digest, hex);
        (void)snprintf(ret, STORE_NAME_MAX, "%s%s", hex, suffix);
}

bool store_part_is_open(const Store *s, const Sha256 *file_digest) {
        for (const StoreWriter *writer = LIST_FIRST(&s->writers); writer;
                        writer = LIST_NEXT(writer, link))
                if (!writer->shared && sha256_equal(&writer->release->file_digest, file_digest))
                        return true;
        return false;
}

int store_new(Sync *sync, int dirfd, uint64_t max_bytes, Store **ret) {
        Store *s;
        int r;

        r = folder_sweep_temporaries(dirfd);
        if (r < 0)
                return r;
        s = new0(Store, 1);
        if (!s)
                return -ENOMEM;
        *s = (Store){ .sync = sync, .dirfd = dirfd, .max_bytes = max_bytes };
        LIST_INIT(&s->pendings);
        LIST_INIT(&s->writers);
        *ret = s;
        return 0;
}

void store_use_reserve(Store *s, const Reserve *reserve) {
        s->reserve = reserve;
}

Store *store_free(Store *s) {
        StorePending *p;

        if (!s)
                return NULL;
        while ((p = LIST_FIRST(&s->pendings))) {
                LIST_REMOVE(p, link);
                (void)sync_job_forget(p->job);
                if (p->writer)
                        p->writer->pending = NULL;
                free(p);
        }
        free(s);
        return NULL;
}

void store_forget(Store *s, void *userdata) {
        for (StorePending *p = LIST_FIRST(&s->pendings); p; p = LIST_NEXT(p, link))
                if (p->userdata == userdata)
                        p->func = NULL;
}

bool store_has(Store *s, const Sha256 *digest) {
        char image[STORE_NAME_MAX], json[STORE_NAME_MAX];

        store_name(digest, "", image);
        store_name(digest, ".json", json);
        return faccessat(s->dirfd, image, R_OK, 0) == 0 && faccessat(s->dirfd, json, R_OK, 0) == 0;
}

static int release_read(const json_t *o, const char *name, Release **ret, Why *w) {
        uint64_t format = 0, length = 0;
        const char *target = NULL;
        json_t *custom = NULL;
        Sha256 digest;
        int r;

        r = json_get_uint(o, name, "format", 1, INT64_MAX, &format, w);
        if (r < 0)
                return r;
        if (format > STORE_FORMAT)
                return why(w, -EOPNOTSUPP,
                                "%s: format %llu is newer than this program, which knows %d", name,
                                (unsigned long long)format, STORE_FORMAT);
        r = json_get_string(o, name, "target", 512, &target, w);
        if (r == 0)
                r = json_get_uint(o, name, "length", 1, INT64_MAX, &length, w);
        if (r == 0)
                r = json_get_sha256(o, name, "sha256", &digest, w);
        if (r == 0)
                r = json_get_object(o, name, "custom", &custom, w);
        if (r == 0)
                r = release_parse(target, length, &digest, custom, ret, w);
        return r == -ENOENT ? why(w, -EBADMSG, "%s: it holds no release", name) : r;
}

int store_release(Store *s, const Sha256 *digest, Release **ret, Why *w) {
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_free_ char *bytes = NULL;
        _cleanup_json_ json_t *o = NULL;
        char name[STORE_NAME_MAX];
        size_t n;
        int r;

        store_name(digest, ".json", name);
        r = file_read(s->dirfd, name, STORE_JSON_MAX, &bytes, &n);
        if (r == -EFBIG)
                r = -EBADMSG;
        if (r < 0)
                return why(w, r, "%.12s.json: %s", name, strerror(-r));
        r = json_parse(bytes, n, &o, w);
        if (r == 0 && !json_is_object(o))
                r = why(w, -EBADMSG, "it is no object");
        if (r < 0)
                return why_prefix(w, r, "%s", name);
        r = release_read(o, name, &release, w);
        if (r < 0)
                return r;
        if (!sha256_equal(&release->image_digest, digest))
                return why(w, -EBADMSG, "%s: it tells of an image with another digest", name);
        *ret = TAKE_PTR(release);
        return 0;
}

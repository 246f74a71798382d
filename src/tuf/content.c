/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tuf/content.h"

#include <assert.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "basic/hex.h"

#define CLAUSE "TUF 5.7.3: "

typedef struct Digest {
        const char *kind; /* NULL: not asked for */
        EVP_MD_CTX *running;
        uint8_t wanted[EVP_MAX_MD_SIZE];
} Digest;

enum {
        SHA256,
        SHA512,
        _DIGESTS
};

struct TufContent {
        char *name;
        uint64_t length, seen;
        Digest digests[_DIGESTS];
};

static int begin(Digest *d, const json_t *hashes, const char *kind, const EVP_MD *type) {
        const char *hex = json_string_value(json_object_get(hashes, kind));

        if (!hex)
                return 0;
        if (hex_decode(hex, d->wanted, (size_t)EVP_MD_get_size(type)) < 0)
                return -EBADMSG;
        d->kind = kind;
        d->running = EVP_MD_CTX_new();
        if (d->running && EVP_DigestInit_ex(d->running, type, NULL) == 1)
                return 0;
        ERR_clear_error();
        return -ENOMEM;
}

int tuf_content_new(const TufTarget *target, TufContent **ret, Why *w) {
        _cleanup_(tuf_content_freep) TufContent *c = NULL;
        int r;

        assert(target && ret);
        c = new0(TufContent, 1);
        if (!c || free_and_strdup(&c->name, target->name) < 0)
                return why_oom(w);
        c->length = target->length;
        r = begin(&c->digests[SHA256], target->hashes, "sha256", EVP_sha256());
        if (r >= 0)
                r = begin(&c->digests[SHA512], target->hashes, "sha512", EVP_sha512());
        if (r == -ENOMEM)
                return why_oom(w);
        if (r < 0 || (!c->digests[SHA256].kind && !c->digests[SHA512].kind))
                return why(w, -EBADMSG, CLAUSE "%.100s: has no hash that can be checked", c->name);
        *ret = TAKE_PTR(c);
        return 0;
}

TufContent *tuf_content_free(TufContent *c) {
        if (!c)
                return NULL;
        for (size_t i = 0; i < _DIGESTS; i++)
                EVP_MD_CTX_free(c->digests[i].running);
        free(c->name);
        free(c);
        return NULL;
}

int tuf_content_update(TufContent *c, const void *bytes, size_t n, Why *w) {
        assert(c && (bytes || n == 0));
        if (n > c->length - c->seen)
                return why(w, -EFBIG, CLAUSE "%.100s: has more than %llu bytes", c->name,
                                (unsigned long long)c->length);
        c->seen += n;
        for (size_t i = 0; i < _DIGESTS; i++)
                if (c->digests[i].kind && EVP_DigestUpdate(c->digests[i].running, bytes, n) != 1) {
                        ERR_clear_error();
                        return why_oom(w);
                }
        return 0;
}

int tuf_content_finish(TufContent *c, Why *w) {
        assert(c);
        if (c->seen != c->length)
                return why(w, -EBADMSG, CLAUSE "%.100s: has %llu bytes, but %llu are promised",
                                c->name, (unsigned long long)c->seen,
                                (unsigned long long)c->length);
        for (size_t i = 0; i < _DIGESTS; i++) {
                Digest *d = &c->digests[i];
                uint8_t have[EVP_MAX_MD_SIZE];
                unsigned size;

                if (!d->kind)
                        continue;
                if (EVP_DigestFinal_ex(d->running, have, &size) != 1) {
                        ERR_clear_error();
                        return why_oom(w);
                }
                if (memcmp(have, d->wanted, size) != 0)
                        return why(w, -EBADMSG, CLAUSE "%.100s: has another %s than promised",
                                        c->name, d->kind);
        }
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verify: a signature counts when its key id is one of the role's, the key's id is that of its
 * content, and its bytes verify. Two ids of one public key count once. All else is no signature,
 * not an error. */
#include <assert.h>

#include "tuf/key.h"
#include "tuf/verify.h"

typedef struct Count {
        TufKey **keys;
        size_t n;
} Count;

static void count_done(Count *c) {
        for (size_t i = 0; i < c->n; i++)
                (void)tuf_key_free(c->keys[i]);
        free(c->keys);
}

/* Adds the key unless it is there. */
static void count_add(Count *c, TufKey *key) {
        for (size_t i = 0; i < c->n; i++)
                if (tuf_key_equal(c->keys[i], key)) {
                        (void)tuf_key_free(key);
                        return;
                }
        c->keys[c->n++] = key;
}

/* 0 whether it counted or not; < 0 only for -ENOMEM. */
static int count_signature(Count *c, const json_t *keys, const char *id, const char *signature,
                const TufMetadata *m) {
        const json_t *object = json_object_get(keys, id);
        _cleanup_(tuf_key_freep) TufKey *key = NULL;
        char real_id[TUF_KEYID_HEX];
        int r;

        if (!object)
                return 0;
        r = tuf_key_id(object, real_id, NULL);
        if (r >= 0 && !streq(real_id, id))
                return 0;
        if (r >= 0)
                r = tuf_key_new(object, &key, NULL);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        if (tuf_key_verify(key, signature, m->canonical, m->canonical_length))
                count_add(c, TAKE_PTR(key));
        return 0;
}

int tuf_verify_by(const TufSigners *signers, const TufMetadata *m, Why *w) {
        _cleanup_(count_done) Count c = {};
        const json_t *list;
        uint64_t threshold;

        assert(signers && m);
        list = json_object_get(signers->role, "keyids");
        threshold = (uint64_t)json_integer_value(json_object_get(signers->role, "threshold"));
        assert(threshold >= 1);
        c.keys = calloc(json_array_size(m->signatures) + 1, sizeof(c.keys[0]));
        if (!c.keys)
                return why_oom(w);
        for (size_t i = 0; i < json_array_size(m->signatures) && c.n < threshold; i++) {
                const json_t *o = json_array_get(m->signatures, i);
                const char *id = json_string_value(json_object_get(o, "keyid"));
                const char *signature = json_string_value(json_object_get(o, "sig"));
                int r;

                if (!json_has_string(list, id))
                        continue;
                r = count_signature(&c, signers->keys, id, signature, m);
                if (r < 0)
                        return why_oom(w);
        }
        if (c.n >= threshold)
                return 0;
        return why(w, -EKEYREJECTED, "%.100s: %zu good signatures of its keys, %llu are needed",
                        signers->name, c.n, (unsigned long long)threshold);
}

int tuf_verify(const TufMetadata *root, const TufMetadata *m, Why *w) {
        const char *name;

        assert(root && root->role == TUF_ROOT && m);
        name = tuf_role_to_string(m->role);
        return tuf_verify_by(
                        &(TufSigners){
                                        .keys = json_object_get(root->content, "keys"),
                                        .role = json_object_get(
                                                        json_object_get(root->content, "roles"),
                                                        name),
                                        .name = name,
                        },
                        m, w);
}

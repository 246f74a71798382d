/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signing: only good signatures are ever kept, so counting them is enough. */
#include <assert.h>

#include "basic/clock.h"
#include "repo/sign.h"
#include "tuf/canon.h"
#include "tuf/key.h"

#define SPEC_VERSION "1.0.34"

int signing_init(Signing *s, const TufSigners *signers, size_t n_signers, json_t *content, Why *w) {
        int r;

        assert(s && signers && n_signers >= 1 && n_signers <= SIGNERS_MAX && content);
        *s = (Signing){ .n_signers = n_signers };
        memcpy(s->signers, signers, n_signers * sizeof(*signers));
        r = canon_encode(content, &s->canonical, &s->canonical_length, w);
        if (r < 0)
                return r;
        s->content = json_incref(content);
        s->signatures = json_array();
        return s->signatures ? 0 : why_oom(w);
}

void signing_done(Signing *s) {
        json_decref(s->content);
        json_decref(s->signatures);
        free(s->canonical);
        *s = (Signing){};
}

/* The object of a key that may sign; NULL: none of theirs. */
static const json_t *find_key(const Signing *s, const char *id) {
        for (size_t i = 0; i < s->n_signers; i++)
                if (json_has_string(json_object_get(s->signers[i].role, "keyids"), id))
                        return json_object_get(s->signers[i].keys, id);
        return NULL;
}

bool signing_has(const Signing *s, const char *keyid) {
        for (size_t i = 0; i < json_array_size(s->signatures); i++)
                if (streq(json_string_value(json_object_get(
                                          json_array_get(s->signatures, i), "keyid")),
                                    keyid))
                        return true;
        return false;
}

static size_t count(const Signing *s, const TufSigners *signers) {
        const json_t *ids = json_object_get(signers->role, "keyids");
        size_t n = 0;

        for (size_t i = 0; i < json_array_size(ids); i++)
                n += signing_has(s, json_string_value(json_array_get(ids, i)));
        return n;
}

static size_t threshold(const TufSigners *signers) {
        return (size_t)json_integer_value(json_object_get(signers->role, "threshold"));
}

bool signing_is_complete(const Signing *s) {
        for (size_t i = 0; i < s->n_signers; i++)
                if (count(s, &s->signers[i]) < threshold(&s->signers[i]))
                        return false;
        return true;
}

static int put(Signing *s, const char *id, const char *signature) {
        return json_array_append_new(
                        s->signatures, json_pack("{s:s, s:s}", "keyid", id, "sig", signature));
}

int signing_take(Signing *s, const json_t *signatures, Why *w) {
        int n = 0, r;

        assert(s);
        for (size_t i = 0; i < json_array_size(signatures); i++) {
                const json_t *o = json_array_get(signatures, i);
                const char *id = json_string_value(json_object_get(o, "keyid"));
                const char *sig = json_string_value(json_object_get(o, "sig"));
                const json_t *object = id ? find_key(s, id) : NULL;
                _cleanup_(tuf_key_freep) TufKey *key = NULL;

                if (!object || !sig || signing_has(s, id))
                        continue;
                r = tuf_key_new(object, &key, w);
                if (r == -ENOMEM)
                        return r;
                if (r < 0 || !tuf_key_verify(key, sig, s->canonical, s->canonical_length))
                        continue;
                if (put(s, id, sig) < 0)
                        return why_oom(w);
                n++;
        }
        return n;
}

static int sign_by(Signing *s, const char *id, const PrivateKey *key, Why *w) {
        _cleanup_free_ char *signature = NULL;
        int r;

        r = private_key_sign(key, s->canonical, s->canonical_length, &signature, w);
        if (r < 0)
                return r;
        return put(s, id, signature) < 0 ? why_oom(w) : 0;
}

static int sign_for(Signing *s, const TufSigners *signers, Keyring *ring, Why *w) {
        const json_t *ids = json_object_get(signers->role, "keyids");
        int r;

        for (size_t i = 0; i < json_array_size(ids); i++) {
                const char *id = json_string_value(json_array_get(ids, i));
                const PrivateKey *key;

                if (count(s, signers) >= threshold(signers))
                        return 0;
                if (signing_has(s, id))
                        continue;
                r = keyring_find(ring, signers->name, id, &key, w);
                if (r == -ENOENT)
                        continue;
                if (r >= 0)
                        r = sign_by(s, id, key, w);
                if (r < 0)
                        return r;
        }
        return 0;
}

int signing_sign(Signing *s, Keyring *ring, Why *w) {
        int r = 0;

        assert(s && ring);
        for (size_t i = 0; r >= 0 && i < s->n_signers; i++)
                r = sign_for(s, &s->signers[i], ring, w);
        return r;
}

int signing_sign_named(Signing *s, Keyring *ring, Why *w) {
        int n = 0, r;

        assert(s && ring);
        r = keyring_load_names(ring, w);
        for (size_t i = 0; r >= 0 && i < ring->n_loaded; i++) {
                const LoadedKey *loaded = &ring->loaded[i];

                if (!find_key(s, loaded->id) || signing_has(s, loaded->id))
                        continue;
                r = sign_by(s, loaded->id, loaded->key, w);
                n++;
        }
        return r < 0 ? r : n;
}

/* "role: 1 of 2 signatures; keys that could sign: 0123456789abcdef ..." */
static int incomplete(const Signing *s, const TufSigners *signers, Why *w) {
        const json_t *ids = json_object_get(signers->role, "keyids");
        char text[200] = "";
        size_t n = 0;

        for (size_t i = 0; i < json_array_size(ids) && n + 20 < sizeof(text); i++) {
                const char *id = json_string_value(json_array_get(ids, i));

                if (!signing_has(s, id))
                        n += (size_t)snprintf(text + n, sizeof(text) - n, " %.16s", id);
        }
        return why(w, -EKEYREJECTED, "%s has %zu of %zu signatures; these keys have not signed:%s",
                        signers->name, count(s, signers), threshold(signers),
                        *text ? text : " (none is left)");
}

int signing_check(const Signing *s, Keyring *ring, Why *w) {
        for (size_t i = 0; i < s->n_signers; i++) {
                const TufSigners *signers = &s->signers[i];
                const json_t *ids = json_object_get(signers->role, "keyids");
                const PrivateKey *key;

                if (count(s, signers) >= threshold(signers))
                        continue;
                /* One key, and it is not here: where it was looked for is the better answer. */
                if (ring && json_array_size(ids) == 1 && threshold(signers) == 1)
                        if (keyring_find(ring, signers->name,
                                            json_string_value(json_array_get(ids, 0)), &key, w) < 0)
                                return -EKEYREJECTED;
                return incomplete(s, signers, w);
        }
        return 0;
}

json_t *signing_document(const Signing *s) {
        return json_pack("{s:O, s:O}", "signed", s->content, "signatures", s->signatures);
}

json_t *new_content(TufRole role, uint64_t version, int64_t expires) {
        char text[RFC3339_MAX];

        rfc3339_format(expires, text);
        return json_pack("{s:s, s:s, s:I, s:s}", "_type", tuf_role_to_string(role), "spec_version",
                        SPEC_VERSION, "version", (json_int_t)version, "expires", text);
}

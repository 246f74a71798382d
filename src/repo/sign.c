/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signing of metadata with the key file of a role. */
#include <assert.h>
#include <fcntl.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "basic/hex.h"
#include "repo/key-file.h"
#include "repo/verbs.h"
#include "tuf/canon.h"
#include "tuf/key.h"

#define SPEC_VERSION "1.0.34"

/* DIR/keys/ROLE.pem, else KEYS/ROLE.pem. *ret_path: a new string. */
static int load_key(const Signer *s, TufRole role, PrivateKey **ret, char **ret_path, Why *w) {
        _cleanup_free_ char *path = NULL;
        int dirfd = s->repo->fd, r;

        if (asprintf(&path, REPO_KEYS "/%s.pem", tuf_role_to_string(role)) < 0) {
                path = NULL;
                return why_oom(w);
        }
        if (s->keys && faccessat(s->repo->fd, path, F_OK, 0) < 0) {
                free(path);
                dirfd = AT_FDCWD;
                if (asprintf(&path, "%s/%s.pem", s->keys, tuf_role_to_string(role)) < 0) {
                        path = NULL;
                        return why_oom(w);
                }
        }
        if (!s->keys && faccessat(dirfd, path, F_OK, 0) < 0 && errno == ENOENT)
                return why(w, -ENOENT, "%s: is not there; name the folder that has it with --keys",
                                path);
        r = private_key_load(dirfd, path, ret, w);
        if (r >= 0)
                *ret_path = TAKE_PTR(path);
        return r;
}

static int key_id(const PrivateKey *key, char ret[static TUF_KEYID_HEX], Why *w) {
        _cleanup_json_ json_t *object = NULL;
        int r;

        r = private_key_to_json(key, &object, w);
        return r < 0 ? r : tuf_key_id(object, ret, w);
}

static bool role_has_key(const json_t *root, TufRole role, const char *id) {
        const json_t *roles = json_object_get(root, "roles");
        const json_t *ids =
                        json_object_get(json_object_get(roles, tuf_role_to_string(role)), "keyids");

        for (size_t i = 0; i < json_array_size(ids); i++)
                if (streq(json_string_value(json_array_get(ids, i)), id))
                        return true;
        return false;
}

static int sign(const PrivateKey *key, const json_t *content,
                char ret[static 2 * SIGNATURE_BYTES + 1], Why *w) {
        _cleanup_free_ char *canonical = NULL;
        uint8_t signature[SIGNATURE_BYTES];
        size_t n;
        int r;

        r = canon_encode(content, &canonical, &n, w);
        if (r < 0)
                return r;
        r = private_key_sign(key, canonical, n, signature, w);
        if (r < 0)
                return r;
        hex_encode(signature, sizeof(signature), ret);
        return 0;
}

int sign_metadata(const Signer *s, TufRole role, const json_t *content, json_t **ret, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        char id[TUF_KEYID_HEX], signature[2 * SIGNATURE_BYTES + 1];
        _cleanup_free_ char *path = NULL;
        int r;

        assert(s && s->root && content && ret);
        r = load_key(s, role, &key, &path, w);
        if (r < 0)
                return r;
        r = key_id(key, id, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        if (!role_has_key(s->root, role, id))
                return why(w, -EKEYREJECTED, "%s: is not the key that the root names for %s", path,
                                tuf_role_to_string(role));
        r = sign(key, content, signature, w);
        if (r < 0)
                return r;
        *ret = json_pack("{s:O, s:[{s:s, s:s}]}", "signed", (json_t *)content, "signatures",
                        "keyid", id, "sig", signature);
        return *ret ? 0 : why_oom(w);
}

json_t *new_content(TufRole role, uint64_t version, int64_t expires) {
        char text[RFC3339_MAX];

        rfc3339_format(expires, text);
        return json_pack("{s:s, s:s, s:I, s:s}", "_type", tuf_role_to_string(role), "spec_version",
                        SPEC_VERSION, "version", (json_int_t)version, "expires", text);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Metadata: parsing. Everything that later code reads without looking twice is checked here
 * once: what is behind the typed fields of TufMetadata, the "meta" entries, the shape of root's
 * roles and of each target. Unknown members are allowed (specification 4.1). */
#include <assert.h>
#include <ctype.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "basic/clock.h"
#include "basic/hex.h"
#include "tuf/canon.h"
#include "tuf/delegation.h"
#include "tuf/metadata.h"

#define KEYS_MAX       256
#define SIGNATURES_MAX 1024
#define TEXT_MAX       4096

const char *tuf_role_to_string(TufRole role) {
        static const char *const names[_TUF_ROLE_MAX] = {
                [TUF_ROOT] = "root",
                [TUF_TIMESTAMP] = "timestamp",
                [TUF_SNAPSHOT] = "snapshot",
                [TUF_TARGETS] = "targets",
        };

        assert(role >= 0 && role < _TUF_ROLE_MAX);
        return names[role];
}

/* --- shape ------------------------------------------------------------------------------------ */

static int check_hashes(const json_t *hashes, Why *w) {
        const char *key;
        json_t *value;

        if (!json_is_object(hashes) || json_object_size(hashes) == 0)
                return why(w, -EBADMSG, "\"hashes\" has to be an object with at least one digest");
        json_object_foreach((json_t *)hashes, key, value) {
                if (!json_is_string(value))
                        return why(w, -EBADMSG, "\"hashes\": \"%.40s\" has to be a string", key);
        }
        return 0;
}

static int check_meta_entry(const json_t *entry, bool is_target, Why *w) {
        const json_t *hashes = json_object_get(entry, "hashes");
        uint64_t number;
        int r;

        if (!json_is_object(entry))
                return why(w, -EBADMSG, "has to be an object");
        r = is_target ? json_get_uint(entry, "entry", "length", 0, INT64_MAX, &number, w)
                      : json_get_uint_opt(entry, "entry", "length", 1, INT64_MAX, &number, w);
        if (r < 0)
                return r;
        if (!is_target) {
                r = json_get_uint(entry, "entry", "version", 1, INT64_MAX, &number, w);
                if (r < 0)
                        return r;
        }
        if (hashes || is_target) {
                r = check_hashes(hashes, w);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_entries(const json_t *signed_, const char *member, bool are_targets, Why *w) {
        json_t *entries, *entry;
        const char *name;
        int r;

        r = json_get_object(signed_, "signed", member, &entries, w);
        if (r < 0)
                return r;
        json_object_foreach(entries, name, entry) {
                r = check_meta_entry(entry, are_targets, w);
                if (r < 0)
                        return why_prefix(w, r, "\"%.100s\"", name);
        }
        return 0;
}

int tuf_signers_check(const json_t *role, const char *where, Why *w) {
        uint64_t threshold;
        json_t *list;
        int r;

        r = json_get_array(role, where, "keyids", KEYS_MAX, &list, w);
        if (r < 0)
                return r;
        r = json_get_uint(role, where, "threshold", 1, INT64_MAX, &threshold, w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *id = json_string_value(json_array_get(list, i));

                if (!id)
                        return why(w, -EBADMSG, "%s: each key id has to be a string", where);
                for (size_t k = 0; k < i; k++)
                        if (streq(json_string_value(json_array_get(list, k)), id))
                                return why(w, -EBADMSG, "%s: key id %.64s stands twice", where, id);
        }
        return 0;
}

static int check_root(const json_t *signed_, Why *w) {
        json_t *keys, *roles, *role;
        bool consistent;
        int r;

        r = json_get_bool_opt(signed_, "signed", "consistent_snapshot", &consistent, w);
        if (r < 0)
                return r;
        r = json_get_object(signed_, "signed", "keys", &keys, w);
        if (r < 0)
                return r;
        if (json_object_size(keys) > KEYS_MAX)
                return why(w, -EBADMSG, "more than %d keys", KEYS_MAX);
        r = json_get_object(signed_, "signed", "roles", &roles, w);
        if (r < 0)
                return r;
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++) {
                const char *name = tuf_role_to_string(i);

                r = json_get_object(roles, "roles", name, &role, w);
                if (r < 0)
                        return r;
                r = tuf_signers_check(role, name, w);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int check_timestamp(const json_t *signed_, Why *w) {
        int r;

        r = check_entries(signed_, "meta", false, w);
        if (r < 0)
                return r;
        if (!json_object_get(json_object_get(signed_, "meta"), "snapshot.json"))
                return why(w, -EBADMSG, "\"meta\" has to list snapshot.json");
        return 0;
}

static int check_snapshot(const json_t *signed_, Why *w) {
        return check_entries(signed_, "meta", false, w);
}

static int check_targets(const json_t *signed_, Why *w) {
        const json_t *delegations = json_object_get(signed_, "delegations");
        int r;

        r = check_entries(signed_, "targets", true, w);
        return r < 0 || !delegations ? r : delegations_check(delegations, w);
}

static int check_header(TufMetadata *m, Why *w) {
        const char *type, *spec, *expires;
        int r;

        r = json_get_string(m->content, "signed", "_type", 64, &type, w);
        if (r < 0)
                return r;
        if (!streq(type, tuf_role_to_string(m->role)))
                return why(w, -EBADMSG, "\"_type\" is %s; it has to be %s", type,
                                tuf_role_to_string(m->role));
        r = json_get_string(m->content, "signed", "spec_version", 32, &spec, w);
        if (r < 0)
                return r;
        if (!startswith(spec, "1.") || !isdigit((unsigned char)spec[2]) ||
                        spec[strspn(spec, "0123456789.")] != '\0')
                return why(w, -EBADMSG, "\"spec_version\" is %s; 1.x is understood", spec);
        r = json_get_uint(m->content, "signed", "version", 1, INT64_MAX, &m->version, w);
        if (r < 0)
                return r;
        r = json_get_string(m->content, "signed", "expires", 64, &expires, w);
        if (r < 0)
                return r;
        if (rfc3339_parse(expires, &m->expires) < 0)
                return why(w, -EBADMSG, "\"expires\" is %s; it has to be like 2031-12-31T12:00:00Z",
                                expires);
        return 0;
}

static int check_signatures(const json_t *list, Why *w) {
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *o = json_array_get(list, i);
                const char *id = json_string_value(json_object_get(o, "keyid"));

                if (!id || !json_is_string(json_object_get(o, "sig")))
                        return why(w, -EBADMSG, "each signature has to have \"keyid\" and \"sig\"");
                for (size_t k = 0; k < i; k++)
                        if (streq(json_string_value(json_object_get(
                                                  json_array_get(list, k), "keyid")),
                                            id))
                                return why(w, -EBADMSG, "two signatures of key id %.64s", id);
        }
        return 0;
}

static int parse(TufMetadata *m, const void *bytes, size_t n, Why *w) {
        static int (*const checks[_TUF_ROLE_MAX])(const json_t *signed_, Why *w) = {
                [TUF_ROOT] = check_root,
                [TUF_TIMESTAMP] = check_timestamp,
                [TUF_SNAPSHOT] = check_snapshot,
                [TUF_TARGETS] = check_targets,
        };
        json_t *o;
        int r;

        r = json_parse(bytes, n, &m->document, w);
        if (r < 0)
                return r;
        r = json_get_array(m->document, "file", "signatures", SIGNATURES_MAX, &o, w);
        if (r < 0)
                return r;
        m->signatures = o;
        r = json_get_object(m->document, "file", "signed", &o, w);
        if (r < 0)
                return r;
        m->content = o;
        r = check_header(m, w);
        if (r < 0)
                return r;
        r = checks[m->role](m->content, w);
        if (r < 0)
                return r;
        r = check_signatures(m->signatures, w);
        if (r < 0)
                return r;
        return canon_encode(m->content, &m->canonical, &m->canonical_length, w);
}

int tuf_metadata_new(TufRole role, const void *bytes, size_t n, TufMetadata **ret, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        int r;

        assert(role >= 0 && role < _TUF_ROLE_MAX && (bytes || n == 0) && ret);
        m = new0(TufMetadata, 1);
        if (!m)
                return why_oom(w);
        m->role = role;
        r = parse(m, bytes ?: "", n, w);
        if (r < 0)
                return why_prefix(w, r, "%s", tuf_role_to_string(role));
        *ret = TAKE_PTR(m);
        return 0;
}

TufMetadata *tuf_metadata_free(TufMetadata *m) {
        if (!m)
                return NULL;
        json_decref(m->document);
        free(m->canonical);
        free(m);
        return NULL;
}

int tuf_metadata_find(const TufMetadata *m, const char *name, TufMeta *ret) {
        const json_t *entry, *length;

        assert(m && name && ret);
        entry = json_object_get(json_object_get(m->content, "meta"), name);
        if (!entry)
                return -ENOENT;
        length = json_object_get(entry, "length");
        *ret = (TufMeta){
                .version = (uint64_t)json_integer_value(json_object_get(entry, "version")),
                .length = json_is_integer(length) ? (uint64_t)json_integer_value(length)
                                                  : UINT64_MAX,
                .hashes = json_object_get(entry, "hashes"),
        };
        return 0;
}

/* 1: equal, 0: not. */
static int hash_is(const EVP_MD *type, const char *hex, const void *bytes, size_t n) {
        uint8_t have[EVP_MAX_MD_SIZE], want[EVP_MAX_MD_SIZE];
        unsigned size;

        if (EVP_Digest(bytes, n, have, &size, type, NULL) != 1) {
                ERR_clear_error();
                return -EIO;
        }
        return hex_decode(hex, want, size) >= 0 && memcmp(have, want, size) == 0;
}

int tuf_meta_check(const TufMeta *meta, const char *name, const void *bytes, size_t n, Why *w) {
        const struct {
                const char *name;
                const EVP_MD *type;
        } known[] = { { "sha256", EVP_sha256() }, { "sha512", EVP_sha512() } };
        unsigned checked = 0;

        if (meta->length != UINT64_MAX && meta->length != n)
                return why(w, -EBADMSG, "%s: has %zu bytes, but %llu are promised", name, n,
                                (unsigned long long)meta->length);
        if (!meta->hashes)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                const char *hex = json_string_value(json_object_get(meta->hashes, known[i].name));
                int r;

                if (!hex)
                        continue;
                r = hash_is(known[i].type, hex, bytes, n);
                if (r < 0)
                        return why(w, r, "%s: its %s cannot be computed", name, known[i].name);
                if (r == 0)
                        return why(w, -EBADMSG, "%s: has another %s than promised", name,
                                        known[i].name);
                checked++;
        }
        if (checked == 0)
                return why(w, -EBADMSG, "%s: no hash of a kind known here (sha256, sha512)", name);
        return 0;
}

int tuf_metadata_check_rollback(const TufMetadata *old, const TufMetadata *new, Why *w) {
        json_t *entries = json_object_get(old->content, "meta"), *entry;
        const char *name;

        json_object_foreach(entries, name, entry) {
                TufMeta before, after;

                (void)tuf_metadata_find(old, name, &before);
                if (tuf_metadata_find(new, name, &after) < 0)
                        return why(w, -ESTALE, "%s: \"%.100s\" was listed before and is gone",
                                        tuf_role_to_string(new->role), name);
                if (after.version < before.version)
                        return why(w, -ESTALE, "%s: version of \"%.100s\" fell from %llu to %llu",
                                        tuf_role_to_string(new->role), name,
                                        (unsigned long long)before.version,
                                        (unsigned long long)after.version);
        }
        return 0;
}

bool tuf_root_is_consistent(const TufMetadata *root) {
        return json_is_true(json_object_get(root->content, "consistent_snapshot"));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Targets: what the trusted roles list, and where it lies. A target is what the search for its name
 * finds; the same name further down counts for nothing. */
#include <assert.h>
#include <ctype.h>

#include "tuf/updater-private.h"

#define SHA512_HEX_DIGITS 128

static bool is_sha512(const char *hex) {
        size_t n = 0;

        while (isxdigit((unsigned char)hex[n]))
                n++;
        return n == SHA512_HEX_DIGITS && hex[n] == '\0';
}

static const char *hash_of(const json_t *hashes, const char *kind) {
        return json_string_value(json_object_get(hashes, kind));
}

/* -ENOENT when it has no hash of a kind known here: this client cannot check such a file. */
static int read_target(const Search *s, TufTarget *ret) {
        json_t *targets = json_object_get(s->found->content, "targets");
        void *i = json_object_iter_at(targets, s->path);
        const json_t *entry = json_object_iter_value(i);
        const char *sha256, *sha512;

        *ret = (TufTarget){
                .name = json_object_iter_key(i),
                .role = s->found_role,
                .length = (uint64_t)json_integer_value(json_object_get(entry, "length")),
                .hashes = json_object_get(entry, "hashes"),
                .custom = json_object_get(entry, "custom"),
        };
        sha256 = hash_of(ret->hashes, "sha256");
        sha512 = hash_of(ret->hashes, "sha512");
        ret->has_sha256 = sha256 && sha256_from_hex(sha256, &ret->digest) >= 0;
        if (sha256 && !ret->has_sha256)
                return -ENOENT;
        if (sha512 ? !is_sha512(sha512) : !ret->has_sha256)
                return -ENOENT;
        return 0;
}

static int tell_targets(const Updater *u, const TufMetadata *m, Search *s,
                int (*func)(const TufTarget *target, void *userdata), void *userdata) {
        TufTarget target;
        const char *name;
        json_t *entry;
        int r;

        json_object_foreach(json_object_get(m->content, "targets"), name, entry) {
                if (walk_search(u, s, name) != SEARCH_FOUND || s->found != m)
                        continue;
                if (read_target(s, &target) < 0)
                        continue;
                r = func(&target, userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

int updater_foreach_target(
                Updater *u, int (*func)(const TufTarget *target, void *userdata), void *userdata) {
        Search s = { .budget = TUF_BUDGET };
        int r;

        assert(u && func && u->step == UPDATER_DONE);
        r = tell_targets(u, u->trusted[TUF_TARGETS], &s, func, userdata);
        for (size_t i = 0; i < u->n_loaded && r >= 0; i++)
                r = tell_targets(u, u->loaded[i].metadata, &s, func, userdata);
        return r;
}

int updater_find_target(Updater *u, const char *name, TufTarget *ret) {
        TufTarget target;
        Search s = { .budget = TUF_BUDGET };

        assert(u && name && ret && u->step == UPDATER_DONE);
        if (walk_search(u, &s, name) != SEARCH_FOUND || read_target(&s, &target) < 0)
                return -ENOENT;
        *ret = target;
        return 0;
}

UpdaterError updater_missing(const Updater *u, const char *name, Why *ret_why) {
        TufTarget target;
        Search s = { .budget = TUF_BUDGET };

        assert(u && name && u->step == UPDATER_DONE);
        switch (walk_search(u, &s, name)) {
        case SEARCH_FOUND:
                if (read_target(&s, &target) >= 0)
                        return UPDATER_OK;
                (void)why(ret_why, 0,
                                "TUF 5.7.3: %.100s: has no hash of a kind known here (sha256, sha512)",
                                name);
                return UPDATER_E_METADATA;
        case SEARCH_REFUSED:
                if (ret_why)
                        *ret_why = s.edge->why;
                return s.edge->error;
        case SEARCH_NEEDS:
                (void)why(ret_why, 0,
                                "TUF 5.6.7.1: %.100s: not found in the %d delegated roles that are looked at",
                                name, TUF_EDGES_MAX);
                return UPDATER_E_NOT_FOUND;
        default:
                (void)why(ret_why, 0,
                                s.is_cut ? "TUF 5.6.7.1: %.100s: not found in the first %d roles"
                                         : "TUF 5.7.2: %.100s: there is no such target in the %d roles that may list it",
                                name, (int)s.n);
                return UPDATER_E_NOT_FOUND;
        }
}

/* Segments between slashes that are neither empty nor "." nor "..": what can be looked up below
 * a folder. */
static bool is_plain_path(const char *p) {
        for (;;) {
                size_t n = strcspn(p, "/");

                if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return false;
                if (p[n] == '\0')
                        return true;
                p += n + 1;
        }
}

int updater_target_path(const Updater *u, const TufTarget *target, char **ret) {
        const char *slash, *file, *hash;
        char hex[SHA256_HEX];
        char *path;

        assert(u && target && ret);
        if (!is_plain_path(target->name))
                return -EBADMSG;
        slash = strrchr(target->name, '/');
        file = slash ? slash + 1 : target->name;
        sha256_to_hex(&target->digest, hex);
        hash = target->has_sha256 ? hex : hash_of(target->hashes, "sha512");
        if (!updater_is_consistent(u))
                path = strdup(target->name);
        else if (asprintf(&path, "%.*s%s.%s", (int)(file - target->name), target->name, hash,
                                 file) < 0)
                path = NULL;
        if (!path)
                return -ENOMEM;
        *ret = path;
        return 0;
}

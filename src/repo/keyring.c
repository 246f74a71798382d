/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keyring: names of files by rule, so that no list of them has to be kept and a folder of keys
 * can be carried away and named again. */
#include <assert.h>
#include <fcntl.h>

#include "repo/keyring.h"
#include "repo/repo.h"

#define PATH_BYTES 4096

int private_key_id(const PrivateKey *key, char ret[static TUF_KEYID_HEX], Why *w) {
        _cleanup_json_ json_t *object = NULL;
        int r;

        r = private_key_to_json(key, &object, w);
        return r < 0 ? r : tuf_key_id(object, ret, w);
}

void keyring_done(Keyring *ring) {
        assert(ring);
        for (size_t i = 0; i < ring->n_loaded; i++) {
                (void)private_key_free(ring->loaded[i].key);
                free(ring->loaded[i].name);
        }
        free(ring->loaded);
        secrets_done(&ring->secrets);
        ring->loaded = NULL;
        ring->n_loaded = 0;
}

static int load(Keyring *ring, int dirfd, const char *name, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        LoadedKey *more;
        int r;

        r = private_key_load(dirfd, name, &ring->secrets, &key, w);
        if (r < 0)
                return r;
        more = reallocarray(ring->loaded, ring->n_loaded + 1, sizeof(*more));
        if (!more)
                return why_oom(w);
        ring->loaded = more;
        more[ring->n_loaded] = (LoadedKey){ .dirfd = dirfd };
        r = private_key_id(key, more[ring->n_loaded].id, w);
        if (r < 0)
                return r;
        if (free_and_strdup(&more[ring->n_loaded].name, name) < 0)
                return why_oom(w);
        more[ring->n_loaded++].key = TAKE_PTR(key);
        return 0;
}

int keyring_load_names(Keyring *ring, Why *w) {
        int r;

        assert(ring);
        for (size_t i = 0; !ring->are_names_loaded && i < ring->n_names; i++) {
                r = load(ring, AT_FDCWD, ring->names[i], w);
                if (r < 0)
                        return r;
        }
        ring->are_names_loaded = true;
        return 0;
}

static const PrivateKey *find_loaded(const Keyring *ring, const char *id) {
        for (size_t i = 0; i < ring->n_loaded; i++)
                if (streq(ring->loaded[i].id, id))
                        return ring->loaded[i].key;
        return NULL;
}

static bool is_loaded(const Keyring *ring, int dirfd, const char *name) {
        for (size_t i = 0; i < ring->n_loaded; i++)
                if (ring->loaded[i].dirfd == dirfd && streq(ring->loaded[i].name, name))
                        return true;
        return false;
}

void key_file_path(const char *role, const char *id, char *ret, size_t size) {
        (void)snprintf(ret, size, REPO_KEYS "/%s-%.*s.pem", role, KEY_FILE_DIGITS, id);
}

/* The i-th place where a key may lie; false: no more. *ret_dirfd goes with it. */
static bool place(const Keyring *ring, const char *role, const char *id, size_t i, int *ret_dirfd,
                char ret[static PATH_BYTES]) {
        size_t folder = i / 2;

        if (ring->repo_fd < 0)
                folder++;
        if (folder > ring->n_folders)
                return false;
        *ret_dirfd = folder == 0 ? ring->repo_fd : AT_FDCWD;
        (void)snprintf(ret, PATH_BYTES, i % 2 == 0 ? "%s/%s-%.*s.pem" : "%s/%s.pem",
                        folder == 0 ? REPO_KEYS : ring->folders[folder - 1], role, KEY_FILE_DIGITS,
                        id);
        return true;
}

bool keyring_has(const Keyring *ring, const char *role, const char *id) {
        char path[PATH_BYTES];
        int dirfd;

        assert(ring && role && id);
        if (find_loaded(ring, id))
                return true;
        for (size_t i = 0; place(ring, role, id, i, &dirfd, path); i++)
                if (faccessat(dirfd, path, F_OK, 0) == 0)
                        return true;
        return false;
}

static int not_here(const Keyring *ring, const char *role, const char *id, Why *w) {
        char path[PATH_BYTES];

        if (ring->n_folders > 0)
                (void)snprintf(path, sizeof(path), "%s/%s.pem", ring->folders[0], role);
        else
                (void)snprintf(path, sizeof(path), REPO_KEYS "/%s.pem", role);
        return why(w, -ENOENT,
                        "%s: is not there (key %.16s); name the folder that has it with --keys, or "
                        "the key with --key",
                        path, id);
}

int keyring_find(Keyring *ring, const char *role, const char *id, const PrivateKey **ret, Why *w) {
        bool is_other = false;
        char path[PATH_BYTES], other[PATH_BYTES] = "";
        int dirfd, r;

        assert(ring && role && id && ret);
        r = keyring_load_names(ring, w);
        if (r < 0)
                return r;
        *ret = find_loaded(ring, id);
        for (size_t i = 0; !*ret && place(ring, role, id, i, &dirfd, path); i++) {
                if (faccessat(dirfd, path, F_OK, 0) < 0)
                        continue;
                /* Once: ROLE.pem may be another key of the role, and ask for a passphrase. */
                r = is_loaded(ring, dirfd, path) ? 0 : load(ring, dirfd, path, w);
                if (r < 0)
                        return r;
                *ret = find_loaded(ring, id);
                if (!*ret) {
                        is_other = true;
                        (void)snprintf(other, sizeof(other), "%s", path);
                }
        }
        if (*ret)
                return 0;
        if (is_other)
                return why(w, -ENOENT, "%.200s: is not the key that the root names for %s (%.16s)",
                                other, role, id);
        return not_here(ring, role, id, w);
}

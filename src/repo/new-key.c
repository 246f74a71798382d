/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New keys: the passphrase is asked for when the key is there, so that nothing is typed in vain. */
#include <assert.h>
#include <fcntl.h>

#include <openssl/crypto.h>

#include "basic/file.h"
#include "image/release.h"
#include "repo/key-pkcs11.h"
#include "repo/new-key.h"
#include "repo/verbs.h"

#define STAGED_MAX (16 * 1024 * 1024) /* more than either file can have */

int option_new_key(NewKey *k, int c, const char *value) {
        switch (c) {
        case 1011:
                k->is_type_named = true;
                return option_type(value, &k->type);
        case 1012:
                k->encrypt = true;
                return 0;
        default:
                return -1;
        }
}

int check_new_key(const NewKey *k, const char *name) {
        assert(k);
        if (name && (k->is_type_named || k->encrypt))
                return wrong_usage("%s is for a key that is made here, and %s is one already",
                                k->encrypt ? "--encrypt" : "--type", name);
        if (!name && !k->encrypt && k->secrets->n_files > 0)
                return wrong_usage("--passphrase-file is for a key that is encrypted; say "
                                   "--encrypt too, or leave it out");
        return 0;
}

static int check_uri(const NewKey *k, Why *w) {
        if (startswith(k->uri, PKCS11_SCHEME))
                return 0;
        return why(w, -EINVAL, "%s: is no pkcs11: URI; a key is made here or lies in a token",
                        k->uri);
}

int new_key_get(const NewKey *k, PrivateKey **ret, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        int r;

        assert(k && ret);
        if (!k->uri)
                return private_key_generate(k->type, ret, w);
        r = check_uri(k, w);
        if (r >= 0)
                r = private_key_load(-1, k->uri, k->secrets, &key, w);
        if (r < 0)
                return r;
        if (k->is_for_devices && private_key_device_algorithm(key) == RKD_ALGORITHM_NONE)
                return why(w, -EINVAL, "%.*s: devices check Ed25519 and P-256 only",
                                (int)pkcs11_shown(k->uri), k->uri);
        *ret = TAKE_PTR(key);
        return 0;
}

typedef int (*Writer)(
                const PrivateKey *key, int dirfd, const char *path, const char *passphrase, Why *w);

static int save(const NewKey *k, const PrivateKey *key, int dirfd, const char *path, Writer write,
                Why *w) {
        bool is_encrypted = k->encrypt && !k->uri;
        char passphrase[SECRET_MAX];
        int r = 0;

        assert(key && path);
        if (is_encrypted)
                r = secrets_new(k->secrets, path, passphrase, w);
        if (r >= 0)
                r = write(key, dirfd, path, is_encrypted ? passphrase : NULL, w);
        OPENSSL_cleanse(passphrase, sizeof(passphrase));
        return r;
}

int new_key_save(const NewKey *k, const PrivateKey *key, int dirfd, const char *path, Why *w) {
        return save(k, key, dirfd, path, private_key_save, w);
}

int new_key_replace(const NewKey *k, const PrivateKey *key, int dirfd, const char *path, Why *w) {
        return save(k, key, dirfd, path, private_key_replace, w);
}

int new_key_pair(const NewKey *k, int dirfd, const char *private, const char *public,
                PrivateKey **ret, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        int r;

        assert(k && private && public && ret);
        if (faccessat(dirfd, private, F_OK, 0) == 0 && faccessat(dirfd, public, F_OK, 0) < 0)
                r = private_key_load(dirfd, private, k->secrets, &key, w);
        else {
                r = new_key_get(k, &key, w);
                if (r >= 0)
                        r = new_key_save(k, key, dirfd, private, w);
        }
        if (r >= 0)
                r = private_key_save_public(key, dirfd, public, w);
        if (r >= 0)
                *ret = TAKE_PTR(key);
        return r;
}

static int read_file(const NewKey *k, const char *path, json_t **ret, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        int r;

        r = public_key_read(AT_FDCWD, path, ret, w);
        if (r != -EBADMSG)
                return r;
        r = private_key_load(AT_FDCWD, path, k->secrets, &key, w);
        if (r == -EBADMSG)
                return why(w, r, "%s: is no key in PEM, neither a public nor a private one", path);
        return r < 0 ? r : private_key_to_json(key, ret, w);
}

/* The file is there before anything names the key. */
static int save_own(NewKey *k, int repo_fd, const char *role, const PrivateKey *key, Why *w) {
        char path[NEW_KEY_PATH];
        int r;

        r = private_key_id(key, k->made_id, w);
        if (r < 0)
                return r;
        key_file_path(role, k->made_id, path, sizeof(path));
        if (k->uri && faccessat(repo_fd, path, F_OK, 0) == 0)
                return 0;
        r = folder_make(repo_fd, REPO_KEYS, 0700);
        if (r < 0)
                return why(w, r, REPO_KEYS ": %s", strerror(-r));
        r = new_key_save(k, key, repo_fd, path, w);
        if (r < 0 && r != -EEXIST) /* it may be there all the same */
                (void)unlinkat(repo_fd, path, 0);
        if (r >= 0)
                (void)snprintf(k->made, sizeof(k->made), "%s", path);
        return r;
}

/* Also when it cannot be told: what is written may be there although that was not seen to
 * succeed. */
static bool may_be_staged(int repo_fd, const char *id) {
        static const char *const files[] = { REPO_INDEX, REPO_STAGE "/next-root.json" };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *text = NULL;
                size_t n;
                int r = file_read(repo_fd, files[i], STAGED_MAX, &text, &n);

                if (r != -ENOENT && (r < 0 || memmem(text, n, id, strlen(id))))
                        return true;
        }
        return false;
}

void new_key_settle(NewKey *k, int repo_fd, int r) {
        assert(k);
        if (k->made[0] == '\0')
                return;
        if (r >= 0)
                printf("%s\n", k->made);
        else if (!may_be_staged(repo_fd, k->made_id))
                (void)unlinkat(repo_fd, k->made, 0);
        k->made[0] = '\0';
}

int new_key_for_role(
                NewKey *k, int repo_fd, const char *role, const char *name, json_t **ret, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        int r;

        assert(k && role && ret);
        if (name && !startswith(name, PKCS11_SCHEME))
                return read_file(k, name, ret, w);
        k->uri = name;
        r = new_key_get(k, &key, w);
        if (r >= 0)
                r = save_own(k, repo_fd, role, key, w);
        return r < 0 ? r : private_key_to_json(key, ret, w);
}

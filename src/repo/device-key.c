/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device keys: the private half is in force, the public one follows it; where a rotation was cut
 * between the two, the next one only ends it. */
#include <assert.h>
#include <fcntl.h>

#include "basic/file.h"
#include "basic/names.h"
#include "image/release.h"
#include "repo/device-key.h"
#include "repo/repo.h"
#include "repo/verbs.h"

#define PATH_BYTES 256
#define KEY_MAX    16384

/* "keys/device-NAME.pub.pem"; id: NULL, or of an old one. */
static void path_of(const char *name, const char *id, bool is_public, char ret[static PATH_BYTES]) {
        (void)snprintf(ret, PATH_BYTES, REPO_KEYS "/" DEVICE_PREFIX "%s%s%.*s%s.pem", name,
                        id ? "-" : "", KEY_FILE_DIGITS, id ?: "", is_public ? ".pub" : "");
}

static int check_name(const char *name) {
        if (name_is_valid(name))
                return 0;
        return wrong_usage("\"%s\" cannot name a key; it has to be 1 to 64 of A-Z a-z 0-9 . _ - "
                           "and not begin with a dot",
                        name);
}

static int make(const char *path, const char *name, const NewKey *k, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        char private[PATH_BYTES], public[PATH_BYTES];
        _cleanup_(repo_freep) Repo *repo = NULL;
        int r;

        path_of(name, NULL, false, private);
        path_of(name, NULL, true, public);
        r = repo_open(path, &repo, w);
        if (r < 0)
                return r;
        r = folder_make(repo->fd, REPO_KEYS, 0700);
        if (r >= 0)
                r = new_key_pair(k, repo->fd, private, public, &key, w);
        return r < 0 ? why_prefix(w, r, "%s", path) : 0;
}

static void say(const char *repo, const char *name) {
        char path[PATH_BYTES];

        path_of(name, NULL, false, path);
        printf("%s/%s\n", repo, path);
        path_of(name, NULL, true, path);
        printf("%s/%s\n", repo, path);
}

int device_key_make(const char *repo, const char *name, const char *uri, NewKey *k) {
        Why w = {};
        int r = check_name(name);

        k->uri = uri;
        k->is_for_devices = true;
        if (r == 0 && make(repo, name, k, &w) < 0)
                r = failed(&w);
        else if (r == 0)
                say(repo, name);
        secrets_done(k->secrets);
        return r;
}

static int copy(int dirfd, const char *from, const char *to, unsigned mode, Why *w) {
        char *bytes;
        size_t n;
        int r;

        r = file_read(dirfd, from, KEY_MAX, &bytes, &n);
        if (r < 0)
                return why(w, r, "%s: %s", from, strerror(-r));
        r = file_replace(dirfd, to, bytes, n, mode);
        explicit_bzero(bytes, n);
        free(bytes);
        return r < 0 ? why(w, r, "%s: %s", to, strerror(-r)) : 0;
}

/* The pair under the name, kept beside it. */
static int keep_old(int dirfd, const char *name, const char *id, Why *w) {
        char from[PATH_BYTES], to[PATH_BYTES];
        int r = 0;

        for (int is_public = 0; r >= 0 && is_public < 2; is_public++) {
                path_of(name, NULL, is_public, from);
                path_of(name, id, is_public, to);
                r = copy(dirfd, from, to, is_public ? 0644 : 0600, w);
        }
        return r;
}

static int public_id(int dirfd, const char *name, char ret[static TUF_KEYID_HEX], Why *w) {
        _cleanup_json_ json_t *object = NULL;
        char path[PATH_BYTES];
        int r;

        path_of(name, NULL, true, path);
        r = public_key_read(dirfd, path, &object, w);
        return r < 0 ? r : tuf_key_id(object, ret, w);
}

static int put_new(int dirfd, const char *name, const NewKey *k, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        char path[PATH_BYTES];
        int r;

        r = new_key_get(k, &key, w);
        path_of(name, NULL, false, path);
        if (r >= 0)
                r = new_key_replace(k, key, dirfd, path, w);
        if (r < 0)
                return r;
        path_of(name, NULL, true, path);
        return private_key_save_public(key, dirfd, path, w);
}

static int rotate(Repo *repo, const char *name, const NewKey *k, Why *w) {
        char path[PATH_BYTES], id[TUF_KEYID_HEX], listed[TUF_KEYID_HEX];
        _cleanup_(private_key_freep) PrivateKey *old = NULL;
        int r;

        path_of(name, NULL, false, path);
        if (faccessat(repo->fd, path, F_OK, 0) < 0)
                return why(w, -ENOENT, "%s: is not there; \"key list\" shows the device keys",
                                path);
        r = private_key_load(repo->fd, path, k->secrets, &old, w);
        if (r >= 0)
                r = private_key_id(old, id, w);
        if (r >= 0)
                r = public_id(repo->fd, name, listed, w);
        if (r < 0)
                return r;
        if (!streq(id, listed)) { /* cut between the two files */
                path_of(name, NULL, true, path);
                return private_key_save_public(old, repo->fd, path, w);
        }
        r = keep_old(repo->fd, name, id, w);
        return r < 0 ? r : put_new(repo->fd, name, k, w);
}

int device_key_rotate(const char *repo, const char *name, const char *uri, NewKey *k) {
        _cleanup_(repo_freep) Repo *opened = NULL;
        Why w = {};
        int r = check_name(name);

        k->uri = uri;
        k->is_for_devices = true;
        if (r != 0)
                return r;
        r = repo_open(repo, &opened, &w);
        if (r >= 0)
                r = rotate(opened, name, k, &w);
        secrets_done(k->secrets);
        if (r < 0)
                return failed(&w);
        say(repo, name);
        return EXIT_DONE;
}

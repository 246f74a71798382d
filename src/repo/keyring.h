/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keyring: finds the private key to a key id. It looks at the keys that were named (--key), then
 * for ROLE-XXXXXXXX.pem (the first eight digits of the id) and ROLE.pem in the repository's
 * keys/, then in the folders that were named (--keys). A key is loaded once. */
#pragma once

#include "repo/key-file.h"
#include "tuf/key.h"

#define KEYRING_NAMES_MAX 16
#define KEY_FILE_DIGITS   8 /* of the id, in a file's name */

typedef struct LoadedKey {
        PrivateKey *key;
        int dirfd;  /* where its file is */
        char *name; /* of its file, or its URI */
        char id[TUF_KEYID_HEX];
} LoadedKey;

typedef struct Keyring {
        int repo_fd;                            /* -1: no repository */
        const char *folders[KEYRING_NAMES_MAX]; /* borrowed */
        size_t n_folders;
        const char *names[KEYRING_NAMES_MAX]; /* files and URIs; borrowed */
        size_t n_names;
        Secrets secrets;

        LoadedKey *loaded; /* those of `names` first, once needed */
        size_t n_loaded;
        bool are_names_loaded;
} Keyring;

void keyring_done(Keyring *ring);

/* The id of a key object, or of a private key. */
int private_key_id(const PrivateKey *key, char ret[static TUF_KEYID_HEX], Why *w);

/* Loads the keys that were named. */
int keyring_load_names(Keyring *ring, Why *w);

/* Borrowed. -ENOENT: it is not here, and the text says where it was looked for. */
int keyring_find(Keyring *ring, const char *role, const char *id, const PrivateKey **ret, Why *w);
/* Whether a file for it is there, without opening it. */
bool keyring_has(const Keyring *ring, const char *role, const char *id);

/* "keys/ROLE-XXXXXXXX.pem". */
void key_file_path(const char *role, const char *id, char *ret, size_t size);

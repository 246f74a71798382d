/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New keys, as the verbs that make them take them: a fresh one, or one that lies in a token. */
#pragma once

#include "repo/keyring.h"

#define NEW_KEY_PATH 256

typedef struct NewKey {
        KeyType type;
        bool is_type_named;
        bool encrypt;
        const char *uri;     /* NULL: make one */
        bool is_for_devices; /* not every type will do */
        Secrets *secrets;
        char made[NEW_KEY_PATH]; /* the file that new_key_for_role() made; "": none */
        char made_id[TUF_KEYID_HEX];
} NewKey;

#define NEW_KEY_OPTIONS                                                                            \
        { "type", required_argument, NULL, 1011 }, {                                               \
                "encrypt", no_argument, NULL, 1012                                                 \
        }
#define NEW_KEY_HELP                                                                               \
        "  --type TYPE             make a key of this type: ed25519 (the default) or p256\n"       \
        "  --encrypt               encrypt it with a passphrase\n"
/* 0, EXIT_USAGE, or -1: the option is none of these. */
int option_new_key(NewKey *k, int c, const char *value);
/* Refuses options that would do nothing: about how to make a key where KEY is named, and a
 * passphrase that encrypts nothing. 0 or EXIT_USAGE. */
int check_new_key(const NewKey *k, const char *name);

/* The key, not saved yet; or that of the token. */
int new_key_get(const NewKey *k, PrivateKey **ret, Why *w);
/* Writes its file, over none that is there. */
int new_key_save(const NewKey *k, const PrivateKey *key, int dirfd, const char *path, Why *w);
/* Over the one that is there. */
int new_key_replace(const NewKey *k, const PrivateKey *key, int dirfd, const char *path, Why *w);

/* Both halves in files, the private one first; where a run was cut between the two, the key that
 * is there is taken. */
int new_key_pair(const NewKey *k, int dirfd, const char *private, const char *public,
                PrivateKey **ret, Why *w);

/* The key object that a person names for a role. NULL: a new key, saved in keys/. A URI: saved
 * there too. A file: with a public key, or with a private one, which stays where it is. */
int new_key_for_role(
                NewKey *k, int repo_fd, const char *role, const char *name, json_t **ret, Why *w);
/* The end of a verb that staged the key, or failed to (r < 0): tells of the file that was made,
 * or removes it, unless the stage names the key all the same. */
void new_key_settle(NewKey *k, int repo_fd, int r);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A TUF repository in memory, and a client that remembers what it stored: tests change the
 * content, sign it well or badly, and refresh. Verbs: publish (next version of a role and of all
 * that list it), write (sign and put up as it is), promise, refresh. */
#pragma once

#include <openssl/evp.h>

#include "tuf/metadata.h"
#include "tuf/updater.h"

#define MAKER_KEYS 8

typedef struct Maker {
        EVP_PKEY *keys[MAKER_KEYS]; /* Ed25519; 0-3 are those of the roles at the beginning */
        char ids[MAKER_KEYS][SHA256_HEX];
        json_t *content[_TUF_ROLE_MAX]; /* "signed", to be edited */
        unsigned signers[_TUF_ROLE_MAX][4], n_signers[_TUF_ROLE_MAX];
        json_t *roles, *role_keys; /* delegated ones: name → "signed", name → key */
        json_t *files;             /* name → text: what the server has */
        json_t *local;             /* name → text: what the client stored */
        char requests[8192],
                        /* names in the order of the last refresh, a blank behind each */
                        stores[4096];
        int64_t now;
        Updater *updater; /* of the last refresh */
        Why why;
} Maker;

#define MAKER_NOW    INT64_C(1780000000)
#define MAKER_FUTURE "2035-01-01T00:00:00Z"
#define MAKER_PAST   "2020-01-01T00:00:00Z"

/* Fixture functions of cmocka: a repository with version 1 of all, the client holds its root. */
int maker_set_up(void **state);
int maker_tear_down(void **state);

/* "MODEL/VERSION/FILE" of three bytes in a role's content. */
void maker_add_target(json_t *content, const char *name);

json_t *maker_key_object(const Maker *m, unsigned key);
/* Lets the role be signed by these keys from the next root on (publish it). */
void maker_set_role_keys(
                Maker *m, TufRole role, const unsigned *keys, unsigned n, unsigned threshold);

/* Signs the content as it is with the role's signers and puts it up under its name. */
void maker_write(Maker *m, TufRole role);
/* Lets the one that lists the role promise the file that is up. */
void maker_promise(Maker *m, TufRole role);
/* Version + 1 of the role and of those above it, written and promised. */
void maker_publish(Maker *m, TufRole role);
void maker_set_version(Maker *m, TufRole role, int version);
void maker_set_expires(Maker *m, TufRole role, const char *expires);

/* Text of a file on the server, borrowed; and replacing it. NULL removes it. */
const char *maker_get(const Maker *m, const char *name);
void maker_put(Maker *m, const char *name, const char *text);
/* Replaces the first `from` in the file by `to`. */
void maker_edit(Maker *m, const char *name, const char *from, const char *to);

/* { "signed": content, "signatures": [...] } by these keys; new string. */
char *maker_sign(const Maker *m, const json_t *content, const unsigned *keys, unsigned n);

/* Does the steps of m->updater up to its end. */
UpdaterError maker_run(Maker *m);
/* A whole refresh. */
UpdaterError maker_refresh(Maker *m);
/* The same, and fails the test unless it ends so, with `text` in its sentence (NULL: any). */
void maker_expect(Maker *m, UpdaterError error, const char *text);

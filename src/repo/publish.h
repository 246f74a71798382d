/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Publish: the next state of public/, made in two halves. plan decides which roles get a new
 * version and signs them, in memory only: what cannot be signed is known before a byte is
 * written. place puts it there; gateways see the old state or the new one, never a part. */
#pragma once

#include "repo/keyring.h"
#include "repo/repo.h"

#define METADATA_NAME 128 /* bytes of the name of a metadata file */

typedef struct NewFile {
        char name[METADATA_NAME]; /* in public/metadata */
        char *text;
} NewFile;

typedef struct Publish {
        Repo *repo;
        Keyring *ring;
        int64_t now;
        uint64_t expires_in[_TUF_ROLE_MAX];
        bool only_online; /* timestamp and snapshot only, and not what is staged */

        json_t *root;          /* content of the root that will be in force */
        json_t *root_document; /* NULL: the root stays */
        json_t *wanted;        /* teams as they are meant to be: a list of {name, entry} */
        json_t *teams;         /* teams as they will be: those that could be signed */
        json_t *targets;       /* targets of all roles as they will be: name → entry */
        json_t *held;          /* names of teams whose changes have to wait → true */
        json_t *meta;          /* of the snapshot */
        NewFile *files;        /* in the order in which to write them */
        size_t n_files;
        json_t *report; /* lines for people */
        bool is_held;   /* something staged waits for signatures */
} Publish;

void publish_done(Publish *p);
int publish_plan(Publish *p, Why *w);
int publish_place(const Publish *p, Why *w);

/* The next "signed" of targets or of a team, as publish would sign it; for those who sign
 * elsewhere. -EALREADY: nothing about it changes and it lasts. */
int publish_next_content(
                Publish *p, const char *role, json_t **ret, TufSigners *ret_signers, Why *w);

/* Both roots have to sign a root: the one before, and itself. */
int root_both_signers(const json_t *before, const json_t *content, TufSigners ret[static 2]);
/* The root's content again, one version later, to last from now on. NULL: out of memory. */
json_t *root_renewed(const json_t *root, uint64_t version, int64_t expires);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signing of metadata: by as many keys of a role as it takes, from one person or from several
 * after another. A document under way is {signed, signatures}; who has to sign it is a list of
 * TufSigners: one for most roles, two for a root (the old one's and its own). */
#pragma once

#include "repo/keyring.h"
#include "tuf/metadata.h"

#define SIGNERS_MAX 2

typedef struct Signing {
        TufSigners signers[SIGNERS_MAX];
        size_t n_signers;
        json_t *content;    /* owned */
        json_t *signatures; /* owned; good ones only, each by a key of the signers */
        char *canonical;    /* owned */
        size_t canonical_length;
} Signing;

/* Holds a reference to content; its signatures are empty. */
int signing_init(Signing *s, const TufSigners *signers, size_t n_signers, json_t *content, Why *w);
void signing_done(Signing *s);

/* Takes over those of the list that are good; returns how many were new, or < 0. */
int signing_take(Signing *s, const json_t *signatures, Why *w);

/* Signs by what the ring has, until every threshold is met. 0 also when it is not met: ask
 * signing_check(). */
int signing_sign(Signing *s, Keyring *ring, Why *w);
/* Signs by the keys that were named to the ring and belong to the signers; how many did, or < 0. */
int signing_sign_named(Signing *s, Keyring *ring, Why *w);

bool signing_has(const Signing *s, const char *keyid);
bool signing_is_complete(const Signing *s);
/* 0, or -EKEYREJECTED with a text that says how many are missing and whose; `ring` (may be NULL)
 * adds why a key was not found. */
int signing_check(const Signing *s, Keyring *ring, Why *w);

/* {signed, signatures}. */
json_t *signing_document(const Signing *s);

/* Common members of "signed". NULL: out of memory. */
json_t *new_content(TufRole role, uint64_t version, int64_t expires);

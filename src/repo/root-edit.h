/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edits of who signs: of the next root for the four top roles, of a team's entry for a team.
 * Both are staged; an edit drops the signatures that the staged root had. */
#pragma once

#include "repo/repo.h"

#define KEYS_PER_ROLE_MAX 64

typedef struct RootEdit {
        Repo *repo;
        const char *role;
        bool is_team;
        json_t *content;     /* of the next root, or the team's entry; owned */
        json_t *keys;        /* borrowed from it */
        json_t *signers;     /* {keyids, threshold}; borrowed from it */
        size_t n_signatures; /* that the staged root had */
} RootEdit;

/* now: for the expiry of a root that is begun here. */
int root_edit_begin(RootEdit *e, Repo *repo, const char *role, int64_t now, Why *w);
void root_edit_done(RootEdit *e);

bool root_edit_has(const RootEdit *e, const char *keyid);
int root_edit_add(RootEdit *e, const json_t *key, const char *keyid, Why *w);
int root_edit_remove(RootEdit *e, const char *keyid, Why *w);
int root_edit_threshold(RootEdit *e, uint64_t threshold, Why *w);
/* The one key id that begins so. */
int root_edit_resolve(const RootEdit *e, const char *prefix, char ret[static SHA256_HEX], Why *w);

/* Whether the role may have so many keys and that threshold: to know it before a key is made.
 * 0: the threshold that it has. */
int root_edit_check(const RootEdit *e, size_t n_keys, uint64_t threshold, Why *w);
/* Stages it; -EINVAL when a role would have fewer keys than its threshold. */
int root_edit_save(RootEdit *e, Why *w);

/* The staged root's content, or the next one begun anew. *ret_signatures may be NULL. */
int root_next_content(const Repo *repo, int64_t now, json_t **ret, json_t **ret_signatures, Why *w);

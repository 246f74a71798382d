/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* History and outbox: what happened, one JSON object per line in history.jsonl (rotated at 1 MiB
 * to history.jsonl.1), and the reports that no server has taken yet, outbox/<20 digits>.json, in
 * order, at most OUTBOX_MAX (the oldest progress goes first, results stay longest). */
#pragma once

#include "basic/json.h"
#include "basic/sync.h"

#define HISTORY_MAX (1024 * 1024)
#define OUTBOX_MAX  512

typedef struct History History;

/* state_dirfd: of the state folder, borrowed. */
int history_new(Sync *sync, int state_dirfd, History **ret);
History *history_free(History *h);
DEFINE_TRIVIAL_CLEANUP_FUNC(History *, history_free);

/* Appends and syncs; sets "format". func may be NULL. -E2BIG above 64 KiB. */
int history_append(History *h, const json_t *event, SyncFunc func, void *userdata);
/* Newest last; device NULL: all; at most max. Damaged lines are left out and counted. New array. */
int history_read(History *h, const char *device, size_t max, json_t **ret, size_t *ret_damaged);

/* A report into the outbox, durable (and readable) when func runs. A result is what has "event":
 * "result"; the rest is progress. */
int outbox_put(History *h, const json_t *report, SyncFunc func, void *userdata);
/* Oldest first: sequence numbers; caller frees. */
int outbox_list(History *h, uint64_t **ret, size_t *ret_n);
/* -ENOENT; -EBADMSG: damaged. */
int outbox_read(History *h, uint64_t sequence, json_t **ret);
int outbox_remove(History *h, uint64_t sequence, SyncFunc func, void *userdata);

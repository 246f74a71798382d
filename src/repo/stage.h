/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stage: what waits for the next publish. Its index names it; a file beside it that the index
 * does not name is left over from a cut and harmless. Documents that several people sign one
 * after another wait here too. */
#pragma once

#include "repo/repo.h"

int stage_load(Repo *repo, Why *w);
/* Writes the index, or takes it away when nothing is staged. Durable. */
int stage_save(const Repo *repo, Why *w);

/* A new release: the file as served, then the index that names it. */
int stage_release(Repo *repo, const Release *release, const void *file, size_t n, Why *w);
/* The target's entry under other upgrade information. */
json_t *stage_make_entry(const Release *release);

/* "stage/SHA256.FILE" of a target entry. New string. */
int stage_path(const char *target, const json_t *entry, char **ret, Why *w);

/* The document of a role that is being signed: {signed, signatures}. -ENOENT without a text:
 * there is none. */
int stage_load_next(const Repo *repo, const char *role, json_t **ret, Why *w);
int stage_save_next(const Repo *repo, const char *role, const json_t *document, Why *w);
int stage_drop_next(const Repo *repo, const char *role, Why *w);

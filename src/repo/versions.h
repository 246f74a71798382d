/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions of a model as steps: where a gateway gets to from where, by min-from. Pure. */
#pragma once

#include "repo/repo.h"

/* All releases of a repository that will be there after the next publish, copied. */
typedef struct Versions {
        Release **items;
        size_t n;
} Versions;

int versions_load(Versions *v, const Repo *repo, Why *w);
void versions_done(Versions *v);

/* Whether a way to a newer version is lost without this release, for a device on its channel and
 * of any hardware that it fits. *ret_from, *ret_to: where somebody cannot go on from any more, and
 * to where; borrowed. */
bool versions_is_stepping_stone(const Versions *v, const Release *release, const char **ret_from,
                const char **ret_to);

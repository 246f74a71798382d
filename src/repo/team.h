/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Teams: the roles that targets delegate the releases of some models to. In memory and in the
 * stage, a team is an entry {keys, keyids, threshold, models}; metadata has them as TUF wants
 * it, with one path pattern MODEL/ * / * for each model (without the blanks). */
#pragma once

#include "basic/json.h"

#define TEAM_MODELS_MAX 64

/* A name that can be a role and part of the names of its files. */
bool team_name_is_valid(const char *name);
bool team_has_model(const json_t *entry, const char *model);

/* Checks an entry of the stage. */
int team_check(const json_t *entry, const char *name, Why *w);

/* Of the "delegations" in targets: a list of {name, entry} in their order. -EBADMSG when they are
 * not as this program writes them. NULL: an empty list. */
int teams_from_delegations(const json_t *delegations, json_t **ret, Why *w);
/* And back. NULL: out of memory. */
json_t *teams_to_delegations(const json_t *list);

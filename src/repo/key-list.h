/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of keys, as people and programs see it. */
#pragma once

#include "repo/repo.h"

/* {roles: {ROLE: {threshold, staged-threshold if it changes, keys: [{keyid, type, state,
 * here}]}}, devices: [{name, keyid, type}]} */
int key_list_get(const Repo *repo, json_t **ret, Why *w);
void key_list_print(const json_t *list);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An update as a journal entry: everything of it that must survive the daemon. Format in
 * rekindle-state(5). */
#pragma once

#include "daemon/update.h"

#define UPDATE_JOURNAL_FORMAT 1

/* New reference, or NULL when out of memory. */
json_t *update_to_json(const Update *u);

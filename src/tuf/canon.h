/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Canonical JSON as TUF signs it (the OLPC form): keys sorted by bytes, no blanks, strings raw
 * but for \" and \\, whole numbers only. Over the parsed tree, so that members nobody knows are
 * signed too. */
#pragma once

#include "basic/json.h"

/* New buffer (NUL-ended behind its *ret_n bytes; free it). -EBADMSG when the tree holds a number
 * with a fraction. */
int canon_encode(const json_t *value, char **ret, size_t *ret_n, Why *w);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as lower-case hexadecimal digits and as base64 (RFC 4648 section 4, padded). */
#pragma once

#include "cleanup.h"

/* Writes 2 * n digits and a NUL into ret. */
void hex_encode(const void *bytes, size_t n, char *ret);
/* Exactly 2 * n digits of either case and nothing after them, else -EINVAL; ret untouched on
 * failure. */
int hex_decode(const char *s, void *ret, size_t n);

/* A new NUL-ended string in *ret, or -ENOMEM. */
int base64_encode(const void *bytes, size_t n, char **ret);
/* Strict: canonical padding, no white space; at most max bytes. New buffer in *ret (free it),
 * its size in *ret_n. -EINVAL, -E2BIG, -ENOMEM. */
int base64_decode(const char *s, size_t max, uint8_t **ret, size_t *ret_n);

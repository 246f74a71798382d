/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict JSON over jansson: whole input, bounded, duplicate keys refused, no embedded NUL; and
 * typed getters whose Why names the path of the member that is wrong and what would be right. */
#pragma once

#include <jansson.h>

#include "error.h"
#include "hash.h"

static inline void json_decrefp_(json_t **j) {
        json_decref(*j);
}
#define _cleanup_json_ _cleanup_(json_decrefp_)

/* An object or array from exactly n bytes; -EBADMSG with line and column in w. */
int json_parse(const char *bytes, size_t n, json_t **ret, Why *w);

/* Getters: `where` names the object for the text ("release", "record"). Missing or of another
 * type: -EBADMSG. The _opt forms leave *ret at its value when the member is absent or null.
 * Strings are borrowed from the object, and must be printable ASCII of 1..max bytes unless said
 * otherwise. */
int json_get_string(const json_t *o, const char *where, const char *key, size_t max,
                const char **ret, Why *w);
int json_get_string_opt(const json_t *o, const char *where, const char *key, size_t max,
                const char **ret, Why *w);
/* UTF-8 text of 0..max bytes, control characters other than newline and tab refused. */
int json_get_text_opt(const json_t *o, const char *where, const char *key, size_t max,
                const char **ret, Why *w);
/* Integers only (a real number is an error), within [min, max]; max at most INT64_MAX. */
int json_get_uint(const json_t *o, const char *where, const char *key, uint64_t min, uint64_t max,
                uint64_t *ret, Why *w);
int json_get_uint_opt(const json_t *o, const char *where, const char *key, uint64_t min,
                uint64_t max, uint64_t *ret, Why *w);
/* 16 hexadecimal digits: numbers that do not fit the signed 64 bits of JSON here. */
int json_get_hex64_opt(const json_t *o, const char *where, const char *key, uint64_t *ret, Why *w);
json_t *json_hex64(uint64_t v); /* new reference, or NULL */
int json_get_bool_opt(const json_t *o, const char *where, const char *key, bool *ret, Why *w);
int json_get_object(const json_t *o, const char *where, const char *key, json_t **ret, Why *w);
int json_get_object_opt(const json_t *o, const char *where, const char *key, json_t **ret, Why *w);
/* At most max elements. */
int json_get_array(const json_t *o, const char *where, const char *key, size_t max, json_t **ret,
                Why *w);
int json_get_array_opt(const json_t *o, const char *where, const char *key, size_t max,
                json_t **ret, Why *w);
int json_get_sha256(const json_t *o, const char *where, const char *key, Sha256 *ret, Why *w);
int json_get_sha256_opt(const json_t *o, const char *where, const char *key, Sha256 *ret, Why *w);

/* Whether an array (NULL: none) has this string in it. */
bool json_has_string(const json_t *array, const char *s);
/* A new array with the same elements in the order of `compare`, which gets two json_t **; NULL
 * when out of memory. */
json_t *json_sorted(const json_t *array, int (*compare)(const void *a, const void *b));

/* Compact, keys sorted; new string or NULL when out of memory. */
char *json_print(const json_t *o);

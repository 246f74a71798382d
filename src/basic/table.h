/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Table: rows and columns for people, on a terminal as wide as that. Pure: text in, text out.
 * Every cell is escaped, so it may come from anywhere. */
#pragma once

#include <stdio.h>

#include "basic/cleanup.h"

typedef enum Color {
        COLOR_NONE,
        COLOR_GREEN,
        COLOR_YELLOW,
        COLOR_RED,
        COLOR_BOLD,
        _COLOR_MAX,
} Color;

typedef struct Table Table;

/* Columns in order, NULL-ended. */
int table_new(const char *const *columns, Table **ret);
Table *table_free(Table *t);
DEFINE_TRIVIAL_CLEANUP_FUNC(Table *, table_free);
/* One cell; rows fill up by themselves. NULL and "" are shown as "-". */
int table_add(Table *t, const char *text, Color color);
/* On a terminal each row is one line: cells of the widest columns are shortened, and where that
 * is not enough, the last columns are left out. */
void table_keep_to_lines(Table *t);
/* columns: width of the terminal, 0: none. On one, the last column is broken at blanks so that it
 * stays in its column, and cells of the others are shortened where that makes room for it. */
int table_print(const Table *t, bool color, unsigned columns, FILE *f);

#define TABLE_SHORT_MAX 512
/* To a width: in the middle, where paths tell least; a sentence at its end. */
void table_shorten(const char *text, size_t width, char ret[static TABLE_SHORT_MAX]);

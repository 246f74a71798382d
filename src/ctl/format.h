/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Format: how things are shown to people. Pure: text in, text out; the terminal is the caller's.
 * Every string that came over the bus goes through table_add() or show(), which escape it. */
#pragma once

#include <stdio.h>

#include "basic/cleanup.h"

#define FORMAT_MAX 64

/* "RunningVersion" → "running-version"; cut at FORMAT_MAX. */
void format_kebab(const char *camel, char ret[static FORMAT_MAX]);
/* "812 B", "11.2 KiB", "3.0 MiB". */
void format_bytes(uint64_t bytes, char ret[static FORMAT_MAX]);
/* "0:12", "1:02:03". */
void format_duration(uint64_t seconds, char ret[static FORMAT_MAX]);
/* Local time "2026-01-31 12:00:00"; 0: "never". */
void format_time(uint64_t seconds, char ret[static FORMAT_MAX]);

typedef enum Color {
        COLOR_NONE,
        COLOR_GREEN,
        COLOR_YELLOW,
        COLOR_RED,
        COLOR_BOLD,
        _COLOR_MAX,
} Color;

/* What a device's state means: good, on its way, or in need of a person. */
Color format_state_color(const char *state);

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
 * stays in its column, where there is room for that. */
int table_print(const Table *t, bool color, unsigned columns, FILE *f);

#define FORMAT_SHORT_MAX 512
/* To a width: in the middle, where paths tell least; a sentence at its end. */
void format_shorten(const char *text, size_t width, char ret[static FORMAT_SHORT_MAX]);

/* How many bytes of text go into a line of so many columns: up to a blank, the whole text, or a
 * whole word that is longer. */
size_t format_break(const char *text, size_t columns);

typedef struct Progress {
        const char *device, *version, *phase;
        unsigned permille;
        uint64_t rate_bytes;   /* per second; 0: not known */
        uint64_t left_seconds; /* 0: not known */
} Progress;

/* One line of exactly at most `columns` characters: text, bar if there is room, percent, rate and
 * time left. New string; NULL: out of memory. */
char *progress_render(const Progress *p, unsigned columns);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Format: how things are shown to people. Pure: text in, text out; the terminal is the caller's.
 * Every string that came over the bus goes through table_add() or show(), which escape it. */
#pragma once

#include <stdio.h>

#include "basic/table.h"

#define FORMAT_MAX 64

/* "RunningVersion" → "running-version"; cut at FORMAT_MAX. */
void format_kebab(const char *camel, char ret[static FORMAT_MAX]);
/* "812 B", "11.2 KiB", "3.0 MiB". */
void format_bytes(uint64_t bytes, char ret[static FORMAT_MAX]);
/* "0:12", "1:02:03". */
void format_duration(uint64_t seconds, char ret[static FORMAT_MAX]);
/* Local time "2026-01-31 12:00:00"; 0: "never". */
void format_time(uint64_t seconds, char ret[static FORMAT_MAX]);

/* What a device's state means: good, on its way, or in need of a person. */
Color format_state_color(const char *state);

typedef struct Progress {
        const char *device, *version, *phase;
        unsigned permille;
        uint64_t rate_bytes;   /* per second; 0: not known */
        uint64_t left_seconds; /* 0: not known */
} Progress;

/* One line of exactly at most `columns` characters: text, bar if there is room, percent, rate and
 * time left. New string; NULL: out of memory. */
char *progress_render(const Progress *p, unsigned columns);

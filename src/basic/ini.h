/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A strict INI reader: `[Section]` or `[Section NAME]`, `Key=value`, lines of comment begin with
 * # or ;. UTF-8 without control characters; no continuation lines; at most 64 KiB a file, 1024
 * bytes a line. Bytes in, callbacks out: no files here. */
#pragma once

#include "error.h"

#define INI_FILE_MAX (64 * 1024)
#define INI_LINE_MAX 1024

typedef struct IniLine {
        const char *file;    /* as given, for texts */
        unsigned line;       /* from 1 */
        const char *section; /* "Port" */
        const char *name;    /* "boiler", NULL for a section without name */
        const char *key;     /* NULL: this call announces the section itself */
        const char *value;   /* blanks around it cut off; may be "" */
} IniLine;

/* Return < 0 to stop: ini_parse returns it, with the text that func has put into w (file and
 * line included). */
typedef int (*IniFunc)(const IniLine *line, void *userdata, Why *w);

/* Texts are "FILE:LINE: what is wrong; what would be right". -EBADMSG for bad syntax, -E2BIG, or
 * what func returned. */
int ini_parse(const char *file, const char *bytes, size_t n, IniFunc func, void *userdata, Why *w);

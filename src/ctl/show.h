/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Show: what several verbs print alike. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/format.h"

/* Prints and returns the exit status. */
int show_table(const Ctl *c, Table *t, int r);
/* "Name: value" with the name padded; the value escaped, broken at blanks on a terminal, "-" when
 * empty. */
void show_line(const Ctl *c, const char *name, const char *value);
/* Of people's tables: its first digits. */
void show_digest(const char *digest, char ret[static FORMAT_MAX]);
/* Without newline, for sentences in the middle of a line. */
void show_text(FILE *f, const char *text);
/* "idle", "pushing 43 %". */
void show_state(const json_t *device, char ret[static FORMAT_MAX]);
/* Adds the rows of the device list. 0 or -ENOMEM. */
int show_devices(Table *t, const json_t *devices);
extern const char *const show_device_columns[];

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logging of the programs (never of the libraries): to the journal with fields when the standard
 * error is the journal (JOURNAL_STREAM), else to standard error as "name: text", with the <N>
 * prefix of sd-daemon(3) when it is a pipe to a service manager. Levels are those of syslog(3). */
#pragma once

#include <syslog.h>

#include "cleanup.h"

/* name: shown before each line on a terminal; static string. level: highest level written. */
void log_open(const char *name, int level);
void log_set_level(int level);
int log_max_level(void);
/* "debug", "info", "notice", "warning", "error" to a level; -EINVAL otherwise. */
int log_level_from_string(const char *s);

/* device may be NULL; goes into the journal field REKINDLE_DEVICE= and before the text elsewhere.
 * error: 0, or the negative errno that the line is about: appended as text, field ERRNO=.
 * Returns error, so that `return log_error_errno(r, "...")` works. */
int log_full(int level, const char *device, int error, const char *format, ...) _printf_(4, 5);

/* A line with structured fields: fields is a NULL-ended list of "NAME=value" strings (journal
 * only). */
void log_event(int level, const char *device, const char *const *fields, const char *format, ...)
                _printf_(4, 5);

#define log_debug(...)          ((void)log_full(LOG_DEBUG, NULL, 0, __VA_ARGS__))
#define log_info(...)           ((void)log_full(LOG_INFO, NULL, 0, __VA_ARGS__))
#define log_notice(...)         ((void)log_full(LOG_NOTICE, NULL, 0, __VA_ARGS__))
#define log_warning(...)        ((void)log_full(LOG_WARNING, NULL, 0, __VA_ARGS__))
#define log_error(...)          ((void)log_full(LOG_ERR, NULL, 0, __VA_ARGS__))
#define log_error_errno(r, ...) log_full(LOG_ERR, NULL, (r), __VA_ARGS__)
#define log_oom()               log_full(LOG_ERR, NULL, -ENOMEM, "not enough memory")

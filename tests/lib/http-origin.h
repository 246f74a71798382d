/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HttpOrigin: the tests' own web server (http-origin.py, which says what it can do) as a process
 * that dies with the test. */
#pragma once

#include "basic/cleanup.h"

typedef struct HttpOrigin HttpOrigin;

/* Serves folder on a free loopback port; requests are logged to log_path (NULL: not). 0 or
 * -errno. */
int http_origin_new(const char *folder, const char *log_path, HttpOrigin **ret);
HttpOrigin *http_origin_free(HttpOrigin *origin);

unsigned http_origin_port(const HttpOrigin *origin);
/* A command of http-origin.py; back when it is in force. -EPROTO if it was refused. */
int http_origin_command(HttpOrigin *origin, const char *command);

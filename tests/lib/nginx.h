/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nginx: Debian's nginx on a free loopback port (nginx.sh) as a process that dies with the test. */
#pragma once

#include "basic/cleanup.h"

typedef struct Nginx Nginx;

/* Serves www; work holds its files, and keys if it is to speak TLS (nginx-keys.sh); extra: lines
 * of the server block, or NULL. Back when it listens. 0 or -errno. */
int nginx_new(const char *www, const char *work, const char *extra, Nginx **ret);
Nginx *nginx_free(Nginx *nginx);

unsigned nginx_port(const Nginx *nginx);

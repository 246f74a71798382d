/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A FetchWorld beside Debian's nginx over TLS, with keys made for the test (nginx-keys.sh). */
#pragma once

#include "fetch-world.h"
#include "nginx.h"

/* cmocka group setup and teardown: the keys. */
int tls_keys_setup(void **state);
int tls_keys_teardown(void **state);
/* The folder of the keys. */
const char *tls_keys(void);
/* The first line of a file there. */
const char *tls_key_line(const char *name);

/* cmocka setup: a world, and an nginx with that folder's certificates. Teardown for each. */
int tls_setup(void **state);
int tls_teardown(void **state);
/* Another nginx in place of the first: keys of a folder below the keys' ("": of that itself), more
 * lines of the server block. */
void tls_serve(FetchWorld *world, const char *folder, const char *extra);
unsigned tls_port(void);
/* Lines of its log of requests that contain the text. */
unsigned tls_log_count(const char *text);

/* Origin=https://localhost:PORT and more lines, in which ~ stands for the folder of the keys and %
 * for the port of the server. */
void tls_configure(FetchWorld *world, const char *more);

/* GET /who: this error, and every one of the texts (NULL-ended) in its sentence. */
void tls_expect_failure(FetchWorld *world, int error, const char *const *texts);
#define TLS_TEXTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Getter: HTTP GET, one after another, by the rules of rekindle-fetch: nothing but the two base
 * URLs' hosts is asked, redirects lead there only, and TLS is verified. */
#pragma once

#include "basic/error.h"

typedef struct Getter Getter;

typedef struct GetterOptions {
        const char *metadata_url;
        const char *target_url; /* NULL: none */
        const char *ca_file;    /* NULL: the system's */
        uint64_t patience_sec;  /* a server that is slower than a crawl for so long is given up */
} GetterOptions;

/* Bytes of the body as they come. < 0 ends the transfer. */
typedef int (*GetterFunc)(const void *bytes, size_t n, void *userdata);

int getter_new(const GetterOptions *options, Getter **ret, Why *w);
Getter *getter_free(Getter *g);
DEFINE_TRIVIAL_CLEANUP_FUNC(Getter *, getter_free);

/* -ENOENT: not there (404, 403). What func returned when it ended the transfer; w is its own then.
 * Other errors: could not be fetched. limit: bytes that are expected at most, for the time. */
int getter_get(Getter *g, const char *url, uint64_t limit, GetterFunc func, void *userdata, Why *w);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Target: where a request may go. Pure: fetch.conf and a URL in, a parsed URL or a refusal out;
 * libcurl's own parser judges, and what it understood is what will be asked for. */
#pragma once

#include <curl/curl.h>

#include "fetch/config.h"

typedef struct FetchTarget {
        CURLU *url;     /* for CURLOPT_CURLU; lives as long as the transfer */
        bool is_origin; /* scheme, host and port of Origin= */
        bool is_https;
} FetchTarget;

void fetch_target_done(FetchTarget *target);

/* The URL of a request, whole or a path below the origin. -EACCES: fetch.conf forbids it. */
int fetch_target_resolve(const FetchConfig *config, const char *url, FetchTarget *ret, Why *w);
/* Where a redirect from `from` leads. -EACCES. */
int fetch_target_redirect(const FetchConfig *config, const FetchTarget *from, const char *url,
                FetchTarget *ret, Why *w);

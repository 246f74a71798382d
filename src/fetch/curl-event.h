/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CurlEvent: libcurl's multi handle on an sd-event loop. Transfers share connections and TLS
 * sessions. */
#pragma once

#include <curl/curl.h>
#include <systemd/sd-event.h>

#include "basic/cleanup.h"

typedef struct CurlEvent CurlEvent;

/* The transfer ended; it was taken out before, so that it may be added again. Never called from
 * within a libcurl callback. */
typedef void (*CurlEventFunc)(CURL *easy, CURLcode code, void *userdata);

int curl_event_new(sd_event *event, CurlEventFunc on_finished, CurlEvent **ret);
CurlEvent *curl_event_free(CurlEvent *ce); /* after all transfers were removed */
DEFINE_TRIVIAL_CLEANUP_FUNC(CurlEvent *, curl_event_free);

/* Sets the options that belong to the loop (CURLOPT_PRIVATE, the share) and starts. */
int curl_event_add(CurlEvent *ce, CURL *easy, void *userdata);
/* No on_finished any more. Not from within a libcurl callback. */
void curl_event_remove(CurlEvent *ce, CURL *easy);

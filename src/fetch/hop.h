/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hop: what libcurl is told for one HTTP exchange of a request: the first one, or one after a
 * redirect. Everything that fetch.conf promises about keys, headers and protocols is set here
 * and nowhere else. */
#pragma once

#include <curl/curl.h>

#include "fetch/config.h"
#include "fetch/message.h"
#include "fetch/peer.h"
#include "fetch/target.h"

typedef struct FetchHop {
        CURL *easy;
        struct curl_slist *headers;
        FetchTarget target;
        Peer *peer;
        char error[CURL_ERROR_SIZE];
} FetchHop;

/* Takes over *target. redirects: how many led here. -ENOMEM; -ENOPKG when OpenSSL has
 * no engine for tokens; -EPROTO when libcurl refuses what fetch.conf says. */
int fetch_hop_set_up(FetchHop *hop, const FetchConfig *config, const FetchRequest *request,
                FetchTarget *target, unsigned redirects);
void fetch_hop_done(FetchHop *hop);

/* The header list of the exchange. NULL: out of memory. Shown for the tests. */
struct curl_slist *fetch_hop_headers(const FetchConfig *config, const FetchRequest *request,
                bool is_origin, unsigned redirects);

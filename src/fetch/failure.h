/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Failure: what ended an exchange, as one of the errors of FetchResult and as a sentence that
 * names who is wrong, which key of fetch.conf it touches and what would be right. */
#pragma once

#include "fetch/hop.h"

/* libcurl's result: < 0 with the sentence, or 0. */
int fetch_failure(const FetchHop *hop, const FetchConfig *config, CURLcode code, Why *w);
/* An answer that stands for a failed handshake: servers like nginx take the connection without a
 * client certificate, or with one that they do not trust, and answer 400. asks: the origin has
 * asked for one, now or earlier (a session that is resumed does not show it). */
int fetch_failure_status(
                const FetchHop *hop, const FetchConfig *config, unsigned status, bool asks, Why *w);

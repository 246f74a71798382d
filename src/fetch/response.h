/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Response: the head of an answer, line by line as libcurl hands it over; pure. A new status
 * line begins a new head, so that interim answers (1xx) leave nothing behind. Lines after the
 * end of a head (trailers) are ignored. */
#pragma once

#include "fetch/message.h"

#define FETCH_HEADS_MAX                                                                            \
        (64 * 1024) /* bytes of all heads of an exchange, interim ones and trailers too */

typedef struct FetchResponse {
        unsigned status; /* 0: no status line yet */
        bool complete;   /* the empty line came */
        size_t n;        /* of lines */
        bool has_location, has_length, has_range;
        bool is_encoded;                  /* Content-Encoding: not identity */
        uint64_t length;                  /* Content-Length */
        uint64_t range_start;             /* Content-Range: bytes START- */
        char lines[FETCH_HEADER_MAX + 1]; /* "name: value\n" each, names in lower case */
} FetchResponse;

void fetch_response_reset(FetchResponse *response);

/* One line with or without its CRLF. -EPROTO with the sentence: no header, or more than
 * FETCH_HEADER_MAX bytes of them. */
int fetch_response_line(FetchResponse *response, const char *line, size_t n, Why *w);

/* True when the body belongs to a redirect that a GET follows. */
bool fetch_response_is_redirect(const FetchResponse *response);

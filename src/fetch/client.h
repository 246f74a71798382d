/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FetchClient: the daemon's end of rekindle-fetch (protocol: rekindle-fetch(8)). Owns the socket
 * (of systemd, or of the fetcher that it spawns itself), makes the pipe of each request, and
 * counts what comes out of it. A body counts only after the closing message. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/error.h"

#define FETCH_URL_MAX    2048
#define FETCH_BODY_MAX   (64 * 1024)
#define FETCH_HEADER_MAX (16 * 1024) /* all headers together */
#define FETCH_AT_ONCE    8           /* open requests of one client; more wait */

typedef struct FetchClient FetchClient;
typedef struct FetchCall FetchCall;

typedef enum FetchKind {
        FETCH_TRANSFER,
        FETCH_STREAM, /* server events: no end expected, no total time limit */
} FetchKind;

typedef struct FetchRequest {
        FetchKind kind;
        const char *method; /* "GET", "POST", "PUT" */
        /* absolute, below the origin or an artifact host of fetch.conf; or a path beginning with
         * "/", taken below the origin */
        const char *url;
        /* NULL-ended "Name: value"; may be NULL. Host, Range, Content-Length and their like are the
         * fetcher's; Authorization and Cookie go to the origin only and over no redirect. */
        const char *const *headers;
        const void *body;
        size_t body_length;
        /* of the body received; more is an error on both sides. The page of a status other than
         * 2xx is cut there instead. */
        uint64_t byte_limit;
        uint64_t resume_offset; /* > 0: Range from here */
        const char *if_range;   /* ETag or date for If-Range; NULL: none */
} FetchRequest;

typedef struct FetchResult {
        /* 0; -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH, -EPROTO (TLS, HTTP), -EFBIG (over the
         * limit), -ECANCELED (by on_body), -EPIPE (broken transfer: the fetcher or the server went
         * away in the middle, or the fetcher cannot be reached), -EACCES (fetch.conf forbids it, or
         * is wrong), -ENOMEM */
        int error;
        const char *text; /* sentence about error; "" */
        unsigned status;  /* HTTP status, 0 if none */
        uint64_t bytes;   /* of the body, as received here */
        /* 206: bytes begin at resume_offset; false with status 200: from the start again */
        bool resumed;
        const char *etag;        /* NULL: none */
        const char *retry_after; /* raw value; NULL: none */
        const char *headers;     /* all, "Name: value\n" each, names lower-case */
} FetchResult;

/* Body bytes as they come (borrowed). status is known before the first byte. Return < 0 to
 * cancel the transfer. */
typedef int (*FetchBodyFunc)(FetchCall *call, unsigned status, bool resumed, const void *bytes,
                size_t n, void *userdata);
/* Exactly once; call is dead afterwards. */
typedef void (*FetchDoneFunc)(FetchCall *call, const FetchResult *result, void *userdata);

/* socket_path: rekindle-fetch.socket; if nothing listens there and `program` is not NULL, the
 * program is spawned with a listening socket made here (LISTEN_FDS), argv: program --config
 * config_path. */
int fetch_client_new(sd_event *event, const char *socket_path, const char *program,
                const char *config_path, FetchClient **ret);
/* How long the fetcher may say nothing of a transfer before it ends with
 * -ETIMEDOUT. Its own time limits are shorter; this is for a fetcher that keeps none. Default
 * 90 minutes; counts for calls that are opened from now on, streams have no limit. */
void fetch_client_set_patience(FetchClient *client, uint64_t usec);
FetchClient *fetch_client_free(FetchClient *client); /* open calls end without callback */
DEFINE_TRIVIAL_CLEANUP_FUNC(FetchClient *, fetch_client_free);

/* on_body may be NULL only when byte_limit is 0. -EINVAL with the sentence for a malformed
 * request; other failures come through on_done. */
int fetch_client_call(FetchClient *client, const FetchRequest *request, FetchBodyFunc on_body,
                FetchDoneFunc on_done, void *userdata, FetchCall **ret, Why *w);
/* Within on_body: the ETag of the answer, a copy (free it). NULL: none, or not enough memory. */
char *fetch_call_etag(const FetchCall *call);
/* No callback any more; NULL does nothing; returns NULL. */
FetchCall *fetch_call_cancel(FetchCall *call);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Request: one connection of a client, from its message to the closing one. */
#pragma once

#include <systemd/sd-event.h>

#include "fetch/config.h"
#include "fetch/curl-event.h"
#include "fetch/token.h"

#define FETCH_REDIRECTS_MAX 5

typedef struct Request Request;

/* The request is over and only waits to be freed: not from within the callback, but soon. text:
 * for the log, NULL if all went well. */
typedef void (*RequestEndFunc)(Request *request, const char *text, void *userdata);

typedef struct RequestContext {
        sd_event *event;
        const FetchConfig *config;
        bool *origin_asks; /* set once the origin asked for a client certificate */
        Token *token;      /* of all requests */
        CurlEvent *curl;   /* its on_finished is request_on_finished */
        RequestEndFunc on_end;
        void (*on_token_given_up)(void *userdata); /* at once: others must not try it */
        void *userdata;
} RequestContext;

/* Takes over the connection on success. The context outlives the request. */
int request_new(const RequestContext *context, int connection, Request **ret);
Request *request_free(Request *request);

/* The token was given up meanwhile: ends one that still needs its key. */
void request_give_up_token(Request *request);

void request_on_finished(CURL *easy, CURLcode code, void *userdata);

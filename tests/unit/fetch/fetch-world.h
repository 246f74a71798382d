/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FetchWorld: a folder, an origin that serves its www/, a fetch.conf and a client with the real
 * rekindle-fetch behind it; as a cmocka fixture, so that a failing test leaves nothing. */
#pragma once

#include "fetch/client.h"
#include "http-origin.h"

#define BODY_KEPT (256 * 1024)

typedef struct FetchWorld {
        sd_event *event;
        char *folder;
        HttpOrigin *origin;
        FetchClient *client;
} FetchWorld;

/* What one call ended with. */
typedef struct Got {
        bool done;
        unsigned calls; /* of on_body */
        int error;
        char text[400];
        unsigned status;
        uint64_t bytes;
        bool resumed;
        char etag[64], retry_after[32];
        char headers[FETCH_HEADER_MAX + 1];
        uint8_t body[BODY_KEPT];
        size_t body_n;
        uint64_t cancel_after; /* > 0: the reader refuses once it has so many bytes */
} Got;

/* cmocka setup and teardown; *state is the world. With plain http to the origin and no other
 * keys in fetch.conf. */
int world_setup(void **state);
int world_teardown(void **state);

/* Ends the client (and its fetcher) and makes a new one with these lines below [Fetch]. */
void world_configure(FetchWorld *world, const char *format, ...) _printf_(2, 3);
/* Origin=http://127.0.0.1:PORT and AllowHttp=yes, for use in world_configure. */
const char *world_plain(const FetchWorld *world);

/* folder/www/NAME with n bytes of a pattern that never repeats early; returns nothing, fails the
 * test. */
void world_file(const FetchWorld *world, const char *name, size_t n);
uint8_t world_pattern(size_t at);

/* Starts a call; got is filled when it ends. Asserts that the request is well-formed. */
FetchCall *world_start(FetchWorld *world, const FetchRequest *request, Got *got);
/* Runs the loop until *flag; fails the test after 30 s without. */
void world_run_until(FetchWorld *world, const bool *flag);
/* Start and run. */
void world_fetch(FetchWorld *world, const FetchRequest *request, Got *got);
/* GET of a path with a limit of 1 MiB. */
void world_get(FetchWorld *world, const char *path, Got *got);

/* Requests that the origin answered or began to, and whose line of the log contains the text. */
unsigned world_log_count(const FetchWorld *world, const char *text);
/* Those of them that were sent to their last byte. */
unsigned world_log_sent(const FetchWorld *world, const char *text);
/* Waits until an answer was cut off whose line of the log contains the text; how much of it the
 * origin had sent. */
uint64_t world_wait_for_cut(const FetchWorld *world, const char *text);
void world_command(FetchWorld *world, const char *command);

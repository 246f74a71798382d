/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FetchServer: the listening socket of rekindle-fetch, at most 16 requests at once, and the end
 * when nobody asks any more. */
#pragma once

#include "fetch/config.h"
#include "fetch/request.h"

#define FETCH_CONNECTIONS_MAX 16

typedef struct FetchServer FetchServer;
typedef void (*FetchServerNoteFunc)(const char *text, void *userdata);

/* Borrows listen_fd and config. idle: sd_event_exit(0) after config's idle time without
 * requests. */
int fetch_server_new(sd_event *event, const FetchConfig *config, int listen_fd, bool idle,
                FetchServer **ret);
FetchServer *fetch_server_free(FetchServer *server);
DEFINE_TRIVIAL_CLEANUP_FUNC(FetchServer *, fetch_server_free);

/* For the log: func gets what a request or a refused connection ended with. */
void fetch_server_on_note(FetchServer *server, FetchServerNoteFunc func, void *userdata);

/* Answers every request that already waits on listen_fd with -EACCES and the text: for a fetcher
 * that cannot start. */
void fetch_server_refuse(int listen_fd, const char *text);

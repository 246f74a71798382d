/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fetcher: how a client reaches rekindle-fetch. Where a service manager listens on the socket,
 * that is a plain connect. Otherwise, if a program is given, it listens itself and keeps the
 * process: spawned with the listening socket (sd_listen_fds(3)) when a connection is wanted,
 * spawned again after it went away. Connections that it had not taken stay in the listening
 * socket for the next one. */
#pragma once

#include <systemd/sd-event.h>

#include "basic/error.h"

typedef struct Fetcher Fetcher;

/* The process ended, text says how; fetcher_revive() would start the next one. */
typedef void (*FetcherExitFunc)(const char *text, void *userdata);

/* program NULL: never spawn. -ENAMETOOLONG for a socket path over 107 bytes, -EINVAL for a
 * relative program. */
int fetcher_new(sd_event *event, const char *socket_path, const char *program,
                const char *config_path, Fetcher **ret);
Fetcher *fetcher_free(Fetcher *fetcher); /* ends the process */
DEFINE_TRIVIAL_CLEANUP_FUNC(Fetcher *, fetcher_free);

void fetcher_on_exit(Fetcher *fetcher, FetcherExitFunc func, void *userdata);

/* A new non-blocking SEQPACKET connection, or -errno with the sentence. */
int fetcher_connect(Fetcher *fetcher, Why *w);
/* Spawns the process if it is ours and gone. */
int fetcher_revive(Fetcher *fetcher, Why *w);
/* The process, if it is ours and runs; else 0. */
pid_t fetcher_pid(const Fetcher *fetcher);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client: the updater of src/tuf over HTTP and a folder: what it trusts lies in ROLE.json there.
 * Two clients on one folder wait for each other. */
#pragma once

#include "tuf-client/get.h"
#include "tuf/updater.h"

typedef struct Client Client;

typedef struct ClientOptions {
        const char *metadata_dir;
        GetterOptions getter;
} ClientOptions;

/* Takes the file over as the trusted root of the folder, if it is well-formed and signed by its own
 * keys. */
int client_init(const char *metadata_dir, const char *trusted_root, Why *w);

int client_new(const ClientOptions *options, Client **ret, Why *w);
Client *client_free(Client *c);
DEFINE_TRIVIAL_CLEANUP_FUNC(Client *, client_free);

/* Brings the top-level roles up to date. */
int client_refresh(Client *c, Why *w);
/* After a refresh: looks the target up and downloads it to its name, percent-encoded, in the
 * folder, unless it is there and good. */
int client_download(Client *c, const char *name, const char *folder, Why *w);

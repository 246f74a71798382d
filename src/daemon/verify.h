/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verify: one refresh of the trusted metadata: drives the TUF updater with the fetcher and the
 * folder trust/, and turns the targets into the manager's releases. One at a time. */
#pragma once

#include "daemon/manager.h"

#define VERIFY_FRESH "the upgrade information is fresh and verified"

/* func runs once, with the outcome and its sentence; the manager's releases are replaced before
 * when it is OUTCOME_DONE. */
typedef void (*VerifyFunc)(Outcome outcome, const char *text, void *userdata);
/* folder_fd: a folder with metadata/ in place of the server, borrowed while it lives; -1: none. */
int verify_new(Manager *m, int folder_fd, VerifyFunc func, void *userdata, Verify **ret);
Verify *verify_free(Verify *v);
DEFINE_TRIVIAL_CLEANUP_FUNC(Verify *, verify_free);

/* False when releases of this model may lie in roles that the last refresh left out, because no
 * device of it was known. */
bool verify_covers(const Manager *m, const char *model);

/* Path of a release's file below targets/. New string. */
int verify_target_path(const Manager *m, const Release *release, char **ret);
/* URL of a release's file as the server keeps it (consistent snapshots: DIGEST.FILE). New
 * string. */
int verify_target_url(Manager *m, const Release *release, char **ret);

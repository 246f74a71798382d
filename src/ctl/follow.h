/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Follow: asks devices for an update or a restore and stays with them until each has come to its
 * end: signals in order, a bar on a terminal, a line per phase elsewhere. An end is: the daemon
 * says so; a refusal; a wait for people (at once) or for a device, line or server (after a
 * minute without progress); stranded; the time given with --timeout. */
#pragma once

#include "ctl/ctl.h"

typedef struct FollowSet FollowSet;

int follow_new(Ctl *c, FollowSet **ret);
FollowSet *follow_free(FollowSet *f);
DEFINE_TRIVIAL_CLEANUP_FUNC(FollowSet *, follow_free);

/* member: "Update" or "Restore"; version NULL for a restore, "" for the newest. 0 or -errno. */
int follow_add(FollowSet *f, const char *id, const char *member, const char *version);
/* 0 or -errno. */
int follow_run(FollowSet *f);
/* Prints the results (single: one JSON object instead of a list); the exit status of the whole:
 * of the first that failed, else done if anything was done, else nothing to do. */
int follow_report(FollowSet *f, bool single);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Delegated roles for the repository of tuf-maker.h. Verbs: delegate, add_target, publish; then
 * look_up and survey, which fail the test unless the roles are asked for in the order told. */
#pragma once

#include "tuf-maker.h"

/* Content of a role, "targets" or a delegated one; made with version 1 if new. */
json_t *graph_role(Maker *m, const char *role);
void graph_add_target(Maker *m, const char *role, const char *name);

/* patterns: with blanks between; those that begin with # are hash prefixes, a ! at the end makes it
 * terminating. Last in the delegator's list. The key signs the role, whoever delegates to it. */
void graph_delegate(Maker *m, const char *delegator, const char *role, const char *patterns,
                unsigned key);
/* Succinct bins, all signed by the key; each is a role made on demand. */
void graph_delegate_bins(
                Maker *m, const char *delegator, const char *prefix, unsigned bits, unsigned key);

/* Signs one role by the key; puts it up as it is, without promising it. */
void graph_write(Maker *m, const char *role, unsigned key);
/* Promises every role that is up in the snapshot, and publishes targets and what is above. */
void graph_publish(Maker *m);

/* After a refresh that has to be good: each role in `roles` was fetched, in this order, with blanks
 * behind. */
void graph_look_up(Maker *m, const char *name, const char *roles);
/* folders: with blanks between; NULL: all. */
void graph_survey(Maker *m, const char *folders, const char *roles);
/* The target is found, and this role lists it; NULL: it is not. */
void graph_expect(Maker *m, const char *name, const char *role);

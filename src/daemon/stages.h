/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stages: the work of the states of an update, one file each; see the table in update.c.
 * update_enter() calls them when the journal is on disk. Each must be able to be the first one
 * after a crash. */
#pragma once

#include "daemon/update.h"

void download_start(Update *u);
void reading_start(Update *u);
void validating_start(Update *u);
void pushing_start(Update *u);
void trial_start(Update *u);
void confirming_start(Update *u);
void adopting_start(Update *u);
void restoring_start(Update *u);
void stranded_start(Update *u);
void waiting_start(Update *u);
void reporting_start(Update *u);

Download *download_free(Download *d); /* NULL does nothing; keeps the part file */

/* A stranded device is tried again now. */
void stranded_wake(Update *u);
/* It answers: ends what is over, and only that. */
void stranded_heard(Update *u, const DriverIdentity *id);

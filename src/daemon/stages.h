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
bool download_reads_folder(const Download *d);
/* It is after the file of its candidate: asks for it, or waits for the server to have it. */
bool update_is_fetching(const Update *u);
/* Such a one begins anew, with this folder (consumed), whatever it was doing. */
void update_fetch(Update *u, int folder_fd);
/* It reads from a folder, or is about to look for one. */
bool update_wants_folder(const Update *u);

/* Trial of the present role's image: of its release, within the policy. */
unsigned update_trial_seconds(const Update *u);

/* A stranded device is tried again now. */
void stranded_wake(Update *u);
/* It answers: ends what is over, and only that. */
void stranded_heard(Update *u, const DriverIdentity *id);

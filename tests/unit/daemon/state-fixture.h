/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A temporary folder, an event loop and a Sync, for the tests of what the daemon keeps on disk.
 * Fails the test where it cannot. */
#pragma once

#include "basic/sync.h"

typedef struct StateFixture {
        char path[64];
        int dirfd;
        sd_event *event;
        Sync *sync;
        unsigned n_done; /* callbacks so far */
        int error;       /* of the last one */
        bool mounted;    /* the folder is a file system of its own */
} StateFixture;

int state_setup(void **state);
int state_teardown(void **state);

/* The Sync of a fresh start. */
void state_restart(StateFixture *f);

/* The callback for all writes (userdata: the fixture), and the wait for the next one: its error. */
void state_on_done(int error, void *userdata);
int state_wait(StateFixture *f);
/* Until no write is under way. */
void state_settle(StateFixture *f);

void state_put(StateFixture *f, const char *name, const void *bytes, size_t n);
bool state_has(StateFixture *f, const char *name);
/* Entries of the folder whose name ends in suffix; "": all. */
unsigned state_count(StateFixture *f, const char *suffix);

/* Removes a folder that is at most two levels deep. */
void state_remove_tree(const char *path);

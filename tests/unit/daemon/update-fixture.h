/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A gateway in a temporary folder: the real manager with its store, journal, history and port,
 * no bus, no server. Behind the port a unit that is played: a driver that answers at once, by
 * what the unit holds, or as the test has scripted for its next operation of that kind.
 *
 * Time is not waited for: world_run() lets timers of the update and of the device end at once. */
#pragma once

#include "daemon/request.h"

typedef enum Program {
        PROGRAM_NONE,
        PROGRAM_BACKUP,
        PROGRAM_PREVIOUS,
        PROGRAM_CANDIDATE,
        _PROGRAM_MAX,
} Program;

/* What the next operation of its kind ends with; after it the unit goes by itself again. */
typedef struct Script {
        DriverOp op;
        DriverCode code;
        uint8_t device_code;
        bool heard, erased, silent; /* silent: no identity comes with it */
        uint64_t stream_bytes;
        uint32_t units_right;
        unsigned times; /* 0 and 1: once */
} Script;

#define SCRIPTS_MAX 8
#define WORLD_NOON  INT64_C(1779969600) /* of a day in UTC */

typedef struct Unit {
        Driver driver; /* first: it is the device's driver */
        DriverIdentity id;
        DeviceHealth health;     /* of a program once it is started */
        bool sick[_PROGRAM_MAX]; /* programs that say so when they run */
        Script scripts[SCRIPTS_MAX];
        size_t n_scripts;
        DriverResult result;
        uint8_t bytes[64];                  /* READ_BACK */
        DriverRequest last[_DRIVER_OP_MAX]; /* what it was asked for */
        unsigned asked[_DRIVER_OP_MAX];     /* how often */
        bool confirmed;                     /* the push that it holds */
        bool off;                           /* answers nothing */
} Unit;

typedef struct World {
        char path[64];
        int line; /* listens in place of the serial line */
        sd_event *event;
        Manager *manager;
        Device *device;
        Unit unit;
        const char *config; /* more keys of [Updates] */
        const char *port_keys;
        bool patient; /* timers take their time */
        Clock clock;
        int64_t now; /* what the clock says */
} World;

int world_setup(void **state); /* a unit that runs its backup, which is held; a previous one too */
int world_teardown(void **state);

/* Ends the daemon as it is (what was submitted is on disk) and starts it again. */
void world_stop(World *w);
void world_start(World *w);
void world_restart(World *w);

/* The image of a program, and its version. */
extern const char *const program_versions[_PROGRAM_MAX];
void program_digest(Program p, Sha256 *ret);
/* As a release. Free it. */
Release *program_release(Program p);

/* The unit runs this program, confirmed and healthy, without a push. */
void unit_runs(Unit *u, Program p, DeviceState state);
void unit_script(Unit *u, const Script *script);

/* Its image is no longer in the store. */
void world_lose(World *w, Program p);
/* What the server offers from now on, a list that PROGRAM_NONE ends. */
void world_offer(World *w, const Program *programs);
/* An open update with the candidate, not yet begun: set what it shall be, then world_begin(). */
Update *world_update(World *w, UpdateKind kind, UpdateState state);
void world_begin(World *w, Update *u);
/* Runs until the predicate holds; hurries timers. Fails the test when it never does. */
void world_until(World *w, bool (*reached)(World *w, void *userdata), void *userdata);
/* Until the open update is in that state and its entry is written. */
void world_until_state(World *w, UpdateState state);
/* Until no update is open. */
void world_until_over(World *w);
/* So many turns of the loop, with hurried timers. */
void world_turns(World *w, unsigned n);
/* Results in history: how many of this outcome. */
size_t world_results(World *w, Outcome outcome);

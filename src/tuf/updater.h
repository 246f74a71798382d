/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Updater: the client workflow of TUF 1.0 (specification section 5) without any input or output of
 * its own. The caller asks for the next step, does it, and answers; the same object serves the
 * daemon's event loop, a folder and a command.
 *
 * Steps: FETCH wants the bytes of a metadata file below the metadata URL, at most `limit` bytes;
 * answer with updater_bytes(), updater_not_found() (HTTP 404/403, ENOENT) or updater_error().
 * LOAD wants what was stored under `name` before, answered in the same way; a local file is never
 * believed, only looked at first. STORE hands bytes that are now trusted: make them durable under
 * `name` (ROLE.json), then updater_stored(). DONE: what was asked for is known. FAILED: see the
 * Why; what is trusted stays trusted.
 *
 * It begins with a refresh of the four top-level roles. After DONE, updater_look_up() goes for one
 * target and updater_survey() for all of some folders, through delegated roles: more steps, up to
 * the next DONE. */
#pragma once

#include "basic/clock.h"
#include "basic/json.h"

#define TUF_ROOT_MAX      (512 * 1024)
#define TUF_TIMESTAMP_MAX (16 * 1024)
#define TUF_SNAPSHOT_MAX  (2 * 1024 * 1024)
#define TUF_TARGETS_MAX   (5 * 1024 * 1024)
#define TUF_ROOTS_MAX     64 /* new roots in one refresh */

#define TUF_VISITS_MAX    32                 /* roles that a search for one target goes through */
#define TUF_EDGES_MAX     256                /* delegations that are looked at in all */
#define TUF_DELEGATED_MAX (16 * 1024 * 1024) /* bytes of all delegated roles together */

typedef struct Updater Updater;

typedef enum UpdaterStepType {
        UPDATER_FETCH,
        UPDATER_LOAD,
        UPDATER_STORE,
        UPDATER_DONE,
        UPDATER_FAILED,
} UpdaterStepType;

typedef struct UpdaterStep {
        UpdaterStepType type;
        /* FETCH: "5.root.json", "timestamp.json", "7.snapshot.json"; LOAD, STORE: "root.json" ...
         * Names of delegated roles are percent-encoded as a whole. Borrowed until the next call. */
        const char *name;
        size_t limit;      /* FETCH, LOAD */
        const void *bytes; /* STORE; borrowed */
        size_t length;
} UpdaterStep;

/* Which way it failed; stable names for events and history. */
typedef enum UpdaterError {
        UPDATER_OK,
        UPDATER_E_FETCH,     /* could not be fetched; try again later */
        UPDATER_E_NOT_FOUND, /* timestamp, snapshot or targets are missing on the server */
        UPDATER_E_METADATA,  /* malformed, wrong type, wrong length or digest */
        UPDATER_E_SIGNATURE, /* threshold of signatures not met */
        UPDATER_E_VERSION,   /* rollback, or another version than promised */
        UPDATER_E_EXPIRED,
        _UPDATER_ERROR_MAX,
} UpdaterError;

typedef struct UpdaterLocal {
        const void *root;
        size_t root_length; /* required: initial or last trusted root */
        const void *timestamp;
        size_t timestamp_length; /* NULL: none */
        const void *snapshot;
        size_t snapshot_length;
        const void *targets;
        size_t targets_length;
} UpdaterLocal;

/* now: the one reading of this refresh, seconds since 1970. Copies what it needs. */
int updater_new(const UpdaterLocal *local, int64_t now, Updater **ret, Why *w);
Updater *updater_free(Updater *u);
DEFINE_TRIVIAL_CLEANUP_FUNC(Updater *, updater_free);

void updater_next(Updater *u, UpdaterStep *ret);
void updater_bytes(Updater *u, const void *bytes, size_t n);
void updater_not_found(Updater *u);
void updater_error(Updater *u, const char *text);
void updater_stored(Updater *u);

UpdaterError updater_result(const Updater *u, Why *ret_why); /* OK before the end too */
const char *updater_error_to_string(UpdaterError e);         /* "metadata-expired", ... */
bool updater_is_consistent(const Updater *u);                /* consistent_snapshot */

/* --- delegations; only after DONE ------------------------------------------------------------- */

/* Goes for one target; updater_find_target() tells afterwards. -ENOMEM. */
int updater_look_up(Updater *u, const char *name);
/* Goes for all targets below the n folders (first segments of their names), NULL: all. Roles that
 * cannot be had are left out, see updater_refusal(). -ENOMEM. */
int updater_survey(Updater *u, const char *const *folders, size_t n);
/* The survey left roles out that can list targets in other folders only. */
bool updater_is_partial(const Updater *u);

/* There were more than TUF_EDGES_MAX roles to look at, or patterns took too much work; the survey
 * ended there. */
bool updater_is_cut(const Updater *u);

/* The i-th delegation that was refused, from 0 on, and why; false: no more. What is borrowed lives
 * until the next walk. */
bool updater_refusal(const Updater *u, size_t i, const char **ret_role, const Why **ret_why);

/* True when the snapshot lists this file ("ROLE.json" as stored): others are leftovers. */
bool updater_is_listed(const Updater *u, const char *stored_name);

/* --- targets; only after DONE ----------------------------------------------------------------- */

typedef struct TufTarget {
        const char *name; /* borrowed from the updater, as the rest */
        const char *role; /* that lists it */
        uint64_t length;
        const json_t *hashes;
        bool has_sha256;
        Sha256 digest;        /* SHA-256, if it has one */
        const json_t *custom; /* NULL: none */
} TufTarget;

/* Each target once, as a search for its name finds it. Stops and returns what func returned when
 * < 0. */
int updater_foreach_target(
                Updater *u, int (*func)(const TufTarget *target, void *userdata), void *userdata);
/* -ENOENT, also when its hashes are of no kind known here; updater_missing() says why. */
int updater_find_target(Updater *u, const char *name, TufTarget *ret);
UpdaterError updater_missing(const Updater *u, const char *name, Why *ret_why);

/* Path of a target below the targets URL: "MODEL/VERSION/DIGEST.FILE" with consistent snapshots.
 * New string. -EBADMSG for a name that is no plain path. */
int updater_target_path(const Updater *u, const TufTarget *target, char **ret);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Updater: the client workflow of TUF 1.0 (specification section 5) without any input or output of
 * its own. The caller asks for the next step, does it, and answers; the same object serves the
 * daemon's event loop, a folder and a command.
 *
 * Steps: FETCH wants the bytes of a metadata file below the metadata URL, at most `limit` bytes;
 * answer with updater_bytes(), updater_not_found() (HTTP 404/403, ENOENT) or updater_error().
 * STORE hands bytes that are now trusted: make them durable under `name` (ROLE.json), then
 * updater_stored(). DONE: targets are trusted. FAILED: see the Why; what is trusted stays
 * trusted. */
#pragma once

#include "basic/clock.h"
#include "basic/json.h"

#define TUF_ROOT_MAX      (512 * 1024)
#define TUF_TIMESTAMP_MAX (16 * 1024)
#define TUF_SNAPSHOT_MAX  (2 * 1024 * 1024)
#define TUF_TARGETS_MAX   (5 * 1024 * 1024)
#define TUF_ROOTS_MAX     64 /* new roots in one refresh */

typedef struct Updater Updater;

typedef enum UpdaterStepType {
        UPDATER_FETCH,
        UPDATER_STORE,
        UPDATER_DONE,
        UPDATER_FAILED,
} UpdaterStepType;

typedef struct UpdaterStep {
        UpdaterStepType type;
        /* FETCH: "5.root.json", "timestamp.json", "7.snapshot.json"; STORE: "root.json" ... ;
         * borrowed until the next call */
        const char *name;
        size_t limit;
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

typedef struct TufTarget {
        const char *name; /* borrowed from the updater */
        uint64_t length;
        Sha256 digest;
        const json_t *custom; /* NULL: none */
} TufTarget;

/* Only after DONE. Stops and returns what func returned when < 0. */
int updater_foreach_target(
                Updater *u, int (*func)(const TufTarget *target, void *userdata), void *userdata);
int updater_find_target(Updater *u, const char *name, TufTarget *ret); /* -ENOENT */

/* Path of a target below the targets URL: "MODEL/VERSION/DIGEST.FILE" with consistent snapshots.
 * New string. */
int updater_target_path(const Updater *u, const TufTarget *target, char **ret);

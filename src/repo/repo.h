/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repo: a publisher's folder (rekindle-repository(7), "The publisher's folder"), open and
 * locked. What lies in public/ is verified, beginning with root.json, before a byte of it is
 * signed again: a web server's folder is no place to trust. */
#pragma once

#include "image/release.h"
#include "tuf/metadata.h"

#define REPO_PUBLIC     "public"
#define REPO_METADATA   "public/metadata"
#define REPO_TARGETS    "public/targets"
#define REPO_KEYS       "keys"
#define REPO_STAGE      "stage"
#define REPO_INDEX      "stage/index.json"
#define REPO_CONFIG     "repository.json"
#define REPO_ROOT       "root.json"
#define REPO_DATES      "published.json"
#define REPO_FORMAT     1
#define REPO_CONFIG_MAX (64 * 1024)
#define REPO_ROOT_MAX   (1024 * 1024)
#define REPO_DATES_MAX  (32 * 1024 * 1024) /* of all that targets and teams can list */
#define REPO_DAY        UINT64_C(86400)
#define REPO_TEAMS_MAX  64

/* A role that targets delegate to: the releases of some models. */
typedef struct Team {
        char *name;
        json_t *entry;        /* {keys, keyids, threshold, models} */
        TufMetadata *current; /* NULL: not published yet */
} Team;

typedef struct Repo {
        int fd;                             /* the folder, locked */
        uint64_t expires_in[_TUF_ROLE_MAX]; /* seconds */
        uint64_t keep_days;                 /* no release is removed sooner */
        TufMetadata *current
                        /* as published; all but root NULL before the first publish */
                        [_TUF_ROLE_MAX];
        Team *teams; /* as published */
        size_t n_teams;

        /* What the next publish is to change; see stage.h. */
        json_t *staged;       /* target name → {length, hashes, custom} */
        json_t *removed;      /* target name → true */
        json_t *staged_teams; /* name → entry, or null to end it */
        json_t *dates;        /* target name → when it was published first */
} Repo;

int repo_open(const char *path, Repo **ret, Why *w);
Repo *repo_free(Repo *repo);
DEFINE_TRIVIAL_CLEANUP_FUNC(Repo *, repo_free);

/* "targets" of a published role, NULL for none. Borrowed. */
const json_t *targets_of(const TufMetadata *m);
const Team *repo_find_team(const Repo *repo, const char *name);
/* The published entry of a target and who lists it ("targets" or a team). NULL: nobody.
 * Borrowed. */
const json_t *repo_find_target(const Repo *repo, const char *target, const char **ret_role);

typedef enum RepoState {
        REPO_PUBLISHED,
        REPO_STAGED,  /* new, or to be changed */
        REPO_REMOVED, /* published, and gone with the next publish */
} RepoState;

/* Calls for every release of every role. Targets of others are left out; one that cannot be read
 * fails. Stops and returns what func returned when < 0. */
typedef int (*RepoReleaseFunc)(const Release *release, RepoState state, void *userdata);
int repo_foreach_release(const Repo *repo, RepoReleaseFunc func, void *userdata, Why *w);

/* The signers of a top role by the root's content. */
TufSigners root_signers(const json_t *root, TufRole role);
TufSigners team_signers(const char *name, const json_t *entry);

/* The SHA-256 that a target entry promises. */
int repo_entry_digest(const char *target, const json_t *entry, Sha256 *ret, Why *w);
/* "public/targets/MODEL/VERSION/SHA256.FILE" of a target entry. New string. */
int repo_public_path(const char *target, const json_t *entry, char **ret, Why *w);

/* Whether a folder is a publisher's, or lies in one. */
bool repo_has_inside(int dirfd);

/* A file that a person named could not be read. */
int why_unread(Why *w, int r, const char *path);
int repo_read_json(int dirfd, const char *path, size_t max, json_t **ret, Why *w);
/* Replaces a JSON file of the folder, durably. -EFBIG: it would have more than max, and could not
 * be read again. */
int repo_write_json(int dirfd, const char *path, const json_t *value, size_t max, Why *w);

/* repository.json. */
void repo_default_config(Repo *repo);
json_t *repo_config_to_json(const Repo *repo);

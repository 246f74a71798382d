/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Repo: a publisher's folder (rekindle-repository(7), "The publisher's folder"), open and
 * locked. What lies in public/ is verified with root.json before a byte of it is signed again: a
 * web server's folder is no place to trust. */
#pragma once

#include "image/release.h"
#include "tuf/metadata.h"

#define REPO_METADATA "public/metadata"
#define REPO_TARGETS  "public/targets"
#define REPO_KEYS     "keys"
#define REPO_STAGE    "stage"
#define REPO_INDEX    "stage/index.json"
#define REPO_CONFIG   "repository.json"
#define REPO_ROOT     "root.json"

typedef struct Repo {
        int fd;                             /* the folder, locked */
        uint64_t expires_in[_TUF_ROLE_MAX]; /* seconds */
        TufMetadata *current
                        /* as published; all but root NULL before the first publish */
                        [_TUF_ROLE_MAX];
        json_t *staged; /* target name → {length, hashes, custom} */
} Repo;

int repo_open(const char *path, Repo **ret, Why *w);
Repo *repo_free(Repo *repo);
DEFINE_TRIVIAL_CLEANUP_FUNC(Repo *, repo_free);

/* The published targets object, NULL before the first publish. Borrowed. */
const json_t *repo_published(const Repo *repo);

/* Calls for every release: published ones that are not staged anew, then the staged ones.
 * Targets of others are left out; one that cannot be read fails. Stops and returns what func
 * returned when < 0. */
typedef int (*RepoReleaseFunc)(const Release *release, bool is_staged, void *userdata);
int repo_foreach_release(const Repo *repo, RepoReleaseFunc func, void *userdata, Why *w);

/* Durable: the file as served, then the index that names it. */
int repo_stage(Repo *repo, const Release *release, const void *file, size_t n, Why *w);

/* "stage/SHA256.FILE" and "public/targets/MODEL/VERSION/SHA256.FILE" of a target entry. New
 * strings. */
int repo_stage_path(const char *target, const json_t *entry, char **ret, Why *w);
int repo_public_path(const char *target, const json_t *entry, char **ret, Why *w);

/* Replaces a JSON file of the folder, durably. */
int repo_write_json(int dirfd, const char *path, const json_t *value, Why *w);

/* expires-in of all roles, as kept in repository.json. */
void repo_default_expires_in(uint64_t ret[static _TUF_ROLE_MAX]);
json_t *repo_config_to_json(const uint64_t expires_in[static _TUF_ROLE_MAX]);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Updater, inside: the workflow of the top-level roles (updater.c), the walk through the
 * delegated ones (walk.c) and the targets that come of it (target.c). */
#pragma once

#include "tuf/delegation.h"
#include "tuf/updater.h"

#define UPDATER_NAME_BYTES 320 /* of a step: version, name on disk, ".json" */

/* A delegated role whose bytes are well-formed, of the promised version and not expired. Nobody's
 * signature was looked at: edges do that. */
typedef struct Loaded {
        char *role;
        TufMetadata *metadata;
} Loaded;

/* One delegation that was looked at: `error` is OK when `delegator` vouches for the role. Trust is
 * always that of a pair: two delegators may name different keys for one role. */
typedef struct Edge {
        char *role, *delegator;
        UpdaterError error;
        Why why;
} Edge;

typedef enum WalkKind {
        WALK_NONE,    /* not yet refreshed */
        WALK_LOOK_UP, /* for one target */
        WALK_SURVEY,  /* for all in some folders */
} WalkKind;

struct Updater {
        int64_t now;
        TufRole stage;
        UpdaterStepType step;
        UpdaterError error;
        Why why;

        TufMetadata *trusted[_TUF_ROLE_MAX];
        unsigned roots;             /* new ones in this refresh */
        char *local[_TUF_ROLE_MAX]; /* copies as given; dropped once judged */
        size_t local_length[_TUF_ROLE_MAX];

        WalkKind walk;
        char *wanted; /* LOOK_UP */
        char **folders;
        size_t n_folders; /* SURVEY */
        bool is_partial;  /* SURVEY: the folders left roles out … */
        bool is_cut;      /* … or the number of roles did */
        Loaded *loaded;
        size_t n_loaded;
        Edge *edges; /* the last one is being obtained while a step of the walk is open */
        size_t n_edges;
        size_t delegated_bytes; /* of loaded */
        uint64_t budget;        /* of matching, for all look-ups */

        char name[UPDATER_NAME_BYTES];
        char stored_name[UPDATER_NAME_BYTES]; /* of the role being obtained, without version */
        size_t limit;
        char *bytes; /* to be stored */
        size_t length;
};

void updater_fail(Updater *u, UpdaterError error);
/* What a negative errno of parsing and checking means. */
UpdaterError updater_error_of(int r);
/* The role's name for texts. */
int updater_check_expiry(const Updater *u, const TufMetadata *m, const char *name, Why *w);
int updater_check_version(const TufMetadata *m, const TufMeta *promised, const char *name, Why *w);
/* Asks for VERSION.NAME (version 0: NAME). */
void updater_ask(Updater *u, uint64_t version, const char *name, size_t limit);

/* The walk's share of the public functions of the same names, when u->walk is on. */
void walk_bytes(Updater *u, const void *bytes, size_t n);
void walk_not_found(Updater *u);
void walk_stored(Updater *u);
void walk_done(Updater *u);

const Edge *walk_find_edge(const Updater *u, const char *role, const char *delegator);
const TufMetadata *walk_find_loaded(const Updater *u, const char *role);

/* One search for a target (specification 5.6.7) in what is loaded. */
typedef enum SearchResult {
        SEARCH_NOT_HERE, /* go on with the next delegation */
        SEARCH_FOUND,
        SEARCH_MISSING, /* nobody lists it; or the search came to an end */
        SEARCH_REFUSED, /* a role on the way could not be had; edge says why */
        SEARCH_NEEDS,   /* the role that was not looked at yet */
} SearchResult;

typedef struct Search {
        const char *path;
        const char *visited[TUF_VISITS_MAX];
        size_t n;
        uint64_t budget; /* of matching; goes down from search to search */
        bool is_cut;     /* by the number of roles, or because the budget is used up */
        const TufMetadata *found;
        const char *found_role;
        const Edge *edge;
        const char *delegator; /* NEEDS */
        Delegation needed;
} Search;

SearchResult walk_search(const Updater *u, Search *s, const char *path);

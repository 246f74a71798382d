/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Delegations: what a targets role hands on to others (specification 4.5, TAP 15): to named
 * roles by path patterns or by prefixes of the path's SHA-256, or to numbered bins. */
#pragma once

#include "tuf/metadata.h"

#define TUF_ROLES_MAX    1024 /* delegations of one role, bins apart */
#define TUF_BIN_BITS_MAX 32
#define TUF_ROLE_NAME    1024                /* bytes of a name, with its NUL */
#define TUF_BUDGET       UINT64_C(100000000) /* steps of matching in all searches of a walk */

/* One delegation, looked at; borrowed from the metadata. */
typedef struct Delegation {
        const char *name; /* in `bin` for a bin: do not copy the struct */
        TufSigners signers;
        bool terminating;
        char bin[TUF_ROLE_NAME];
} Delegation;

/* The "delegations" object of targets metadata. -EBADMSG. */
int delegations_check(const json_t *delegations, Why *w);

/* Which delegations are asked for. */
typedef struct DelegationQuery {
        uint64_t *budget; /* steps of matching that are left; at 0 nothing fits */
        const char *path; /* those that may list this target … */
        /* … or, when NULL, those that may list targets in these folders; NULL: all */
        const char *const *folders;
        size_t n_folders;
} DelegationQuery;

/* The next one that fits, in order of appearance, from *i = 0 on; false: no more. */
bool delegation_next(const TufMetadata *targets, const DelegationQuery *query, uint64_t *i,
                Delegation *ret);
/* The one of this name, whatever its paths. */
bool delegation_find(const TufMetadata *targets, const char *name, Delegation *ret);

/* Number of bins; 0: no bins. */
uint64_t delegation_bins(const TufMetadata *targets);

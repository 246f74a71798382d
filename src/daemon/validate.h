/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Validate: does this release fit this device and its record, now? Pure: no I/O, no clock. Runs
 * twice: on the last known identity before the download, on the live one before BEGIN. Every
 * rule is a function in one table, in the order in which people want to hear of them. */
#pragma once

#include "daemon/outcome.h"
#include "daemon/record.h"
#include "image/release.h"

typedef enum ProvisionPolicy {
        PROVISION_ASK,
        PROVISION_AUTO,
        PROVISION_NO,
        _PROVISION_MAX,
} ProvisionPolicy;

typedef struct ValidateInput {
        const Release *release;
        const Record *record;
        /* policy */
        const char *channel;
        bool ask; /* updates wait for `approve` */
        bool strict_floor;
        ProvisionPolicy provision;
        bool has_model_section; /* the device's section names a model */
        bool window_open;
        bool inhibited;
        bool clock_ok; /* a fresh refresh was possible under a trusted clock */
        /* this request */
        /* version asked for by name: older is allowed, the channel does not count, approval is
         * given */
        bool by_name;
        bool asked; /* for whatever fits best: what was passed over counts again */
        bool live;  /* record holds the live identity, asked in this minute */
        bool device_present;
        bool blank;     /* device reports no program */
        bool can_prove; /* driver can health or the daemon can probe */
        /* backup is in the store, passes its digest and is what runs (or the device is blank) */
        bool backup_ok;
        /* whether an image is in the store, so that there is nothing to download */
        bool (*has_image)(const Sha256 *digest, void *userdata);
        uint64_t free_bytes;    /* in the state folder, images that nobody needs counted in */
        uint64_t reserve_bytes; /* kept for journal, record, outbox */
        /* lowest running version of a model behind this gateway: NULL when there is none */
        const char *(*lowest_version_of)(const char *model, void *userdata);
        void *userdata;
} ValidateInput;

typedef struct Verdict {
        /* OUTCOME_DONE: go on (the plan); else wait, nothing to do or refusal by its class */
        Outcome outcome;
        Why why;           /* the particulars in one sentence */
        bool provision;    /* going on means provisioning */
        bool may_download; /* wait(window): a download may run */
} Verdict;

void validate(const ValidateInput *in, Verdict *ret);

/* Selection without a fleet server: index of the release to go to next, among releases of this
 * model: the highest that validates or only has to wait (then *ret_verdict says for what); where
 * min-from stands in the way, the highest that leads there. -ENOENT: none; *ret_verdict (filled
 * then too) tells of the highest one that is meant for this device, and says no-release where
 * that one is merely older than what runs. -ENOMEM. in->release is set per candidate here. A
 * running version that is unknown is looked up by digest among the releases. */
int validate_select(const ValidateInput *in, Release *const *releases, size_t n, size_t *ret_index,
                Verdict *ret_verdict);

/* The highest release that is meant for this device by model, hardware and channel; NULL: none. */
const Release *validate_highest(const ValidateInput *in, Release *const *releases, size_t n);

/* May a held program be put back? Backup and previous stay restorable below the floor, unless
 * the floor is strict (StrictFloor=, or a device that enforces it itself). OUTCOME_DONE,
 * OUTCOME_NO_BACKUP, OUTCOME_KNOWN_BAD or OUTCOME_BELOW_FLOOR. */
Outcome validate_restore(const Record *record, const RecordImage *image, bool strict_floor, Why *w);

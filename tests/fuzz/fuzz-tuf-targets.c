/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Targets metadata before any signature was looked at, its delegations, and their patterns. */
#include "tuf-role.h"
#include "tuf/delegation.h"
#include "tuf/verify.h"

#define DELEGATIONS_MAX 1100 /* of bins there may be 2^32 */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Each one is found by its name, and nobody has signed for it. */
static void check_delegations(const TufMetadata *m, const DelegationQuery *query) {
        Delegation d, same;
        uint64_t i = 0;

        for (unsigned k = 0; k < DELEGATIONS_MAX && delegation_next(m, query, &i, &d); k++) {
                if (!delegation_find(m, d.name, &same) || !streq(d.name, same.name))
                        abort();
                (void)tuf_verify_by(&d.signers, m, NULL);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        static const char *const folders[] = { "boiler", "panel" };
        uint64_t budget = TUF_BUDGET;
        _cleanup_(tuf_metadata_freep) TufMetadata *m = read_role(TUF_TARGETS, bytes, n);

        if (!m)
                return 0;
        check_delegations(m, &(DelegationQuery){ .budget = &budget });
        check_delegations(
                        m, &(DelegationQuery){ .path = "boiler/1.0.0/app.bin", .budget = &budget });
        check_delegations(
                        m, &(DelegationQuery){
                                           .budget = &budget, .folders = folders, .n_folders = 2 });
        return 0;
}

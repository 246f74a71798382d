/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Timestamp metadata before any signature was looked at. */
#include "tuf-role.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        check_list(TUF_TIMESTAMP, bytes, n);
        return 0;
}

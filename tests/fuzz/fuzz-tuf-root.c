/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Root metadata, as the trusted one to begin with and as the next one from the server. */
#include "tuf/updater.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        UpdaterLocal local = {
                .root = bytes, .root_length = n, .timestamp = bytes, .timestamp_length = n
        };
        _cleanup_(updater_freep) Updater *u = NULL;
        UpdaterStep step;
        Why w = {};

        if (updater_new(&local, 0, &u, &w) < 0) {
                if (w.text[0] == '\0')
                        abort();
                return 0;
        }
        updater_next(u, &step);
        if (step.type != UPDATER_FETCH)
                abort();
        if (n > step.limit)
                return 0;
        updater_bytes(u, bytes, n); /* the same version again: never taken */
        updater_next(u, &step);
        if (step.type != UPDATER_FAILED || updater_result(u, &w) == UPDATER_OK)
                abort();
        return 0;
}

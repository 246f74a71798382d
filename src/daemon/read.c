/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading: the running program is read back out of the device, with the header and signature of
 * its record where the device can tell them, and goes into the store. What was read must have
 * the digest that the device reports. */
#include "basic/log.h"
#include "daemon/ask.h"
#include "daemon/stages.h"

static void on_stored(int error, void *userdata) {
        Update *u = userdata;

        u->storing = false;
        if (error < 0) {
                manager_fatal(u->manager, error, "an image could not be made durable");
                return;
        }
        update_success(u);
}

static int keep(Update *u, const DriverResult *result, Why *w) {
        Record *record = u->device->record;
        _cleanup_(release_freep) Release *release = NULL;
        const char *version = result->identity.version;
        Sha256 digest;
        int r;

        r = sha256_of(result->bytes, result->length, &digest);
        if (r < 0)
                return why(w, r, "the digest could not be computed: %s", strerror(-r));
        if (!sha256_equal(&digest, &result->identity.digest))
                return why(w, -EBADMSG,
                                "what was read does not have the digest that the device reports");
        r = release_new_bare(record->model, version_is_valid(version) ? version : "0",
                        result->length, &digest, &release);
        if (r < 0)
                return why(w, r, "the image cannot be described: %s", strerror(-r));
        if (u->candidate) {
                /* READ_RELEASE came before: header and signature of the record. */
                memcpy(release->header, u->candidate->header, u->candidate->header_length);
                release->header_length = u->candidate->header_length;
                memcpy(release->signature, u->candidate->signature, u->candidate->signature_length);
                release->signature_length = u->candidate->signature_length;
        }
        release_free(u->candidate);
        u->candidate = TAKE_PTR(release);
        r = store_add(u->manager->store, u->candidate, result->bytes, result->length, on_stored, u,
                        w);
        u->storing = r == 0;
        return r;
}

static void on_read(Update *u, const DriverResult *result) {
        Why w;
        int r;

        if (update_parked(u, result))
                return;
        if (result->code != DRIVER_OK) {
                update_failure(u, OUTCOME_CANNOT_READ_BACK, "%s", result->why.text);
                return;
        }
        r = keep(u, result, &w);
        if (r == -ENOSPC)
                update_failure(u, OUTCOME_NO_SPACE, "%s", w.text);
        else if (r == -EBADMSG)
                update_failure(u, OUTCOME_DIGEST_MISMATCH, "%s", w.text);
        else if (r < 0)
                update_failure(u, OUTCOME_STORE_FAILED, "%s", w.text);
}

static void on_release(Update *u, const DriverResult *result) {
        size_t n = result->length - MIN(result->header_length, result->length);
        _cleanup_(release_freep) Release *release = NULL;

        if (update_parked(u, result))
                return;
        if (result->code == DRIVER_OK && result->header_length > 0 &&
                        result->header_length <= MIN(result->length, (size_t)DEVICE_HEADER_MAX) &&
                        n <= DEVICE_SIGNATURE_MAX &&
                        release_new_bare(u->device->record->model, "0",
                                        result->identity.image_length, &result->identity.digest,
                                        &release) == 0) {
                memcpy(release->header, result->bytes, result->header_length);
                release->header_length = result->header_length;
                if (n > 0)
                        memcpy(release->signature, result->bytes + result->header_length, n);
                release->signature_length = n;
                release_free(u->candidate);
                u->candidate = TAKE_PTR(release);
        }
        update_ask(u, DRIVER_READ_BACK, on_read);
}

/* By the record: after a start nothing else is known yet. A program that is read may have to leave
 * for its bootloader, and nobody does that to a device that is held. */
void reading_start(Update *u) {
        uint32_t can = u->device->record->capabilities;

        if (u->device->record->hold) {
                update_wait(u, UPDATE_READING, OUTCOME_WAIT_HOLD, "%s is on hold",
                                device_id(u->device));
                return;
        }
        if (can & DRIVER_CAN_READ_RELEASE)
                update_ask(u, DRIVER_READ_RELEASE, on_release);
        else
                update_ask(u, DRIVER_READ_BACK, on_read);
}

/* SPDX-License-Identifier: MIT */
/*
 * The way back of a device with two slots: when the program of the last push cannot run, the other
 * slot's is started, if it is confirmed and what its record says. That was found out since flash
 * was last touched, like the start of any program.
 *
 * The digest is worked out by the same machine as that of the slot at hand, one after the other;
 * the record at hand stays that of the last push until the start.
 */

#include <string.h>

#include "device/rkd-digest.h"
#include "device/rkd-engine.h"

#if RKD_WITH_SLOTS
static bool is_way_back(const RkdDevice *d) {
        return d->status == RKD_RECORD_GOOD && rkd_record_state(d) == RKD_CONFIRMED;
}

static void look_at_other(RkdDevice *d) {
        rkd_slot_view(d, 1u - d->slot);
        if (is_way_back(d))
                rkd_digest_start(d, rkd_le32(d->body->header.length), RKD_DIGEST_RECORD);
        else
                d->fallback = RKD_CHECK_BAD;
        rkd_slot_view_all(d);
}

void rkd_fallback_poll(RkdDevice *d) {
        bool good;

        if (d->digest != RKD_DIGEST_DONE || d->hash_slot == d->slot)
                return;
        rkd_slot_view(d, d->hash_slot);
        good = is_way_back(d) && rkd_boot_is_plausible(d) &&
               memcmp(d->sha.block, d->body->header.sha256, RKD_SHA256_BYTES) == 0;
        d->fallback = good ? RKD_CHECK_GOOD : RKD_CHECK_BAD;
        d->digest = RKD_DIGEST_IDLE;
        rkd_slot_view_all(d);
}

uint8_t rkd_fallback_check(RkdDevice *d) {
        if (!rkd_has_slots(d) || d->status != RKD_RECORD_GOOD)
                return RKD_NOT_RUNNABLE;
        if (d->digest == RKD_DIGEST_DONE)
                (void)rkd_boot_check(d); /* before it is gone */
        if (d->fallback == RKD_CHECK_UNKNOWN && d->digest < RKD_DIGEST_SHA)
                look_at_other(d);
        if (d->fallback == RKD_CHECK_UNKNOWN)
                return RKD_LATER;
        return d->fallback == RKD_CHECK_GOOD ? RKD_OK : RKD_NOT_RUNNABLE;
}

uint8_t rkd_fallback_start(RkdDevice *d) {
        uint8_t result = rkd_fallback_check(d);

        if (result != RKD_OK)
                return result;
        rkd_slot_view(d, 1u - d->slot);
        d->retained.boots++;
        d->phase = RKD_PHASE_START;
        return RKD_OK;
}
#endif

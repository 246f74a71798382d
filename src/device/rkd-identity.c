/* SPDX-License-Identifier: MIT */
/*
 * The identity block of rekindle-link(7), straight from platform and record into the window that
 * was asked for.
 */

#include <string.h>

#include "device/rkd-device.h"
#include "device/rkd-digest.h"
#include "device/rkd-patch.h"

#define FORMAT 1u

static uint32_t capabilities(const RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t mask = RKD_CAN_TRIAL_TIMER | RKD_CAN_FLASH_BLOCKS_CPU |
                        (RKD_WITH_READ ? RKD_CAN_READ : 0);
        uint32_t can = RKD_CAN_MARKS;

        if (RKD_FLASH_BLOCKS)
                can |= RKD_CAN_FLASH_BLOCKS_CPU;
#if RKD_WITH_SIGNATURE
        if (p->verify_signature)
                can |= RKD_CAN_SIGNED;
#endif
#if RKD_WITH_FLOOR
        if (p->compare_versions)
                can |= RKD_CAN_FLOOR;
#endif
#if RKD_WITH_SLOTS
        if (rkd_has_slots(d))
                can |= RKD_CAN_SLOTS;
#endif
        if (d->address == RKD_ADDRESS_POINT)
                mask |= RKD_CAN_FULL_DUPLEX;
        return can | (p->capabilities & mask);
}

static void put_fixed(const RkdDevice *d, RkdWriter *w, const RkdSelf *self) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        unsigned attempts = rkd_attempts(d), used = rkd_record_used(d);
        RkdFixedIdentity f;

        memset(&f, 0, sizeof(f));
        f.format = FORMAT;
        f.protocol = RKD_PROTOCOL;
        f.who = self->who;
        f.state = self->state;
        f.health = self->health;
        f.cause = self->cause;
        f.boots = rkd_le16((uint16_t)rkd_boots(d));
        f.attempts_left = (uint8_t)(used < attempts ? attempts - used : 0);
        f.instruction_set = p->instruction_set;
        f.codecs = 1 << RKD_CODEC_RAW;
        if (RKD_PATCH_IS_BUILT && p->patch) {
                f.codecs |= 1 << RKD_CODEC_PATCH;
                f.codec_profile = rkd_patch_profile(p);
        }
        f.capabilities = rkd_le32(capabilities(d) | self->capabilities);
        f.max_payload = rkd_le16(p->max_payload);
        f.max_answer = rkd_le16((uint16_t)rkd_link_room(d));
        f.buffer = rkd_le32(p->ring_bytes);
        f.unit_size = rkd_le32(p->unit_size);
        f.program_base = rkd_le32(p->program_base);
        f.program_space = rkd_le32(p->program_space);
        f.ram_base = rkd_le32(p->ram_base);
        f.ram_size = rkd_le32(p->ram_size);
        if (d->status == RKD_RECORD_GOOD) {
                /* push id … source; in the body as in the identity */
                memcpy(f.push_id, d->push_id, sizeof(f.push_id));
                memcpy(&f.image_length, &d->body->header.length, 4 + RKD_SHA256_BYTES);
                f.source = RKD_DIGEST_RECORD;
        } else if (d->digest == RKD_DIGEST_DONE && d->source != RKD_DIGEST_NONE) {
                f.image_length = rkd_le32(d->hash_end);
                memcpy(f.image_sha256, d->sha.block, RKD_SHA256_BYTES);
                f.source = d->source;
        }
        rkd_put_bytes(w, &f, RKD_FIXED_IDENTITY_BYTES);
}

static void put_string(RkdWriter *w, const char *s) {
        uint8_t n = 0;

        while (s && s[n] != '\0')
                n++;
        rkd_put_u8(w, n);
        rkd_put_bytes(w, s, n);
}

static void put_geometry(RkdWriter *w, const RkdPlatform *p) {
        rkd_put_u8(w, p->n_speeds);
        for (unsigned i = 0; i < p->n_speeds; i++)
                rkd_put_u32(w, p->speeds[i]);
        rkd_put_u8(w, p->n_regions);
        for (unsigned i = 0; i < p->n_regions; i++) {
                RkdRegion r = p->regions[i];

                r.start = rkd_le32(r.start);
                r.erase_size = rkd_le32(r.erase_size);
                r.count = rkd_le32(r.count);
                r.write_size = rkd_le16(r.write_size);
                rkd_put_bytes(w, &r, 14);
        }
        put_string(w, p->model);
        put_string(w, p->hardware);
        put_string(w, p->serial);
        put_string(w, p->bootloader_version);
}

/* A text of the record. */
static void put_text(const RkdDevice *d, RkdWriter *w, uint32_t address) {
        uint8_t buffer[4];

        rkd_flash_put(d, w, address, 1u + *rkd_flash_view(d, address, buffer, 1));
}

void rkd_identity_put(const RkdDevice *d, RkdWriter *w, const RkdSelf *self) {
        put_fixed(d, w, self);
        put_geometry(w, RKD_PLATFORM(d));
        if (self->version)
                put_string(w, self->version);
        else if (d->status == RKD_RECORD_GOOD)
                put_text(d, w, rkd_record_text(d, 1));
        else
#if RKD_WITH_SEARCH
                rkd_digest_put_version(d, w);
#else
                rkd_put_u8(w, 0);
#endif
#if RKD_WITH_FLOOR
        if (d->status == RKD_RECORD_GOOD)
                put_text(d, w, rkd_record_address(d, RKD_BODY_FLOOR));
        else
#endif
                rkd_put_u8(w, 0);
}

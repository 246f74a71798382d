/* SPDX-License-Identifier: MIT */
/*
 * The identity block, and the rules of the platform struct; see rkd-identity.h. The order of puts
 * is the layout on the line; rkd_identity_decode() is its counterpart.
 */

#include "device/rkd-identity.h"

#include "device/rkd-digest.h"
#include "device/rkd-flash.h"
#include "device/rkd-patch.h"
#include "device/rkd-record.h"
#include "proto/frame.h"

#define FORMAT 1u

#if RKD_FLASH_BLOCKS
#define HAS_POLL(p) true
#else
#define HAS_POLL(p) ((p)->flash_poll != NULL)
#endif

static uint32_t capabilities(const RkdPlatform *p) {
        uint32_t can = p->capabilities & (RKD_CAN_READ | RKD_CAN_TRIAL_TIMER | RKD_CAN_FULL_DUPLEX |
                                                         RKD_CAN_FLASH_BLOCKS_CPU);

        can |= RKD_CAN_MARKS;
#if RKD_FLASH_BLOCKS
        can |= RKD_CAN_FLASH_BLOCKS_CPU;
#endif
#if !RKD_WITH_READ
        can &= ~(uint32_t)RKD_CAN_READ;
#endif
#if RKD_WITH_SIGNATURE
        can |= p->verify_signature ? RKD_CAN_SIGNED : 0;
#endif
#if RKD_WITH_FLOOR
        can |= p->compare_versions ? RKD_CAN_FLOOR : 0;
#endif
        return can;
}

static uint8_t codecs(const RkdPlatform *p) {
        return p->patch ? 1 << RKD_CODEC_RAW | 1 << RKD_CODEC_PATCH : 1 << RKD_CODEC_RAW;
}

static void put_head(RkdWriter *w, const RkdRecord *r, const RkdSelf *self) {
        const RkdPlatform *p = r->platform;
        uint8_t attempts = rkd_record_attempts(p), used = rkd_record_used(r);
        const uint8_t first[] = { FORMAT, RKD_PROTOCOL, self->who, self->state, self->health,
                self->cause, (uint8_t)self->boots, (uint8_t)(self->boots >> 8),
                used < attempts ? (uint8_t)(attempts - used) : 0, p->instruction_set, codecs(p),
                p->patch ? rkd_patch_profile(p) : 0 };

        rkd_put_bytes(w, first, sizeof(first));
        rkd_put_u32(w, capabilities(p) | self->capabilities);
        rkd_put_u16(w, p->max_payload < RKD_PAYLOAD_MIN ? RKD_PAYLOAD_MIN : p->max_payload);
        rkd_put_u16(w, self->max_answer);
        rkd_put_u32(w, p->ring_bytes);
        rkd_put_u32(w, p->unit_size);
        rkd_put_u32(w, p->program_base);
        rkd_put_u32(w, p->program_space);
        rkd_put_u32(w, p->ram_base);
        rkd_put_u32(w, p->ram_size);
        rkd_put_bytes(w, r->push_id, sizeof(r->push_id));
}

/* Length, SHA-256 and where they come from. */
static int put_image(RkdWriter *w, const RkdRecord *r, const RkdSelf *self) {
        static const uint8_t none[RKD_SHA256_BYTES] = { 0 };
        const RkdDigest *d = self->digest;
        uint8_t source = RKD_DIGEST_RECORD;

        if (r->status == RKD_RECORD_GOOD) {
                rkd_put_u32(w, r->image_length);
                if (rkd_record_put(r, w, RKD_RECORD_SHA256, RKD_SHA256_BYTES) < 0)
                        return -1;
        } else {
                source = d ? d->source : RKD_DIGEST_NONE;
                rkd_put_u32(w, source == RKD_DIGEST_NONE ? 0 : d->length);
                rkd_put_bytes(w, source == RKD_DIGEST_NONE ? none : (const uint8_t *)d->sha.block,
                                RKD_SHA256_BYTES);
        }
        rkd_put_u8(w, source);
        return 0;
}

static void put_geometry(RkdWriter *w, const RkdPlatform *p) {
        rkd_put_u8(w, p->n_speeds);
        for (uint8_t i = 0; i < p->n_speeds; i++)
                rkd_put_u32(w, p->speeds[i]);
        rkd_put_u8(w, p->n_regions);
        for (uint8_t i = 0; i < p->n_regions; i++) {
                rkd_put_u32(w, p->regions[i].start);
                rkd_put_u32(w, p->regions[i].erase_size);
                rkd_put_u32(w, p->regions[i].count);
                rkd_put_u16(w, p->regions[i].write_size);
        }
        rkd_put_text(w, rkd_text(p->model));
        rkd_put_text(w, rkd_text(p->hardware));
        rkd_put_text(w, rkd_text(p->serial));
        rkd_put_text(w, rkd_text(p->bootloader_version));
}

static int put_version(RkdWriter *w, const RkdRecord *r, const RkdSelf *self) {
        if (self->version.text) {
                rkd_put_text(w, self->version);
                return 0;
        }
#if RKD_WITH_SEARCH
        if (self->digest)
                return rkd_digest_put_version(self->digest, w);
#endif
        return rkd_record_put_version(r, w);
}

int rkd_identity_write(RkdWriter *w, const RkdRecord *r, const RkdSelf *self) {
        put_head(w, r, self);
        if (put_image(w, r, self) < 0)
                return -1;
        put_geometry(w, r->platform);
        if (put_version(w, r, self) < 0)
                return -1;
        return rkd_record_put_floor(r, w);
}

#if RKD_WITH_CHECKS
static bool are_texts_valid(const RkdPlatform *p) {
        const char *texts[] = { p->model, p->hardware, p->serial, p->bootloader_version };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (rkd_text(texts[i]).length > RKD_TEXT_MAX)
                        return false;
        return p->model && p->model[0] != '\0';
}

static bool is_power_of_2(uint32_t n) {
        return n > 0 && (n & (n - 1)) == 0;
}

static bool is_geometry_valid(const RkdPlatform *p) {
        if (p->n_regions < 1 || p->n_regions > RKD_REGIONS_MAX || p->unit_size == 0 ||
                        p->program_space == 0 || p->program_space % p->unit_size != 0)
                return false;
        for (uint8_t i = 0; i < p->n_regions; i++)
                if (p->regions[i].erase_size == 0 || !is_power_of_2(p->regions[i].write_size))
                        return false;
        return rkd_flash_count_units(p, p->program_base, p->program_space) > 0;
}

static bool is_record_valid(const RkdPlatform *p) {
        return p->record_size >= RKD_RECORD_SIZE_MIN && is_power_of_2(p->record_write_size) &&
               p->record_write_size <= RKD_WRITE_SIZE_MAX && rkd_record_attempts(p) <= 8 &&
               rkd_record_count_pairs(p) > rkd_record_attempts(p);
}

bool rkd_platform_is_valid(const RkdPlatform *p) {
        return p->address != RKD_ADDRESS_ALL && p->n_speeds >= 1 && p->n_speeds <= RKD_SPEEDS_MAX &&
               p->tx && p->tx_bytes >= RKD_FRAME_ENCODED(RKD_PAYLOAD_MIN) && p->flash_read &&
               p->flash_write && HAS_POLL(p) && p->send && p->milliseconds && are_texts_valid(p) &&
               is_geometry_valid(p) && is_record_valid(p);
}
#endif

/* SPDX-License-Identifier: MIT */
/*
 * The common part of identify, and the rules of the platform struct; see rkd-identity.h.
 */

#include "device/rkd-identity.h"

#include <string.h>

#include "device/rkd-flash.h"
#include "device/rkd-patch.h"
#include "device/rkd-record.h"
#include "proto/frame.h"

static uint32_t capabilities(const RkdPlatform *p) {
        uint32_t can = p->capabilities & (RKD_CAN_READ | RKD_CAN_TRIAL_TIMER | RKD_CAN_FULL_DUPLEX |
                                                         RKD_CAN_FLASH_BLOCKS_CPU);

        can |= RKD_CAN_MARKS;
        can |= p->verify_signature ? RKD_CAN_SIGNED : 0;
        can |= p->compare_versions ? RKD_CAN_FLOOR : 0;
        return can;
}

static void fill_platform(RkdIdentity *id, const RkdPlatform *p) {
        id->protocol = RKD_PROTOCOL;
        id->instruction_set = p->instruction_set;
        id->codecs = 1 << RKD_CODEC_RAW;
        if (p->patch) {
                id->codecs |= 1 << RKD_CODEC_PATCH;
                id->codec_profile = rkd_patch_profile(p);
        }
        id->capabilities = capabilities(p);
        id->max_payload = p->max_payload;
        id->buffer = p->ring_bytes;
        id->unit_size = p->unit_size;
        id->program_base = p->program_base;
        id->program_space = p->program_space;
        id->ram_base = p->ram_base;
        id->ram_size = p->ram_size;
        id->n_speeds = p->n_speeds;
        memcpy(id->speeds, p->speeds, p->n_speeds * sizeof(p->speeds[0]));
        id->n_regions = p->n_regions;
        memcpy(id->regions, p->regions, p->n_regions * sizeof(p->regions[0]));
        id->model = rkd_text(p->model);
        id->hardware = rkd_text(p->hardware);
        id->serial = rkd_text(p->serial);
        id->bootloader_version = rkd_text(p->bootloader_version);
}

void rkd_identity_fill(
                RkdIdentity *ret, RkdIdentityTexts *texts, const RkdRecord *r, size_t max_answer) {
        uint8_t attempts = rkd_record_attempts(r->platform), used = rkd_record_used(r);

        memset(ret, 0, sizeof(*ret));
        fill_platform(ret, r->platform);
        ret->max_answer = (uint16_t)max_answer;
        ret->attempts_left = used < attempts ? (uint8_t)(attempts - used) : 0;
        ret->version = rkd_record_version(r, texts->version);
        ret->floor = rkd_record_floor(r, texts->floor);
        if (r->status != RKD_RECORD_GOOD)
                return;
        ret->push_id = r->push_id;
        ret->image_length = r->image_length;
        if (rkd_record_read_sha256(r, ret->image_sha256) == 0)
                ret->digest_source = RKD_DIGEST_RECORD;
}

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
               p->flash_write && p->flash_poll && p->send && p->milliseconds &&
               are_texts_valid(p) && is_geometry_valid(p) && is_record_valid(p);
}

/* SPDX-License-Identifier: MIT */
/*
 * The identity block: what a device tells of itself. Encoded through a window, because it
 * outgrows a small device's buffers.
 */

#include <string.h>

#include "proto/frame.h"
#include "proto/message.h"

#define IDENTITY_FORMAT 1u

size_t rkd_identity_encode(const RkdIdentity *id, size_t offset, uint8_t *out, size_t room) {
        RkdWriter w = { .out = out, .skip = offset, .room = room };
        const uint8_t first[] = { IDENTITY_FORMAT, id->protocol, id->who, id->state, id->health,
                id->reset_cause };
        const uint8_t second[] = { id->attempts_left, id->instruction_set, id->codecs,
                id->codec_profile };
        const uint32_t words[] = { id->buffer, id->unit_size, id->program_base, id->program_space,
                id->ram_base, id->ram_size };

        rkd_put_bytes(&w, first, sizeof(first));
        rkd_put_u16(&w, id->boots);
        rkd_put_bytes(&w, second, sizeof(second));
        rkd_put_u32(&w, id->capabilities);
        rkd_put_u16(&w, id->max_payload);
        rkd_put_u16(&w, id->max_answer);
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                rkd_put_u32(&w, words[i]);
        rkd_put_u64(&w, id->push_id);
        rkd_put_u32(&w, id->image_length);
        rkd_put_bytes(&w, id->image_sha256, sizeof(id->image_sha256));
        rkd_put_u8(&w, id->digest_source);
        rkd_put_u8(&w, id->n_speeds);
        for (uint8_t i = 0; i < id->n_speeds; i++)
                rkd_put_u32(&w, id->speeds[i]);
        rkd_put_u8(&w, id->n_regions);
        for (uint8_t i = 0; i < id->n_regions; i++) {
                rkd_put_u32(&w, id->regions[i].start);
                rkd_put_u32(&w, id->regions[i].erase_size);
                rkd_put_u32(&w, id->regions[i].count);
                rkd_put_u16(&w, id->regions[i].write_size);
        }
        rkd_put_text(&w, id->model);
        rkd_put_text(&w, id->hardware);
        rkd_put_text(&w, id->serial);
        rkd_put_text(&w, id->bootloader_version);
        rkd_put_text(&w, id->version);
        rkd_put_text(&w, id->floor);
        return w.total;
}

static void get_fixed(RkdReader *r, RkdIdentity *id) {
        const uint8_t *sha256;

        if (rkd_get_u8(r) != IDENTITY_FORMAT)
                r->bad = true;
        id->protocol = rkd_get_u8(r);
        id->who = rkd_get_u8(r);
        id->state = rkd_get_u8(r);
        id->health = rkd_get_u8(r);
        id->reset_cause = rkd_get_u8(r);
        id->boots = rkd_get_u16(r);
        id->attempts_left = rkd_get_u8(r);
        id->instruction_set = rkd_get_u8(r);
        id->codecs = rkd_get_u8(r);
        id->codec_profile = rkd_get_u8(r);
        id->capabilities = rkd_get_u32(r);
        id->max_payload = rkd_get_u16(r);
        id->max_answer = rkd_get_u16(r);
        id->buffer = rkd_get_u32(r);
        id->unit_size = rkd_get_u32(r);
        id->program_base = rkd_get_u32(r);
        id->program_space = rkd_get_u32(r);
        id->ram_base = rkd_get_u32(r);
        id->ram_size = rkd_get_u32(r);
        id->push_id = rkd_get_u64(r);
        id->image_length = rkd_get_u32(r);
        sha256 = rkd_get_bytes(r, RKD_SHA256_BYTES);
        if (sha256)
                memcpy(id->image_sha256, sha256, RKD_SHA256_BYTES);
        id->digest_source = rkd_get_u8(r);
}

static void get_lists(RkdReader *r, RkdIdentity *id) {
        id->n_speeds = rkd_get_u8(r);
        if (id->n_speeds > RKD_SPEEDS_MAX) {
                r->bad = true;
                return;
        }
        for (uint8_t i = 0; i < id->n_speeds; i++)
                id->speeds[i] = rkd_get_u32(r);
        id->n_regions = rkd_get_u8(r);
        if (id->n_regions > RKD_REGIONS_MAX) {
                r->bad = true;
                return;
        }
        for (uint8_t i = 0; i < id->n_regions; i++) {
                id->regions[i].start = rkd_get_u32(r);
                id->regions[i].erase_size = rkd_get_u32(r);
                id->regions[i].count = rkd_get_u32(r);
                id->regions[i].write_size = rkd_get_u16(r);
        }
}

/* What a host may rely on without looking again. */
static bool is_sane(const RkdIdentity *id) {
        return id->protocol >= 1 && id->who <= RKD_WHO_PROGRAM && id->state < _RKD_STATE_MAX &&
               id->health < _RKD_HEALTH_MAX && id->reset_cause < _RKD_CAUSE_MAX &&
               id->digest_source <= RKD_DIGEST_AREA && id->max_payload >= RKD_PAYLOAD_MIN &&
               id->max_payload <= RKD_PAYLOAD_MAX && id->max_answer >= RKD_PAYLOAD_MIN &&
               id->max_answer <= RKD_ANSWER_MAX && id->unit_size > 0 &&
               id->program_space >= id->unit_size && id->program_space % id->unit_size == 0 &&
               id->program_space - 1 <= UINT32_MAX - id->program_base &&
               id->image_length <= id->program_space && id->model.length > 0;
}

int rkd_identity_decode(RkdIdentity *ret, const uint8_t *data, size_t n) {
        RkdReader r = { .at = data, .left = n };
        RkdIdentity id;

        if (n > RKD_IDENTITY_MAX)
                return RKD_E_MALFORMED;
        memset(&id, 0, sizeof(id));
        get_fixed(&r, &id);
        get_lists(&r, &id);
        id.model = rkd_get_text(&r, RKD_TEXT_MAX);
        id.hardware = rkd_get_text(&r, RKD_TEXT_MAX);
        id.serial = rkd_get_text(&r, RKD_TEXT_MAX);
        id.bootloader_version = rkd_get_text(&r, RKD_TEXT_MAX);
        id.version = rkd_get_text(&r, RKD_TEXT_MAX);
        id.floor = rkd_get_text(&r, RKD_TEXT_MAX);
        if (!rkd_reader_is_done(&r) || !is_sane(&id))
                return RKD_E_MALFORMED;
        *ret = id;
        return 0;
}

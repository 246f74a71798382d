/* SPDX-License-Identifier: MIT */
/*
 * The device header, see header.h.
 */

#include "proto/header.h"

#include <string.h>

#define HEADER_FORMAT 1u

static const uint8_t magic[4] = { 'R', 'K', 'H', '1' };

static bool is_sane(const RkdHeader *h) {
        return h->algorithm < _RKD_ALGORITHM_MAX && h->length > 0 && h->model.length > 0 &&
               h->version.length > 0;
}

static bool is_encodable(const RkdHeader *h) {
        if (!is_sane(h) || h->model.length > RKD_TEXT_MAX || h->version.length > RKD_TEXT_MAX ||
                        h->floor.length > RKD_TEXT_MAX || h->n_hardware > RKD_HARDWARE_MAX)
                return false;
        for (uint8_t i = 0; i < h->n_hardware; i++)
                if (h->hardware[i].length == 0 || h->hardware[i].length > RKD_TEXT_MAX)
                        return false;
        return true;
}

size_t rkd_header_encode(const RkdHeader *h, uint8_t *out, size_t room) {
        RkdWriter w = { .out = out, .room = room };

        if (!is_encodable(h))
                return 0;
        rkd_put_bytes(&w, magic, sizeof(magic));
        rkd_put_u8(&w, HEADER_FORMAT);
        rkd_put_u8(&w, h->algorithm);
        rkd_put_u16(&w, 0);
        rkd_put_u32(&w, h->length);
        rkd_put_bytes(&w, h->sha256, sizeof(h->sha256));
        rkd_put_text(&w, h->model);
        rkd_put_text(&w, h->version);
        rkd_put_text(&w, h->floor);
        rkd_put_u8(&w, h->n_hardware);
        for (uint8_t i = 0; i < h->n_hardware; i++)
                rkd_put_text(&w, h->hardware[i]);
        return w.total <= room && w.total <= RKD_HEADER_MAX ? w.total : 0;
}

static bool get_hardware(RkdReader *r, RkdHeader *h) {
        h->n_hardware = rkd_get_u8(r);
        if (h->n_hardware > RKD_HARDWARE_MAX)
                return false;
        for (uint8_t i = 0; i < h->n_hardware; i++) {
                h->hardware[i] = rkd_get_text(r, RKD_TEXT_MAX);
                if (h->hardware[i].length == 0)
                        return false;
        }
        return true;
}

int rkd_header_decode(RkdHeader *ret, const uint8_t *data, size_t n) {
        RkdReader r = { .at = data, .left = n };
        const uint8_t *found = rkd_get_bytes(&r, sizeof(magic)), *sha256;
        uint8_t format = rkd_get_u8(&r);
        uint16_t reserved;
        RkdHeader h;

        memset(&h, 0, sizeof(h));
        h.algorithm = rkd_get_u8(&r);
        reserved = rkd_get_u16(&r);
        h.length = rkd_get_u32(&r);
        sha256 = rkd_get_bytes(&r, RKD_SHA256_BYTES);
        h.model = rkd_get_text(&r, RKD_TEXT_MAX);
        h.version = rkd_get_text(&r, RKD_TEXT_MAX);
        h.floor = rkd_get_text(&r, RKD_TEXT_MAX);
        if (n > RKD_HEADER_MAX || !get_hardware(&r, &h) || !rkd_reader_is_done(&r) ||
                        memcmp(found, magic, sizeof(magic)) != 0 || format != HEADER_FORMAT ||
                        reserved != 0 || !is_sane(&h))
                return RKD_E_MALFORMED;
        memcpy(h.sha256, sha256, RKD_SHA256_BYTES);
        *ret = h;
        return 0;
}

bool rkd_header_fits_hardware(const RkdHeader *header, RkdText hardware) {
        for (uint8_t i = 0; i < header->n_hardware; i++)
                if (rkd_text_equal(header->hardware[i], hardware))
                        return true;
        return header->n_hardware == 0;
}

bool rkd_header_takes_signature(const RkdHeader *header, size_t n_signature) {
        return n_signature == (header->algorithm == RKD_ALGORITHM_NONE ? 0 : RKD_SIGNATURE_BYTES);
}

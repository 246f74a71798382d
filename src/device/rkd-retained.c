/* SPDX-License-Identifier: MIT */
/*
 * Layout of the block: "RKR1" | intent u8 | cause u8 | retries u8 | 0 | boots u16 | zeros |
 * crc32 over the first 28 bytes.
 */

#include "device/rkd-retained.h"

#include <string.h>

#include "proto/bytes.h"
#include "proto/crc.h"

static const uint8_t magic[4] = { 'R', 'K', 'R', '1' };

#define CRC_AT (RKD_RETAINED_BYTES - 4)

void rkd_retained_load(RkdRetained *ret, const RkdPlatform *p) {
        const uint8_t *b = p->retained;

        *ret = (RkdRetained){ 0 };
        if (!b || memcmp(b, magic, sizeof(magic)) != 0 ||
                        rkd_load_u32(b + CRC_AT) != rkd_crc32(b, CRC_AT))
                return;
        ret->intent = b[4];
        ret->cause = b[5] < _RKD_CAUSE_MAX ? b[5] : RKD_CAUSE_POWER;
        ret->retries = b[6];
        ret->boots = rkd_load_u16(b + 8);
}

void rkd_retained_store(const RkdRetained *r, const RkdPlatform *p) {
        uint8_t b[RKD_RETAINED_BYTES] = { 0 };

        if (!p->retained)
                return;
        memcpy(b, magic, sizeof(magic));
        b[4] = r->intent;
        b[5] = r->cause;
        b[6] = r->retries;
        b[8] = (uint8_t)r->boots;
        b[9] = (uint8_t)(r->boots >> 8);
        rkd_store_u32(b + CRC_AT, rkd_crc32(b, CRC_AT));
        memcpy(p->retained, b, sizeof(b));
}

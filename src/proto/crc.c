/* SPDX-License-Identifier: MIT */
/*
 * CRC-32/ISO-HDLC, four bits a step with a table of 64 bytes; or bit by bit where these count
 * (RKD_CRC32_SMALL).
 */

#include "proto/crc.h"

#if RKD_CRC32_SMALL
uint32_t rkd_crc32_byte(uint32_t running, unsigned byte) {
        running ^= byte;
        for (unsigned i = 0; i < 8; i++)
                running = running >> 1 ^ ((0u - (running & 1)) & 0xedb88320u);
        return running;
}
#else
/* Entry i: the CRC register after the nibble i went through the reflected polynomial 0xEDB88320. */
static const uint32_t nibbles[16] = {
        0x00000000,
        0x1db71064,
        0x3b6e20c8,
        0x26d930ac,
        0x76dc4190,
        0x6b6b51f4,
        0x4db26158,
        0x5005713c,
        0xedb88320,
        0xf00f9344,
        0xd6d6a3e8,
        0xcb61b38c,
        0x9b64c2b0,
        0x86d3d2d4,
        0xa00ae278,
        0xbdbdf21c,
};

uint32_t rkd_crc32_byte(uint32_t running, unsigned byte) {
        running ^= byte;
        running = running >> 4 ^ nibbles[running & 15];
        return running >> 4 ^ nibbles[running & 15];
}
#endif

uint32_t rkd_crc32_add(uint32_t running, const void *data, size_t n) {
        const uint8_t *p = data;

        while (n-- > 0)
                running = rkd_crc32_byte(running, *p++);
        return running;
}

uint32_t rkd_crc32_finish(uint32_t running) {
        return ~running;
}

uint32_t rkd_crc32(const void *data, size_t n) {
        return rkd_crc32_finish(rkd_crc32_add(RKD_CRC32_START, data, n));
}

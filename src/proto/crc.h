/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * CRC-32/ISO-HDLC: polynomial 0xEDB88320 (reflected), initial value and final xor 0xFFFFFFFF,
 * check("123456789") = 0xCBF43926.
 */

#include <stddef.h>
#include <stdint.h>

#ifndef RKD_CRC32_SMALL
#define RKD_CRC32_SMALL 0 /* 1: without the table, at a quarter of the speed */
#endif

#define RKD_CRC32_START UINT32_C(0xffffffff)
/* The running form after bytes and their own CRC, little-endian. */
#define RKD_CRC32_GOOD UINT32_C(0xdebb20e3)

/* Running form: begin with RKD_CRC32_START, add any number of pieces, end with
 * rkd_crc32_finish(). */
uint32_t rkd_crc32_byte(uint32_t running, unsigned byte);
uint32_t rkd_crc32_add(uint32_t running, const void *data, size_t n);
uint32_t rkd_crc32_finish(uint32_t running);

/* Of one whole block. */
uint32_t rkd_crc32(const void *data, size_t n);

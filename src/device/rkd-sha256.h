/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SHA-256 (FIPS 180-4), for messages below 2^29 bytes.
 */

#include "device/rkd-local.h"

RKD_LOCAL void rkd_sha256_init(RkdSha256 *sha);
RKD_LOCAL void rkd_sha256_add(RkdSha256 *sha, const void *data, size_t n);
/* ret_digest may be the block of `sha`. */
RKD_LOCAL void rkd_sha256_finish(RkdSha256 *sha, uint8_t *ret_digest);

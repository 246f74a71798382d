/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SHA-256 over the program, a bounded piece at each poll; and for a program without a record,
 * the search for its end: from its descriptor, else by trimming the erased tail of the program
 * space.
 */

#include "device/rkd-context.h"

void rkd_digest_init(RkdDigest *digest, const RkdPlatform *platform);
/* Of the first n bytes of the program space; source: what to say where n comes from. */
void rkd_digest_start(RkdDigest *digest, uint32_t n, uint8_t source);
#if RKD_WITH_SEARCH
/* Of whatever is there. */
void rkd_digest_search(RkdDigest *digest);
#endif
/* 1 busy, 0 done (or never begun), -1 flash cannot be read. Done: length, sha256, source,
 * descriptor. */
int rkd_digest_poll(RkdDigest *digest);
bool rkd_digest_is_busy(const RkdDigest *digest);
bool rkd_digest_is_done(const RkdDigest *digest);
#if RKD_WITH_SEARCH
/* The version of the descriptor that was found, which ends with a zero; empty without one. 0, or -1
 * when flash cannot be read. */
int rkd_digest_put_version(const RkdDigest *digest, RkdWriter *w);
#endif

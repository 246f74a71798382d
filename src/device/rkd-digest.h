/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SHA-256 over the program, and the search for a program that has no record.
 */

#include "device/rkd-device.h"

/* Of the first n bytes of the program space; source: what to say where n comes from. */
RKD_LOCAL void rkd_digest_start(RkdDevice *d, uint32_t n, unsigned source);
RKD_LOCAL void rkd_digest_poll(RkdDevice *d);
#if RKD_WITH_SEARCH
/* Of whatever is there. */
RKD_LOCAL void rkd_digest_search(RkdDevice *d);
RKD_LOCAL void rkd_digest_put_version(const RkdDevice *d, RkdWriter *w);
#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a device header: what is accepted must encode to the same bytes, since it is what
 * the signature covers. The rest of the input is compared as versions: any two texts have one
 * order.
 */

#include <assert.h>
#include <string.h>

#include "proto/header.h"
#include "proto/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int sign(int x) {
        return (x > 0) - (x < 0);
}

static void compare(const uint8_t *bytes, size_t n) {
        size_t half = n / 2 < UINT8_MAX ? n / 2 : UINT8_MAX;
        RkdText a = { (const char *)bytes, (uint8_t)half };
        RkdText b = { (const char *)bytes + half, (uint8_t)half };

        assert(rkd_version_compare(a, a) == 0);
        assert(sign(rkd_version_compare(a, b)) == -sign(rkd_version_compare(b, a)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        uint8_t again[RKD_HEADER_MAX];
        RkdHeader h;

        if (rkd_header_decode(&h, bytes, n) == 0) {
                assert(rkd_header_encode(&h, again, sizeof(again)) == n);
                assert(memcmp(again, bytes, n) == 0);
                (void)rkd_header_fits_hardware(&h, rkd_text("B"));
        }
        compare(bytes, n);
        return 0;
}

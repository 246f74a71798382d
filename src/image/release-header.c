/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Release and device header: two ways to say the same, so the one is always compared with the
 * other, string by string. */
#include <assert.h>

#include "image/release-header.h"

#define WHERE "release: device header"

static RkdText text_of(const char *s) {
        return s ? (RkdText){ .text = s, .length = (uint8_t)strlen(s) } : (RkdText){ .text = "" };
}

static bool text_is(RkdText text, const char *s) {
        return text.length == strlen(s ?: "") && memcmp(text.text, s ?: "", text.length) == 0;
}

int release_build_header(Release *release, uint8_t algorithm, Why *w) {
        RkdHeader h = {
                .algorithm = algorithm,
                .length = (uint32_t)release->image_length,
                .model = text_of(release->model),
                .version = text_of(release->version),
                .floor = text_of(release->floor),
        };

        assert(release->image_length > 0 && release->image_length <= RELEASE_IMAGE_MAX);
        memcpy(h.sha256, release->image_digest.bytes, SHA256_BYTES);
        for (char **p = release->hardware; p && *p; p++) {
                assert(h.n_hardware < RKD_HARDWARE_MAX);
                h.hardware[h.n_hardware++] = text_of(*p);
        }
        release->header_length = rkd_header_encode(&h, release->header, sizeof(release->header));
        if (release->header_length == 0)
                return why(w, -EMSGSIZE,
                                WHERE
                                ": model, version, floor and hardware do not fit into its %d bytes "
                                "(63 for each string)",
                                DEVICE_HEADER_MAX);
        return 0;
}

static int differs(const char *what, Why *w) {
        return why(w, -EBADMSG, WHERE ": says another %s than the release", what);
}

static int check_hardware(const Release *release, const RkdHeader *h, Why *w) {
        uint8_t i = 0;

        for (char **p = release->hardware; p && *p; p++, i++)
                if (i >= h->n_hardware || !text_is(h->hardware[i], *p))
                        return differs("hardware", w);
        return i == h->n_hardware ? 0 : differs("hardware", w);
}

int release_check_header(const Release *release, Why *w) {
        RkdHeader h;

        if (rkd_header_decode(&h, release->header, release->header_length) != 0)
                return why(w, -EBADMSG, WHERE ": malformed");
        if (!text_is(h.model, release->model))
                return differs("model", w);
        if (!text_is(h.version, release->version))
                return differs("version", w);
        if (!text_is(h.floor, release->floor))
                return differs("floor", w);
        if (h.length != release->image_length)
                return differs("length", w);
        if (memcmp(h.sha256, release->image_digest.bytes, SHA256_BYTES) != 0)
                return differs("SHA-256", w);
        if (!rkd_header_takes_signature(&h, release->signature_length))
                return why(w, -EBADMSG,
                                WHERE ": algorithm %u does not go with a signature of %zu bytes",
                                h.algorithm, release->signature_length);
        return check_hardware(release, &h, w);
}

/* SPDX-License-Identifier: MIT */
/*
 * Digest of the program in flash, see rkd-digest.h.
 */

#include "device/rkd-digest.h"

#include <string.h>

#include "device/rkd-flash.h"
#include "device/rkd-sha256.h"
#include "proto/bytes.h"
#include "rekindle/device.h"

enum {
        STEP_IDLE,
        STEP_SEARCH,
        STEP_TRIM,
        STEP_SHA,
        STEP_DONE
};

#define PIECE      32u
#define PIECES     16u /* at each poll */
#define LENGTH_AT  offsetof(RkdDescriptor, length)
#define MODEL_AT   offsetof(RkdDescriptor, model)
#define VERSION_AT offsetof(RkdDescriptor, version)
#define TEXT_BYTES 64u

void rkd_digest_init(RkdDigest *d, const RkdPlatform *p) {
        *d = (RkdDigest){ .platform = p };
}

void rkd_digest_start(RkdDigest *d, uint32_t n, uint8_t source) {
        d->step = STEP_SHA;
        d->at = 0;
        d->end = d->length = n;
        d->source = source;
        rkd_sha256_init(&d->sha);
}

static int read_at(const RkdDigest *d, uint32_t offset, void *out, uint32_t n) {
        const RkdPlatform *p = d->platform;

        return rkd_flash_read(p, p->program_base + offset, out, n);
}

#if RKD_WITH_SEARCH
static const uint8_t magic[8] = RKD_DESCRIPTOR_MAGIC;

/* Printable, NUL-terminated, the rest zero. Returns the length, -1 for anything else. */
static int text_length(const uint8_t *text) {
        int n = -1;

        for (unsigned i = 0; i < TEXT_BYTES; i++) {
                if (n < 0 && text[i] == 0)
                        n = (int)i;
                else if (n < 0 ? text[i] < 0x20 || text[i] > 0x7e : text[i] != 0)
                        return -1;
        }
        return n;
}

static bool is_descriptor(const RkdDigest *d, uint32_t offset, uint32_t *ret_length) {
        uint32_t space = d->platform->program_space, length;
        uint8_t b[TEXT_BYTES];

        if (space - offset < sizeof(RkdDescriptor) || read_at(d, offset + LENGTH_AT, b, 8) < 0)
                return false;
        length = rkd_load_u32(b);
        if (length > space || length < offset + sizeof(RkdDescriptor) || rkd_load_u32(b + 4) != 0)
                return false;
        for (uint32_t at = MODEL_AT; at <= VERSION_AT; at += VERSION_AT - MODEL_AT)
                if (read_at(d, offset + at, b, sizeof(b)) < 0 || text_length(b) <= 0)
                        return false;
        *ret_length = length;
        return true;
}

/* Looks at one piece; the magic may reach over its end. */
static int search(RkdDigest *d) {
        uint8_t b[PIECE + sizeof(magic)];
        uint32_t space = d->platform->program_space, n = space - d->at, length;

        if (n < sizeof(RkdDescriptor)) {
                d->step = STEP_TRIM;
                d->at = space;
                return 0;
        }
        n = n < sizeof(b) ? n : (uint32_t)sizeof(b);
        if (read_at(d, d->at, b, n) < 0)
                return -1;
        for (uint32_t i = 0; i < PIECE && i + sizeof(magic) <= n; i += 4)
                if (memcmp(b + i, magic, sizeof(magic)) == 0 &&
                                is_descriptor(d, d->at + i, &length)) {
                        d->descriptor = d->platform->program_base + d->at + i;
                        rkd_digest_start(d, length, RKD_DIGEST_DESCRIPTOR);
                        return 0;
                }
        d->at += PIECE;
        return 0;
}

static int trim(RkdDigest *d) {
        uint8_t b[PIECE];
        uint32_t n = d->at < sizeof(b) ? d->at : (uint32_t)sizeof(b);

        if (n == 0) {
                d->step = STEP_DONE;
                d->source = RKD_DIGEST_NONE;
                return 0;
        }
        if (read_at(d, d->at - n, b, n) < 0)
                return -1;
        for (; n > 0 && b[n - 1] == 0xff; n--)
                d->at--;
        if (n > 0)
                rkd_digest_start(d, d->at, RKD_DIGEST_AREA);
        return 0;
}
#endif

static int hash(RkdDigest *d) {
        uint8_t b[PIECE];
        uint32_t n = d->end - d->at < sizeof(b) ? d->end - d->at : (uint32_t)sizeof(b);

        if (n == 0) {
                rkd_sha256_finish(&d->sha, (uint8_t *)d->sha.block);
                d->step = STEP_DONE;
                return 0;
        }
        if (read_at(d, d->at, b, n) < 0)
                return -1;
        rkd_sha256_add(&d->sha, b, n);
        d->at += n;
        return 0;
}

int rkd_digest_poll(RkdDigest *d) {
        int r = 0;

        for (unsigned i = 0; i < PIECES && rkd_digest_is_busy(d) && r == 0; i++) {
#if RKD_WITH_SEARCH
                if (d->step == STEP_SEARCH)
                        r = search(d);
                else if (d->step == STEP_TRIM)
                        r = trim(d);
                else
#endif
                        r = hash(d);
        }
        if (r < 0)
                d->step = STEP_IDLE;
        return r < 0 ? r : rkd_digest_is_busy(d);
}

bool rkd_digest_is_busy(const RkdDigest *d) {
        return d->step != STEP_IDLE && d->step != STEP_DONE;
}

bool rkd_digest_is_done(const RkdDigest *d) {
        return d->step == STEP_DONE;
}

#if RKD_WITH_SEARCH
void rkd_digest_search(RkdDigest *d) {
        rkd_digest_init(d, d->platform);
        d->step = STEP_SEARCH;
}

int rkd_digest_put_version(const RkdDigest *d, RkdWriter *w) {
        uint32_t at = d->descriptor + VERSION_AT;
        uint8_t n = 0, byte = 0;

        if (d->descriptor != 0)
                while (rkd_flash_read(d->platform, at + n, &byte, 1) == 0 && byte != 0)
                        n++;
        rkd_put_u8(w, n);
        for (; n > 0; n--) {
                if (rkd_flash_read(d->platform, at++, &byte, 1) < 0)
                        return -1;
                rkd_put_u8(w, byte);
        }
        return 0;
}
#endif

/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 over the program, a bounded piece at each poll; and for a program without a record, the
 * search for its end: from its descriptor, else by trimming the erased tail of the program space.
 */

#include <string.h>

#include "device/rkd-digest.h"
#include "device/rkd-sha256.h"

#define PIECE      64u
#define PIECES     8u /* at each poll */
#define LENGTH_AT  offsetof(RkdDescriptor, length)
#define MODEL_AT   offsetof(RkdDescriptor, model)
#define VERSION_AT offsetof(RkdDescriptor, version)
#define TEXT_BYTES 64u

static const uint8_t *view(const RkdDevice *d, uint32_t offset, uint8_t *buffer, uint32_t n) {
        return rkd_flash_view(d, rkd_hashed_address(d, offset), buffer, n);
}

void rkd_digest_start(RkdDevice *d, uint32_t n, unsigned source) {
        d->digest = RKD_DIGEST_SHA;
        d->source = (uint8_t)source;
        rkd_hash_here(d);
        d->hashed = 0;
        d->hash_end = n;
        rkd_sha256_init(&d->sha);
}

#if RKD_WITH_SEARCH
static const uint8_t descriptor_magic[8] = RKD_DESCRIPTOR_MAGIC;

/* Printable, NUL-terminated, the rest zero, not empty. */
static bool is_descriptor_text(const uint8_t *text) {
        unsigned n = 0;

        while (n < TEXT_BYTES && text[n] >= 0x20 && text[n] <= 0x7e)
                n++;
        if (n == 0 || n == TEXT_BYTES)
                return false;
        while (n < TEXT_BYTES && text[n] == 0)
                n++;
        return n == TEXT_BYTES;
}

static bool is_descriptor(const RkdDevice *d, uint32_t offset, uint32_t *ret_length) {
        uint32_t space = RKD_PLATFORM(d)->program_space, length;
        uint8_t buffer[TEXT_BYTES];
        const uint8_t *b;

        if (space - offset < sizeof(RkdDescriptor))
                return false;
        b = view(d, offset, buffer, MODEL_AT);
        length = rkd_load_u32(b + LENGTH_AT);
        if (memcmp(b, descriptor_magic, sizeof(descriptor_magic)) != 0 || length > space ||
                        length < offset + sizeof(RkdDescriptor) ||
                        rkd_load_u32(b + LENGTH_AT + 4) != 0)
                return false;
        *ret_length = length;
        return is_descriptor_text(view(d, offset + MODEL_AT, buffer, TEXT_BYTES)) &&
               is_descriptor_text(view(d, offset + VERSION_AT, buffer, TEXT_BYTES));
}

/* Looks at one piece. */
static void search(RkdDevice *d) {
        uint32_t space = RKD_PLATFORM(d)->program_space, length;
        uint8_t buffer[4];

        for (uint32_t i = 0; i < PIECE; i += 4, d->hashed += 4) {
                if (d->hashed >= space) {
                        d->digest = RKD_DIGEST_TRIM;
                        return;
                }
                if (*view(d, d->hashed, buffer, 1) == descriptor_magic[0] &&
                                is_descriptor(d, d->hashed, &length)) {
                        d->descriptor = rkd_hashed_address(d, d->hashed);
                        rkd_digest_start(d, length, RKD_DIGEST_DESCRIPTOR);
                        return;
                }
        }
}

static void trim(RkdDevice *d) {
        uint8_t buffer[4];

        for (uint32_t i = 0; i < PIECE; i++, d->hashed--) {
                if (d->hashed == 0) {
                        d->digest = RKD_DIGEST_DONE;
                        d->source = RKD_DIGEST_NONE;
                        return;
                }
                if (*view(d, d->hashed - 1, buffer, 1) != 0xff) {
                        rkd_digest_start(d, d->hashed, RKD_DIGEST_AREA);
                        return;
                }
        }
}

void rkd_digest_search(RkdDevice *d) {
        d->digest = RKD_DIGEST_SEARCH;
        rkd_hash_here(d);
        d->hashed = 0;
}

/* That of the descriptor, which ends with a zero. */
void rkd_digest_put_version(const RkdDevice *d, RkdWriter *w) {
        uint32_t at = d->descriptor + VERSION_AT;
        uint8_t buffer[4], n = 0;

        while (d->source == RKD_DIGEST_DESCRIPTOR && *rkd_flash_view(d, at + n, buffer, 1) != 0)
                n++;
        rkd_put_u8(w, n);
        rkd_flash_put(d, w, at, n);
}
#endif

static void hash(RkdDevice *d) {
        uint32_t n = d->hash_end - d->hashed;
        uint8_t buffer[RKD_VIEW_BYTES];

        if (n > PIECE)
                n = PIECE;
        rkd_sha256_add(&d->sha, view(d, d->hashed, buffer, n), n);
        d->hashed += n;
        if (d->hashed < d->hash_end)
                return;
        rkd_sha256_finish(&d->sha, (uint8_t *)d->sha.block);
        d->digest = RKD_DIGEST_DONE;
}

void rkd_digest_poll(RkdDevice *d) {
        for (unsigned i = 0; i < PIECES && d->digest >= RKD_DIGEST_SHA; i++) {
#if RKD_WITH_SEARCH
                if (d->digest == RKD_DIGEST_SEARCH)
                        search(d);
                else if (d->digest == RKD_DIGEST_TRIM)
                        trim(d);
                else
#endif
                        hash(d);
        }
}

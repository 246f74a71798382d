/* SPDX-License-Identifier: MIT */
/*
 * Part of small.c: what the record makes of the program in flash, and whether that is what the
 * record says.
 */

#include "device/small.h"

#define HASH_BLOCKS 8u /* at each poll */

unsigned attempts(const RkdBoot *d) {
        unsigned n = RKD_PLATFORM(d)->start_attempts;

        return n ? n : RKD_ATTEMPTS;
}

unsigned used(const RkdBoot *d) {
        return (unsigned)(d->starts - d->healthy);
}

bool is_abnormal(const RkdBoot *d) {
        return retained(d)->is.cause >= RKD_CAUSE_WATCHDOG;
}

/* Starts since BEGIN that flash counts. */
static unsigned record_boots(const RkdBoot *d) {
        return d->status == RKD_RECORD_GOOD ? d->starts + (unsigned)d->body->boots : 0;
}

unsigned boots(const RkdBoot *d) {
        return record_boots(d) + retained(d)->is.boots;
}

bool is_plausible(RkdBoot *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        if (p->is_plausible)
                return p->is_plausible(p->user) != 0;
        return rkd_load_u32(view(d, p->program_base, 4)) + 1u > 1u;
}

uint8_t rkd_boot_state(const RkdBoot *d) {
        if (d->status == RKD_RECORD_NONE)
                return d->plausible ? RKD_UNMANAGED : RKD_EMPTY;
        if (!IS_MARKED(d, RKD_MARK_VERIFIED))
                return RKD_PUSHING;
        if (d->check == RKD_CHECK_BAD)
                return RKD_DAMAGED;
        if (used(d) >= attempts(d))
                return RKD_FAILED;
        if (IS_MARKED(d, RKD_MARK_CONFIRMED))
                return RKD_CONFIRMED;
        return record_boots(d) == 0 ? RKD_VERIFIED : RKD_TRIAL;
}

bool is_runnable(unsigned state) {
        const unsigned runnable = 1u << RKD_VERIFIED | 1u << RKD_TRIAL | 1u << RKD_CONFIRMED |
                                  1u << RKD_UNMANAGED;

        return (runnable >> state & 1) != 0;
}

bool is_hashing(const RkdBoot *d) {
        return d->hashed != 0;
}

void forget_check(RkdBoot *d) {
        d->check = RKD_CHECK_UNKNOWN;
        d->hashed = 0;
}

/* The next 64 bytes of the program with what SHA-256 has behind the message. */
static void hash_block(RkdBoot *d) {
        uint32_t length = d->body->header.length, at = d->hashed;
        uint8_t *to = (uint8_t *)d->sha.block;

        if (at == 0)
                rkd_sha256_init(&d->sha);
        for (unsigned i = 64; i-- > 0; at++) /* see PLACE_OF */
                to[i] = at < length ? *view(d, RKD_PLATFORM(d)->program_base + at, 1)
                                    : (uint8_t)((at == length) << 7);
        /* The upper half of the number of bits is among these zeros. */
        if (at > length + 8) {
                d->sha.block[0] = length << 3;
                at = 0;
        }
        d->hashed = at;
        compress(&d->sha);
}

uint8_t check(RkdBoot *d) {
        bool good;

        if (d->check == RKD_CHECK_UNKNOWN) {
                good = is_plausible(d);
                if (d->status == RKD_RECORD_GOOD) {
                        unsigned left = HASH_BLOCKS;

                        do
                                hash_block(d);
                        while (is_hashing(d) && --left > 0);
                        if (is_hashing(d))
                                return RKD_BUSY;
                        for (unsigned i = 0; i < 8; i++)
                                if (d->sha.h[i] !=
                                                __builtin_bswap32(((const uint32_t *)(const void *)d
                                                                                   ->body->header
                                                                                   .sha256)[i]))
                                        good = false;
                }
                d->check = good ? RKD_CHECK_GOOD : RKD_CHECK_BAD;
        }
        return d->check == RKD_CHECK_GOOD ? RKD_OK : RKD_BAD_DIGEST;
}

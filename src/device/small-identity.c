/* SPDX-License-Identifier: MIT */
/*
 * Part of small.c: STATUS, and the identity. The whole of it is made in tx, then the piece that
 * was asked for moves to its place.
 */

#include "device/small.h"

/* From start_attempts to ram_size the platform lies in memory as it is told. */
#define TOLD_BYTES (offsetof(RkdFixedIdentity, push_id) - offsetof(RkdFixedIdentity, attempts_left))
_Static_assert(offsetof(RkdPlatform, ram_size) + 4 - offsetof(RkdPlatform, start_attempts) ==
                                TOLD_BYTES,
                "order of RkdPlatform");

uint8_t *answer_of(const RkdBoot *d) {
        return RKD_PLATFORM(d)->tx + OUT_AT;
}

void put_status(const RkdBoot *d) {
        struct {
                uint32_t received, credit;
                uint16_t busy_ms;
                uint8_t state, health;
                uint16_t boots;
                uint8_t error;
        } *status = (void *)answer_of(d);

        status->received = d->received;
        status->credit = d->credit;
        status->busy_ms = is_decoding(d) ? BUSY_MS : 0;
        status->state = rkd_boot_state(d);
        status->health = 0;
        status->boots = (uint16_t)boots(d);
        status->error = d->error;
}

static uint8_t *put(uint8_t *out, const void *data, uint32_t n) {
        memcpy(out, data, n);
        return out + n;
}

static uint8_t *put_string(uint8_t *out, const char *s) {
        uint8_t *length = out++;

        while (s && *s != '\0')
                *out++ = (uint8_t)*s++;
        *length = (uint8_t)(out - length - 1);
        return out;
}

/* what u8, offset u16, want u16; answer: total u16, offset u16, bytes */
uint8_t on_identify(RkdBoot *d, const uint8_t *in, uint8_t *out) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint8_t *at = out + WINDOW_FIXED;
        RkdFixedIdentity *id = (RkdFixedIdentity *)(void *)at;
        uint32_t offset = in[1] | (uint32_t)in[2] << 8, want = in[3] | (uint32_t)in[4] << 8, n;

        if (in[0] != RKD_IDENTIFY_IDENTITY)
                return RKD_UNKNOWN;
        if (IS_MARKED(d, RKD_MARK_VERIFIED) && check(d) == RKD_BUSY)
                return RKD_BUSY;
        memset(id, 0, RKD_FIXED_IDENTITY_BYTES);
        id->format = 1;
        id->protocol = RKD_PROTOCOL;
        id->state = rkd_boot_state(d);
        id->cause = retained(d)->is.cause;
        id->boots = (uint16_t)boots(d);
        memcpy(&id->attempts_left, &p->start_attempts, TOLD_BYTES);
        id->attempts_left = (uint8_t)(used(d) < attempts(d) ? attempts(d) - used(d) : 0);
        id->codecs = 1 << RKD_CODEC_RAW;
        if (takes_patches(d))
                id->codecs |= 1 << RKD_CODEC_PATCH;
        id->capabilities = RKD_CAN_MARKS | RKD_CAN_FLASH_BLOCKS_CPU |
                           (p->capabilities & (RKD_CAN_TRIAL_TIMER | RKD_CAN_FULL_DUPLEX));
        if (d->address != RKD_ADDRESS_POINT)
                id->capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
        id->max_answer = (uint16_t)(p->tx_bytes - RKD_TX_BYTES(0));
        at += RKD_FIXED_IDENTITY_BYTES - 1;
        if (d->status == RKD_RECORD_GOOD) {
                memcpy(id->push_id, d->body->push_id, 8);
                memcpy(&id->image_length, &d->body->header.length, 4 + RKD_SHA256_BYTES);
                *at = RKD_DIGEST_RECORD;
        }
        at[1] = p->n_speeds;
        at = put(at + 2, p->speeds, 4u * p->n_speeds);
        *at++ = p->n_regions;
        for (unsigned i = 0; i < p->n_regions; i++)
                at = put(at, &p->regions[i], 14);
        for (const char *const *text = &p->model; text <= &p->bootloader_version; text++)
                at = put_string(at, *text);
        *at++ = 0;
        if (d->status == RKD_RECORD_GOOD) {
                const uint8_t *version = (const uint8_t *)&d->body->header + TEXTS_AT;

                version += 1 + *version;
                at = put(at - 1, version, 1u + *version);
        }
        *at++ = 0; /* floor */
        n = (uint32_t)(at - out) - WINDOW_FIXED;
        ((uint16_t *)(void *)out)[0] = (uint16_t)n;
        ((uint16_t *)(void *)out)[1] = (uint16_t)offset;
        n -= offset;
        if ((int32_t)n < 0)
                return RKD_RANGE;
        if (want > n)
                want = n;
        memmove(out + WINDOW_FIXED, out + WINDOW_FIXED + offset, want);
        d->n_answer = (uint16_t)(WINDOW_FIXED + want);
        return RKD_OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * Part of small.c: frames, in and out.
 */

#include "device/small.h"

/* COBS with the closing zero, to where is room for one byte more than there is, and one for every
 * 254. Returns the end. */
static uint8_t *stuff(const RkdBoot *d, uint8_t *out, const uint8_t *in, uint32_t n) {
        uint8_t *code = out++;

        for (; n > 0; n--) {
                uint8_t byte = *in++;

                if (RKD_PLATFORM(d)->tx_bytes > 254 && out - code == 0xff) {
                        *code = 0xff;
                        code = out++;
                }
                if (byte != 0)
                        *out++ = byte;
                else {
                        *code = (uint8_t)(out - code);
                        code = out++;
                }
        }
        *code = (uint8_t)(out - code);
        *out++ = 0;
        return out;
}

static bool is_free(const RkdBoot *d) {
        return d->address == RKD_ADDRESS_POINT &&
               (RKD_PLATFORM(d)->capabilities & RKD_CAN_FULL_DUPLEX) != 0;
}

void send_frame(RkdBoot *d, uint32_t at, unsigned type, unsigned sequence, uint32_t n) {
        uint8_t *tx = RKD_PLATFORM(d)->tx, *raw = tx + at - RKD_FRAME_HEADER;
        uint32_t crc;

        raw[0] = d->address;
        raw[1] = (uint8_t)type;
        raw[2] = (uint8_t)sequence;
        raw[3] = RKD_FLAG_FROM_DEVICE;
        n += RKD_FRAME_HEADER;
        crc = crc_of(raw, n);
        memcpy(raw + n, &crc, 4);
        d->tx_at = 0;
        d->tx_end = (uint16_t)(stuff(d, tx, raw, n + RKD_FRAME_CRC) - tx);
}

void answer(RkdBoot *d) {
        const uint8_t *in = RKD_PLATFORM(d)->rx;
        uint8_t *out = answer_of(d) - RKD_ANSWER_FIXED;
        uint8_t result;

        d->n_answer = 0;
        result = handle(d, in, out + RKD_ANSWER_FIXED, d->n_in - RKD_FRAME_MIN);
        d->command = false;
        d->n_in = 0;
        out[0] = result;
        *(uint16_t *)(void *)(out + 1) = result == RKD_BUSY ? BUSY_MS : 0;
        /* In full duplex every command is answered. */
        if (is_free(d) || (in[3] & RKD_FLAG_POLL) != 0)
                send_frame(d, OUT_AT - RKD_ANSWER_FIXED, in[1], in[2],
                                RKD_ANSWER_FIXED + (result == RKD_OK ? d->n_answer : 0u));
}

/* What came between two zeros, unstuffed in place; its length. Malformed, it has no good CRC. */
static uint32_t unstuff(const RkdBoot *d, uint8_t *bytes, uint32_t n) {
        const uint8_t *in = bytes, *end = bytes + n;
        uint8_t *out = bytes;

        while (in < end) {
                unsigned code = *in++, left = code;

                while (--left != 0 && in < end)
                        *out++ = *in++;
                if ((code != 0xff || RKD_PLATFORM(d)->max_payload < 240) && in < end)
                        *out++ = 0;
        }
        return (uint32_t)(out - bytes);
}

static void end_frame(RkdBoot *d) {
        uint8_t *in = RKD_PLATFORM(d)->rx;
        uint32_t n = unstuff(d, in, d->n_in);

        d->n_in = 0;
        if (n < RKD_FRAME_MIN || crc_of(in, n) != ~RKD_CRC32_GOOD || in[0] != d->address ||
                        (in[3] & ~RKD_FLAG_POLL) != 0)
                return;
        d->heard_ms = now_ms(d);
        if (in[1] == RKD_DATA) {
                take_data(d, in + RKD_FRAME_HEADER, n - RKD_FRAME_MIN);
                d->poll_due |= in[3];
        } else {
                d->n_in = (uint16_t)n;
                d->command = true;
        }
}

void rkd_boot_receive(RkdBoot *d, const uint8_t *data, size_t n) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        for (; n > 0; n--) {
                uint8_t byte = *data++;

                if (d->command) /* what comes meanwhile is lost */
                        continue;
                if (byte == 0)
                        end_frame(d);
                else if (d->n_in < RKD_RX_BYTES(p->max_payload))
                        p->rx[d->n_in++] = byte;
        }
}

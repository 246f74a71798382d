/* SPDX-License-Identifier: MIT */
/*
 * One end of the line on the device: finds the frames meant for it, keeps one command until it is
 * answered, sends one frame at a time, and falls back to the first speed when nobody is heard at
 * another one.
 *
 * A frame comes into rx as it is unstuffed, with its CRC: over all of it a good one gives
 * RKD_CRC32_GOOD. While a command lies there, what comes is lost.
 */

#include <string.h>

#include "device/rkd-device.h"
#include "proto/crc.h"

#define HELLO_BYTES  4u
#define WINDOW_FIXED 4u   /* total, offset */
#define LATER_MS     100u /* how long an answer is held back while the work goes on */
#define BUSY_MS      50u
#define BUSY_MAX_MS  60000u

uint32_t rkd_now_ms(const RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        return p->milliseconds(p->user);
}

#if RKD_WITH_LOG
void rkd_log(const RkdDevice *d, RkdLog what, uint32_t value) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        if (p->log)
                p->log(p->user, what, value);
}
#endif

void rkd_link_init(RkdDevice *d, const RkdPlatform *platform) {
        const RkdPlatform *p;

        memset(d, 0, sizeof(*d));
        d->platform = platform;
        p = RKD_PLATFORM(d);
        d->address = p->find_address ? p->find_address(p->user) : p->address;
        d->crc = RKD_CRC32_START;
        d->heard_ms = d->hello_ms = rkd_now_ms(d);
}

bool rkd_link_is_free(const RkdDevice *d) {
        return d->address == RKD_ADDRESS_POINT &&
               (RKD_PLATFORM(d)->capabilities & RKD_CAN_FULL_DUPLEX) != 0;
}

static bool is_for_us(const RkdDevice *d, const uint8_t *in) {
        unsigned type = in[RKD_IN_TYPE];

        if ((in[RKD_IN_FLAGS] & ~RKD_FLAG_POLL) != 0)
                return false;
        return in[RKD_IN_ADDRESS] == d->address ||
               (in[RKD_IN_ADDRESS] == RKD_ADDRESS_ALL &&
                               (type == RKD_NOP || type == RKD_ENTER || type == RKD_START));
}

/* While data is awaited: a damaged frame, of whatever kind, or one that does not go on where the
 * last one ended. */
static void note_gap(RkdDevice *d) {
        if (d->stream != RKD_STREAM_OPEN || d->received == d->credit)
                return;
        d->gap = true;
        d->polled = false;
}

/* offset u32, bytes: into the ring, which does not wrap: what is left in it moves to its
 * beginning when room is needed. */
static void take_data(RkdDevice *d, const uint8_t *in, uint32_t n) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t skip = d->received - rkd_load_u32(in), have = d->received - d->taken;

        if (d->stream != RKD_STREAM_OPEN || n <= RKD_DATA_FIXED)
                return;
        in += RKD_DATA_FIXED;
        n -= RKD_DATA_FIXED;
        if (skip > d->received || n > d->credit - d->received + skip) {
                note_gap(d);
                return;
        }
        if (n <= skip) {
                d->ack_due = true;
                return;
        }
        in += skip;
        n -= skip;
        if (d->ring_out + have + n > p->ring_bytes) {
                memmove(p->ring, p->ring + d->ring_out, have);
                d->ring_out = 0;
        }
        memcpy(p->ring + d->ring_out + have, in, n);
        d->received += n;
        d->gap = d->nak_told = false;
}

/* Between two zeros there were n bytes. */
static void end_frame(RkdDevice *d) {
        const uint8_t *in = RKD_PLATFORM(d)->rx;
        uint32_t n = d->n_in;

        if (n == 0)
                return;
        if (d->code != 0 || d->crc != RKD_CRC32_GOOD || n < RKD_FRAME_MIN) {
                note_gap(d);
                return;
        }
        if (!is_for_us(d, in))
                return;
        d->heard_ms = d->hello_ms = rkd_now_ms(d);
        if (in[RKD_IN_TYPE] == RKD_DATA) {
                take_data(d, in + RKD_IN_PAYLOAD, n - RKD_FRAME_MIN);
                d->poll_due |= in[RKD_IN_FLAGS];
        } else
                d->command = RKD_COMMAND_DUE;
        /* Nothing more comes under this credit. */
        if (in[RKD_IN_FLAGS] != 0 && !d->gap)
                d->polled = true;
}

static void append(RkdDevice *d, unsigned byte) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        d->crc = rkd_crc32_byte(d->crc, byte);
        if (d->n_in < RKD_FRAME_MIN + (uint32_t)p->max_payload)
                p->rx[d->n_in++] = (uint8_t)byte;
}

static void begin_frame(RkdDevice *d) {
        d->code = d->zero_due = 0;
        d->n_in = 0;
        d->crc = RKD_CRC32_START;
}

static void receive_byte(RkdDevice *d, unsigned byte) {
        if (d->command != RKD_COMMAND_NONE) {
                d->crc = byte == 0 ? RKD_CRC32_START : 0;
                return;
        }
        if (byte == 0) {
                uint16_t n = d->n_in;

                end_frame(d);
                begin_frame(d);
                if (d->command != RKD_COMMAND_NONE)
                        d->n_in = n;
        } else if (d->code == 0) {
                if (d->zero_due)
                        append(d, 0);
                d->code = (uint8_t)(byte - 1);
                d->zero_due = byte != 0xff;
        } else {
                d->code--;
                append(d, byte);
        }
}

void rkd_link_receive(RkdDevice *d, const uint8_t *data, size_t n) {
        while (n-- > 0)
                receive_byte(d, *data++);
}

#if RKD_WITH_BAUD
static void change_speed(RkdDevice *d, uint32_t baud) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        p->set_baud(p->user, baud);
        d->baud_changed = baud != p->speeds[0];
        d->baud_next = 0;
        d->heard_ms = rkd_now_ms(d);
        begin_frame(d);
}

static void poll_speed(RkdDevice *d) {
        if (d->baud_next != 0)
                change_speed(d, d->baud_next);
        else if (d->baud_changed && rkd_now_ms(d) - d->heard_ms > RKD_BAUD_BACK_MS)
                change_speed(d, RKD_PLATFORM(d)->speeds[0]);
}

/* baud u32; answer: the same */
uint8_t rkd_link_change_speed(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        const uint8_t *in = p->rx + RKD_IN_PAYLOAD;
        uint32_t baud = rkd_load_u32(in);

        memcpy(rkd_link_answer(d), in, 4);
        d->n_answer = 4;
        for (unsigned i = 0; d->address == RKD_ADDRESS_POINT && p->set_baud && i < p->n_speeds; i++)
                if (p->speeds[i] == baud) {
                        d->baud_next = baud;
                        return RKD_OK;
                }
        return RKD_SPEED;
}
#endif

bool rkd_link_is_idle(const RkdDevice *d) {
        return d->tx_at == d->tx_end;
}

void rkd_link_poll(RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);

        if (!rkd_link_is_idle(d))
                d->tx_at = (uint16_t)(d->tx_at + p->send(p->user, p->tx + d->tx_at,
                                                                 (size_t)(d->tx_end - d->tx_at)));
#if RKD_WITH_BAUD
        if (rkd_link_is_idle(d))
                poll_speed(d);
#endif
}

uint32_t rkd_link_room(const RkdDevice *d) {
        uint32_t n = RKD_PLATFORM(d)->tx_bytes - RKD_TX_BYTES(0);

        return n < RKD_ANSWER_MAX ? n : RKD_ANSWER_MAX;
}

uint8_t *rkd_link_payload(const RkdDevice *d) {
        return RKD_PLATFORM(d)->tx + RKD_TX_RAW + RKD_FRAME_HEADER;
}

/* COBS with the closing zero, to where is room for one byte more than there is, and one for every
 * 254. Returns the end. */
static uint8_t *stuff(uint8_t *out, const uint8_t *in, uint32_t n) {
        uint8_t *code = out++;

        for (; n > 0; n--) {
                uint8_t byte = *in++;

                if (out - code == 0xff) {
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

void rkd_link_send(RkdDevice *d, unsigned type, unsigned sequence, uint32_t n) {
        uint8_t *tx = RKD_PLATFORM(d)->tx, *raw = tx + RKD_TX_RAW;

        raw[0] = d->address;
        raw[1] = (uint8_t)type;
        raw[2] = (uint8_t)sequence;
        raw[3] = RKD_FLAG_FROM_DEVICE;
        n += RKD_FRAME_HEADER;
        rkd_store_u32(raw + n, rkd_crc32(raw, n));
        d->tx_at = 0;
        d->tx_end = (uint16_t)(stuff(tx, raw, n + RKD_FRAME_CRC) - tx);
        rkd_link_poll(d);
}

void rkd_link_hello(RkdDevice *d, unsigned who, unsigned state) {
        uint8_t *out = rkd_link_payload(d);

        d->hello_ms = rkd_now_ms(d);
        out[0] = (uint8_t)who;
        out[1] = (uint8_t)state;
        rkd_store_u16(out + 2, (uint16_t)rkd_boots(d));
        rkd_link_send(d, RKD_HELLO, 0, HELLO_BYTES);
}

uint8_t *rkd_link_answer(const RkdDevice *d) {
        return rkd_link_payload(d) + RKD_ANSWER_FIXED;
}

/* As many units as the ring can reach into. */
uint32_t rkd_busy_ms(const RkdDevice *d) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        uint32_t ms = p->erase_ms + p->write_ms;

        if (d->blocking == RKD_BLOCKING_RECEIVE)
                return 0;
        for (uint32_t at = 0; at < p->unit_size; at += p->page_bytes)
                ms += p->write_ms;
        ms *= p->ring_bytes / p->unit_size + 1;
        return ms < BUSY_MAX_MS ? ms : BUSY_MAX_MS;
}

void rkd_note_announced(RkdDevice *d) {
        if (d->blocking == RKD_BLOCKING_ANNOUNCE)
                d->blocking = RKD_BLOCKING_WORK;
}

static void answer(RkdDevice *d, unsigned result) {
        const RkdPlatform *p = RKD_PLATFORM(d);
        const uint8_t *in = p->rx;
        uint8_t *out = rkd_link_payload(d);
        uint32_t busy_ms = 0;

        if (result > RKD_BUSY)
                rkd_log(d, RKD_LOG_REFUSED, in[RKD_IN_TYPE] | result << 8);
        if (in[RKD_IN_ADDRESS] == RKD_ADDRESS_ALL ||
                        (!rkd_link_is_free(d) && (in[RKD_IN_FLAGS] & RKD_FLAG_POLL) == 0))
                return;
        if (result == RKD_BUSY) { /* of the record, or of what the stream has left */
                busy_ms = BUSY_MS + p->erase_ms + p->write_ms + rkd_busy_ms(d);
                rkd_note_announced(d);
        }
        if (result != RKD_OK)
                d->n_answer = 0;
        out[0] = (uint8_t)result;
        rkd_store_u16(out + 1, (uint16_t)busy_ms);
        rkd_link_send(d, in[RKD_IN_TYPE], in[RKD_IN_SEQUENCE], RKD_ANSWER_FIXED + d->n_answer);
}

void rkd_link_command(RkdDevice *d, uint8_t (*handle)(RkdDevice *d)) {
        uint32_t now = rkd_now_ms(d);
        unsigned result;

        if (d->command == RKD_COMMAND_DUE)
                d->command_ms = now;
        d->command = RKD_COMMAND_OPEN;
        d->n_answer = 0;
        result = handle(d);
        if (result == RKD_LATER) {
                if (now - d->command_ms < LATER_MS)
                        return;
                result = RKD_BUSY;
        }
        answer(d, result);
        d->command = RKD_COMMAND_NONE;
        d->n_in = 0;
}

/* what u8, offset u16, want u16; answer: total u16, offset u16, bytes */
RkdWriter rkd_link_window(const RkdDevice *d) {
        const uint8_t *in = RKD_PLATFORM(d)->rx + RKD_IN_PAYLOAD;
        uint32_t room = rkd_link_room(d) - RKD_ANSWER_FIXED - WINDOW_FIXED;
        uint32_t want = rkd_load_u16(in + 3);

        return (RkdWriter){
                .out = rkd_link_answer(d) + WINDOW_FIXED,
                .skip = rkd_load_u16(in + 1),
                .room = want < room ? want : room,
        };
}

void rkd_link_close_window(RkdDevice *d, const RkdWriter *w) {
        uint8_t *out = rkd_link_answer(d);
        size_t offset = w->skip < w->total ? w->skip : w->total, left = w->total - offset;

        rkd_store_u16(out, (uint16_t)w->total);
        rkd_store_u16(out + 2, (uint16_t)offset);
        d->n_answer = (uint16_t)(WINDOW_FIXED + (left < w->room ? left : w->room));
}

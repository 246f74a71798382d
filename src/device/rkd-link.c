/* SPDX-License-Identifier: MIT */
/*
 * One end of the line, see rkd-link.h. The payload of a frame is built inside the transmit
 * buffer and stuffed in place.
 */

#include "device/rkd-link.h"

#include <string.h>

#include "device/rkd-flash.h"

#define HELLO_BYTES  4u
#define WINDOW_FIXED 4u /* total, offset */

enum {
        SINK_IGNORE,
        SINK_COMMAND,
        SINK_DATA
};

void rkd_link_init(RkdLink *link, const RkdPlatform *platform) {
        *link = (RkdLink){ .platform = platform };
        rkd_decoder_init(&link->decoder);
}

static bool is_for_us(const RkdLink *link, const uint8_t *header) {
        uint8_t type = header[1];

        if ((header[3] & ~RKD_FLAG_POLL) != 0)
                return false;
        if (header[0] == RKD_ADDRESS_ALL)
                return type == RKD_NOP || type == RKD_ENTER || type == RKD_START;
        return header[0] == link->platform->address;
}

static uint8_t choose_sink(const RkdLink *link, const uint8_t *header) {
        if (!is_for_us(link, header))
                return SINK_IGNORE;
        if (header[1] == RKD_DATA)
                return SINK_DATA;
        return link->command_due ? SINK_IGNORE : SINK_COMMAND;
}

static void keep_command(RkdLink *link) {
        const RkdDecoder *d = &link->decoder;

        if (d->n_payload > sizeof(link->command))
                return;
        memcpy(link->head, d->header, sizeof(link->head));
        link->n_command = (uint8_t)d->n_payload;
        link->command_due = true;
}

static RkdDecoded complete(RkdLink *link) {
        const RkdPlatform *p = link->platform;

        if (!is_for_us(link, link->decoder.header))
                return RKD_DECODED_MORE;
        link->heard = true;
        link->heard_ms = rkd_now_ms(p);
        if (link->sink == SINK_COMMAND)
                keep_command(link);
        return link->sink == SINK_DATA ? RKD_DECODED_COMPLETE : RKD_DECODED_MORE;
}

RkdDecoded rkd_link_feed(RkdLink *link, uint8_t byte) {
        const RkdDecoder *d = &link->decoder;

        switch (rkd_decoder_feed(&link->decoder, byte)) {
        case RKD_DECODED_HEADER:
                link->sink = choose_sink(link, d->header);
                return link->sink == SINK_DATA ? RKD_DECODED_HEADER : RKD_DECODED_MORE;
        case RKD_DECODED_PAYLOAD:
                if (link->sink == SINK_COMMAND && d->n_payload <= sizeof(link->command))
                        link->command[d->n_payload - 1] = d->byte;
                return link->sink == SINK_DATA ? RKD_DECODED_PAYLOAD : RKD_DECODED_MORE;
        case RKD_DECODED_COMPLETE:
                return complete(link);
        case RKD_DECODED_DAMAGED:
                return RKD_DECODED_DAMAGED;
        default:
                return RKD_DECODED_MORE;
        }
}

#if RKD_WITH_BAUD
static void change_speed(RkdLink *link, uint32_t baud) {
        const RkdPlatform *p = link->platform;

        p->set_baud(p->user, baud);
        link->baud_changed = baud != p->speeds[0];
        link->baud_next = 0;
        link->heard_ms = rkd_now_ms(p);
        rkd_decoder_init(&link->decoder);
        link->sink = SINK_IGNORE;
}

static void poll_speed(RkdLink *link) {
        const RkdPlatform *p = link->platform;

        if (link->baud_next != 0)
                change_speed(link, link->baud_next);
        else if (link->baud_changed && rkd_now_ms(p) - link->heard_ms > RKD_BAUD_FALLBACK_MS)
                change_speed(link, p->speeds[0]);
}
#endif

void rkd_link_poll(RkdLink *link) {
        const RkdPlatform *p = link->platform;

        if (link->tx_at < link->tx_end)
                link->tx_at += (uint32_t)p->send(
                                p->user, p->tx + link->tx_at, link->tx_end - link->tx_at);
#if RKD_WITH_BAUD
        if (rkd_link_is_idle(link))
                poll_speed(link);
#endif
}

#if RKD_WITH_BAUD
uint8_t rkd_link_change_speed(RkdLink *link, uint32_t baud) {
        const RkdPlatform *p = link->platform;

        if (p->address != RKD_ADDRESS_POINT || !p->set_baud)
                return RKD_SPEED;
        for (uint8_t i = 0; i < p->n_speeds; i++)
                if (p->speeds[i] == baud) {
                        link->baud_next = baud;
                        return RKD_OK;
                }
        return RKD_SPEED;
}
#endif

bool rkd_link_is_idle(const RkdLink *link) {
        return link->tx_at >= link->tx_end;
}

void rkd_link_was_deaf(RkdLink *link) {
        link->heard_ms = rkd_now_ms(link->platform);
}

bool rkd_link_is_free(const RkdLink *link) {
        return link->platform->address == RKD_ADDRESS_POINT &&
               (link->platform->capabilities & RKD_CAN_FULL_DUPLEX) != 0;
}

/* What COBS may add is one byte in 254. */
size_t rkd_link_room(const RkdLink *link) {
        size_t n = link->platform->tx_bytes - RKD_FRAME_ENCODED(0);

        for (size_t group = 254; group <= n + RKD_FRAME_HEADER + RKD_FRAME_CRC; group += 254)
                n--;
        return n < RKD_ANSWER_MAX ? n : RKD_ANSWER_MAX;
}

uint8_t *rkd_link_payload(const RkdLink *link) {
        return link->platform->tx + RKD_FRAME_GAP;
}

void rkd_link_send(RkdLink *link, uint8_t type, uint8_t sequence, size_t n) {
        const RkdPlatform *p = link->platform;
        const RkdFrame frame = {
                .address = p->address,
                .type = type,
                .sequence = sequence,
                .flags = RKD_FLAG_FROM_DEVICE,
                .payload = rkd_link_payload(link),
                .n_payload = n,
        };

        link->tx_at = 0;
        link->tx_end = (uint32_t)rkd_frame_encode(p->tx, p->tx_bytes, &frame);
        rkd_link_poll(link);
}

void rkd_link_hello(RkdLink *link, uint8_t who, uint8_t state, uint16_t boots) {
        uint8_t *out = rkd_link_payload(link);

        out[0] = who;
        out[1] = state;
        rkd_store_u16(out + 2, boots);
        rkd_link_send(link, RKD_HELLO, 0, HELLO_BYTES);
}

void rkd_link_reply_init(const RkdLink *link, RkdReply *ret) {
        *ret = (RkdReply){ .out = rkd_link_payload(link) + RKD_ANSWER_FIXED,
                .room = rkd_link_room(link) - RKD_ANSWER_FIXED };
}

void rkd_link_reply(RkdLink *link, const RkdReply *reply, uint8_t result) {
        const uint8_t *head = link->head;
        uint8_t *out = reply->out - RKD_ANSWER_FIXED;

        link->command_due = false;
        if (head[RKD_HEAD_ADDRESS] == RKD_ADDRESS_ALL ||
                        ((link->platform->capabilities & RKD_CAN_FULL_DUPLEX) == 0 &&
                                        (head[RKD_HEAD_FLAGS] & RKD_FLAG_POLL) == 0))
                return;
        out[0] = result;
        rkd_store_u16(out + 1, reply->busy_ms);
        rkd_link_send(link, head[RKD_HEAD_TYPE], head[RKD_HEAD_SEQUENCE],
                        RKD_ANSWER_FIXED + (result == RKD_OK ? reply->n : 0));
}

RkdWriter rkd_link_window(const RkdReply *reply, const uint8_t *in) {
        size_t room = reply->room - WINDOW_FIXED, want = rkd_load_u16(in + 3);

        return (RkdWriter){
                .out = reply->out + WINDOW_FIXED,
                .skip = rkd_load_u16(in + 1),
                .room = want < room ? want : room,
        };
}

void rkd_link_close_window(RkdReply *reply, const uint8_t *in, const RkdWriter *w) {
        size_t offset = w->skip < w->total ? w->skip : w->total, left = w->total - offset;

        rkd_store_u16(reply->out, (uint16_t)w->total);
        rkd_store_u16(reply->out + 2, (uint16_t)offset);
        reply->n = WINDOW_FIXED + (left < w->room ? left : w->room);
}

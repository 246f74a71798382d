/* SPDX-License-Identifier: MIT */
/*
 * One end of the line, see rkd-link.h. The payload of a frame is built inside the transmit
 * buffer and stuffed in place.
 */

#include "device/rkd-link.h"

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
        link->head = (RkdFrame){
                .address = d->header[0],
                .type = d->header[1],
                .sequence = d->header[2],
                .flags = d->header[3],
        };
        link->n_command = d->n_payload;
        link->command_due = true;
}

static RkdDecoded complete(RkdLink *link) {
        const RkdPlatform *p = link->platform;

        if (!is_for_us(link, link->decoder.header))
                return RKD_DECODED_MORE;
        link->heard = true;
        link->heard_ms = p->milliseconds(p->user);
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

static void change_speed(RkdLink *link, uint32_t baud) {
        const RkdPlatform *p = link->platform;

        p->set_baud(p->user, baud);
        link->baud_changed = baud != p->speeds[0];
        link->baud_next = 0;
        link->heard_ms = p->milliseconds(p->user);
        rkd_decoder_init(&link->decoder);
        link->sink = SINK_IGNORE;
}

void rkd_link_poll(RkdLink *link) {
        const RkdPlatform *p = link->platform;

        if (link->tx_at < link->tx_end)
                link->tx_at += (uint32_t)p->send(
                                p->user, p->tx + link->tx_at, link->tx_end - link->tx_at);
        if (!rkd_link_is_idle(link))
                return;
        if (link->baud_next != 0)
                change_speed(link, link->baud_next);
        else if (link->baud_changed &&
                        p->milliseconds(p->user) - link->heard_ms > RKD_BAUD_FALLBACK_MS)
                change_speed(link, p->speeds[0]);
}

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

bool rkd_link_is_idle(const RkdLink *link) {
        return link->tx_at >= link->tx_end;
}

void rkd_link_was_deaf(RkdLink *link) {
        link->heard_ms = link->platform->milliseconds(link->platform->user);
}

bool rkd_link_may_answer(const RkdLink *link) {
        return link->head.address != RKD_ADDRESS_ALL &&
               ((link->platform->capabilities & RKD_CAN_FULL_DUPLEX) != 0 ||
                               (link->head.flags & RKD_FLAG_POLL) != 0);
}

bool rkd_link_is_free(const RkdLink *link) {
        return link->platform->address == RKD_ADDRESS_POINT &&
               (link->platform->capabilities & RKD_CAN_FULL_DUPLEX) != 0;
}

static size_t payload_room(const RkdLink *link) {
        size_t n = link->platform->tx_bytes;

        n -= RKD_FRAME_HEADER + RKD_FRAME_CRC + 2 + n / 254;
        return n < RKD_ANSWER_MAX ? n : RKD_ANSWER_MAX;
}

uint8_t *rkd_link_room(const RkdLink *link, size_t *ret_n) {
        *ret_n = payload_room(link);
        return link->platform->tx + rkd_frame_gap(*ret_n);
}

void rkd_link_send(RkdLink *link, uint8_t type, uint8_t sequence, size_t n) {
        const RkdPlatform *p = link->platform;
        const RkdFrame frame = {
                .address = p->address,
                .type = type,
                .sequence = sequence,
                .flags = RKD_FLAG_FROM_DEVICE,
                .payload = p->tx + rkd_frame_gap(payload_room(link)),
                .n_payload = n,
        };

        link->tx_at = 0;
        link->tx_end = (uint32_t)rkd_frame_encode(p->tx, p->tx_bytes, &frame);
        rkd_link_poll(link);
}

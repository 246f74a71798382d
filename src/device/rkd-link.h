/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One end of the line on the device: finds the frames meant for it, keeps one command until its
 * owner has answered, sends one frame at a time, and falls back to the first speed when nobody
 * is heard at another one.
 */

#include "device/rkd-context.h"

#define RKD_BAUD_FALLBACK_MS 500u

enum { /* where things lie in the header of a frame */
        RKD_HEAD_ADDRESS,
        RKD_HEAD_TYPE,
        RKD_HEAD_SEQUENCE,
        RKD_HEAD_FLAGS
};

void rkd_link_init(RkdLink *link, const RkdPlatform *platform);

/* MORE, or for a DATA frame meant for this device: HEADER, PAYLOAD (link->decoder.byte),
 * COMPLETE (link->decoder.header); DAMAGED for any frame that is. Commands are kept in
 * link->command; one that comes while another is kept is dropped. */
RkdDecoded rkd_link_feed(RkdLink *link, uint8_t byte);

/* Sends what waits, changes speeds. */
void rkd_link_poll(RkdLink *link);
/* Nothing waits to be sent. */
bool rkd_link_is_idle(const RkdLink *link);
/* After the answer: RKD_OK, or RKD_SPEED where that speed is not to be had. */
uint8_t rkd_link_change_speed(RkdLink *link, uint32_t baud);
/* The device could not listen: the time does not count as silence. */
void rkd_link_was_deaf(RkdLink *link);

/* Whether the device may speak when it was not asked. */
bool rkd_link_is_free(const RkdLink *link);

/* What a command is answered with: result, busy_ms, and n bytes at `out` of at most `room`. */
typedef struct RkdReply {
        uint8_t *out;
        size_t room, n;
        uint16_t busy_ms;
} RkdReply;

/* The greatest payload of an answer. */
size_t rkd_link_room(const RkdLink *link);
/* Where the payload of the next frame is to be put; only while idle. */
uint8_t *rkd_link_payload(const RkdLink *link);
void rkd_link_send(RkdLink *link, uint8_t type, uint8_t sequence, size_t n);

/* Announces who answers here. */
void rkd_link_hello(RkdLink *link, uint8_t who, uint8_t state, uint16_t boots);

void rkd_link_reply_init(const RkdLink *link, RkdReply *ret);
/* Answers the command at hand, if it may be answered, and is done with it. */
void rkd_link_reply(RkdLink *link, const RkdReply *reply, uint8_t result);
/* Of IDENTIFY: the writer for the piece that was asked for, and its end. */
RkdWriter rkd_link_window(const RkdReply *reply, const uint8_t *in);
void rkd_link_close_window(RkdReply *reply, const uint8_t *in, const RkdWriter *w);

/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One end of the line on the device: finds the frames meant for it, keeps one command until its
 * owner has answered, sends one frame at a time, and falls back to the first speed when nobody
 * is heard at another one.
 */

#include "device/rkd-context.h"

#define RKD_BAUD_FALLBACK_MS 500u

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

/* Whether the command at hand may be answered. */
bool rkd_link_may_answer(const RkdLink *link);
/* Whether the device may speak when it was not asked. */
bool rkd_link_is_free(const RkdLink *link);

/* The place for the payload of the next frame, only while idle; *ret_n: its room. */
uint8_t *rkd_link_room(const RkdLink *link, size_t *ret_n);
/* Sends n bytes that were put there. */
void rkd_link_send(RkdLink *link, uint8_t type, uint8_t sequence, size_t n);

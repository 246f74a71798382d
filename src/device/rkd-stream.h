/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The stream of one push: DATA frames into the ring, whole pages or a patch out of it, through
 * the page buffer into flash.
 *
 * Credit is always what the ring can still take; it only grows. Where flash blocks the CPU it
 * grows only while nothing waits for flash: then everything that was granted is awaited (or a
 * POLL), announced, and done in one go.
 */

#include "device/rkd-context.h"

/* Flash units that n bytes take, n > 0. */
uint32_t rkd_stream_count_units(const RkdPlatform *platform, uint32_t n);

void rkd_stream_init(RkdStream *stream, const RkdPlatform *platform, RkdFlash *flash);
void rkd_stream_begin(RkdStream *stream, uint16_t id, uint8_t codec, uint32_t length,
                uint32_t image_length);
/* Forgets the stream; what flash does goes on to its end. */
void rkd_stream_stop(RkdStream *stream);

/* One DATA frame: begin, its bytes, and what became of it. poll: the frame had POLL. */
void rkd_stream_frame_begin(RkdStream *stream);
void rkd_stream_frame_byte(RkdStream *stream, uint8_t byte);
void rkd_stream_frame_end(RkdStream *stream);
/* A damaged frame, of whatever kind, while data is awaited. */
void rkd_stream_note_damage(RkdStream *stream);
/* The gateway says that it sends nothing more under this credit. */
void rkd_stream_note_poll(RkdStream *stream);

/* Does what can be done now. */
void rkd_stream_poll(RkdStream *stream);

/* Whether this is the present stream, open or not. */
bool rkd_stream_has_id(const RkdStream *stream, uint16_t id);
bool rkd_stream_is_open(const RkdStream *stream);
/* Flash blocks the CPU. */
bool rkd_stream_is_blocking(const RkdStream *stream);
/* There is something to do without a byte from the line. */
bool rkd_stream_is_working(const RkdStream *stream);
/* How long the device will be deaf from now on. */
uint16_t rkd_stream_busy_ms(const RkdStream *stream);
/* Whether a NAK may go out unasked now. */
bool rkd_stream_may_nak(const RkdStream *stream);
/* The busy time was sent. */
void rkd_stream_note_announced(RkdStream *stream);
/* And with it the rest of a STATUS, as a NAK or not. */
void rkd_stream_note_told(RkdStream *stream, bool nak);
/* What was told has left the device. */
void rkd_stream_note_sent(RkdStream *stream);

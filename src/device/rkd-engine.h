/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Between the files of the bootloader engine: the stream of a push (rkd-stream.c), the loop
 * (rkd-boot.c), what each command does (rkd-command.c), and BEGIN (rkd-begin.c).
 */

#include "device/rkd-device.h"

/* --- rkd-stream.c --- */

RKD_LOCAL void rkd_stream_begin(RkdDevice *d, unsigned id, unsigned codec, uint32_t length);
/* Forgets the stream; what flash does goes on to its end. */
RKD_LOCAL void rkd_stream_stop(RkdDevice *d);
RKD_LOCAL void rkd_stream_poll(RkdDevice *d);
/* Flash blocks the CPU. */
RKD_LOCAL bool rkd_is_blocking(const RkdDevice *d);
/* Whether a NAK may go out unasked now. */
RKD_LOCAL bool rkd_stream_may_nak(const RkdDevice *d);
/* There is something to do without a byte from the line. */
RKD_LOCAL bool rkd_stream_is_working(const RkdDevice *d);
/* A STATUS was sent. */
RKD_LOCAL void rkd_stream_note_told(RkdDevice *d);

/* --- rkd-boot.c, rkd-command.c, rkd-begin.c --- */

/* Finds out whether the program in flash is what the record says (without a record: whether it
 * looks like one): RKD_LATER while it works, else RKD_OK or RKD_BAD_DIGEST. */
RKD_LOCAL uint8_t rkd_boot_check(RkdDevice *d);
/* Whether the flash of the slot at hand can be started at all. */
RKD_LOCAL bool rkd_boot_is_plausible(const RkdDevice *d);
/* Whether state and check allow a start by themselves. */
RKD_LOCAL bool rkd_boot_is_runnable(const RkdDevice *d);
/* Flash is no longer what was checked. */
RKD_LOCAL void rkd_boot_forget_check(RkdDevice *d);
/* Nothing is being erased or written, nor will be by itself. */
RKD_LOCAL bool rkd_boot_is_at_rest(const RkdDevice *d);
/* STATUS, RKD_STATUS_BYTES long. */
RKD_LOCAL void rkd_boot_put_status(const RkdDevice *d, uint8_t *out);
RKD_LOCAL uint8_t rkd_boot_handle(RkdDevice *d);
RKD_LOCAL uint8_t rkd_boot_on_begin(RkdDevice *d, const uint8_t *in, uint32_t n);
/* Writes the record that a BEGIN left to be written. */
RKD_LOCAL void rkd_boot_poll_begin(RkdDevice *d);
#if RKD_WITH_SIGNATURE
/* The signature behind the header of the body in the page: RKD_LATER while it is looked at; RKD_OK
 * where none is demanded. */
RKD_LOCAL uint8_t rkd_boot_verify(RkdDevice *d);
RKD_LOCAL void rkd_boot_poll_verify(RkdDevice *d);
#define rkd_boot_is_verifying(d) ((d)->verdict >= RKD_VERDICT_DUE)
/* Whoever takes the page says so: what was found out about the body in it is void. */
#define rkd_boot_void_verdict(d) ((void)((d)->verdict = RKD_VERDICT_NONE))
#else
#define rkd_boot_verify(d)       RKD_OK
#define rkd_boot_poll_verify(d)  ((void)0)
#define rkd_boot_is_verifying(d) false
#define rkd_boot_void_verdict(d) ((void)0)
#endif

/* --- rkd-fallback.c --- */

#if RKD_WITH_SLOTS
/* Whether the other slot's program can take the place of the one at hand: RKD_OK, RKD_LATER while
 * that is looked at, or RKD_NOT_RUNNABLE. */
RKD_LOCAL uint8_t rkd_fallback_check(RkdDevice *d);
/* The same, and starts it. */
RKD_LOCAL uint8_t rkd_fallback_start(RkdDevice *d);
/* Takes the digest of the other slot's program when it is there. */
RKD_LOCAL void rkd_fallback_poll(RkdDevice *d);
#else
#define rkd_fallback_start(d) RKD_NOT_RUNNABLE
#define rkd_fallback_poll(d)  ((void)0)
#endif

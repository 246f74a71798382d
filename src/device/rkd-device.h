/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Between the files of the library. all.c includes them all: then everything here is static,
 * and the compiler sees the whole.
 */

#include "device/rkd-check.h"
#include "device/rkd-flash.h"
#include "device/rkd-local.h"
#include "device/rkd-numbers.h"
#include "device/rkd-slot.h"
#include "proto/bytes.h"

/* --- rkd-flash.c --- */

/* Where n bytes at this address can be read, `buffer` or their own place; what cannot be read is
 * zeros. */
#if RKD_FLASH_MAPPED
#define RKD_VIEW_MAX   UINT32_MAX
#define RKD_VIEW_BYTES 4u
#define rkd_flash_view(d, address, buffer, n)                                                      \
        ((void)(buffer), (const uint8_t *)(uintptr_t)(address))
#else
#define RKD_VIEW_MAX   64u
#define RKD_VIEW_BYTES RKD_VIEW_MAX
const uint8_t *rkd_flash_view(const RkdDevice *d, uint32_t address, uint8_t *buffer, uint32_t n);
#endif
RKD_LOCAL uint32_t rkd_flash_crc(const RkdDevice *d, uint32_t address, uint32_t n);
RKD_LOCAL bool rkd_flash_is_blank(const RkdDevice *d, uint32_t address, uint32_t n);
/* Puts n bytes of flash. */
RKD_LOCAL void rkd_flash_put(const RkdDevice *d, RkdWriter *w, uint32_t address, uint32_t n);

/* Begins to write n bytes at this offset of an area, or to erase them where `data` is NULL; only
 * while no operation is under way. Nothing is done once one has failed, nor outside the area. Data
 * stays untouched while the operation goes on. */
RKD_LOCAL void rkd_flash_work(
                RkdDevice *d, unsigned area, uint32_t offset, const void *data, uint32_t n);
#if RKD_FLASH_BLOCKS
#define rkd_flash_poll(d)       ((void)0)
#define rkd_flash_is_busy(d)    false
#define rkd_flash_is_writing(d) false
#else
void rkd_flash_poll(RkdDevice *d);
#define rkd_flash_is_busy(d)    ((d)->working != RKD_WORK_NONE)
#define rkd_flash_is_writing(d) ((d)->working == RKD_WORK_WRITE)
#endif

/* --- rkd-link.c --- */

#if RKD_WITH_LOG
RKD_LOCAL void rkd_log(const RkdDevice *d, RkdLog what, uint32_t value);
#else
#define rkd_log(d, what, value) ((void)0)
#endif

/* Address, speed; the rest of *d is zero. */
RKD_LOCAL void rkd_link_init(RkdDevice *d, const RkdPlatform *platform);
RKD_LOCAL void rkd_link_receive(RkdDevice *d, const uint8_t *data, size_t n);
RKD_LOCAL uint32_t rkd_now_ms(const RkdDevice *d);
/* Sends what waits, changes speeds. */
RKD_LOCAL void rkd_link_poll(RkdDevice *d);
RKD_LOCAL bool rkd_link_is_idle(const RkdDevice *d);
/* Whether the device may speak when it was not asked. */
RKD_LOCAL bool rkd_link_is_free(const RkdDevice *d);
#if RKD_WITH_BAUD
/* After the answer: RKD_OK, or RKD_SPEED where that speed is not to be had. */
RKD_LOCAL uint8_t rkd_link_change_speed(RkdDevice *d);
#endif
/* Where the payload of the next frame is to be put; only while idle. */
RKD_LOCAL uint8_t *rkd_link_payload(const RkdDevice *d);
/* The greatest payload of an answer. */
RKD_LOCAL uint32_t rkd_link_room(const RkdDevice *d);
RKD_LOCAL void rkd_link_send(RkdDevice *d, unsigned type, unsigned sequence, uint32_t n);
RKD_LOCAL void rkd_link_hello(RkdDevice *d, unsigned who, unsigned state);
/* The command's answer as far as it depends on the command: n_answer bytes at …_answer(). */
RKD_LOCAL uint8_t *rkd_link_answer(const RkdDevice *d);
/* Runs the command at hand through `handle` and answers it, when it may be answered. */
RKD_LOCAL void rkd_link_command(RkdDevice *d, uint8_t (*handle)(RkdDevice *d));
/* Of IDENTIFY: the writer for the piece that was asked for, and its end. */
RKD_LOCAL RkdWriter rkd_link_window(const RkdDevice *d);
RKD_LOCAL void rkd_link_close_window(RkdDevice *d, const RkdWriter *w);

/* How long the stream will keep the device deaf from now on; and that it was said. */
RKD_LOCAL uint32_t rkd_busy_ms(const RkdDevice *d);
RKD_LOCAL void rkd_note_announced(RkdDevice *d);

/* --- rkd-record.c --- */

/* What the flash says. */
RKD_LOCAL void rkd_record_load(RkdDevice *d);
/* For a good record: what a gateway would be told. */
RKD_LOCAL unsigned rkd_record_state(const RkdDevice *d);
RKD_LOCAL unsigned rkd_attempts(const RkdDevice *d);
/* Starts since the last healthy one. */
RKD_LOCAL unsigned rkd_record_used(const RkdDevice *d);
/* Starts since BEGIN. */
RKD_LOCAL unsigned rkd_boots(const RkdDevice *d);
RKD_LOCAL bool rkd_record_is_ours(const RkdDevice *d, const uint8_t *push_id);
/* Address of text i of the header; its length comes first. */
RKD_LOCAL uint32_t rkd_record_text(const RkdDevice *d, unsigned i);
RKD_LOCAL uint32_t rkd_record_address(const RkdDevice *d, uint32_t offset);

/* Begin to write. page: the body that lies in the page buffer, but for its prefix. renew: the same
 * body on the other page, because the slots for starts are used up. mark: one mark; RKD_LATER,
 * or RKD_FLASH when the try before has failed. Afterwards everything is loaded again. */
RKD_LOCAL void rkd_record_write(RkdDevice *d);
RKD_LOCAL void rkd_record_renew(RkdDevice *d);
RKD_LOCAL uint8_t rkd_record_mark(RkdDevice *d, unsigned mark);
RKD_LOCAL uint8_t rkd_record_confirm(RkdDevice *d);
RKD_LOCAL uint8_t rkd_record_mark_healthy(RkdDevice *d);
/* Whether there is a pair of slots for another start. */
RKD_LOCAL bool rkd_record_has_room(const RkdDevice *d);
#if RKD_FLASH_BLOCKS
#define rkd_record_poll(d)    ((void)0)
#define rkd_record_is_busy(d) false
#else
void rkd_record_poll(RkdDevice *d);
#define rkd_record_is_busy(d) ((d)->step != 0)
#endif

RKD_LOCAL void rkd_retained_load(RkdDevice *d);
RKD_LOCAL void rkd_retained_store(const RkdDevice *d);

/* --- rkd-identity.c --- */

/* What bootloader and program say differently. */
typedef struct RkdSelf {
        uint8_t who, state, health, cause;
        uint32_t capabilities; /* beyond those of every device */
        const char *version;   /* NULL: of record or digest */
} RkdSelf;

RKD_LOCAL void rkd_identity_put(const RkdDevice *d, RkdWriter *w, const RkdSelf *self);

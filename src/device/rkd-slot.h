/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Two slots for programs, of which each has a pair of record pages: 0 and 1 are those of slot 0, 2
 * and 3 those of slot 1. Everything that works on a program or a record means the slot at hand,
 * which is that of the newest good record page; here is what knows of the other one.
 *
 * With one slot all of this is what stands behind #else.
 */

#include "device/rkd-local.h"

#if RKD_WITH_SLOTS
#define rkd_page_address(d, page)      rkd_slot_page(RKD_PLATFORM(d), (page))
#define rkd_program_address(d, offset) rkd_slot_address(RKD_PLATFORM(d), (d)->slot, (offset))
#define rkd_hashed_address(d, offset)  rkd_slot_address(RKD_PLATFORM(d), (d)->hash_slot, (offset))
#define rkd_hash_here(d)               ((void)((d)->hash_slot = (d)->slot))
#define rkd_first_page(d)              ((d)->first_page)
#define rkd_end_page(d)                ((d)->end_page)
#define rkd_has_slots(d)               (RKD_PLATFORM(d)->slot_stride != 0)

RKD_LOCAL uint32_t rkd_slot_page(const RkdPlatform *p, unsigned page);
RKD_LOCAL uint32_t rkd_slot_address(const RkdPlatform *p, unsigned slot, uint32_t offset);
/* Looks at both slots, or at one, from now on; and loads the record. */
RKD_LOCAL void rkd_slot_view_all(RkdDevice *d);
RKD_LOCAL void rkd_slot_view(RkdDevice *d, unsigned slot);
/* The slot at hand is that of the record that was loaded. */
RKD_LOCAL void rkd_slot_note(RkdDevice *d);
/* Of the slot that the next record goes to: the page that is not its good one; while it has none,
 * not the one that proves a push. */
RKD_LOCAL unsigned rkd_slot_free_page(RkdDevice *d);
/* Where a push goes that was accepted: it never takes the place of a program that is confirmed and,
 * as was found out before, whole. */
RKD_LOCAL void rkd_slot_choose(RkdDevice *d);
/* The program that begins runs in the slot that its bootloader noted. */
RKD_LOCAL void rkd_slot_begin_program(RkdDevice *d);
#else
#define rkd_page_address(d, page)      (RKD_PLATFORM(d)->record_pages[page])
#define rkd_program_address(d, offset) (RKD_PLATFORM(d)->program_base + (offset))
#define rkd_hashed_address             rkd_program_address
#define rkd_hash_here(d)               ((void)0)
#define rkd_first_page(d)              0u
#define rkd_end_page(d)                2u
#define rkd_slot_view_all(d)           rkd_record_load(d)
#define rkd_slot_begin_program(d)      rkd_record_load(d)
#define rkd_slot_note(d)               ((void)0)
#define rkd_slot_choose(d)             ((void)0)
#endif

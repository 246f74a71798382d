/* SPDX-License-Identifier: MIT */
/*
 * Two slots, see rkd-slot.h: where they are, and which of them is at hand.
 */

#include "device/rkd-device.h"

#if RKD_WITH_SLOTS
#define SLOT_PAGES 2u /* of a slot */

uint32_t rkd_slot_page(const RkdPlatform *p, unsigned page) {
        return page < SLOT_PAGES ? p->record_pages[page] : p->slot_record_pages[page - SLOT_PAGES];
}

uint32_t rkd_slot_address(const RkdPlatform *p, unsigned slot, uint32_t offset) {
        return p->program_base + slot * p->slot_stride + offset;
}

static void look_at(RkdDevice *d, unsigned slot, unsigned n) {
        d->first_page = (uint8_t)(slot * SLOT_PAGES);
        d->end_page = (uint8_t)(d->first_page + n * SLOT_PAGES);
        rkd_record_load(d);
}

void rkd_slot_view_all(RkdDevice *d) {
        look_at(d, 0, rkd_has_slots(d) ? 2 : 1);
}

void rkd_slot_view(RkdDevice *d, unsigned slot) {
        look_at(d, slot, 1);
}

void rkd_slot_note(RkdDevice *d) {
        unsigned page = d->status == RKD_RECORD_GOOD ? d->page : d->first_page;

        d->slot = d->push_slot = (uint8_t)(page / SLOT_PAGES);
}

unsigned rkd_slot_free_page(RkdDevice *d) {
        unsigned first = d->push_slot * SLOT_PAGES, page;

        rkd_slot_view(d, d->push_slot);
        if (d->status == RKD_RECORD_GOOD)
                page = d->page ^ 1u;
        else
                page = first +
                       !rkd_flash_is_blank(d, rkd_page_address(d, first), RKD_RECORD_SIZE_MIN);
        rkd_slot_view_all(d);
        return page;
}

void rkd_slot_choose(RkdDevice *d) {
        if (rkd_has_slots(d) && d->status == RKD_RECORD_GOOD && d->check != RKD_CHECK_BAD &&
                        rkd_record_state(d) == RKD_CONFIRMED)
                d->push_slot = (uint8_t)(1u - d->slot);
}

void rkd_slot_begin_program(RkdDevice *d) {
        unsigned started = d->retained.slot;

        if (rkd_has_slots(d) && started - 1u < 2)
                rkd_slot_view(d, started - 1);
        else
                rkd_slot_view_all(d);
}
#endif

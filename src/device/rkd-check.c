/* SPDX-License-Identifier: MIT */
/*
 * The rules of the platform struct, see rkd-check.h.
 */

#include "device/rkd-check.h"
#include "device/rkd-numbers.h"
#include "proto/bytes.h"

#if RKD_WITH_CHECKS
static bool are_texts_valid(const RkdPlatform *p) {
        const char *texts[] = { p->model, p->hardware, p->serial, p->bootloader_version };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (rkd_text(texts[i]).length > RKD_TEXT_MAX)
                        return false;
        return p->model && p->model[0] != '\0';
}

static bool is_geometry_valid(const RkdPlatform *p) {
        if (p->n_regions < 1 || p->n_regions > RKD_REGIONS_MAX ||
                        !rkd_is_power_of_2(p->unit_size) || p->program_space == 0 ||
                        (p->program_space & (p->unit_size - 1)) != 0)
                return false;
        for (unsigned i = 0; i < p->n_regions; i++)
                if (p->regions[i].erase_size == 0 || !rkd_is_power_of_2(p->regions[i].write_size))
                        return false;
        return true;
}

/* There must be more slots for starts than starts. */
static bool is_record_valid(const RkdPlatform *p) {
        uint32_t slot = p->record_write_size < 4 ? 4 : p->record_write_size;
        uint32_t attempts = p->start_attempts ? p->start_attempts : RKD_ATTEMPTS;

        return p->record_size >= RKD_RECORD_SIZE_MIN && rkd_is_power_of_2(p->record_write_size) &&
               p->record_write_size <= RKD_WRITE_SIZE_MAX && attempts <= 8 &&
               RKD_RECORD_MARKS + (RKD_MARK_PAIRS + 2 * (attempts + 1)) * slot <= p->record_size;
}

static bool are_functions_valid(const RkdPlatform *p) {
#if !RKD_FLASH_MAPPED
        if (!p->flash_read)
                return false;
#endif
#if !RKD_FLASH_BLOCKS
        if (!p->flash_poll)
                return false;
#endif
        return p->flash_write && p->send && p->milliseconds;
}

#if RKD_WITH_SLOTS
/* The program learns from retained memory which slot it is in. */
static bool are_slots_valid(const RkdPlatform *p) {
        return p->slot_stride == 0 ||
               (p->slot_stride >= p->program_space && p->retained && p->reset);
}
#else
#define are_slots_valid(p) true
#endif

bool rkd_platform_is_valid(const RkdPlatform *p) {
        return p->address != RKD_ADDRESS_ALL && p->n_speeds >= 1 && p->n_speeds <= RKD_SPEEDS_MAX &&
               p->rx && p->max_payload >= RKD_PAYLOAD_MIN && p->max_payload <= RKD_PAYLOAD_MAX &&
               p->tx && p->tx_bytes >= RKD_TX_BYTES(RKD_PAYLOAD_MIN) && are_functions_valid(p) &&
               are_texts_valid(p) && is_geometry_valid(p) && is_record_valid(p) &&
               are_slots_valid(p);
}
#endif

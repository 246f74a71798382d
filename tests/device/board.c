/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The board in memory, see board.h.
 */

#include "board.h"

#include <string.h>

#include "board-flash.h"

#define HEALTHY_AFTER_MS 3u

void board_violate(Board *b, const char *what) {
        if (b->violations++ == 0)
                b->violation = what;
}

uint32_t board_random(Board *b) {
        uint32_t x = b->random;

        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        b->random = x ? x : 1;
        return b->random >> 4;
}

/* Damages bytes in place; returns how many are left. */
static size_t add_noise(Board *b, uint8_t *bytes, size_t n) {
        size_t left = 0;

        for (size_t i = 0; i < n; i++) {
                uint32_t x = b->noise ? board_random(b) : 0;

                if (b->noise == 0 || x % b->noise != 0)
                        bytes[left++] = bytes[i];
                else if (x & 0x10000)
                        bytes[left++] = bytes[i] ^ (uint8_t)(1u << (x >> 20 & 7));
        }
        return left;
}

static size_t on_send(void *user, const uint8_t *data, size_t n) {
        Board *b = user;

        if (b->runs == BOARD_OFF)
                return n;
        n = n < 40 ? n : 40; /* a small hardware queue */
        if (n > sizeof(b->from_device) - b->n_from_device)
                n = sizeof(b->from_device) - b->n_from_device;
        memcpy(b->from_device + b->n_from_device, data, n);
        b->n_from_device += add_noise(b, b->from_device + b->n_from_device, n);
        return n;
}

static uint32_t on_milliseconds(void *user) {
        return ((Board *)user)->now_ms;
}

#if RKD_WITH_BAUD
static void on_set_baud(void *user, uint32_t baud) {
        ((Board *)user)->baud = baud;
}
#endif

/* The image in flash, of those that may run; NULL: none. */
static const BoardImage *find_image(const Board *b) {
        for (unsigned i = 0; i < b->n_images; i++)
                if (board_holds(b, b->images[i].bytes, b->images[i].n))
                        return &b->images[i];
        return NULL;
}

static void on_start(void *user, const RkdStart *start) {
        const BoardImage *image;
        Board *b = user;

        if (b->runs == BOARD_OFF)
                return;
        b->start = *start;
        b->starts++;
        b->runs = BOARD_PROGRAM;
        b->up_ms = b->now_ms;
        if (!board_may_start(b))
                board_violate(b, "start of a program that the record does not vouch for");
        image = find_image(b);
        if (b->n_images > 0 && !image)
                board_violate(b, "start of something that is none of the programs");
        b->crashes = image && image->crashes;
        if (rkd_program_init(&b->program, &b->platform, b->descriptor) != 0)
                board_violate(b, "the program refuses the platform");
}

static void on_trial_passed(void *user) {
        ((Board *)user)->start.trial_ms = 0;
}

static const uint8_t guard[BOARD_GUARD] = { [0 ... BOARD_GUARD - 1] = 0xa5 };

static void set_guards(Board *b) {
        const RkdPlatform *p = &b->platform;

        memcpy(b->page + p->page_bytes, guard, BOARD_GUARD);
        memcpy(b->rx + RKD_RX_BYTES(p->max_payload), guard, BOARD_GUARD);
        memcpy(b->ring + p->ring_bytes, guard, BOARD_GUARD);
        memcpy(b->tx + p->tx_bytes, guard, BOARD_GUARD);
        memcpy(b->retained + RKD_RETAINED_BYTES, guard, BOARD_GUARD);
}

static void check_guards(Board *b) {
        const RkdPlatform *p = &b->platform;

        if (memcmp(b->page + p->page_bytes, guard, BOARD_GUARD) != 0 ||
                        memcmp(b->rx + RKD_RX_BYTES(p->max_payload), guard, BOARD_GUARD) != 0 ||
                        memcmp(b->ring + p->ring_bytes, guard, BOARD_GUARD) != 0 ||
                        memcmp(b->tx + p->tx_bytes, guard, BOARD_GUARD) != 0 ||
                        memcmp(b->retained + RKD_RETAINED_BYTES, guard, BOARD_GUARD) != 0)
                board_violate(b, "write behind a buffer");
}

static void begin(Board *b, RkdCause cause) {
        b->runs = BOARD_BOOTLOADER;
        b->up_ms = b->busy_until_ms = b->now_ms;
        b->baud = b->speeds[0];
        board_note_record(b);
        set_guards(b);
        if (rkd_boot_init(&b->boot, &b->platform, (uint8_t)cause) != 0)
                board_violate(b, "the bootloader refuses the platform");
}

static void on_reset(void *user) {
        if (((Board *)user)->runs != BOARD_OFF)
                begin(user, RKD_CAUSE_SOFTWARE);
}

static const BoardGeometry usual = {
        .name = "usual",
        .unit = BOARD_UNIT,
        .units = BOARD_UNITS,
        .erase = BOARD_UNIT,
        .page = RKD_PAGE_MIN,
        .record = BOARD_RECORD,
        .write = BOARD_WRITE,
        .record_write = BOARD_WRITE,
};

/* The pointers into the board itself. */
static void bind(Board *b) {
        RkdPlatform *p = &b->platform;

        p->user = b;
        p->regions = b->regions;
        p->speeds = b->speeds;
        p->page = b->page;
        p->ring = b->ring;
        p->rx = b->rx;
        p->tx = b->tx;
        if (p->retained)
                p->retained = b->retained;
        if (p->patch)
                p->patch = &b->patch;
}

static void set_geometry(Board *b, const BoardGeometry *g) {
        RkdPlatform *p = &b->platform;

        b->geometry = *g;
        p->program_space = board_space(b);
#if RKD_WITH_SLOTS
        if (g->slots > 1) {
                p->slot_stride = board_slot_bytes(b);
                for (unsigned i = 0; i < 2; i++)
                        p->slot_record_pages[i] = BOARD_BASE + p->slot_stride + board_space(b) +
                                                  i * g->record;
        }
#endif
        b->regions[0] = (RkdRegion){ BOARD_BASE, g->erase, board_space(b) / g->erase, g->write };
        b->regions[1] = (RkdRegion){ BOARD_BASE + board_space(b), g->record, 2, g->record_write };
        p->n_regions = 2;
        if (g->record == g->erase && g->record_write == g->write) {
                b->regions[0].count += 2;
                p->n_regions = 1;
        }
        p->unit_size = g->unit;
        p->program_base = BOARD_BASE;
        p->record_pages[0] = b->regions[1].start;
        p->record_pages[1] = b->regions[1].start + g->record;
        p->record_size = g->record;
        p->record_write_size = g->record_write;
        p->page_bytes = g->page;
        if (board_space(b) > BOARD_SPACE_MAX || board_flash_bytes(b) > BOARD_FLASH_MAX ||
                        g->page > BOARD_PAGE_MAX)
                board_violate(b, "the test wants a larger board");
}

void board_init_as(Board *b, const BoardGeometry *geometry) {
        memset(b, 0, sizeof(*b));
        memset(b->flash, 0xff, sizeof(b->flash));
        b->now_ms = b->busy_until_ms = 0xfffff000; /* wraps soon */
        b->flash_ms = 2;
        b->rate = 100;
        b->random = 1;
        b->verifies = true;
        b->speeds[0] = 115200;
        b->speeds[1] = 460800;
        b->platform = (RkdPlatform) {
                .instruction_set = RKD_ISA_THUMB,
                .capabilities = RKD_CAN_FULL_DUPLEX | RKD_CAN_TRIAL_TIMER | RKD_CAN_READ,
                .listen_ms = 20, .model = "boiler-ctl", .hardware = "B", .serial = "0042",
                .bootloader_version = "1.0.0", .ram_base = 0x20000000, .ram_size = 8192,
                .erase_ms = 20, .write_ms = 3, .n_speeds = 2, .ring_bytes = BOARD_RING,
                .max_payload = 1024, .tx_bytes = BOARD_TX, .retained = b->retained, .send = on_send,
                .milliseconds = on_milliseconds,
#if RKD_WITH_BAUD
                .set_baud = on_set_baud,
#endif
                .start_program = on_start, .reset = on_reset, .trial_passed = on_trial_passed,
        };
        set_geometry(b, geometry);
        board_flash_attach(&b->platform);
        bind(b);
}

void board_init(Board *b) {
        board_init_as(b, &usual);
}

void board_take_patches(Board *b, uint8_t profile) {
        b->platform.patch = profile == RKD_PATCH_NONE ? NULL : &b->patch;
        b->platform.patch_profile = profile;
}

void board_copy(Board *to, const Board *from) {
        *to = *from;
        bind(to);
        board_power_off(to);
}

void board_power_on(Board *b) {
        for (size_t i = 0; i < RKD_RETAINED_BYTES; i++)
                b->retained[i] = (uint8_t)board_random(b);
        b->cut_at = 0;
        b->n_to_device = b->n_from_device = 0;
        begin(b, RKD_CAUSE_POWER);
}

void board_power_off(Board *b) {
        b->runs = BOARD_OFF;
        b->n_to_device = 0;
}

void board_reset(Board *b, RkdCause cause) {
        begin(b, cause);
}

static void take_bytes(Board *b) {
        size_t n = b->n_to_device < b->rate ? b->n_to_device : b->rate;

        size_t left = add_noise(b, b->to_device, n);

        if (b->runs == BOARD_BOOTLOADER)
                rkd_boot_receive(&b->boot, b->to_device, left);
        else if (b->runs == BOARD_PROGRAM)
                rkd_program_receive(&b->program, b->to_device, left);
        b->n_to_device -= n;
        memmove(b->to_device, b->to_device + n, b->n_to_device);
}

static void run_program(Board *b) {
        uint32_t ran = b->now_ms - b->up_ms;

        if ((b->crashes || b->behaviour == PROGRAM_CRASHES) && ran > 1) {
                begin(b, RKD_CAUSE_CRASH);
                return;
        }
        if (b->start.trial_ms > 0 && ran > b->start.trial_ms) {
                begin(b, RKD_CAUSE_TRIAL);
                return;
        }
        if (b->behaviour == PROGRAM_HEALTHY && ran >= HEALTHY_AFTER_MS)
                rkd_program_report(&b->program, RKD_HEALTH_GOOD);
        rkd_program_poll(&b->program);
}

void board_step(Board *b) {
        b->now_ms++;
        take_bytes(b);
        if (b->runs == BOARD_BOOTLOADER)
                rkd_boot_poll(&b->boot);
        else if (b->runs == BOARD_PROGRAM)
                run_program(b);
        check_guards(b);
}

void board_run(Board *b, unsigned ms) {
        for (unsigned i = 0; i < ms; i++)
                board_step(b);
}

void board_load(Board *b, const uint8_t *image, size_t n) {
        memset(b->flash, 0xff, board_space(b));
        memcpy(b->flash, image, n);
        memset(b->written, 1, board_space(b) / 2);
}

bool board_holds(const Board *b, const uint8_t *image, size_t n) {
        return board_slot_holds(b, board_slot(b), image, n);
}

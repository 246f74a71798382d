/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The board in memory, see board.h.
 */

#include "board.h"

#include <string.h>

#include "device/rkd-record.h"
#include "device/rkd-sha256.h"

#define HEALTHY_AFTER_MS 3u
#define SHA256_IN_PAGE   52u /* prefix 16, begin area 24, header 12 */

void board_violate(Board *b, const char *what) {
        if (b->violations++ == 0)
                b->violation = what;
}

static uint32_t next_random(Board *b) {
        b->random = b->random * 1664525u + 1013904223u;
        return b->random >> 8;
}

static bool is_inside(uint32_t address, size_t n) {
        return address >= BOARD_BASE && address - BOARD_BASE <= BOARD_FLASH &&
               n <= BOARD_FLASH - (address - BOARD_BASE);
}

static bool is_busy(const Board *b) {
        return (int32_t)(b->busy_until_ms - b->now_ms) > 0;
}

static int on_read(void *user, uint32_t address, void *out, size_t n) {
        Board *b = user;

        if (!is_inside(address, n)) {
                board_violate(b, "read outside flash");
                return -1;
        }
        if (b->runs == BOARD_OFF)
                return -1;
        if (is_busy(b))
                board_violate(b, "read while flash is busy");
        memcpy(out, b->flash + (address - BOARD_BASE), n);
        return 0;
}

/* Counts the operation; how much of it happens: n bytes of `whole`. */
static size_t begin_operation(Board *b, size_t whole) {
        if (RKD_FLASH_BLOCKS || (b->platform.capabilities & RKD_CAN_FLASH_BLOCKS_CPU) != 0) {
                if (b->n_to_device > 0)
                        board_violate(b, "bytes come while flash blocks the CPU");
                b->now_ms += b->flash_ms;
                b->busy_until_ms = b->now_ms;
        } else
                b->busy_until_ms = b->now_ms + b->flash_ms;
        if (++b->operations != b->cut_at)
                return whole;
        b->runs = BOARD_OFF;
        if (b->cut == CUT_INSIDE)
                return whole / 2 / BOARD_WRITE * BOARD_WRITE;
        return b->cut == CUT_AFTER ? whole : 0;
}

static bool is_torn(const Board *b) {
        return b->runs == BOARD_OFF && b->cut == CUT_INSIDE;
}

static int end_operation(Board *b) {
        if (b->operations != b->fail_at)
                return 0;
        b->busy_until_ms = b->now_ms;
        return -1;
}

static int on_erase(void *user, uint32_t address) {
        Board *b = user;
        uint32_t at = address - BOARD_BASE;
        size_t n;

        if (b->runs == BOARD_OFF)
                return -1;
        if (b->runs == BOARD_PROGRAM)
                board_violate(b, "the program erases");
        if (!is_inside(address, BOARD_UNIT) || at % BOARD_UNIT != 0) {
                board_violate(b, "erase of no unit");
                return -1;
        }
        n = begin_operation(b, BOARD_UNIT);
        memset(b->flash + at, 0xff, n);
        memset(b->written + at / BOARD_WRITE, n == BOARD_UNIT ? 0 : 1, BOARD_UNIT / BOARD_WRITE);
        for (; is_torn(b) && n < BOARD_UNIT; n++)
                b->flash[at + n] |= (uint8_t)next_random(b);
        return end_operation(b);
}

static void write_unit(Board *b, uint32_t at, const uint8_t *data, uint8_t keep) {
        uint8_t *written = &b->written[at / BOARD_WRITE];

        if (*written)
                board_violate(b, "write unit written twice");
        *written = 1;
        for (unsigned i = 0; i < BOARD_WRITE; i++)
                b->flash[at + i] &= data[i] | keep;
}

static int on_write(void *user, uint32_t address, const void *data, size_t n) {
        Board *b = user;
        const uint8_t *from = data;
        uint32_t at = address - BOARD_BASE;
        size_t whole;

        if (b->runs == BOARD_OFF)
                return -1;
        if (!is_inside(address, n) || at % BOARD_WRITE != 0 || n % BOARD_WRITE != 0 || n == 0) {
                board_violate(b, "write of no write unit");
                return -1;
        }
        if (b->runs == BOARD_PROGRAM && at < BOARD_SPACE)
                board_violate(b, "the program writes over itself");
        whole = begin_operation(b, n);
        for (size_t i = 0; i < whole; i += BOARD_WRITE)
                write_unit(b, at + (uint32_t)i, from + i, 0);
        if (is_torn(b))
                write_unit(b, at + (uint32_t)whole, from + whole, (uint8_t)(next_random(b) | 0x10));
        return end_operation(b);
}

#if !RKD_FLASH_BLOCKS
static int on_flash_poll(void *user) {
        Board *b = user;

        if (b->runs == BOARD_OFF)
                return -1;
        return is_busy(b);
}
#endif

/* Damages bytes in place; returns how many are left. */
static size_t add_noise(Board *b, uint8_t *bytes, size_t n) {
        size_t left = 0;

        for (size_t i = 0; i < n; i++) {
                uint32_t x = b->noise ? next_random(b) : 0;

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

static void on_set_baud(void *user, uint32_t baud) {
        ((Board *)user)->baud = baud;
}

/* The judge looks at the flash itself: once anything was pushed, only what the newest record
 * describes may run. */
static bool may_start(const Board *b) {
        const RkdRecord *r = &b->boot.record;
        uint8_t digest[RKD_SHA256_BYTES];
        RkdSha256 sha;

        if (r->status != RKD_RECORD_GOOD) {
                for (size_t i = BOARD_SPACE; i < BOARD_FLASH; i++)
                        if (b->flash[i] != 0xff)
                                return false;
                return true;
        }
        rkd_sha256_init(&sha);
        rkd_sha256_add(&sha, b->flash, r->image_length);
        rkd_sha256_finish(&sha, digest);
        return r->verified &&
               memcmp(digest, b->flash + SHA256_IN_PAGE + BOARD_SPACE + r->page * BOARD_RECORD,
                               sizeof(digest)) == 0;
}

static void on_start(void *user, const RkdStart *start) {
        Board *b = user;

        if (b->runs == BOARD_OFF)
                return;
        b->start = *start;
        b->starts++;
        b->runs = BOARD_PROGRAM;
        b->up_ms = b->now_ms;
        if (!may_start(b))
                board_violate(b, "start of a program that the record does not vouch for");
        if (rkd_program_init(&b->program, &b->platform, b->descriptor) != 0)
                board_violate(b, "the program refuses the platform");
}

static void on_trial_passed(void *user) {
        ((Board *)user)->start.trial_ms = 0;
}

static void begin(Board *b, RkdCause cause) {
        b->runs = BOARD_BOOTLOADER;
        b->up_ms = b->busy_until_ms = b->now_ms;
        b->baud = b->speeds[0];
        if (rkd_boot_init(&b->boot, &b->platform, (uint8_t)cause) != 0)
                board_violate(b, "the bootloader refuses the platform");
}

static void on_reset(void *user) {
        if (((Board *)user)->runs != BOARD_OFF)
                begin(user, RKD_CAUSE_SOFTWARE);
}

void board_init(Board *b) {
        memset(b, 0, sizeof(*b));
        memset(b->flash, 0xff, sizeof(b->flash));
        b->now_ms = b->busy_until_ms = 0xfffff000; /* wraps soon */
        b->flash_ms = 2;
        b->rate = 100;
        b->random = 1;
        b->verifies = true;
        b->speeds[0] = 115200;
        b->speeds[1] = 460800;
        b->region = (RkdRegion){ BOARD_BASE, BOARD_UNIT, BOARD_UNITS + 2, BOARD_WRITE };
        b->platform = (RkdPlatform) {
                .user = b, .instruction_set = RKD_ISA_THUMB,
                .capabilities = RKD_CAN_FULL_DUPLEX | RKD_CAN_TRIAL_TIMER | RKD_CAN_READ,
                .listen_ms = 20, .model = "boiler-ctl", .hardware = "B", .serial = "0042",
                .bootloader_version = "1.0.0", .regions = &b->region, .n_regions = 1,
                .unit_size = BOARD_UNIT, .program_base = BOARD_BASE, .program_space = BOARD_SPACE,
                .ram_base = 0x20000000, .ram_size = 8192,
                .record_pages = { BOARD_BASE + BOARD_SPACE,
                        BOARD_BASE + BOARD_SPACE + BOARD_RECORD },
                .record_size = BOARD_RECORD, .record_write_size = BOARD_WRITE, .erase_ms = 20,
                .write_ms = 3, .speeds = b->speeds, .n_speeds = 2, .page = b->page,
                .page_bytes = 512, .ring = b->ring, .ring_bytes = sizeof(b->ring),
                .max_payload = 1024, .tx = b->tx, .tx_bytes = sizeof(b->tx),
                .retained = b->retained, .flash_read = on_read, .flash_erase = on_erase,
                .flash_write = on_write,
#if !RKD_FLASH_BLOCKS
                .flash_poll = on_flash_poll,
#endif
                .send = on_send, .milliseconds = on_milliseconds, .set_baud = on_set_baud,
                .start_program = on_start, .reset = on_reset, .trial_passed = on_trial_passed,
        };
}

void board_power_on(Board *b) {
        for (size_t i = 0; i < sizeof(b->retained); i++)
                b->retained[i] = (uint8_t)next_random(b);
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

        if (b->behaviour == PROGRAM_CRASHES && ran > 1) {
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
}

void board_run(Board *b, unsigned ms) {
        for (unsigned i = 0; i < ms; i++)
                board_step(b);
}

void board_load(Board *b, const uint8_t *image, size_t n) {
        memset(b->flash, 0xff, BOARD_SPACE);
        memcpy(b->flash, image, n);
        memset(b->written, 1, BOARD_SPACE / BOARD_WRITE);
}

bool board_holds(const Board *b, const uint8_t *image, size_t n) {
        for (size_t i = n; i < (n + BOARD_UNIT - 1) / BOARD_UNIT * BOARD_UNIT; i++)
                if (b->flash[i] != 0xff)
                        return false;
        return memcmp(b->flash, image, n) == 0;
}

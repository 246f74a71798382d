/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VirtualDevice: see the header. */
#include "virtual-device.h"

#define STEPS_AT_ONCE 256

static int chip_flash_read(void *user, uint32_t address, void *out, size_t n) {
        VirtualDevice *d = user;

        memcpy(out, d->flash + address, n);
        return 0;
}

static void take_time(VirtualDevice *d, uint32_t usec) {
        d->flash_until_usec = d->now_usec + usec;
        if (d->config.capabilities & RKD_CAN_FLASH_BLOCKS_CPU)
                d->deaf_until_usec = d->flash_until_usec;
}

static int chip_flash_erase(void *user, uint32_t address, uint32_t n) {
        VirtualDevice *d = user;

        if (d->flash_fails)
                return -1;
        memset(d->flash + address, 0xff, n);
        d->n_erases++;
        take_time(d, d->config.erase_usec);
        return 0;
}

static int chip_flash_write(void *user, uint32_t address, const void *data, size_t n) {
        VirtualDevice *d = user;
        const uint8_t *p = data;

        for (size_t i = 0; i < n; i++)
                d->flash[address + i] &= p[i];
        d->n_writes++;
        take_time(d, d->config.write_usec);
        return 0;
}

static int chip_flash_poll(void *user) {
        VirtualDevice *d = user;

        return d->now_usec < d->flash_until_usec ? 1 : 0;
}

static size_t chip_send(void *user, const uint8_t *data, size_t n) {
        VirtualDevice *d = user;

        n = MIN(n, sizeof(d->out) - d->n_out);
        memcpy(d->out + d->n_out, data, n);
        d->n_out += n;
        return n;
}

static uint32_t chip_milliseconds(void *user) {
        return (uint32_t)(((VirtualDevice *)user)->now_usec / 1000);
}

static void chip_set_baud(void *user, uint32_t baud) {
        ((VirtualDevice *)user)->baud_next = baud; /* once the line has what was said before */
}

static void chip_start_program(void *user, const RkdStart *start) {
        ((VirtualDevice *)user)->start_due = true;
}

static void chip_reset(void *user) {
        ((VirtualDevice *)user)->reset_due = true;
}

VirtualConfig virtual_config(void) {
        return (VirtualConfig){
                .space_bytes = 64 * 1024,
                .ring_bytes = 4096,
                .max_payload = 2048,
                .capabilities = RKD_CAN_FULL_DUPLEX | RKD_CAN_READ | RKD_CAN_TRIAL_TIMER,
                .speeds = { 115200, 460800 },
                .n_speeds = 2,
                .serial = "0001",
        };
}

static void set_platform(VirtualDevice *d) {
        const VirtualConfig *c = &d->config;

        d->region = (RkdRegion){ 0, VIRTUAL_UNIT_BYTES, c->space_bytes / VIRTUAL_UNIT_BYTES, 4 };
        d->platform = (RkdPlatform){
                .user = d,
                .address = c->address,
                .capabilities = c->capabilities,
                .listen_ms = 500,
                .model = "virtual",
                .hardware = "A",
                .serial = c->serial,
                .bootloader_version = "1.0.0",
                .regions = &d->region,
                .n_regions = 1,
                .unit_size = VIRTUAL_UNIT_BYTES,
                .program_space = c->space_bytes,
                .record_pages = { c->space_bytes, c->space_bytes + VIRTUAL_UNIT_BYTES },
                .record_size = VIRTUAL_UNIT_BYTES,
                .record_write_size = 4,
                .erase_ms = c->erase_usec / 1000 + 1,
                .write_ms = c->write_usec / 1000 + 1,
                .speeds = c->speeds,
                .n_speeds = c->n_speeds,
                .page = d->page,
                .page_bytes = sizeof(d->page),
                .ring = d->ring,
                .ring_bytes = c->ring_bytes,
                .max_payload = c->max_payload,
                .rx = d->rx,
                .tx = d->tx,
                .tx_bytes = sizeof(d->tx),
                .retained = d->retained,
                .flash_read = chip_flash_read,
                .flash_erase = chip_flash_erase,
                .flash_write = chip_flash_write,
                .flash_poll = chip_flash_poll,
                .send = chip_send,
                .milliseconds = chip_milliseconds,
                .set_baud = chip_set_baud,
                .start_program = chip_start_program,
                .reset = chip_reset,
        };
}

static void enter_bootloader(VirtualDevice *d, uint8_t cause) {
        d->runs_program = d->reset_due = d->start_due = false;
        d->baud = d->config.speeds[0];
        d->baud_next = 0;
        if (rkd_boot_init(&d->boot, &d->platform, cause) != 0)
                abort();
}

static void enter_program(VirtualDevice *d) {
        d->runs_program = true;
        d->reset_due = d->start_due = false;
        d->baud = d->config.program_baud ? d->config.program_baud : d->config.speeds[0];
        d->baud_next = 0;
        if (rkd_program_init(&d->program, &d->platform, NULL) != 0)
                abort();
        rkd_program_report(&d->program, RKD_HEALTH_GOOD);
}

VirtualDevice *virtual_device_new(const VirtualConfig *config) {
        VirtualDevice *d = new0(VirtualDevice, 1);

        if (!d)
                abort();
        d->config = *config;
        memset(d->flash, 0xff, sizeof(d->flash));
        set_platform(d);
        enter_bootloader(d, RKD_CAUSE_POWER);
        return d;
}

void virtual_device_power_cycle(VirtualDevice *d) {
        memset(d->retained, 0xa5, sizeof(d->retained));
        d->flash_until_usec = d->deaf_until_usec = 0;
        d->n_out = 0;
        enter_bootloader(d, RKD_CAUSE_POWER);
}

void virtual_device_load(VirtualDevice *d, const uint8_t *image, size_t n) {
        memcpy(d->flash, image, n);
        virtual_device_power_cycle(d);
}

void virtual_device_receive(VirtualDevice *d, uint64_t now_usec, uint8_t byte) {
        if (now_usec < d->deaf_until_usec)
                return;
        d->now_usec = now_usec;
        if (d->runs_program)
                rkd_program_receive(&d->program, &byte, 1);
        else
                rkd_boot_receive(&d->boot, &byte, 1);
}

static void step(VirtualDevice *d) {
        if (d->runs_program)
                rkd_program_poll(&d->program);
        else
                rkd_boot_poll(&d->boot);
        if (d->reset_due)
                enter_bootloader(d, RKD_CAUSE_SOFTWARE);
        else if (d->start_due)
                enter_program(d);
}

static uint32_t wait_ms(const VirtualDevice *d) {
        return d->runs_program ? rkd_program_wait_ms(&d->program) : rkd_boot_wait_ms(&d->boot);
}

uint64_t virtual_device_run(VirtualDevice *d, uint64_t now_usec) {
        uint32_t ms = 0;

        if (now_usec < d->deaf_until_usec)
                return d->deaf_until_usec; /* the CPU stands still */
        d->now_usec = now_usec;
        for (unsigned i = 0; i < STEPS_AT_ONCE && ms == 0 && now_usec >= d->deaf_until_usec; i++) {
                step(d);
                ms = wait_ms(d);
        }
        if (now_usec < d->deaf_until_usec)
                return d->deaf_until_usec;
        if (now_usec < d->flash_until_usec)
                return MIN(d->flash_until_usec, now_usec + MAX(ms, 1u) * USEC_PER_MSEC);
        return now_usec + (ms > 0 ? ms * USEC_PER_MSEC : 20);
}

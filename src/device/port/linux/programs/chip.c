/* SPDX-License-Identifier: MIT */

/*
 * Registers and memory of the simulated chip: flash and the shared page are mapped, the rest are
 * messages. What a start-up file and a vendor's drivers are on a real part. If the chip is gone,
 * so is the program.
 */

#include "chip.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "device/port/linux/sim-soc.h"
#include "proto/frame.h"

static SimSocPage *chip_page;
static const uint8_t *chip_flash;
static uint32_t chip_flash_bytes;
static bool chip_flash_busy;
static int chip_flash_result;
static RkdRegion chip_region;
static uint32_t chip_rx[RKD_RX_BYTES(RKD_PAYLOAD_MIN) / 4];
static uint8_t chip_tx[RKD_TX_BYTES(RKD_ANSWER_MAX)];
static RkdPlatform chip_platform;

static void chip_send(const SimSocMessage *message) {
        if (send(SIM_SOC_CHIP_FD, message, offsetof(SimSocMessage, bytes) + message->length,
                            MSG_NOSIGNAL) < 0)
                _exit(1);
}

static void chip_tell(SimSocType type, int32_t value) {
        SimSocMessage message = { .type = type, .value = value };

        chip_send(&message);
}

static void chip_hear(void) {
        SimSocMessage message;
        ssize_t n;

        while ((n = recv(SIM_SOC_CHIP_FD, &message, sizeof(message), MSG_DONTWAIT)) > 0)
                if (message.type == SIM_SOC_FLASH_DONE) {
                        chip_flash_busy = false;
                        chip_flash_result = message.value;
                }
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                _exit(1);
}

static int chip_flash_read(void *user, uint32_t address, void *out, size_t n) {
        uint32_t offset = address - SIM_FLASH_BASE;

        if (offset > chip_flash_bytes || n > chip_flash_bytes - offset)
                return -EINVAL;
        memcpy(out, chip_flash + offset, n);
        return 0;
}

static int chip_flash_write(void *user, uint32_t address, const void *data, size_t n) {
        SimSocMessage message = { .type = SIM_SOC_WRITE, .value = (int32_t)address };

        if (chip_flash_busy || n > sizeof(message.bytes))
                return -EINVAL;
        message.length = (uint32_t)n;
        memcpy(message.bytes, data, n);
        chip_flash_busy = true;
        chip_flash_result = 0;
        chip_send(&message);
        return 0;
}

static int chip_flash_poll(void *user) {
        chip_hear();
        if (chip_flash_busy)
                return 1;
        return chip_flash_result;
}

static size_t chip_uart_send(void *user, const uint8_t *data, size_t n) {
        ssize_t sent = send(SIM_SOC_UART_FD, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        return sent < 0 ? 0 : (size_t)sent;
}

static uint32_t chip_platform_milliseconds(void *user) {
        return chip_milliseconds();
}

static void chip_set_baud(void *user, uint32_t baud) {
        chip_tell(SIM_SOC_SET_BAUD, (int32_t)baud);
}

static void chip_reset(void *user) {
        chip_tell(SIM_SOC_RESET, 0);
        for (;;)
                (void)pause();
}

static void chip_trial_passed(void *user) {
        chip_tell(SIM_SOC_TRIAL_PASSED, 0);
}

static void chip_fill_platform(RkdPlatform *p) {
        uint32_t record = SIM_FLASH_BASE + chip_page->program_bytes;

        p->address = chip_page->address;
        p->capabilities = chip_page->capabilities;
        p->model = chip_page->model;
        p->hardware = chip_page->hardware;
        p->serial = chip_page->serial;
        p->bootloader_version = chip_page->bootloader_version;
        chip_region = (RkdRegion){ SIM_FLASH_BASE, chip_page->erase_bytes,
                chip_page->program_bytes / chip_page->erase_bytes + 2,
                (uint16_t)chip_page->write_bytes };
        p->regions = &chip_region;
        p->n_regions = 1;
        p->unit_size = chip_page->unit_bytes;
        p->program_base = SIM_FLASH_BASE;
        p->program_space = chip_page->program_bytes;
        p->ram_base = SIM_RAM_BASE;
        p->ram_size = SIM_RAM_BYTES;
        p->record_pages[0] = record;
        p->record_pages[1] = record + chip_page->erase_bytes;
        p->slot_stride = chip_page->slot_stride;
        p->slot_record_pages[0] = p->record_pages[0] + p->slot_stride;
        p->slot_record_pages[1] = p->record_pages[1] + p->slot_stride;
        p->record_size = chip_page->erase_bytes;
        p->record_write_size = (uint16_t)chip_page->write_bytes;
        p->speeds = chip_page->speeds;
        p->n_speeds = chip_page->n_speeds;
        p->max_payload = RKD_PAYLOAD_MIN;
        p->rx = (uint8_t *)chip_rx;
        p->tx = chip_tx;
        p->tx_bytes = sizeof(chip_tx);
        p->retained = chip_page->retained;
}

const RkdPlatform *chip_init(void) {
        RkdPlatform *p = &chip_platform;

        chip_page = mmap(NULL, sizeof(*chip_page), PROT_READ | PROT_WRITE, MAP_SHARED,
                        SIM_SOC_PAGE_FD, 0);
        if (chip_page == MAP_FAILED)
                _exit(1);
        chip_flash_bytes = chip_page->program_bytes + 2 * chip_page->erase_bytes;
        if (chip_page->slot_stride > 0)
                chip_flash_bytes += chip_page->slot_stride;
        chip_flash = mmap(NULL, chip_flash_bytes, PROT_READ, MAP_SHARED, SIM_SOC_FLASH_FD, 0);
        if (chip_flash == MAP_FAILED)
                _exit(1);

        chip_fill_platform(p);
        p->flash_read = chip_flash_read;
        p->flash_write = chip_flash_write;
        p->flash_poll = chip_flash_poll;
        p->send = chip_uart_send;
        p->milliseconds = chip_platform_milliseconds;
        p->set_baud = chip_set_baud;
        p->reset = chip_reset;
        p->trial_passed = chip_trial_passed;
        return p;
}

uint32_t chip_milliseconds(void) {
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint32_t)now.tv_sec * 1000U + (uint32_t)now.tv_nsec / 1000000U;
}

void chip_feed_watchdog(void) {
        chip_tell(SIM_SOC_FEED, 0);
}

size_t chip_wait(uint32_t timeout_msec, uint8_t *ret_bytes, size_t size) {
        struct pollfd fds[] = {
                { .fd = SIM_SOC_UART_FD, .events = POLLIN },
                { .fd = SIM_SOC_CHIP_FD, .events = POLLIN },
        };
        ssize_t n;

        (void)poll(fds, 2, (int)timeout_msec);
        chip_hear();
        n = recv(SIM_SOC_UART_FD, ret_bytes, size, MSG_DONTWAIT);
        return n < 0 ? 0 : (size_t)n;
}

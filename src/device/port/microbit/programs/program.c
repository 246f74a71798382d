/* SPDX-License-Identifier: MIT */
/*
 * The example program of the micro:bit: the program's side of the device library, and one of the
 * ways to behave (program.h). Model, version and length of the image are in its descriptor; the
 * last is the linker's.
 */

#include "program.h"

#include "rekindle/device.h"

#include "device/port/microbit/board.h"
#include "device/port/microbit/start.h"

#define PROGRAM_FEED_MS 500u
#define PROGRAM_CHUNK   32u

extern const uint8_t rkd_image_bytes[];
extern const uint32_t boot_vectors[];

static RkdProgram program;
static uint32_t program_rx[RKD_RX_BYTES(RKD_PAYLOAD_MIN) / 4];
static uint8_t program_tx[RKD_TX_BYTES(RKD_PAYLOAD_MIN)];
static char program_serial[BOARD_SERIAL_BYTES];

__attribute__((section(".rkd_descriptor"), used)) static const RkdDescriptor program_descriptor = {
        .magic = RKD_DESCRIPTOR_MAGIC,
        .length = (uint32_t)(uintptr_t)rkd_image_bytes,
        .model = "microbit",
        .version = "?", /* whoever releases it writes its version here */
};

static void program_trial_passed(void *user) {
        NRF_TIMER_INTOFF = NRF_TIMER_INT(BOARD_COMPARE_TRIAL);
}

static RkdPlatform program_platform = {
        .find_address = board_address,
        .instruction_set = RKD_ISA_THUMB,
        .capabilities = RKD_CAN_TRIAL_TIMER | RKD_CAN_FULL_DUPLEX | RKD_CAN_FLASH_BLOCKS_CPU,
        .model = "microbit",
        .hardware = "1.5",
        .serial = program_serial,
        .bootloader_version = "1.0.0",
        .regions = &board_region,
        .n_regions = 1,
        .unit_size = BOARD_PAGE_BYTES,
        .program_base = BOARD_PROGRAM_BASE,
        .program_space = BOARD_PROGRAM_SPACE,
        .ram_base = BOARD_RAM_BASE,
        .ram_size = BOARD_RAM_BYTES,
        .record_pages = { BOARD_RECORD_PAGE, BOARD_RECORD_PAGE + BOARD_PAGE_BYTES },
        .record_size = BOARD_PAGE_BYTES,
        .record_write_size = 4,
        .speeds = &board_speed,
        .n_speeds = 1,
        .max_payload = RKD_PAYLOAD_MIN,
        .rx = (uint8_t *)program_rx,
        .tx = program_tx,
        .tx_bytes = sizeof(program_tx),
        .retained = (uint8_t *)(BOARD_SHARED + offsetof(BoardShared, retained)),
        .flash_write = board_flash_write,
        .send = board_send,
        .milliseconds = board_milliseconds,
        .reset = board_reset,
        .trial_passed = program_trial_passed,
};

static void program_work(void) {
        uint32_t wait_ms = rkd_program_wait_ms(&program);
        uint8_t bytes[PROGRAM_CHUNK];

        if (wait_ms > 0)
                board_sleep(wait_ms < PROGRAM_FEED_MS ? wait_ms : PROGRAM_FEED_MS);
        board_feed_watchdog(NULL);
        rkd_program_receive(&program, bytes, board_take(bytes, sizeof(bytes)));
        rkd_program_poll(&program);
}

void run(void) {
        if (program_behaviour.crashes)
                __asm volatile("udf #0");
        while (program_behaviour.hangs)
                ;
        board_init();
        board_serial(program_serial);
        program_platform.capabilities |= boot_vectors[BOARD_VECTOR_DEMANDS];
        if (rkd_program_init(&program, &program_platform, &program_descriptor) != 0)
                __asm volatile("udf #1");
        if (program_behaviour.says_healthy)
                rkd_program_report(&program, RKD_HEALTH_GOOD);
        for (;;)
                program_work();
}

__attribute__((section(".vectors"), used)) static const StartVector program_vectors[NRF_VECTORS] = {
        [0] = start_stack,
        [1] = start,
        [16 + NRF_IRQ_UART] = board_interrupt_uart,
};

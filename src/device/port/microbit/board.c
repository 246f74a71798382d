/* SPDX-License-Identifier: MIT */
/*
 * Clock, line, flash and resets of the micro:bit, see board.h.
 */

#include "board.h"

#include <string.h>

#include "proto/frame.h"

#define BOARD_RING 64u /* a power of 2 */

/* One side moves head, the other tail. */
typedef struct BoardRing {
        volatile uint8_t head, tail;
        volatile uint8_t bytes[BOARD_RING];
} BoardRing;

static BoardRing board_rx, board_tx;
static volatile bool board_sending;

const RkdRegion board_region = { .start = BOARD_PROGRAM_BASE,
        .erase_size = BOARD_PAGE_BYTES,
        .count = (BOARD_PROGRAM_SPACE / BOARD_PAGE_BYTES) + 2,
        .write_size = 4 };
const uint32_t board_speed = 115200;

static void board_mask(void) {
        __asm volatile("cpsid i" ::: "memory");
}

static void board_unmask(void) {
        __asm volatile("cpsie i" ::: "memory");
}

uint32_t board_ticks(void) {
        NRF_TIMER_CAPTURE(BOARD_COMPARE_READ) = 1;
        return NRF_TIMER_CC(BOARD_COMPARE_READ);
}

/* 125 milliseconds are 31250 / 8 ticks; called at least once in half an hour, it loses none. */
uint32_t board_milliseconds(void *user) {
        static uint32_t last, rest, ms;
        uint32_t now = board_ticks();

        rest += (now - last) * 4u;
        last = now;
        for (; rest >= 125u * 64u; rest -= 125u * 64u)
                ms += 64;
        for (; rest >= 125u; rest -= 125u)
                ms++;
        return ms;
}

void board_arm(uint32_t compare, uint32_t ms) {
        NRF_TIMER_CC(compare) = board_ticks() + BOARD_TICKS(ms);
        NRF_TIMER_EVENT(compare) = 0;
        NRF_TIMER_INTEN = NRF_TIMER_INT(compare);
}

void board_init(void) {
        NRF_GPIO_OUT_SET = 1u << BOARD_PIN_TX;
        NRF_GPIO_DIR_SET = 1u << BOARD_PIN_TX;
        NRF_UART_PIN_TX = BOARD_PIN_TX;
        NRF_UART_PIN_RX = BOARD_PIN_RX;
        NRF_UART_BAUD = NRF_UART_BAUD_115200;
        NRF_UART_ENABLE = NRF_UART_ON;
        NRF_UART_TX_READY = 0;
        NRF_UART_INTEN = NRF_UART_INT_RX | NRF_UART_INT_TX;
        NRF_UART_START_RX = 1;
        NRF_UART_START_TX = 1;
        NRF_NVIC_ENABLE = 1u << NRF_IRQ_UART;
        board_unmask();
        /* QEMU 7.2 looks for bytes again at the next event of a timer, and only then. */
        board_sleep(1);
}

void board_interrupt_uart(void) {
        while (NRF_UART_RX_READY != 0) {
                uint8_t next = (uint8_t)((board_rx.head + 1u) % BOARD_RING);

                NRF_UART_RX_READY = 0;
                board_rx.bytes[board_rx.head] = (uint8_t)NRF_UART_RXD;
                /* without room the byte is lost, and the frame with it */
                if (next != board_rx.tail)
                        board_rx.head = next;
        }
        if (NRF_UART_TX_READY == 0)
                return;
        NRF_UART_TX_READY = 0;
        board_sending = board_tx.tail != board_tx.head;
        if (!board_sending)
                return;
        NRF_UART_TXD = board_tx.bytes[board_tx.tail];
        board_tx.tail = (uint8_t)((board_tx.tail + 1u) % BOARD_RING);
}

size_t board_take(uint8_t *out, size_t n) {
        size_t taken = 0;

        for (; taken < n && board_rx.tail != board_rx.head; taken++) {
                out[taken] = board_rx.bytes[board_rx.tail];
                board_rx.tail = (uint8_t)((board_rx.tail + 1u) % BOARD_RING);
        }
        return taken;
}

size_t board_send(void *user, const uint8_t *data, size_t n) {
        size_t taken = 0;

        board_mask();
        if (n > 0 && !board_sending) {
                board_sending = true;
                NRF_UART_TXD = data[taken++];
        }
        for (; taken < n; taken++) {
                uint8_t next = (uint8_t)((board_tx.head + 1u) % BOARD_RING);

                if (next == board_tx.tail)
                        break;
                board_tx.bytes[board_tx.head] = data[taken];
                board_tx.head = next;
        }
        board_unmask();
        return taken;
}

/* An interrupt that comes after the look at the ring still ends wfi: it is pending. */
void board_sleep(uint32_t ms) {
        board_arm(BOARD_COMPARE_WAKE, ms);
        board_mask();
        if (board_rx.head == board_rx.tail)
                __asm volatile("wfi");
        board_unmask();
}

static void board_flash_mode(uint32_t mode) {
        NRF_NVMC_CONFIG = mode;
        while (NRF_NVMC_READY == 0)
                ;
}

/* The CPU stands still while flash works: first all leaves that was promised to leave. */
static void board_drain(void) {
        while (board_sending)
                ;
}

int board_flash_erase(void *user, uint32_t address, uint32_t n) {
        board_drain();
        board_flash_mode(NRF_NVMC_ERASING);
        NRF_NVMC_ERASE = address;
        board_flash_mode(NRF_NVMC_READ);
        return 0;
}

int board_flash_write(void *user, uint32_t address, const void *data, size_t n) {
        const uint8_t *from = data;

        board_drain();
        board_flash_mode(NRF_NVMC_WRITE);
        for (size_t at = 0; at < n; at += 4) {
                uint32_t word;

                memcpy(&word, from + at, 4);
                NRF_REGISTER(address + at) = word;
                while (NRF_NVMC_READY == 0)
                        ;
        }
        board_flash_mode(NRF_NVMC_READ);
        return 0;
}

/* Two watchdogs: the chip's, which catches everything (QEMU has none), and a compare of the
 * timer, which a program that masks interrupts escapes. Before they run, feeding does nothing. */
void board_feed_watchdog(void *user) {
        NRF_WATCHDOG_FEED = NRF_WATCHDOG_WORD;
        NRF_TIMER_CC(BOARD_COMPARE_WATCHDOG) = board_ticks() + BOARD_TICKS(BOARD_WATCHDOG_MS);
}

void board_reset_for(uint8_t cause) {
        board_shared->cause = BOARD_CAUSE | cause;
        NRF_AIRCR = NRF_AIRCR_RESET;
        for (;;)
                ;
}

void board_reset(void *user) {
        board_drain();
        board_reset_for(RKD_CAUSE_SOFTWARE);
}

/* QEMU has zeros where nothing was written. */
static bool board_is_written(uint32_t address) {
        return NRF_REGISTER(address) != 0 && NRF_REGISTER(address) != UINT32_MAX;
}

void board_serial(char *out) {
        uint32_t number = BOARD_FACTORY_PAGE + 4;

        if (!board_is_written(number))
                number = NRF_DEVICE_ID_ADDRESS;
        for (uint32_t i = 0; i < 16; i++) {
                uint32_t word = NRF_REGISTER(number + 4 - i / 8 * 4);

                out[i] = "0123456789abcdef"[word >> (28 - i % 8 * 4) & 15];
        }
        out[16] = '\0';
}

uint8_t board_address(void *user) {
        uint32_t address = NRF_REGISTER(BOARD_FACTORY_PAGE);

        return address < RKD_ADDRESS_ALL ? (uint8_t)address : RKD_ADDRESS_POINT;
}

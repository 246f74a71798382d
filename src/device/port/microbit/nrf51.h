/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The registers of the nRF51822 that this port uses (nRF51 Series Reference Manual 3.0), and
 * where things lie in its memory.
 *
 * Flash: bootloader 0x00000..0x07c00, factory page ..0x08000, program ..0x3f800, two record pages
 * ..0x40000.
 * RAM: 16 KiB; the last 64 bytes are a block that bootloader and program share.
 */

#include <stdint.h>

#define NRF_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define NRF_ENABLED           1u

/* POWER, CLOCK and MPU share a base address. */
#define NRF_HFCLK_START   NRF_REGISTER(0x40000000)
#define NRF_HFCLK_STARTED NRF_REGISTER(0x40000100)
#define NRF_RESET_REASON  NRF_REGISTER(0x40000400)
/* one bit for each 4 KiB, until the next reset */
#define NRF_PROTECT NRF_REGISTER(0x40000600)

#define NRF_RESET_PIN      (1u << 0)
#define NRF_RESET_WATCHDOG (1u << 1)
#define NRF_RESET_SOFTWARE (1u << 2)
#define NRF_RESET_LOCKUP   (1u << 3)

#define NRF_UART_START_RX NRF_REGISTER(0x40002000)
#define NRF_UART_START_TX NRF_REGISTER(0x40002008)
#define NRF_UART_RX_READY NRF_REGISTER(0x40002108)
#define NRF_UART_TX_READY NRF_REGISTER(0x4000211c)
#define NRF_UART_INTEN    NRF_REGISTER(0x40002304) /* ones enable */
#define NRF_UART_ENABLE   NRF_REGISTER(0x40002500)
#define NRF_UART_PIN_TX   NRF_REGISTER(0x4000250c)
#define NRF_UART_PIN_RX   NRF_REGISTER(0x40002514)
#define NRF_UART_RXD      NRF_REGISTER(0x40002518)
#define NRF_UART_TXD      NRF_REGISTER(0x4000251c)
#define NRF_UART_BAUD     NRF_REGISTER(0x40002524)

#define NRF_UART_ON          4u
#define NRF_UART_BAUD_115200 0x01d7e000u
#define NRF_UART_INT_RX      (1u << 2)
#define NRF_UART_INT_TX      (1u << 7)

#define NRF_TIMER_START      NRF_REGISTER(0x40008000)
#define NRF_TIMER_CAPTURE(i) NRF_REGISTER(0x40008040 + 4 * (i))
#define NRF_TIMER_EVENT(i)   NRF_REGISTER(0x40008140 + 4 * (i))
#define NRF_TIMER_INTEN      NRF_REGISTER(0x40008304) /* ones enable */
#define NRF_TIMER_INTOFF     NRF_REGISTER(0x40008308)
#define NRF_TIMER_BITS       NRF_REGISTER(0x40008508)
#define NRF_TIMER_PRESCALER  NRF_REGISTER(0x40008510)
#define NRF_TIMER_CC(i)      NRF_REGISTER(0x40008540 + 4 * (i))

#define NRF_TIMER_32_BITS 3u
#define NRF_TIMER_INT(i)  (1u << (16 + (i)))

#define NRF_WATCHDOG_START  NRF_REGISTER(0x40010000)
#define NRF_WATCHDOG_RELOAD NRF_REGISTER(0x40010504) /* in ticks of 32768 Hz */
#define NRF_WATCHDOG_FEED   NRF_REGISTER(0x40010600)

#define NRF_WATCHDOG_WORD 0x6e524635u

#define NRF_NVMC_READY  NRF_REGISTER(0x4001e400)
#define NRF_NVMC_CONFIG NRF_REGISTER(0x4001e504)
#define NRF_NVMC_ERASE  NRF_REGISTER(0x4001e508)

enum {
        NRF_NVMC_READ,
        NRF_NVMC_WRITE,
        NRF_NVMC_ERASING
};

#define NRF_GPIO_OUT_SET NRF_REGISTER(0x50000508)
#define NRF_GPIO_DIR_SET NRF_REGISTER(0x50000518)

#define NRF_DEVICE_ID_ADDRESS 0x10000060u /* two words */

/* The core. */
#define NRF_NVIC_ENABLE  NRF_REGISTER(0xe000e100)
#define NRF_NVIC_DISABLE NRF_REGISTER(0xe000e180)
#define NRF_NVIC_UNPEND  NRF_REGISTER(0xe000e280)
#define NRF_AIRCR        NRF_REGISTER(0xe000ed0c)

#define NRF_AIRCR_RESET 0x05fa0004u

enum {
        NRF_IRQ_UART = 2,
        NRF_IRQ_TIMER = 8,
        NRF_VECTORS = 16 + 32
};

#define BOARD_PIN_TX 24u
#define BOARD_PIN_RX 25u

#define BOARD_PAGE_BYTES     1024u
#define BOARD_FACTORY_PAGE   0x7c00u
#define BOARD_FACTORY_KEY    0x7c0cu
#define BOARD_PROGRAM_BASE   0x8000u
#define BOARD_PROGRAM_SPACE  (0x3f800u - BOARD_PROGRAM_BASE)
#define BOARD_RECORD_PAGE    0x3f800u
#define BOARD_RAM_BASE       0x20000000u
#define BOARD_RAM_BYTES      0x4000u
#define BOARD_SHARED         0x20003fc0
#define BOARD_PROTECT_BLOCKS 0xffu /* all before the program */

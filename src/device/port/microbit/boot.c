/* SPDX-License-Identifier: MIT */
/*
 * The bootloader of the micro:bit: platform struct, vectors, the start of a program.
 *
 * A Cortex-M0 has its vectors at address 0 for good. All of them but reset, hard fault and TIMER0
 * lead through a word of the shared block into the table of who runs. What handles the last two
 * keeps nothing in RAM, since RAM belongs to the program by then.
 */

#include "board.h"
#include "boot-platform.h"
#include "start.h"

#define BOOT_CHUNK 32u

/* Ticks of the chip's own watchdog: beyond that of the timer, which knows the cause. */
#define BOOT_WATCHDOG_TICKS (4u * 32768u)

static RkdBoot boot;
#if RKD_PATCH_IS_BUILT
BootCodec boot_codec;
#endif
uint32_t boot_page[BOOT_PAGE / 4];
uint32_t boot_rx[(RKD_RX_BYTES(BOOT_PAYLOAD) + 3) / 4];
#if BOOT_RING > 0
uint8_t boot_ring[BOOT_RING];
#endif
uint32_t boot_tx[(RKD_TX_BYTES(BOOT_ANSWER) + 3) / 4];
char boot_serial[BOARD_SERIAL_BYTES];

/* Each exception lands here and goes on in the table of who runs; r0 to r3 are free. */
__attribute__((naked)) static void boot_forward(void) {
        __asm volatile(".syntax unified\n"
                       "ldr r0, 1f\n"
                       "ldr r0, [r0]\n"
                       "mrs r1, ipsr\n"
                       "lsls r1, r1, #2\n"
                       "ldr r0, [r0, r1]\n"
                       "bx r0\n"
                       ".balign 4\n"
                       "1: .word %c0\n" ::"i"(BOARD_SHARED));
}

static void boot_on_fault(void) {
        board_reset_for(RKD_CAUSE_CRASH);
}

static bool boot_has_come(uint32_t compare) {
        return (NRF_TIMER_INTEN & NRF_TIMER_INT(compare)) != 0 && NRF_TIMER_EVENT(compare) != 0;
}

static void boot_on_timer(void) {
        if (boot_has_come(BOARD_COMPARE_TRIAL))
                board_reset_for(RKD_CAUSE_TRIAL);
        if (boot_has_come(BOARD_COMPARE_WATCHDOG))
                board_reset_for(RKD_CAUSE_WATCHDOG);
        NRF_TIMER_EVENT(BOARD_COMPARE_WAKE) = 0;
}

/* The interrupts that the bootloader itself has: one. */
static const StartVector boot_own_vectors[] = { board_interrupt_uart };

static uint8_t boot_cause(void) {
        uint32_t told = board_shared->cause, reason = NRF_RESET_REASON;

        board_shared->cause = 0;
        NRF_RESET_REASON = reason; /* ones clear */
        if ((told & 0xffff0000u) == BOARD_CAUSE)
                return (uint8_t)told;
        if ((reason & NRF_RESET_WATCHDOG) != 0)
                return RKD_CAUSE_WATCHDOG;
        if ((reason & NRF_RESET_LOCKUP) != 0)
                return RKD_CAUSE_CRASH;
        if ((reason & NRF_RESET_SOFTWARE) != 0)
                return RKD_CAUSE_SOFTWARE;
        return (reason & NRF_RESET_PIN) != 0 ? RKD_CAUSE_PIN : RKD_CAUSE_POWER;
}

/* Stack pointer and entry as a program has them: anything else would lock the CPU up. */
int boot_is_plausible(void *user) {
        uint32_t stack = NRF_REGISTER(BOARD_PROGRAM_BASE);
        uint32_t entry = NRF_REGISTER(BOARD_PROGRAM_BASE + 4);

        return stack > BOARD_RAM_BASE && stack <= BOARD_SHARED && stack % 4 == 0 &&
               entry % 2 == 1 && entry > BOARD_PROGRAM_BASE &&
               entry < BOARD_PROGRAM_BASE + BOARD_PROGRAM_SPACE;
}

#if BOOT_KEY
/* In the place of the decoder. A key that nobody wrote is none, and fits nothing. */
int boot_verify_signature(void *user, bool again, uint8_t algorithm, const uint8_t *header,
                size_t n_header, const uint8_t *signature) {
        const uint8_t *key = (const uint8_t *)(uintptr_t)BOARD_FACTORY_KEY;

        if (algorithm != RKD_ALGORITHM_ED25519)
                return -1;
        if (!again)
                rkd_ed25519_begin(&boot_codec.verifier, key, signature, header, n_header);
        return rkd_ed25519_step(&boot_codec.verifier);
}
#endif

void boot_start_program(void *user, const RkdStart *how) {
        uint32_t base = how->program_base;

        NRF_PROTECT = BOARD_PROTECT_BLOCKS;
        __asm volatile("cpsid i" ::: "memory");
        NRF_NVIC_DISABLE = ~(1u << NRF_IRQ_TIMER);
        NRF_NVIC_UNPEND = ~(1u << NRF_IRQ_TIMER);
        board_arm(BOARD_COMPARE_WATCHDOG, BOARD_WATCHDOG_MS);
        NRF_WATCHDOG_RELOAD = BOOT_WATCHDOG_TICKS;
        NRF_WATCHDOG_START = 1;
        if (how->trial_ms > 0)
                board_arm(BOARD_COMPARE_TRIAL, how->trial_ms);
        board_shared->vectors = base;
        __asm volatile("msr msp, %0\n"
                       "cpsie i\n"
                       "bx %1\n" ::"r"(NRF_REGISTER(base)),
                        "r"(NRF_REGISTER(base + 4)));
}

void run(void) {
        uint8_t bytes[BOOT_CHUNK];
        uint8_t cause = boot_cause();

        NRF_HFCLK_START = 1;
        while (NRF_HFCLK_STARTED == 0)
                ;
        /* the table begins so far before the only entry that is used */
        board_shared->vectors = (uint32_t)(uintptr_t)boot_own_vectors - 4 * (16 + NRF_IRQ_UART);
        NRF_TIMER_BITS = NRF_TIMER_32_BITS;
        NRF_TIMER_PRESCALER = 9; /* 16 MHz / 2^9 */
        NRF_TIMER_START = 1;
        NRF_NVIC_ENABLE = 1u << NRF_IRQ_TIMER;
        board_init();
        board_serial(boot_serial);
        if (rkd_boot_init(&boot, NULL, cause) != 0)
                for (;;)
                        ;
        for (;;) {
                uint32_t wait_ms;

                rkd_boot_receive(&boot, bytes, board_take(bytes, sizeof(bytes)));
                rkd_boot_poll(&boot);
                wait_ms = rkd_boot_wait_ms(&boot);
                if (wait_ms > 0)
                        board_sleep(wait_ms);
        }
}

__attribute__((section(".vectors"), used)) static const StartVector boot_vectors[NRF_VECTORS] = {
        [0] = start_stack,
        [1] = start,
        [2] = boot_forward,
        [3] = boot_on_fault,
        [BOARD_VECTOR_DEMANDS] = (StartVector)(BOOT_KEY ? RKD_CAN_SIGNED : 0u),
        [11] = boot_forward,
        [14 ... 15 + NRF_IRQ_TIMER] = boot_forward,
        [16 + NRF_IRQ_TIMER] = boot_on_timer,
        [17 + NRF_IRQ_TIMER... NRF_VECTORS - 1] = boot_forward,
};

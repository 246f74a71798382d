/* SPDX-License-Identifier: MIT */

/*
 * The example program: the program's side of the device library, and one of the ways to behave
 * (program.h). What it is called is in its descriptor, which rkprog-make fills in.
 */

#include "program.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rekindle/device.h"

#include "chip.h"
#include "marker.h"

#define PROGRAM_FEED_MSEC  100U
#define PROGRAM_CRASH_MSEC 2000U
#define PROGRAM_CHUNK      512

__attribute__((section(".rkd_descriptor"), used,
                aligned(4))) static volatile const RkdDescriptor program_descriptor = {
        .magic = RKD_DESCRIPTOR_MAGIC,
        .length = 1,
        .model = PROGRAM_MARKER,
        .version = PROGRAM_MARKER,
};

static void program_hang(void) {
        for (;;)
                (void)pause();
}

/* Confirmed before it started, or so long ago that the gateway has its answer: time to crash. */
static bool program_is_long_confirmed(bool confirmed, uint32_t now_msec) {
        static uint32_t unconfirmed_msec;
        static bool was_unconfirmed;

        if (!confirmed) {
                was_unconfirmed = true;
                unconfirmed_msec = now_msec;
        }
        return confirmed && (!was_unconfirmed || now_msec - unconfirmed_msec >= PROGRAM_CRASH_MSEC);
}

static void program_judge(RkdProgram *program, uint32_t now_msec, uint32_t age_msec) {
        const ProgramBehaviour *b = &program_behaviour;
        bool confirmed = rkd_program_is_confirmed(program);

        if ((b->crashes_when_confirmed && program_is_long_confirmed(confirmed, now_msec)) ||
                        (b->crash_after_msec > 0 && age_msec >= b->crash_after_msec &&
                                        (confirmed || !b->crashes_once_confirmed)))
                abort();
        if ((b->sick_after_msec > 0 && age_msec >= b->sick_after_msec) ||
                        (b->sick_when_confirmed && confirmed))
                rkd_program_report(program, RKD_HEALTH_SICK);
        else if (b->says_healthy)
                rkd_program_report(program, RKD_HEALTH_GOOD);
}

int main(void) {
        uint8_t bytes[PROGRAM_CHUNK];
        RkdDescriptor descriptor;
        RkdProgram program;
        uint32_t start_msec, fed_msec;

        if (program_behaviour.crashes)
                abort();
        if (program_behaviour.hangs)
                program_hang();

        for (size_t i = 0; i < sizeof(descriptor); i++)
                ((uint8_t *)&descriptor)[i] = ((volatile const uint8_t *)&program_descriptor)[i];
        if (program_behaviour.version)
                (void)strncpy(descriptor.version, program_behaviour.version,
                                sizeof(descriptor.version) - 1);
        if (rkd_program_init(&program, chip_init(), &descriptor) != 0)
                abort();

        start_msec = fed_msec = chip_milliseconds();
        for (;;) {
                uint32_t now_msec = chip_milliseconds(), wait_msec = rkd_program_wait_ms(&program);
                size_t n;

                if (now_msec - fed_msec >= PROGRAM_FEED_MSEC) {
                        chip_feed_watchdog();
                        fed_msec = now_msec;
                }
                program_judge(&program, now_msec, now_msec - start_msec);
                n = chip_wait(wait_msec < PROGRAM_FEED_MSEC ? wait_msec : PROGRAM_FEED_MSEC, bytes,
                                sizeof(bytes));
                rkd_program_receive(&program, bytes, n);
                rkd_program_poll(&program);
        }
}

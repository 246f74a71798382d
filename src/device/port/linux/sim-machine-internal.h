/* SPDX-License-Identifier: MIT */
#pragma once

/* What sim-machine.c and sim-command.c share. */

#include "rekindle/device.h"

#include "sim-board.h"
#include "sim-machine.h"
#include "sim-process.h"

typedef enum SimMachineState {
        SIM_MACHINE_OFF,
        SIM_MACHINE_BOOTLOADER,
        SIM_MACHINE_PROGRAM,
        _SIM_MACHINE_STATE_MAX,
} SimMachineState;

struct SimMachine {
        const SimOptions *options;
        SimBoard *board;
        SimMachineState state;
        RkdBoot boot;
        SimProcess *process;

        uint64_t watchdog_usec; /* deadline */
        uint64_t trial_usec;    /* deadline, or SIM_NEVER_USEC */
        bool program_writes;    /* a flash operation of the program is under way */
        bool faulty;            /* the hardware lets no program run */
        uint64_t random;

        uint32_t starts; /* of programs */
        uint64_t deaf;   /* bytes that came while the core stood still */
        uint32_t resets[_RKD_CAUSE_MAX];
        RkdCause cause;
};

extern const char *const sim_machine_state_names[_SIM_MACHINE_STATE_MAX];
extern const char *const sim_cause_names[_RKD_CAUSE_MAX];

void sim_machine_reset(SimMachine *machine, RkdCause cause);
void sim_machine_power_cut(SimMachine *machine);
void sim_machine_say(const SimMachine *machine, const char *format, ...)
                __attribute__((format(printf, 2, 3)));

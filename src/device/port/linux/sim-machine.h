/* SPDX-License-Identifier: MIT */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim-options.h"

/* The device: board, bootloader, and the process that is its program. */
typedef struct SimMachine SimMachine;

#define SIM_MACHINE_POLLFDS 8

/* Everything opened, power still off. Tells on stderr what fails. */
int sim_machine_new(SimMachine **ret, const SimOptions *options);
SimMachine *sim_machine_free(SimMachine *machine);

const char *sim_machine_line_name(const SimMachine *machine);
/* The line was handed in and its other end is gone. */
bool sim_machine_is_orphan(const SimMachine *machine);

void sim_machine_power_on(SimMachine *machine);
/* Lets everything happen that is due; must be called after each poll() over the descriptors
 * below. */
void sim_machine_run(SimMachine *machine);
size_t sim_machine_fill_pollfds(const SimMachine *machine, struct pollfd *fds);
uint64_t sim_machine_deadline_usec(const SimMachine *machine);

/* A command of the control socket (sim-command.c). */
void sim_machine_on_command(void *userdata, int argc, char **argv, char *ret_answer, size_t size);

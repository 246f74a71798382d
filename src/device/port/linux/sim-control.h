/* SPDX-License-Identifier: MIT */
#pragma once

#include <poll.h>
#include <stddef.h>

/* The control socket: a command per line in, an answer per line out. */
typedef struct SimControl SimControl;

#define SIM_CONTROL_CLIENTS      4
#define SIM_CONTROL_POLLFDS      (SIM_CONTROL_CLIENTS + 1)
#define SIM_CONTROL_ANSWER_BYTES 65536

/* Answers one command (words split, argv[0] is the verb) into ret_answer, without the newline. */
typedef void (*SimControlFunc)(
                void *userdata, int argc, char **argv, char *ret_answer, size_t size);

int sim_control_new(SimControl **ret, const char *path, SimControlFunc on_command, void *userdata);
SimControl *sim_control_free(SimControl *control);

size_t sim_control_fill_pollfds(const SimControl *control, struct pollfd *fds);
/* Serves everybody who has something to say. */
void sim_control_run(SimControl *control);

/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sim-soc.h"

/* The core while it runs a program: one child process. */
typedef struct SimProcess SimProcess;

/*
 * Starts what the bytes hold, as an executable. An image that the kernel does not take is a
 * process that crashes at once, as on a real core: the caller sees it end. flash_fd and page_fd
 * are duplicated.
 */
int sim_process_new(
                SimProcess **ret, const uint8_t *image, size_t length, int flash_fd, int page_fd);
/* Kills it, with all that it started, and reaps it. */
SimProcess *sim_process_free(SimProcess *process);

pid_t sim_process_pid(const SimProcess *process);
/* Readable when the process has ended. */
int sim_process_end_fd(const SimProcess *process);
int sim_process_uart_fd(const SimProcess *process);
int sim_process_chip_fd(const SimProcess *process);
/* True once it has ended, by itself. */
bool sim_process_has_ended(SimProcess *process);

/* 1 and a message, 0: none, <0: nothing sensible comes from there any more. */
int sim_process_read_message(SimProcess *process, SimSocMessage *ret_message);
void sim_process_flash_done(SimProcess *process, int result);
/* The UART between line and program: what does not fit is lost, as in a real one. */
void sim_process_uart_write(SimProcess *process, const uint8_t *bytes, size_t n_bytes);
size_t sim_process_uart_read(SimProcess *process, uint8_t *ret_bytes, size_t size);

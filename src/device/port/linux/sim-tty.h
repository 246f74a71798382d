/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* Opens a raw pty; the slave stays open here, so that the master never hangs up. */
int sim_tty_open(int *ret_master_fd, int *ret_slave_fd, char **ret_name);
/* The speed that the gateway has set; 0: not to be known. */
uint32_t sim_tty_baud(int fd);
/* Makes path a symlink to target, in place of what it was before. */
int sim_tty_link(const char *path, const char *target);

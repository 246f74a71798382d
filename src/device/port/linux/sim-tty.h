/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* Opens a raw pty; the slave stays open here, so that the master never hangs up. */
int sim_tty_open(int *ret_master_fd, int *ret_slave_fd, char **ret_name);
/* The speed that the gateway has set; 0: not to be known. */
uint32_t sim_tty_baud(int fd);
/* A descriptor that tells when somebody opens or closes the terminal from now on; <0: -errno. */
int sim_tty_watch(const char *name);
/* Counts: adds the opens and subtracts the closes that were not told yet. */
int sim_tty_count_users(int watch_fd, int n_users);
/* Forgets what nobody has read. */
void sim_tty_flush(int slave_fd);
/* Makes path a symlink to target, in place of what it was before. */
int sim_tty_link(const char *path, const char *target);

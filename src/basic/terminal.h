/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Terminal: how wide it is, and where a line of it ends. */
#pragma once

#include "basic/cleanup.h"

/* The width of the terminal that fd is, 80 where it does not say; 0: it is none. */
unsigned terminal_columns(int fd);

/* How many bytes of text go into a line of so many columns: up to a blank, the whole text, or a
 * whole word that is longer. */
size_t text_break(const char *text, size_t columns);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "basic/terminal.h"

#include <sys/ioctl.h>

#define COLUMNS_DEFAULT 80

unsigned terminal_columns(int fd) {
        struct winsize size;

        if (!isatty(fd))
                return 0;
        return ioctl(fd, TIOCGWINSZ, &size) >= 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_DEFAULT;
}

size_t text_break(const char *text, size_t columns) {
        size_t n = strlen(text), at = 0;

        if (n <= columns)
                return n;
        for (size_t i = 0; i < n && (i <= columns || at == 0); i++)
                if (text[i] == ' ')
                        at = i;
        return at > 0 ? at : n;
}

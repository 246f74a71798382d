/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rekindlectl: finds the verb and calls it. */
#include <locale.h>

#include "basic/terminal.h"
#include "ctl/ctl.h"

int main(int argc, char *argv[]) {
        char **arguments;
        int n, status;
        Ctl c;

        (void)setlocale(LC_TIME, "");
        status = ctl_parse(argc, argv, &c, &n, &arguments);
        if (status != 0)
                return status;
        if (c.help) {
                ctl_help(&c, stdout);
                return STATUS_DONE;
        }
        if (!c.verb) {
                (void)printf("rekindlectl %s\n", c.version);
                return STATUS_DONE;
        }
        c.color = !c.no_color && !getenv("NO_COLOR") && isatty(STDOUT_FILENO);
        c.columns = terminal_columns(STDOUT_FILENO);
        c.bar = isatty(STDERR_FILENO);
        status = ctl_connect(&c);
        if (status == 0)
                status = c.verb->run(&c, n, arguments);
        ctl_done(&c);
        if (fflush(stdout) != 0)
                return ctl_failed("the answer cannot be written");
        return status;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inhibit WHO WHY: inhibits updates over the system bus until it is ended: the program that a
 * gateway's owner would write. Says "inhibits" once it does. */
#include <stdio.h>
#include <string.h>

#include <systemd/sd-bus.h>
#include <unistd.h>

int main(int argc, char *argv[]) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        sd_bus *bus = NULL;
        int r, fd;

        if (argc != 3)
                return 2;
        r = sd_bus_open_system(&bus);
        if (r >= 0)
                r = sd_bus_call_method(bus, "org.rekindle.Rekindle1", "/org/rekindle/Rekindle1",
                                "org.rekindle.Rekindle1.Manager", "Inhibit", &error, &reply,
                                "ssa{sv}", argv[1], argv[2], 0);
        if (r >= 0)
                r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0) {
                (void)fprintf(stderr, "inhibit: %s\n",
                                error.message ? error.message : strerror(-r));
                return 1;
        }
        (void)puts("inhibits");
        (void)fflush(stdout);
        return pause();
}

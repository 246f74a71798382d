/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list: one line per device. */
#include "ctl/show.h"

int verb_list(Ctl *c, int argc, char *argv[]) {
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_json_ json_t *devices = NULL;
        int r;

        r = ctl_devices(c, &devices);
        if (r != 0)
                return r;
        if (c->json)
                return ctl_print_json(devices);
        if (json_array_size(devices) == 0) {
                (void)puts("No devices yet: none is configured, and none has answered.");
                return STATUS_DONE;
        }
        r = table_new(show_device_columns, &t);
        if (r >= 0)
                r = show_devices(t, devices);
        return show_table(c, t, r);
}

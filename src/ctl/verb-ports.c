/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ports, ports release. */
#include <inttypes.h>

#include "ctl/show.h"

static int add_port(Table *t, const json_t *p) {
        char baud[FORMAT_MAX], devices[WHY_MAX] = "";
        const char *state = member_string(p, "state");
        const json_t *id;
        size_t i, n = 0;
        int r;

        (void)snprintf(baud, sizeof(baud), "%" PRIu64, member_number(p, "baud"));
        json_array_foreach(json_object_get(p, "devices"), i, id) {
                if (n < sizeof(devices))
                        n += (size_t)snprintf(devices + n, sizeof(devices) - n, "%s%s",
                                        i > 0 ? " " : "", json_string_value(id));
        }
        r = table_add(t, member_string(p, "name"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, state, format_state_color(state));
        if (r >= 0)
                r = table_add(t, member_string(p, "mode"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, baud, COLOR_NONE);
        if (r >= 0)
                r = table_add(t, devices, COLOR_NONE);
        return r < 0 ? r : table_add(t, member_string(p, "path"), COLOR_NONE);
}

static void show_problems(const Ctl *c, const json_t *ports) {
        bool any = false;
        const json_t *p;
        size_t i;

        json_array_foreach(ports, i, p) {
                if (!*member_string(p, "problem"))
                        continue;
                if (!any)
                        (void)puts("");
                any = true;
                show_line(c, member_string(p, "name"), member_string(p, "problem"));
        }
}

int verb_ports(Ctl *c, int argc, char *argv[]) {
        static const char *const columns[] = { "PORT", "STATE", "MODE", "BAUD", "DEVICES", "PATH",
                NULL };
        _cleanup_json_ json_t *manager = NULL;
        _cleanup_(table_freep) Table *t = NULL;
        const json_t *ports, *p;
        size_t i;
        int r;

        r = ctl_manager(c, &manager);
        if (r != 0)
                return r;
        ports = json_object_get(manager, "ports");
        if (c->json)
                return ctl_print_json(ports);
        if (json_array_size(ports) == 0) {
                (void)puts("No ports: none is configured.");
                return STATUS_DONE;
        }
        r = table_new(columns, &t);
        if (r >= 0)
                table_keep_to_lines(t);
        json_array_foreach(ports, i, p) {
                if (r >= 0)
                        r = add_port(t, p);
        }
        r = show_table(c, t, r);
        show_problems(c, ports);
        return r;
}

int verb_ports_release(Ctl *c, int argc, char *argv[]) {
        int r = ctl_call(c, "ReleasePort", NULL, "sa{sv}", argv[0], 0);

        if (r != 0)
                return r;
        return ctl_said(c, "port", argv[0], "handed over");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status: the gateway as a whole. */
#include <inttypes.h>

#include "ctl/show.h"

static void show_server(const Ctl *c, const json_t *m) {
        uint64_t last = member_number(m, "last-check"), next = member_number(m, "next-check");
        char text[FORMAT_MAX];

        show_line(c, "rekindled", member_string(m, "version"));
        show_line(c, "state", member_string(m, "state"));
        format_time(last, text);
        show_line(c, "last check", text);
        show_line(c, "its result", member_string(m, "last-check-text"));
        format_time(next, text);
        show_line(c, "next check", next > 0 ? text : "on request only");
        (void)snprintf(text, sizeof(text), "%" PRIu64, member_number(m, "releases"));
        show_line(c, "releases", text);
}

static void show_inhibitors(const Ctl *c, const json_t *m) {
        const json_t *i;
        size_t k;

        json_array_foreach(json_object_get(m, "inhibitors"), k, i) {
                char text[WHY_MAX];

                (void)snprintf(text, sizeof(text), "%s: %s", member_string(i, "who"),
                                member_string(i, "why"));
                show_line(c, "inhibited by", text);
        }
}

static void show_ports(const Ctl *c, const json_t *m) {
        const json_t *p;
        size_t i;

        json_array_foreach(json_object_get(m, "ports"), i, p) {
                const char *problem = member_string(p, "problem");
                char text[WHY_MAX];

                (void)snprintf(text, sizeof(text), "%s %s%s%s", member_string(p, "name"),
                                member_string(p, "state"), *problem ? ": " : "", problem);
                show_line(c, "port", text);
        }
}

int verb_status(Ctl *c, int argc, char *argv[]) {
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_json_ json_t *manager = NULL, *devices = NULL;
        int r;

        r = ctl_manager(c, &manager);
        if (r == 0)
                r = ctl_devices(c, &devices);
        if (r != 0)
                return r;
        if (c->json) {
                (void)json_object_set(manager, "devices", devices);
                return ctl_print_json(manager);
        }
        show_server(c, manager);
        show_inhibitors(c, manager);
        show_ports(c, manager);
        if (json_array_size(devices) == 0)
                return STATUS_DONE;
        (void)puts("");
        r = table_new(show_device_columns, &t);
        if (r >= 0)
                r = show_devices(t, devices);
        return show_table(c, t, r);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* history: what happened, oldest first. */
#include "ctl/show.h"

#define LINES_DEFAULT 100

static int read_events(sd_bus_message *m, json_t *events, uint64_t *ret_damaged) {
        const char *text;
        json_t *event;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(m, "s", &text)) > 0) {
                Why w;

                r = json_parse(text, strlen(text), &event, &w);
                if (r >= 0 && json_array_append_new(events, event) < 0)
                        r = -ENOMEM;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : sd_bus_message_read(m, "t", ret_damaged);
}

static int add_event(Table *t, const json_t *e) {
        const char *outcome = member_string(e, "outcome"), *class = member_string(e, "class");
        int r;

        r = table_add(t, member_string(e, "time"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, member_string(e, "device"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, member_string(e, "event"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, outcome, *class ? format_state_color(class) : COLOR_NONE);
        return r < 0 ? r : table_add(t, member_string(e, "text"), COLOR_NONE);
}

int verb_history(Ctl *c, int argc, char *argv[]) {
        static const char *const columns[] = { "TIME", "DEVICE", "EVENT", "OUTCOME", "TEXT", NULL };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_json_ json_t *events = json_array(), *known = NULL;
        _cleanup_(table_freep) Table *t = NULL;
        uint32_t max = c->lines > 0 ? c->lines : LINES_DEFAULT;
        const json_t *e;
        uint64_t damaged = 0;
        size_t i;
        int r;

        if (argc > 0)
                r = ctl_call(c, "History", &reply, "a{sv}", 2, "device", "s", argv[0], "max", "u",
                                max);
        else
                r = ctl_call(c, "History", &reply, "a{sv}", 1, "max", "u", max);
        if (r != 0)
                return r;
        r = read_events(reply, events, &damaged);
        if (r < 0)
                return ctl_errno(r, "the history cannot be read");
        /* A device that was forgotten may still have a history; one that never was has none. */
        r = argc > 0 && json_array_size(events) == 0 ? ctl_device(c, argv[0], &known) : 0;
        if (r != 0)
                return r;
        if (damaged > 0)
                (void)ctl_failed("%llu damaged lines of the history are left out",
                                (unsigned long long)damaged);
        if (c->json)
                return ctl_print_json(events);
        r = table_new(columns, &t);
        json_array_foreach(events, i, e) {
                if (r >= 0)
                        r = add_event(t, e);
        }
        return show_table(c, t, r);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* monitor: what happens, as it happens, until it is interrupted, the time given is over, or the
 * bus goes away. */
#include <time.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "ctl/show.h"

typedef struct Monitor {
        Ctl *ctl;
        const char *device; /* NULL: all */
} Monitor;

/* One line of JSON, so that programs can read line by line. */
static void print_json(const json_t *o) {
        (void)json_dumpf(o, stdout, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
        (void)fputs("\n", stdout);
        (void)fflush(stdout);
}

static void say(const char *device, const char *what, const char *text) {
        char now[FORMAT_MAX];

        format_time((uint64_t)time(NULL), now);
        (void)printf("%s  ", now);
        show_text(stdout, *device ? device : "-");
        (void)fputs("  ", stdout);
        show_text(stdout, what);
        (void)fputs(*text ? ": " : "", stdout);
        show_text(stdout, text);
        (void)fputs("\n", stdout);
        (void)fflush(stdout);
}

static int on_event(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_json_ json_t *event = NULL;
        const Monitor *mon = userdata;
        const char *text;
        Why w;

        if (sd_bus_message_read(m, "s", &text) < 0 ||
                        json_parse(text, strlen(text), &event, &w) < 0)
                return 0;
        if (mon->device && !streq(mon->device, member_string(event, "device")))
                return 0;
        if (mon->ctl->json) {
                (void)json_object_set_new(event, "signal", json_string("event"));
                print_json(event);
        } else {
                say(member_string(event, "device"), member_string(event, "event"),
                                member_string(event, "text"));
        }
        return 0;
}

static int on_port(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const Monitor *mon = userdata;
        const char *name;
        int wanted;

        if (mon->device || sd_bus_message_read(m, "sb", &name, &wanted) < 0)
                return 0;
        if (mon->ctl->json) {
                _cleanup_json_ json_t *o = json_pack("{s:s, s:s, s:b}", "signal", "port-wanted",
                                "port", name, "wanted", wanted);

                print_json(o);
        } else {
                say(name, wanted ? "port is wanted" : "port is no longer wanted", "");
        }
        return 0;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        _cleanup_json_ json_t *changes = json_object();
        _cleanup_free_ char *id = NULL;
        const Monitor *mon = userdata;
        const char *interface;

        if (!changes || sd_bus_path_decode(sd_bus_message_get_path(m), BUS_DEVICES, &id) <= 0 ||
                        sd_bus_message_read(m, "s", &interface) < 0 ||
                        !streq(interface, BUS_DEVICE) || json_from_properties(m, changes) < 0)
                return 0;
        if (mon->device && !streq(mon->device, id))
                return 0;
        if (mon->ctl->json) {
                (void)json_object_set_new(changes, "signal", json_string("changed"));
                (void)json_object_set_new(changes, "device", json_string(id));
                print_json(changes);
        } else if (*member_string(changes, "state")) {
                say(id, member_string(changes, "state"), member_string(changes, "state-text"));
        }
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;
        const Monitor *mon = userdata;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0 || !streq(name, BUS_NAME))
                return 0;
        if (mon->ctl->json) {
                _cleanup_json_ json_t *o =
                                json_pack("{s:s, s:b}", "signal", "daemon", "runs", *new != '\0');

                print_json(o);
        } else {
                say("", *new ? "rekindled runs again" : "rekindled stopped", "");
        }
        return 0;
}

static int subscribe(Ctl *c, Monitor *mon) {
        int r;

        r = sd_bus_match_signal(c->bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                        "org.freedesktop.DBus", "NameOwnerChanged", on_owner, mon);
        if (r >= 0)
                r = sd_bus_match_signal(c->bus, NULL, BUS_NAME, BUS_PATH, BUS_MANAGER, "Event",
                                on_event, mon);
        if (r >= 0)
                r = sd_bus_match_signal(c->bus, NULL, BUS_NAME, BUS_PATH, BUS_MANAGER, "PortWanted",
                                on_port, mon);
        if (r >= 0)
                r = sd_bus_match_signal(c->bus, NULL, BUS_NAME, NULL,
                                "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed,
                                mon);
        return r;
}

int verb_monitor(Ctl *c, int argc, char *argv[]) {
        uint64_t end = c->timeout_usec > 0 ? monotonic_usec() + c->timeout_usec : USEC_INFINITY;
        Monitor mon = { c, argc > 0 ? argv[0] : NULL };
        _cleanup_json_ json_t *known = NULL;
        int r;

        r = mon.device ? ctl_device(c, mon.device, &known) : ctl_manager(c, &known);
        if (r != 0)
                return r;
        r = subscribe(c, &mon);
        while (r >= 0 && monotonic_usec() < end) {
                r = sd_bus_process(c->bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(c->bus, end == USEC_INFINITY
                                                                ? USEC_INFINITY
                                                                : end - MIN(end, monotonic_usec()));
                if (r == -EINTR)
                        r = 0;
        }
        return r < 0 ? ctl_errno(r, "the bus cannot be listened to") : STATUS_DONE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bus connection and when it speaks. Changes of devices are gathered: what has changed by
 * the end of a turn of the event loop goes out as one signal, and mere progress at most five
 * times a second. Only what differs from what was told last is told, so that a device that is
 * asked every minute and answers the same makes no noise. */
#include "daemon/bus-private.h"

#include "basic/log.h"

static BusDevice *bus_device_free(BusDevice *bd) {
        if (!bd)
                return NULL;
        free(bd->path);
        free(bd);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP_FUNC(BusDevice *, bus_device_free);

static BusDevice *find(Bus *b, const Device *d) {
        for (size_t i = 0; i < b->n_devices; i++)
                if (b->devices[i]->device == d)
                        return b->devices[i];
        return NULL;
}

/* ---- when to speak ---- */

static void warn(int r, const char *what) {
        if (r < 0)
                (void)log_full(LOG_WARNING, NULL, r, "%s could not be told over the bus", what);
}

static int on_flush(sd_event_source *source, void *userdata) {
        Bus *b = userdata;

        for (size_t i = 0; i < b->n_devices; i++)
                if (b->devices[i]->changed)
                        bus_device_emit(b, b->devices[i]);
        if (b->manager_changed) {
                b->manager_changed = false;
                bus_manager_emit(b);
        }
        return 0;
}

static void flush_soon(Bus *b) {
        warn(sd_event_source_set_enabled(b->flush, SD_EVENT_ONESHOT), "a change");
}

static int on_progress(sd_event_source *source, uint64_t usec, void *userdata) {
        Bus *b = userdata;

        b->progress_pending = false;
        for (size_t i = 0; i < b->n_devices; i++)
                if (b->devices[i]->progressed)
                        bus_device_emit(b, b->devices[i]);
        return 0;
}

static void progress_soon(Bus *b) {
        int r;

        if (b->progress_pending)
                return;
        r = sd_event_source_set_time_relative(b->progress, BUS_PROGRESS_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->progress, SD_EVENT_ONESHOT);
        b->progress_pending = r >= 0;
        warn(r, "progress");
}

void bus_device_changed(Bus *b, Device *d, unsigned what) {
        BusDevice *bd = find(b, d);

        if (!bd)
                return;
        if (what & ~(unsigned)DEVICE_CHANGED_PROGRESS) {
                bd->changed = true;
                flush_soon(b);
        } else {
                bd->progressed = true;
                progress_soon(b);
        }
}

void bus_manager_changed(Bus *b) {
        b->manager_changed = true;
        flush_soon(b);
}

void bus_port_wanted(Bus *b, const char *port, bool wanted) {
        warn(sd_bus_emit_signal(b->bus, BUS_PATH, BUS_MANAGER, "PortWanted", "sb", port, wanted),
                        "a wanted port");
}

void bus_device_finished(Bus *b, Device *d, Outcome outcome, const char *text) {
        BusDevice *bd = find(b, d);

        if (!bd)
                return;
        bus_device_emit(b, bd); /* who hears the end sees what it led to */
        warn(sd_bus_emit_signal(b->bus, bd->path, BUS_DEVICE, "Finished", "ss",
                             outcome_info(outcome)->code, text),
                        "the end of an update");
}

void bus_event(Bus *b, const json_t *event) {
        _cleanup_free_ char *text = json_print(event);

        if (!text)
                return warn(-ENOMEM, "an event");
        warn(sd_bus_emit_signal(b->bus, BUS_PATH, BUS_MANAGER, "Event", "s", text), "an event");
}

/* ---- objects ---- */

static int add_device(Bus *b, Device *d, BusDevice **ret) {
        _cleanup_(bus_device_freep) BusDevice *bd = new0(BusDevice, 1);
        BusDevice **larger;
        int r;

        if (!bd)
                return -ENOMEM;
        bd->device = d;
        r = sd_bus_path_encode(BUS_DEVICES, device_id(d), &bd->path);
        if (r < 0)
                return r;
        larger = reallocarray(b->devices, b->n_devices + 1, sizeof(BusDevice *));
        if (!larger)
                return -ENOMEM;
        b->devices = larger;
        bus_device_mark_told(bd);
        *ret = bd;
        b->devices[b->n_devices++] = TAKE_PTR(bd);
        return 0;
}

void bus_device_added(Bus *b, Device *d) {
        BusDevice *bd;
        int r;

        r = add_device(b, d, &bd);
        if (r >= 0)
                r = sd_bus_emit_object_added(b->bus, bd->path);
        warn(r, "a new device");
}

void bus_device_removed(Bus *b, Device *d) {
        for (size_t i = 0; i < b->n_devices; i++) {
                BusDevice *bd = b->devices[i];

                if (bd->device != d)
                        continue;
                warn(sd_bus_emit_object_removed(b->bus, bd->path), "the end of a device");
                memmove(b->devices + i, b->devices + i + 1,
                                (b->n_devices - i - 1) * sizeof(BusDevice *));
                b->n_devices--;
                bus_device_free(bd);
                return;
        }
}

static int find_object(sd_bus *bus, const char *path, const char *interface, void *userdata,
                void **ret_found, sd_bus_error *error) {
        Bus *b = userdata;

        for (size_t i = 0; i < b->n_devices; i++)
                if (streq(b->devices[i]->path, path)) {
                        *ret_found = b->devices[i]->device;
                        return 1;
                }
        return 0;
}

static int list_objects(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes,
                sd_bus_error *error) {
        Bus *b = userdata;
        char **nodes = new0(char *, b->n_devices + 1);

        for (size_t i = 0; nodes && i < b->n_devices; i++) {
                nodes[i] = strdup(b->devices[i]->path);
                if (nodes[i])
                        continue;
                while (i > 0)
                        free(nodes[--i]);
                free(nodes);
                return -ENOMEM;
        }
        if (!nodes)
                return -ENOMEM;
        *ret_nodes = nodes;
        return 0;
}

static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Bus *b = userdata;

        manager_fatal(b->manager, -ECONNRESET, "the system bus is gone");
        return 0;
}

/* ---- life ---- */

static int add_faces(Bus *b) {
        int r;

        r = sd_bus_add_object_vtable(
                        b->bus, b->slots, BUS_PATH, BUS_MANAGER, bus_manager_vtable, b);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(b->bus, b->slots + 1, BUS_DEVICES, BUS_DEVICE,
                                bus_device_vtable, find_object, b);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(b->bus, b->slots + 2, BUS_DEVICES, list_objects, b);
        if (r >= 0)
                r = sd_bus_add_object_manager(b->bus, b->slots + 3, BUS_PATH);
        if (r >= 0)
                r = sd_bus_match_signal(b->bus, b->slots + 4, "org.freedesktop.DBus.Local",
                                "/org/freedesktop/DBus/Local", "org.freedesktop.DBus.Local",
                                "Disconnected", on_disconnected, b);
        return r;
}

static int add_sources(Bus *b) {
        sd_event *event = b->manager->event;
        int r;

        r = sd_event_add_defer(event, &b->flush, on_flush, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->flush, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &b->progress, CLOCK_MONOTONIC,
                                BUS_PROGRESS_USEC, 0, on_progress, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->progress, SD_EVENT_OFF);
        return r < 0 ? r : sd_bus_attach_event(b->bus, event, SD_EVENT_PRIORITY_NORMAL);
}

static int take_name(Bus *b, Why *w) {
        int r;

        r = sd_bus_request_name(b->bus, BUS_NAME, 0);
        if (r == -EEXIST)
                return why(w, r, "another rekindled has the bus name %s already", BUS_NAME);
        if (r < 0)
                return why(w, r,
                                "the bus name %s cannot be taken: %s; the bus policy %s.conf grants it "
                                "to root and to the user rekindle",
                                BUS_NAME, strerror(-r), BUS_NAME);
        return 0;
}

int bus_new(Manager *m, sd_bus *bus, Bus **ret, Why *w) {
        _cleanup_(bus_freep) Bus *b = new0(Bus, 1);
        const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        BusDevice *bd;
        int r = 0;

        if (!b)
                return why_oom(w);
        b->manager = m;
        if (bus)
                b->bus = sd_bus_ref(bus);
        else
                r = sd_bus_open_system(&b->bus);
        if (r < 0)
                return why(w, r, "the system bus%s%s cannot be reached: %s; is dbus running?",
                                address ? " at " : "", address ?: "", strerror(-r));
        for (size_t i = 0; i < m->n_devices; i++) {
                r = add_device(b, m->devices[i], &bd);
                if (r < 0)
                        return why_oom(w);
        }
        r = add_faces(b);
        if (r >= 0)
                r = add_sources(b);
        if (r < 0)
                return why(w, r, "the bus objects cannot be made: %s", strerror(-r));
        r = take_name(b, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(b);
        return 0;
}

Bus *bus_free(Bus *b) {
        if (!b)
                return NULL;
        bus_calls_free(b);
        bus_answers_free(b);
        sd_event_source_disable_unref(b->flush);
        sd_event_source_disable_unref(b->progress);
        for (size_t i = 0; i < ELEMENTSOF(b->slots); i++)
                sd_bus_slot_unref(b->slots[i]);
        for (size_t i = 0; i < b->n_devices; i++)
                bus_device_free(b->devices[i]);
        free(b->devices);
        if (b->bus) {
                (void)sd_bus_detach_event(b->bus);
                sd_bus_flush_close_unref(b->bus);
        }
        free(b);
        return NULL;
}

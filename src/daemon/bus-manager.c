/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface of the manager on the bus. A check answers when its refresh is over; everything
 * else answers at once. */
#include <fcntl.h>

#include "basic/log.h"
#include "basic/names.h"
#include "build-config.h"
#include "daemon/bus-private.h"

/* ---- methods ---- */

static int list_devices(Bus *b, sd_bus_message *call, sd_bus_error *error) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "o");
        for (size_t i = 0; r >= 0 && i < b->n_devices; i++)
                r = sd_bus_message_append(reply, "o", b->devices[i]->path);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_message_send(reply);
}

static void on_checked(Outcome outcome, const char *text, void *userdata) {
        bus_answer_with_outcome(userdata, outcome, text);
}

static int check(Bus *b, sd_bus_message *call, sd_bus_error *error) {
        int r, folder = -1;
        const BusOption options[] = { { "folder", 'h', &folder } };
        BusAnswer *a;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r >= 0 && folder >= 0)
                r = bus_check_folder(folder, error);
        if (r >= 0)
                r = bus_answer_new(b, NULL, call, &a);
        if (r < 0)
                return r;
        r = folder >= 0 ? manager_check_folder(b->manager, folder, on_checked, a)
                        : manager_check(b->manager, on_checked, a);
        if (r < 0)
                (void)bus_answer_free(a);
        return r;
}

static int reply_objects(sd_bus_message *call, const json_t *objects) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (!objects)
                return -ENOMEM;
        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = bus_append_objects(reply, objects);
        return r < 0 ? r : sd_bus_message_send(reply);
}

static int explain(Bus *b, sd_bus_message *call, sd_bus_error *error) {
        const char *device = NULL;
        const BusOption options[] = { { "device", 's', &device } };
        _cleanup_json_ json_t *verdicts = NULL;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (device && !manager_find_device(b->manager, device))
                return bus_refuse(error, OUTCOME_UNKNOWN_DEVICE, NULL);
        verdicts = manager_explain(b->manager, device);
        return reply_objects(call, verdicts);
}

static int images(Bus *b, sd_bus_message *call, sd_bus_error *error) {
        _cleanup_json_ json_t *list = NULL;
        int r;

        r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        list = manager_list_images(b->manager);
        return reply_objects(call, list);
}

static int reply_history(sd_bus_message *call, const json_t *events, size_t damaged) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const json_t *event;
        size_t i;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "s");
        json_array_foreach(events, i, event) {
                _cleanup_free_ char *text = json_print(event);

                if (r >= 0)
                        r = text ? sd_bus_message_append(reply, "s", text) : -ENOMEM;
        }
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "t", (uint64_t)damaged);
        return r < 0 ? r : sd_bus_message_send(reply);
}

static int history(Bus *b, sd_bus_message *call, sd_bus_error *error) {
        const char *device = NULL;
        uint32_t max = BUS_HISTORY_DEFAULT;
        const BusOption options[] = { { "device", 's', &device }, { "max", 'u', &max } };
        _cleanup_json_ json_t *events = NULL;
        size_t damaged = 0;
        int r;

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if (device && !name_is_valid(device))
                return bus_refuse_argument(error, "option \"device\" is no device id");
        if (max < 1 || max > BUS_HISTORY_MAX)
                return bus_refuse_argument(
                                error, "option \"max\" has to be 1 to %d", BUS_HISTORY_MAX);
        r = history_read(b->manager->history, device, max, &events, &damaged);
        return r < 0 ? r : reply_history(call, events, damaged);
}

static size_t count_inhibitors(const Manager *m) {
        size_t n = 0;

        for (const Inhibitor *i = m->inhibitors; i; i = i->next)
                n++;
        return n;
}

static int inhibit(Bus *b, sd_bus_message *call, sd_bus_error *error) {
        _cleanup_close_ int theirs = -1;
        const char *who, *reason;
        int r, fds[2];

        r = sd_bus_message_read(call, "ss", &who, &reason);
        if (r >= 0)
                r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        if (!*who || !*reason)
                return bus_refuse_argument(error, "who inhibits and why must be told");
        if (count_inhibitors(b->manager) >= BUS_INHIBITORS_MAX)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                "too many inhibit updates already");
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        theirs = fds[1];
        r = manager_inhibit(b->manager, who, reason, fds[0]);
        return r < 0 ? r : sd_bus_reply_method_return(call, "h", theirs);
}

static int release_port(Bus *b, sd_bus_message *call, sd_bus_error *error) {
        const char *name;
        Outcome o;
        Why w = {};
        int r;

        r = sd_bus_message_read(call, "s", &name);
        if (r >= 0)
                r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        o = manager_release_port(b->manager, name, &w);
        if (o != OUTCOME_DONE)
                return bus_refuse(error, o, &w);
        return sd_bus_reply_method_return(call, NULL);
}

/* A handler only asks for leave; the continuation of its name does the work. */
#define METHOD_HANDLER(name, action)                                                               \
        static int method_##name(sd_bus_message *call, void *userdata, sd_bus_error *error) {      \
                return bus_authorize(userdata, call, BUS_ACTION action, name, error);              \
        }

METHOD_HANDLER(list_devices, "read")
METHOD_HANDLER(check, "check")
METHOD_HANDLER(explain, "read")
METHOD_HANDLER(images, "read")
METHOD_HANDLER(history, "read")
METHOD_HANDLER(inhibit, "inhibit")
METHOD_HANDLER(release_port, "release-port")

/* ---- properties ---- */

#define GETTER(name)                                                                               \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,       \
                        const char *property, sd_bus_message *reply, void *userdata,               \
                        sd_bus_error *error)

GETTER(version) {
        return sd_bus_message_append(reply, "s", REKINDLE_VERSION);
}

GETTER(state) {
        const Manager *m = ((Bus *)userdata)->manager;

        if (m->verify)
                return sd_bus_message_append(reply, "s", "checking");
        for (size_t i = 0; i < m->n_devices; i++)
                if (m->devices[i]->update)
                        return sd_bus_message_append(reply, "s", "updating");
        return sd_bus_message_append(reply, "s", "idle");
}

GETTER(online) {
        const Manager *m = ((Bus *)userdata)->manager;

        return sd_bus_message_append(
                        reply, "b", m->check_outcome == OUTCOME_DONE && !m->checked_folder);
}

GETTER(last_check) {
        const Manager *m = ((Bus *)userdata)->manager;

        return sd_bus_message_append(reply, "t", (uint64_t)MAX(m->last_check, 0));
}

GETTER(last_check_result) {
        const Manager *m = ((Bus *)userdata)->manager;

        return sd_bus_message_append(reply, "s", outcome_info(m->check_outcome)->code);
}

GETTER(last_check_text) {
        const Manager *m = ((Bus *)userdata)->manager;

        return sd_bus_message_append(reply, "s", m->check_why.text);
}

GETTER(next_check) {
        const Manager *m = ((Bus *)userdata)->manager;

        return sd_bus_message_append(reply, "t", (uint64_t)MAX(m->next_check, 0));
}

GETTER(releases) {
        const Manager *m = ((Bus *)userdata)->manager;

        return sd_bus_message_append(reply, "u", (uint32_t)m->n_releases);
}

GETTER(inhibited) {
        return sd_bus_message_append(reply, "b", manager_is_inhibited(((Bus *)userdata)->manager));
}

GETTER(inhibitors) {
        const Manager *m = ((Bus *)userdata)->manager;
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ss)");
        for (const Inhibitor *i = m->inhibitors; r >= 0 && i; i = i->next)
                r = sd_bus_message_append(reply, "(ss)", i->who, i->why);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static json_t *devices_of(const Manager *m, const ManagerPort *p) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < m->n_devices; i++)
                if (m->devices[i]->port == p)
                        (void)json_array_append_new(list, json_string(device_id(m->devices[i])));
        return list;
}

static json_t *describe_port(const Manager *m, const ManagerPort *p) {
        const ConfigPort *c = p->config;
        const char *problem = p->port ? port_problem(p->port) : p->problem;

        if (!problem || !*problem)
                problem = p->refused.text;
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:o}", "name", c->name, "path", c->path,
                        "mode", port_mode_to_string(c->mode), "state",
                        port_state_to_string(p->port ? port_state(p->port) : PORT_FAILED),
                        "problem", problem, "baud", (json_int_t)c->baud, "devices",
                        devices_of(m, p));
}

GETTER(ports) {
        const Manager *m = ((Bus *)userdata)->manager;
        _cleanup_json_ json_t *list = json_array();

        for (size_t i = 0; i < m->n_ports; i++)
                if (json_array_append_new(list, describe_port(m, m->ports + i)) < 0)
                        return -ENOMEM;
        return list ? bus_append_objects(reply, list) : -ENOMEM;
}

/* The table of outcomes, so that no client needs a copy of it. */
GETTER(outcomes) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "(ssssi)");
        for (Outcome o = 0; r >= 0 && o < _OUTCOME_MAX; o++) {
                const OutcomeInfo *info = outcome_info(o);

                r = sd_bus_message_append(reply, "(ssssi)", info->code,
                                outcome_class_to_string(info->class), info->bus_error, info->text,
                                (int32_t)info->exit_status);
        }
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

void bus_manager_emit(Bus *b) {
        int r;

        r = sd_bus_emit_properties_changed(b->bus, BUS_PATH, BUS_MANAGER, "Online", "LastCheck",
                        "LastCheckResult", "LastCheckText", "NextCheck", "Releases", "Inhibited",
                        "Inhibitors", "Ports", NULL);
        if (r < 0)
                (void)log_full(LOG_WARNING, NULL, r, "a change could not be told over the bus");
}

#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED /* the bus policy judges */

const sd_bus_vtable bus_manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("Version", "s", property_get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("State", "s", property_get_state, 0, 0),
        SD_BUS_PROPERTY("Online", "b", property_get_online, 0, CHANGES),
        SD_BUS_PROPERTY("LastCheck", "t", property_get_last_check, 0, CHANGES),
        SD_BUS_PROPERTY("LastCheckResult", "s", property_get_last_check_result, 0, CHANGES),
        SD_BUS_PROPERTY("LastCheckText", "s", property_get_last_check_text, 0, CHANGES),
        SD_BUS_PROPERTY("NextCheck", "t", property_get_next_check, 0, CHANGES),
        SD_BUS_PROPERTY("Releases", "u", property_get_releases, 0, CHANGES),
        SD_BUS_PROPERTY("Inhibited", "b", property_get_inhibited, 0, CHANGES),
        SD_BUS_PROPERTY("Inhibitors", "a(ss)", property_get_inhibitors, 0, CHANGES),
        SD_BUS_PROPERTY("Ports", "aa{sv}", property_get_ports, 0, CHANGES),
        SD_BUS_PROPERTY("Outcomes", "a(ssssi)", property_get_outcomes, 0,
                        SD_BUS_VTABLE_PROPERTY_CONST | SD_BUS_VTABLE_PROPERTY_EXPLICIT),
        SD_BUS_METHOD_WITH_ARGS("ListDevices", SD_BUS_NO_ARGS, SD_BUS_RESULT("ao", devices),
                        method_list_devices, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Check", SD_BUS_ARGS("a{sv}", options),
                        SD_BUS_RESULT("s", outcome, "s", text), method_check, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Explain", SD_BUS_ARGS("a{sv}", options),
                        SD_BUS_RESULT("aa{sv}", verdicts), method_explain, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Images", SD_BUS_ARGS("a{sv}", options),
                        SD_BUS_RESULT("aa{sv}", images), method_images, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("History", SD_BUS_ARGS("a{sv}", options),
                        SD_BUS_RESULT("as", events, "t", damaged), method_history, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Inhibit", SD_BUS_ARGS("s", who, "s", why, "a{sv}", options),
                        SD_BUS_RESULT("h", descriptor), method_inhibit, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("ReleasePort", SD_BUS_ARGS("s", name, "a{sv}", options),
                        SD_BUS_NO_RESULT, method_release_port, ANYBODY),
        SD_BUS_SIGNAL_WITH_ARGS("PortWanted", SD_BUS_ARGS("s", name, "b", wanted), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Event", SD_BUS_ARGS("s", json), 0),
        SD_BUS_VTABLE_END,
};

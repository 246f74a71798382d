/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The connection to the daemon: calls, and what went wrong with them in words. */
#include <stdarg.h>

#include "basic/names.h"
#include "ctl/ctl.h"

static void complain(const char *format, va_list ap) {
        (void)fputs("rekindlectl: ", stderr);
        (void)vfprintf(stderr, format, ap);
        (void)fputs("\n", stderr);
}

int ctl_usage(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        complain(format, ap);
        va_end(ap);
        return STATUS_USAGE;
}

int ctl_failed(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        complain(format, ap);
        va_end(ap);
        return STATUS_FAILED;
}

int ctl_errno(int r, const char *what) {
        return ctl_failed("%s: %s", what, strerror(-r));
}

int ctl_connect(Ctl *c) {
        const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");
        char text[WHY_MAX];
        int r;

        r = sd_bus_open_system(&c->bus);
        if (r >= 0)
                return 0;
        (void)snprintf(text, sizeof(text),
                        "the system bus%s%s cannot be reached: %s; is dbus running?",
                        address ? " at " : "", address ?: "", strerror(-r));
        return ctl_failure(c, NULL, CTL_FAILED, STATUS_FAILED, text);
}

void ctl_done(Ctl *c) {
        c->folder_fd = close_fd(c->folder_fd);
        json_decref(c->outcomes);
        c->outcomes = NULL;
        c->bus = sd_bus_flush_close_unref(c->bus);
}

/* ---- outcomes ---- */

static int add_outcome(sd_bus_message *m, json_t *outcomes) {
        const char *code, *class, *error, *text;
        int32_t status;
        int r;

        r = sd_bus_message_read(m, "(ssssi)", &code, &class, &error, &text, &status);
        if (r <= 0)
                return r;
        if (json_object_set_new(outcomes, code,
                            json_pack("{s:s, s:s, s:s, s:i}", "class", class, "error", error,
                                            "text", text, "exit", (int)status)) < 0)
                return -ENOMEM;
        return 1;
}

static void fetch_outcomes(Ctl *c) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        c->outcomes = json_object();
        if (!c->outcomes)
                return;
        r = sd_bus_get_property(c->bus, BUS_NAME, BUS_PATH, BUS_MANAGER, "Outcomes", NULL, &reply,
                        "a(ssssi)");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "(ssssi)");
        while (r > 0)
                r = add_outcome(reply, c->outcomes);
}

const json_t *ctl_outcome(Ctl *c, const char *code) {
        if (!c->outcomes)
                fetch_outcomes(c);
        return json_object_get(c->outcomes, code);
}

const char *ctl_outcome_class(Ctl *c, const char *code) {
        if (streq(code, CTL_ACCEPTED))
                return "success";
        if (streq(code, CTL_FAILED))
                return "failure";
        return member_string(ctl_outcome(c, code), "class");
}

int ctl_outcome_status(Ctl *c, const char *code) {
        const json_t *o = ctl_outcome(c, code);

        return o ? (int)member_number(o, "exit") : STATUS_FAILED;
}

int ctl_error_status(Ctl *c, const sd_bus_error *error, const char **ret_code) {
        const char *code;
        json_t *o;

        *ret_code = CTL_FAILED;
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED)) {
                *ret_code = "access-denied";
                return STATUS_REFUSED;
        }
        if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
                        sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_INTERFACE) ||
                        sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_PROPERTY)) {
                *ret_code = "unknown-device";
                return STATUS_NOT_FOUND;
        }
        if (!error->name || !startswith(error->name, BUS_NAME ".Error."))
                return STATUS_FAILED;
        (void)ctl_outcome(c, "");
        json_object_foreach(
                        c->outcomes, code, o) if (streq(member_string(o, "error"), error->name)) {
                *ret_code = code;
                return (int)member_number(o, "exit");
        }
        return STATUS_FAILED;
}

static bool is_absence(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               (error->name && (startswith(error->name, "org.freedesktop.DBus.Error.Spawn.") ||
                                               startswith(error->name,
                                                               "org.freedesktop.systemd1.")));
}

void ctl_error_text(const char *device, const sd_bus_error *error, int status,
                char ret[static WHY_MAX]) {
        if (is_absence(error))
                (void)snprintf(ret, WHY_MAX,
                                "rekindled does not run on this gateway: systemctl start rekindled");
        else if (sd_bus_error_has_name(error, SD_BUS_ERROR_ACCESS_DENIED))
                (void)snprintf(ret, WHY_MAX,
                                "you may not do this: only root and members of the group rekindle may");
        else if (status == STATUS_NOT_FOUND && device && !startswith(error->name, BUS_NAME))
                (void)snprintf(ret, WHY_MAX, "there is no device \"%s\" here: rekindlectl list",
                                device);
        else if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
                        sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT))
                (void)snprintf(ret, WHY_MAX, "rekindled did not answer in time");
        else
                (void)snprintf(ret, WHY_MAX, "%s", error->message ? error->message : error->name);
}

int ctl_failure(Ctl *c, const char *device, const char *outcome, int status, const char *text) {
        _cleanup_free_ char *escaped = text_escape(text, strlen(text), WHY_MAX - 4);
        _cleanup_json_ json_t *o = NULL;

        if (c->json) {
                o = json_pack("{s:s, s:s, s:s, s:i}", "outcome", outcome, "class",
                                ctl_outcome_class(c, outcome), "text", text, "exit", status);
                if (device)
                        (void)json_object_set_new(o, "device", json_string(device));
                (void)ctl_print_json(o);
        }
        (void)ctl_failed("%s", escaped ? escaped : "not enough memory");
        return status;
}

int ctl_refused(Ctl *c, const char *device, const sd_bus_error *error) {
        const char *code;
        char text[WHY_MAX];
        int status = ctl_error_status(c, error, &code);

        ctl_error_text(device, error, status, text);
        return ctl_failure(c, device, code, status, text);
}

/* ---- calls ---- */

static int call(Ctl *c, const char *device, sd_bus_message *m, sd_bus_message **reply) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call(c->bus, m, c->timeout_usec > 0 ? c->timeout_usec : UINT64_MAX, &error,
                        reply);
        if (r >= 0)
                return 0;
        if (!sd_bus_error_is_set(&error))
                return ctl_errno(r, "rekindled cannot be asked");
        return ctl_refused(c, device, &error);
}

int ctl_call(Ctl *c, const char *member, sd_bus_message **reply, const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        va_list ap;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, BUS_PATH, BUS_MANAGER, member);
        va_start(ap, types);
        if (r >= 0 && *types)
                r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        return r < 0 ? ctl_errno(r, "a request could not be made") : call(c, NULL, m, reply);
}

int ctl_call_device(Ctl *c, const char *id, const char *member, sd_bus_message **reply,
                const char *types, ...) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = NULL;
        va_list ap;
        int r;

        r = sd_bus_path_encode(BUS_DEVICES, id, &path);
        if (r >= 0)
                r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, path, BUS_DEVICE, member);
        va_start(ap, types);
        if (r >= 0 && *types)
                r = sd_bus_message_appendv(m, types, ap);
        va_end(ap);
        return r < 0 ? ctl_errno(r, "a request could not be made") : call(c, id, m, reply);
}

/* ---- what is there ---- */

static int compare_ids(const void *a, const void *b) {
        return strcmp(member_string(*(json_t *const *)a, "id"),
                        member_string(*(json_t *const *)b, "id"));
}

/* One {sa{sv}} of an object; says whether it was a device. */
static int read_interface(sd_bus_message *m, json_t *device) {
        const char *interface;
        int r;

        r = sd_bus_message_enter_container(m, 'e', "sa{sv}");
        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "s", &interface);
        if (r >= 0)
                r = streq(interface, BUS_DEVICE) ? json_from_properties(m, device)
                                                 : sd_bus_message_skip(m, "a{sv}");
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int read_object(sd_bus_message *m, json_t *list) {
        _cleanup_json_ json_t *device = json_object();
        const char *path;
        int r;

        r = sd_bus_message_enter_container(m, 'e', "oa{sa{sv}}");
        if (r <= 0)
                return r;
        r = sd_bus_message_read(m, "o", &path);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "{sa{sv}}");
        while (r > 0) {
                r = read_interface(m, device);
                if (r <= 0)
                        break;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r >= 0 && json_object_size(device) > 0 && json_array_append(list, device) < 0)
                r = -ENOMEM;
        return r < 0 ? r : 1;
}

int ctl_devices(Ctl *c, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_json_ json_t *list = json_array();
        json_t *sorted;
        int r;

        r = sd_bus_message_new_method_call(c->bus, &m, BUS_NAME, BUS_PATH,
                        "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
        if (r < 0)
                return ctl_errno(r, "a request could not be made");
        r = call(c, NULL, m, &reply);
        if (r != 0)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "{oa{sa{sv}}}");
        while (r > 0)
                r = read_object(reply, list);
        sorted = r < 0 ? NULL : json_sorted(list, compare_ids);
        if (r >= 0 && !sorted)
                r = -ENOMEM;
        if (r >= 0)
                *ret = sorted;
        return r < 0 ? ctl_errno(r, "the devices cannot be read") : 0;
}

static int get_all(
                Ctl *c, const char *device, const char *path, const char *interface, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL, *reply = NULL;
        _cleanup_json_ json_t *object = json_object();
        int r;

        r = sd_bus_message_new_method_call(
                        c->bus, &m, BUS_NAME, path, "org.freedesktop.DBus.Properties", "GetAll");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", interface);
        if (r < 0)
                return ctl_errno(r, "a request could not be made");
        r = call(c, device, m, &reply);
        if (r != 0)
                return r;
        r = json_from_properties(reply, object);
        if (r < 0)
                return ctl_errno(r, "the properties cannot be read");
        *ret = TAKE_PTR(object);
        return 0;
}

int ctl_device(Ctl *c, const char *id, json_t **ret) {
        _cleanup_free_ char *path = NULL;
        int r;

        r = sd_bus_path_encode(BUS_DEVICES, id, &path);
        if (r < 0)
                return ctl_errno(r, "a request could not be made");
        return get_all(c, id, path, BUS_DEVICE, ret);
}

int ctl_manager(Ctl *c, json_t **ret) {
        return get_all(c, NULL, BUS_PATH, BUS_MANAGER, ret);
}

int ctl_devices_named(Ctl *c, int argc, char *argv[], json_t **ret) {
        _cleanup_json_ json_t *list = json_array();
        int r;

        if (argc == 0)
                return ctl_devices(c, ret);
        for (int i = 0; i < argc; i++) {
                json_t *device;

                r = ctl_device(c, argv[i], &device);
                if (r != 0)
                        return r;
                if (json_array_append_new(list, device) < 0)
                        return ctl_errno(-ENOMEM, "the devices cannot be read");
        }
        *ret = TAKE_PTR(list);
        return 0;
}

/* ---- members ---- */

const char *member_string(const json_t *o, const char *key) {
        const char *s = json_string_value(json_object_get(o, key));

        return s ? s : "";
}

uint64_t member_number(const json_t *o, const char *key) {
        json_int_t n = json_integer_value(json_object_get(o, key));

        return n > 0 ? (uint64_t)n : 0;
}

bool member_true(const json_t *o, const char *key) {
        return json_is_true(json_object_get(o, key));
}

int ctl_said(const Ctl *c, const char *key, const char *name, const char *text) {
        _cleanup_json_ json_t *o = NULL;

        if (!c->json) {
                (void)printf("%s: %s\n", name, text);
                return STATUS_DONE;
        }
        o = json_pack("{s:s, s:s, s:s, s:s, s:i}", key, name, "outcome", "done", "class", "success",
                        "text", text, "exit", STATUS_DONE);
        return ctl_print_json(o);
}

int ctl_print_json(const json_t *value) {
        if (!value || json_dumpf(value, stdout,
                                      JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII) < 0)
                return ctl_failed("the answer cannot be written");
        if (fputs("\n", stdout) < 0 || fflush(stdout) != 0)
                return ctl_failed("the answer cannot be written");
        return STATUS_DONE;
}

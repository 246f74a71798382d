/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface of a device on the bus. A method is a row: its name, what the caller must be
 * allowed to do, and what happens then. The device is looked up again after authorisation: it
 * may be gone by then. */
#include "daemon/backup.h"
#include "daemon/bus-private.h"
#include "daemon/bus-property.h"

typedef struct DeviceMethod {
        const char *member, *action;
        int (*run)(Device *d, sd_bus_message *call, sd_bus_error *error);
} DeviceMethod;

static const DeviceMethod methods[];

/* Accepted is what a power cut does not undo. */
static int reply(Device *d, sd_bus_message *call, const char *types, const char *text) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &m);
        if (r >= 0 && *types)
                r = sd_bus_message_append(m, types, text);
        return r < 0 ? r : bus_answer_when_durable(d->manager->bus, d, call, m);
}

static int reply_done(
                Device *d, sd_bus_message *call, Outcome o, const Why *w, sd_bus_error *error) {
        return o == OUTCOME_DONE ? reply(d, call, "", NULL) : bus_refuse(error, o, w);
}

/* For the methods that start an update: says to which version. */
static int reply_accepted(
                Device *d, sd_bus_message *call, Outcome o, const Why *w, sd_bus_error *error) {
        const Update *u = d->update;

        if (o != OUTCOME_DONE)
                return bus_refuse(error, o, w);
        return reply(d, call, "s", u && u->candidate ? u->candidate->version : "");
}

static int run_update(Device *d, sd_bus_message *call, sd_bus_error *error) {
        int r, folder = -1;
        const BusOption options[] = { { "folder", 'h', &folder } };
        const char *version;
        Outcome o;
        Why w = {};

        r = sd_bus_message_read(call, "s", &version);
        if (r >= 0)
                r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r >= 0 && folder >= 0)
                r = bus_check_folder(folder, error);
        if (r < 0)
                return r;
        o = device_request_update_from(d, *version ? version : NULL, folder, &w);
        return reply_accepted(d, call, o, &w, error);
}

static int run_restore(Device *d, sd_bus_message *call, sd_bus_error *error) {
        Outcome o;
        Why w = {};
        int r;

        r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        o = device_request_restore(d, &w);
        return reply_done(d, call, o, &w, error);
}

static int run_cancel(Device *d, sd_bus_message *call, sd_bus_error *error) {
        Outcome o;
        Why w = {};
        int r;

        r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        o = device_request_cancel(d, &w);
        return reply_done(d, call, o, &w, error);
}

static int run_set_hold(Device *d, sd_bus_message *call, sd_bus_error *error) {
        Outcome o;
        Why w = {};
        int r, hold;

        r = sd_bus_message_read(call, "b", &hold);
        if (r >= 0)
                r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        o = device_request_hold(d, hold, &w);
        return reply_done(d, call, o, &w, error);
}

static void on_adopted(Outcome outcome, const Why *w, void *userdata) {
        bus_answer_done(userdata, outcome, w);
}

static int adopt_file(Device *d, sd_bus_message *call, int file, const char *version,
                sd_bus_error *error) {
        BusAnswer *a;
        Why w = {};
        Outcome o;
        int r;

        r = bus_answer_new(d->manager->bus, d, call, &a);
        if (r < 0)
                return r;
        o = device_request_adopt_file(d, file, version, on_adopted, a, &w);
        if (o == OUTCOME_DONE)
                return 0;
        (void)bus_answer_free(a);
        return bus_refuse(error, o, &w);
}

static int run_adopt(Device *d, sd_bus_message *call, sd_bus_error *error) {
        const char *version = NULL;
        int file = -1, r;
        const BusOption options[] = {
                { "file", 'h', &file },
                { "version", 's', &version },
        };
        Outcome o;
        Why w = {};

        r = bus_read_options(call, options, ELEMENTSOF(options), error);
        if (r < 0)
                return r;
        if ((file < 0) != (version == NULL))
                return bus_refuse_argument(
                                error, "options \"file\" and \"version\" belong together");
        if (file >= 0)
                return adopt_file(d, call, file, version, error);
        o = device_request_adopt(d, &w);
        return reply_done(d, call, o, &w, error);
}

static int run_accept(Device *d, sd_bus_message *call, sd_bus_error *error) {
        Outcome o;
        Why w = {};
        int r;

        r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        o = device_request_accept(d, &w);
        return reply_done(d, call, o, &w, error);
}

static int run_approve(Device *d, sd_bus_message *call, sd_bus_error *error) {
        const char *version;
        Outcome o;
        Why w = {};
        int r;

        r = sd_bus_message_read(call, "s", &version);
        if (r >= 0)
                r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        o = device_request_approve(d, *version ? version : NULL, &w);
        return reply_done(d, call, o, &w, error);
}

static int run_clear_bad(Device *d, sd_bus_message *call, sd_bus_error *error) {
        const char *digest;
        Outcome o;
        Why w = {};
        int r;

        r = sd_bus_message_read(call, "s", &digest);
        if (r >= 0)
                r = bus_read_options(call, NULL, 0, error);
        if (r < 0)
                return r;
        o = device_request_clear_bad(d, *digest ? digest : NULL, &w);
        return reply_done(d, call, o, &w, error);
}

static void on_backup_checked(Outcome outcome, const Why *w, void *userdata) {
        BusAnswer *a = userdata;
        Why said = *w;

        if (outcome == OUTCOME_DONE)
                (void)why(&said, 0, "the backup of %s is intact", device_id(a->device));
        bus_answer_with_outcome(a, outcome, said.text);
}

static int run_check_backup(Device *d, sd_bus_message *call, sd_bus_error *error) {
        BusAnswer *a;
        Outcome o;
        Why w = {};
        int r;

        r = bus_read_options(call, NULL, 0, error);
        if (r >= 0)
                r = bus_answer_new(d->manager->bus, d, call, &a);
        if (r < 0)
                return r;
        o = backup_check(d, on_backup_checked, a, &w);
        if (o != OUTCOME_DONE)
                bus_answer_with_outcome(a, o, w.text);
        return 0;
}

static const DeviceMethod *find_method(const char *member) {
        const DeviceMethod *p = methods;

        while (!streq(p->member, member))
                p++;
        return p;
}

static int on_allowed(Bus *b, sd_bus_message *call, sd_bus_error *error) {
        _cleanup_free_ char *id = NULL;
        Device *d;
        int r;

        r = sd_bus_path_decode(sd_bus_message_get_path(call), BUS_DEVICES, &id);
        if (r < 0)
                return r;
        d = id ? manager_find_device(b->manager, id) : NULL;
        if (!d)
                return bus_refuse(error, OUTCOME_UNKNOWN_DEVICE, NULL);
        return find_method(sd_bus_message_get_member(call))->run(d, call, error);
}

static int method(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        const Device *d = userdata;
        const char *action = find_method(sd_bus_message_get_member(call))->action;

        return bus_authorize(d->manager->bus, call, action, on_allowed, error);
}

static const DeviceMethod methods[] = {
        { "Update", BUS_ACTION "update", run_update },
        { "Restore", BUS_ACTION "restore", run_restore },
        { "Cancel", BUS_ACTION "cancel", run_cancel },
        { "SetHold", BUS_ACTION "hold", run_set_hold },
        { "Adopt", BUS_ACTION "adopt", run_adopt },
        { "Accept", BUS_ACTION "accept", run_accept },
        { "Approve", BUS_ACTION "approve", run_approve },
        { "ClearBad", BUS_ACTION "clear-bad", run_clear_bad },
        { "CheckBackup", BUS_ACTION "check-backup", run_check_backup },
};

#define FLAGS_CONST   SD_BUS_VTABLE_PROPERTY_CONST
#define FLAGS_QUIET   0
#define FLAGS_CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define ROW(name, type, getter, when)                                                              \
        SD_BUS_PROPERTY(name, type, bus_device_property_get, 0, FLAGS_##when),
#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED /* the bus policy judges */

const sd_bus_vtable bus_device_vtable[] = {
        SD_BUS_VTABLE_START(0),
        BUS_DEVICE_PROPERTIES(ROW) SD_BUS_METHOD_WITH_ARGS("Update",
                        SD_BUS_ARGS("s", version, "a{sv}", options), SD_BUS_RESULT("s", candidate),
                        method, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Restore", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method,
                        ANYBODY),
        SD_BUS_METHOD_WITH_ARGS(
                        "Cancel", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("SetHold", SD_BUS_ARGS("b", hold, "a{sv}", options),
                        SD_BUS_NO_RESULT, method, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS(
                        "Adopt", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS(
                        "Accept", SD_BUS_ARGS("a{sv}", options), SD_BUS_NO_RESULT, method, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("Approve", SD_BUS_ARGS("s", version, "a{sv}", options),
                        SD_BUS_NO_RESULT, method, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("ClearBad", SD_BUS_ARGS("s", digest, "a{sv}", options),
                        SD_BUS_NO_RESULT, method, ANYBODY),
        SD_BUS_METHOD_WITH_ARGS("CheckBackup", SD_BUS_ARGS("a{sv}", options),
                        SD_BUS_RESULT("s", outcome, "s", text), method, ANYBODY),
        SD_BUS_SIGNAL_WITH_ARGS("Finished", SD_BUS_ARGS("s", outcome, "s", text), 0),
        SD_BUS_VTABLE_END,
};

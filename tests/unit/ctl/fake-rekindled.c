/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon that plays devices instead of having them: the real bus files over a manager whose
 * devices do what their id says. Nothing is written and no line is opened.
 *
 *   good       an update is done          bad        ... ends restored
 *   floor      refuses below-floor        newest     has nothing to do
 *   people     waits for approval         line       waits for the device
 *   stuck      never comes to an end      stranded   ends stranded
 *   odd        has a serial number that is no text
 */
#include <signal.h>
#include <sys/epoll.h>

#include "daemon/backup.h"
#include "daemon/bus.h"

#define STEP_USEC (10 * USEC_PER_MSEC)

static Manager manager;
static const char *const ids[] = { "good", "bad", "floor", "newest", "people", "line", "stuck",
        "stranded", "odd" };
static Device devices[ELEMENTSOF(ids)];
static Device *pointers[ELEMENTSOF(ids)];
static Update updates[ELEMENTSOF(ids)];
static Release candidate = { .version = (char *)"2.0.0" };
static ConfigPort config_port = { .name = (char *)"line-1",
        .path = (char *)"/dev/ttyS9",
        .mode = PORT_ON_DEMAND,
        .baud = 115200 };
static ManagerPort port = { .config = &config_port, .problem = (char *)"no such line" };
static json_t *history;
static unsigned n_checks;

/* ---- what the bus calls ---- */

const char *device_id(const Device *d) {
        return d->record->id;
}

const char *device_state(const Device *d) {
        return d->update ? update_state_to_string(d->update->state) : "idle";
}

void device_state_text(const Device *d, Why *ret) {
        (void)why(ret, 0, d->update ? "is in the middle of it" : "runs %s",
                        d->record->running.version);
}

const char *update_state_to_string(UpdateState s) {
        static const char *const names[_UPDATE_STATE_MAX] = { [UPDATE_DOWNLOADING] = "downloading",
                [UPDATE_PUSHING] = "pushing",
                [UPDATE_TRIAL] = "trial",
                [UPDATE_CONFIRMING] = "confirming",
                [UPDATE_WAITING] = "waiting",
                [UPDATE_STRANDED] = "stranded",
                [UPDATE_RESTORING] = "restoring" };

        return names[s];
}

const char *update_kind_to_string(UpdateKind k) {
        return k == UPDATE_UPGRADE ? "upgrade" : "restore";
}

const char *update_role_to_string(UpdateRole r) {
        return r == ROLE_CANDIDATE ? "candidate" : "backup";
}

static Outcome refuse(Why *w, Outcome o, const char *text) {
        (void)why(w, 0, "%s", text);
        return o;
}

static Outcome end_of(const Device *d) {
        if (streq(device_id(d), "bad"))
                return OUTCOME_RESTORED;
        return d->update->kind == UPDATE_RESTORE ? OUTCOME_RESTORED_BY_REQUEST : OUTCOME_DONE;
}

static void finish(Device *d) {
        Outcome o = end_of(d);

        d->update = NULL;
        d->last_outcome = o;
        d->last_time = 1900000000;
        bus_device_changed(manager.bus, d, DEVICE_CHANGED_STATE);
        bus_device_finished(manager.bus, d, o, o == OUTCOME_RESTORED ? "2.0.0 crashed" : "");
}

static int on_step(sd_event_source *source, uint64_t usec, void *userdata) {
        Device *d = userdata;
        Update *u = d->update;

        if (!u)
                return 0;
        if (streq(device_id(d), "people") || streq(device_id(d), "line")) {
                u->state = UPDATE_WAITING;
                u->wait = streq(device_id(d), "line") ? OUTCOME_WAIT_DEVICE : OUTCOME_WAIT_APPROVAL;
        } else if (streq(device_id(d), "stranded") && u->state == UPDATE_TRIAL) {
                u->state = UPDATE_STRANDED;
        } else if (u->state == UPDATE_DOWNLOADING || u->state == UPDATE_RESTORING) {
                u->state = UPDATE_PUSHING;
        } else if (u->state == UPDATE_PUSHING) {
                u->permille += 100;
                u->rate_bytes = 11520;
                if (streq(device_id(d), "stuck"))
                        u->permille = MIN(u->permille, 500u);
                else if (u->permille >= 900)
                        u->state = UPDATE_TRIAL;
        } else if (u->state == UPDATE_TRIAL) {
                finish(d);
                return 0;
        }
        bus_device_changed(manager.bus, d, DEVICE_CHANGED_STATE);
        return sd_event_add_time_relative(
                        manager.event, NULL, CLOCK_MONOTONIC, STEP_USEC, 1, on_step, d);
}

static Outcome begin(Device *d, UpdateKind kind) {
        Update *u = updates + (d - devices);

        *u = (Update){ .device = d,
                .manager = &manager,
                .kind = kind,
                .candidate = kind == UPDATE_UPGRADE ? &candidate : NULL,
                .role = kind == UPDATE_UPGRADE ? ROLE_CANDIDATE : ROLE_BACKUP,
                .state = kind == UPDATE_UPGRADE ? UPDATE_DOWNLOADING : UPDATE_RESTORING };
        d->update = u;
        bus_device_changed(manager.bus, d, DEVICE_CHANGED_STATE);
        (void)sd_event_add_time_relative(
                        manager.event, NULL, CLOCK_MONOTONIC, STEP_USEC, 1, on_step, d);
        return OUTCOME_DONE;
}

Outcome device_request_update(Device *d, const char *version, Why *w) {
        if (version && !streq(version, "2.0.0"))
                return refuse(w, OUTCOME_UNKNOWN_VERSION, "the server offers no such version");
        if (streq(device_id(d), "floor"))
                return refuse(w, OUTCOME_BELOW_FLOOR, "2.0.0 is below the floor 3.0.0");
        if (streq(device_id(d), "newest"))
                return refuse(w, OUTCOME_ALREADY_RUNNING, "1.0.0 runs already");
        if (d->update)
                return refuse(w, OUTCOME_BUSY, "an update is under way");
        return begin(d, UPDATE_UPGRADE);
}

Outcome device_request_update_from(Device *d, const char *version, int folder_fd, Why *w) {
        if (folder_fd >= 0 && faccessat(folder_fd, "marked", R_OK, 0) < 0)
                return refuse(w, OUTCOME_NO_RELEASE, "this is another folder");
        return device_request_update(d, version, w);
}

Outcome device_request_restore(Device *d, Why *w) {
        if (streq(device_id(d), "floor"))
                return refuse(w, OUTCOME_NO_BACKUP, "nothing is kept");
        return d->update ? refuse(w, OUTCOME_BUSY, "busy") : begin(d, UPDATE_RESTORE);
}

Outcome device_request_cancel(Device *d, Why *w) {
        if (!d->update)
                return refuse(w, OUTCOME_NOT_RUNNING, "no update is under way");
        return refuse(w, OUTCOME_TOO_LATE, "it is being written already");
}

Outcome device_request_hold(Device *d, bool hold, Why *w) {
        d->record->hold = hold;
        bus_device_changed(manager.bus, d, DEVICE_CHANGED_RECORD);
        return OUTCOME_DONE;
}

Outcome device_request_adopt(Device *d, Why *w) {
        return refuse(w, OUTCOME_NOT_HEALTHY, "it does not answer healthy");
}

Outcome device_request_adopt_file(
                Device *d, int fd, const char *version, DeviceFunc func, void *userdata, Why *w) {
        char bytes[16] = "";

        if (read(fd, bytes, sizeof(bytes) - 1) < 0)
                return refuse(w, OUTCOME_INVALID_ARGUMENT, strerror(errno));
        if (!streq(bytes, "image") || !streq(version, "1.5.0"))
                return refuse(w, OUTCOME_DIGEST_MISMATCH, "not these bytes");
        func(OUTCOME_DONE, NULL, userdata);
        return OUTCOME_DONE;
}

/* What waits for the disk, which takes a while here. */
static struct {
        SyncFunc func;
        void *userdata;
} waiters[8];

static int on_disk(sd_event_source *source, uint64_t usec, void *userdata) {
        SyncFunc func = waiters[(uintptr_t)userdata].func;

        waiters[(uintptr_t)userdata].func = NULL;
        if (func)
                func(0, waiters[(uintptr_t)userdata].userdata);
        return 0;
}

int device_when_durable(Device *d, SyncFunc func, void *userdata) {
        for (uintptr_t i = 0; i < ELEMENTSOF(waiters); i++) {
                if (waiters[i].func)
                        continue;
                waiters[i].func = func;
                waiters[i].userdata = userdata;
                return sd_event_add_time_relative(manager.event, NULL, CLOCK_MONOTONIC,
                                STEP_USEC / 10, 1, on_disk, (void *)i);
        }
        return -ENOBUFS;
}

void device_saved_forget(Device *d, void *userdata) {
        for (size_t i = 0; i < ELEMENTSOF(waiters); i++)
                if (waiters[i].userdata == userdata)
                        waiters[i].func = NULL;
}

/* Ends an open update without a word, as a real one does that has touched nothing. */
Outcome device_request_accept(Device *d, Why *w) {
        if (d->update) {
                d->update = NULL;
                bus_device_changed(manager.bus, d, DEVICE_CHANGED_STATE);
                return OUTCOME_DONE;
        }
        return refuse(w, OUTCOME_NOT_RUNNING, "there is nothing to accept");
}

Outcome device_request_approve(Device *d, const char *version, Why *w) {
        (void)snprintf(d->record->approved, sizeof(d->record->approved), "%s",
                        version ? version : "2.0.0");
        return OUTCOME_DONE;
}

Outcome device_request_clear_bad(Device *d, const char *digest_hex, Why *w) {
        Sha256 digest;

        if (digest_hex && sha256_from_hex(digest_hex, &digest) < 0)
                return refuse(w, OUTCOME_INVALID_ARGUMENT, "no SHA-256");
        if (record_clear_bad(d->record, digest_hex ? &digest : NULL) == 0)
                return refuse(w, OUTCOME_NOT_RUNNING, "no such entry");
        bus_device_changed(manager.bus, d, DEVICE_CHANGED_RECORD);
        return OUTCOME_DONE;
}

/* That of a device on hold never comes to an end. */
Outcome backup_check(Device *d, DeviceFunc func, void *userdata, Why *w) {
        if (streq(device_id(d), "bad"))
                return refuse(w, OUTCOME_DIGEST_MISMATCH, "a byte has changed");
        if (!d->record->hold)
                func(OUTCOME_DONE, &(const Why){}, userdata);
        return OUTCOME_DONE;
}

void backup_forget(Device *d, void *userdata) {
        (void)snprintf(d->record->hardware, sizeof(d->record->hardware), "forgotten");
        bus_device_changed(manager.bus, d, DEVICE_CHANGED_RECORD);
}

Device *manager_find_device(Manager *m, const char *id) {
        for (size_t i = 0; i < m->n_devices; i++)
                if (streq(device_id(m->devices[i]), id))
                        return m->devices[i];
        return NULL;
}

static struct {
        ManagerCheckFunc func;
        void *userdata;
} asked;

static int on_checked(sd_event_source *source, uint64_t usec, void *userdata) {
        manager.last_check = 1900000000;
        /* Every other one, so that both ends are there to be seen. */
        manager.check_outcome = n_checks++ % 2 == 0 ? OUTCOME_DONE : OUTCOME_SERVER_UNREACHABLE;
        bus_manager_changed(manager.bus);
        if (asked.func)
                asked.func(manager.check_outcome,
                                manager.check_outcome == OUTCOME_DONE ? "fresh" : "no server",
                                asked.userdata);
        asked.func = NULL;
        return 0;
}

int manager_check(Manager *m, ManagerCheckFunc func, void *userdata) {
        asked.func = func;
        asked.userdata = userdata;
        return sd_event_add_time_relative(
                        m->event, NULL, CLOCK_MONOTONIC, STEP_USEC, 1, on_checked, NULL);
}

/* Only one with this file in it is good. */
int manager_check_folder(Manager *m, int folder_fd, ManagerCheckFunc func, void *userdata) {
        bool good = faccessat(folder_fd, "marked", R_OK, 0) == 0;

        func(good ? OUTCOME_DONE : OUTCOME_FOLDER_UNREADABLE,
                        good ? "fresh (from a folder)" : "no metadata", userdata);
        return 0;
}

void manager_check_forget(Manager *m, void *userdata) {
        asked.func = NULL;
}

json_t *manager_explain(Manager *m, const char *device) {
        return json_pack("[{s:s, s:s, s:s, s:s, s:s}]", "device", device ? device : "good",
                        "version", "2.0.0", "outcome", "done", "class", "success", "text",
                        "it fits");
}

static int on_inhibitor_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Inhibitor *i = userdata;

        manager.inhibitors = NULL;
        close_fd(fd);
        free(i->who);
        free(i->why);
        free(i);
        bus_manager_changed(manager.bus);
        return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

int manager_inhibit(Manager *m, const char *who, const char *reason, int fd) {
        Inhibitor *i = new0(Inhibitor, 1);

        i->who = strdup(who);
        i->why = strdup(reason);
        m->inhibitors = i;
        return sd_event_add_io(m->event, NULL, fd, EPOLLHUP, on_inhibitor_gone, i);
}

bool manager_is_inhibited(const Manager *m) {
        return m->inhibitors != NULL;
}

Outcome manager_release_port(Manager *m, const char *name, Why *w) {
        if (!streq(name, "line-1"))
                return refuse(w, OUTCOME_UNKNOWN_PORT, "there is no such port");
        bus_port_wanted(m->bus, name, false);
        return OUTCOME_DONE;
}

json_t *manager_list_images(Manager *m) {
        return json_pack("[{s:s, s:i, s:s, s:s, s:i, s:[s, s]}]", "digest", "00ff", "length", 4096,
                        "model", "boiler-ctl", "version", "1.0.0", "used", 1900000000, "kept-by",
                        "good", "bad");
}

void manager_fatal(Manager *m, int error, const char *what) {
        (void)sd_event_exit(m->event, 1);
}

int history_read(History *h, const char *device, size_t max, json_t **ret, size_t *ret_damaged) {
        json_t *out = json_array(), *e;
        size_t i, n = json_array_size(history);

        json_array_foreach(history, i, e) {
                const char *of = json_string_value(json_object_get(e, "device"));

                if (i + max >= n && (!device || streq_ptr(of, device)))
                        (void)json_array_append(out, e);
        }
        *ret = out;
        *ret_damaged = 1;
        return 0;
}

/* ---- the play ---- */

static void add_program(RecordImage *image, const char *version, uint8_t byte) {
        *image = (RecordImage){ .known = true, .length = 4096 };
        memset(image->digest.bytes, byte, sizeof(image->digest.bytes));
        (void)snprintf(image->version, sizeof(image->version), "%s", version);
}

static int make_device(size_t i) {
        Device *d = devices + i;
        Sha256 bad = { .bytes = { 0xbb } };
        int r;

        d->manager = &manager;
        d->present = d->known = true;
        d->identity.state = DEVICE_CONFIRMED;
        d->identity.health = DEVICE_HEALTH_HEALTHY;
        r = record_new(ids[i], &d->record);
        if (r < 0)
                return r;
        (void)snprintf(d->record->model, sizeof(d->record->model), "boiler-ctl");
        (void)snprintf(d->record->serial, sizeof(d->record->serial), "%s",
                        streq(ids[i], "odd") ? "\033[31m\xff" : "SN-1");
        (void)snprintf(d->record->protocol, sizeof(d->record->protocol), "native");
        (void)snprintf(d->record->port, sizeof(d->record->port), "line-1");
        add_program(&d->record->running, "1.0.0", 0x11);
        add_program(&d->record->backup, "1.0.0", 0x11);
        add_program(&d->record->previous, "0.9.0", 0x22);
        pointers[i] = d;
        return record_add_bad(d->record, &bad, "1.9.0", "watchdog: 3 starts used up", 1900000000);
}

/* SIGUSR1: a burst of changes that are none, then of progress. */
static int on_burst(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        Update *u = updates;

        for (unsigned i = 0; i < 100; i++)
                bus_device_changed(manager.bus, devices, DEVICE_CHANGED_STATE);
        *u = (Update){ .device = devices, .candidate = &candidate, .state = UPDATE_PUSHING };
        devices[0].update = u;
        for (unsigned i = 0; i < 100; i++) {
                u->permille = i + 1;
                bus_device_changed(manager.bus, devices, DEVICE_CHANGED_PROGRESS);
        }
        return 0;
}

/* SIGUSR2: an event. */
static int on_tell(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        bus_event(manager.bus, json_array_get(history, 0));
        bus_port_wanted(manager.bus, "line-1", true);
        return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        return sd_event_exit(manager.event, 0);
}

static int prepare(void) {
        sigset_t set;
        int r;

        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigaddset(&set, SIGUSR1);
        (void)sigaddset(&set, SIGUSR2);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        r = sd_event_default(&manager.event);
        if (r >= 0)
                r = sd_event_add_signal(manager.event, NULL, SIGTERM, on_stop, NULL);
        if (r >= 0)
                r = sd_event_add_signal(manager.event, NULL, SIGUSR1, on_burst, NULL);
        if (r >= 0)
                r = sd_event_add_signal(manager.event, NULL, SIGUSR2, on_tell, NULL);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(ids); i++)
                r = make_device(i);
        manager.devices = pointers;
        manager.n_devices = ELEMENTSOF(ids);
        manager.ports = &port;
        manager.n_ports = 1;
        manager.check_outcome = OUTCOME_SERVER_UNREACHABLE;
        history = json_pack("[{s:i, s:s, s:s, s:s, s:s, s:s}, {s:i, s:s, s:s, s:s, s:s}]", "format",
                        1, "time", "2030-01-01T00:00:00Z", "event", "result", "outcome", "restored",
                        "text", "a \"quoted\" text", "device", "good", "format", 1, "time",
                        "2030-01-02T00:00:00Z", "event", "check", "outcome", "done", "text",
                        "fresh");
        return r;
}

int main(void) {
        Why w;
        int r;

        r = prepare();
        if (r >= 0)
                r = bus_new(&manager, NULL, &manager.bus, &w);
        if (r < 0) {
                (void)fprintf(stderr, "fake-rekindled: %s\n", strerror(-r));
                return EXIT_FAILURE;
        }
        r = sd_event_loop(manager.event);
        manager.bus = bus_free(manager.bus);
        for (size_t i = 0; i < ELEMENTSOF(ids); i++)
                record_free(devices[i].record);
        json_decref(history);
        sd_event_unref(manager.event);
        return r;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "basic/file.h"
#include "basic/log.h"
#include "daemon/manager-port.h"
#include "state-fixture.h"
#include "update-fixture.h"

#define GUARD_USEC  (90 * USEC_PER_SEC) /* disks and children take their time; nothing hangs */
#define IMAGE_BYTES 64
#define FULL                                                                                       \
        (DRIVER_CAN_IDENTIFY | DRIVER_CAN_DIGEST | DRIVER_CAN_SUMS | DRIVER_CAN_READ_BACK |        \
                        DRIVER_CAN_READ_RELEASE | DRIVER_CAN_TRIAL | DRIVER_CAN_CONFIRM |          \
                        DRIVER_CAN_HEALTH | DRIVER_CAN_ENTER)

const char *const program_versions[_PROGRAM_MAX] = {
        [PROGRAM_NONE] = "",
        [PROGRAM_BACKUP] = "1.1.0",
        [PROGRAM_PREVIOUS] = "1.0.0",
        [PROGRAM_CANDIDATE] = "1.2.0",
};

/* ---- programs ---- */

static void program_bytes(Program p, uint8_t ret[static IMAGE_BYTES]) {
        memset(ret, 'a' + (int)p, IMAGE_BYTES);
}

void program_digest(Program p, Sha256 *ret) {
        uint8_t bytes[IMAGE_BYTES];

        program_bytes(p, bytes);
        assert_int_equal(sha256_of(bytes, sizeof(bytes), ret), 0);
}

Release *program_release(Program p) {
        Release *release = NULL;
        Sha256 digest;

        program_digest(p, &digest);
        assert_int_equal(release_new_bare("boiler-ctl", program_versions[p], IMAGE_BYTES, &digest,
                                         &release),
                        0);
        return release;
}

static RecordImage program_image(Program p) {
        RecordImage image = { .known = true, .length = IMAGE_BYTES, .since = 1 };

        program_digest(p, &image.digest);
        (void)snprintf(image.version, sizeof(image.version), "%s", program_versions[p]);
        return image;
}

/* ---- the unit ---- */

void unit_runs(Unit *u, Program p, DeviceState state) {
        u->id.state = state;
        u->confirmed = state == DEVICE_CONFIRMED;
        u->id.in_bootloader = false;
        u->id.health = DEVICE_HEALTH_HEALTHY;
        u->id.image_length = IMAGE_BYTES;
        program_digest(p, &u->id.digest);
        (void)snprintf(u->id.version, sizeof(u->id.version), "%s", program_versions[p]);
}

void unit_script(Unit *u, const Script *script) {
        assert_true(u->n_scripts < SCRIPTS_MAX);
        u->scripts[u->n_scripts++] = *script;
}

static bool take_script(Unit *u, DriverOp op, Script *ret) {
        for (size_t i = 0; i < u->n_scripts; i++)
                if (u->scripts[i].op == op) {
                        *ret = u->scripts[i];
                        if (u->scripts[i].times > 1) {
                                u->scripts[i].times--;
                                return true;
                        }
                        u->n_scripts--;
                        memmove(u->scripts + i, u->scripts + i + 1,
                                        (u->n_scripts - i) * sizeof(Script));
                        return true;
                }
        return false;
}

static void take_push(Unit *u, const DriverRequest *q) {
        for (Program p = PROGRAM_BACKUP; p < _PROGRAM_MAX; p++) {
                uint8_t bytes[IMAGE_BYTES];

                program_bytes(p, bytes);
                if (q->image_length == IMAGE_BYTES && memcmp(q->image, bytes, IMAGE_BYTES) == 0)
                        unit_runs(u, p, DEVICE_VERIFIED);
        }
        u->id.in_bootloader = true;
        u->id.health = DEVICE_HEALTH_NONE;
        u->id.push_id = q->push_id;
        u->id.boots = 0;
}

static bool is_sick(const Unit *u) {
        for (Program p = PROGRAM_BACKUP; p < _PROGRAM_MAX; p++)
                if (streq(u->id.version, program_versions[p]))
                        return u->sick[p];
        return false;
}

/* A unit to which nothing odd happens. */
static DriverCode go_on(Unit *u, const DriverRequest *q) {
        switch (q->op) {
        case DRIVER_PUSH:
                take_push(u, q);
                break;
        case DRIVER_START:
                if (u->id.state == DEVICE_VERIFIED)
                        u->id.state = DEVICE_TRIAL;
                u->id.in_bootloader = false;
                u->id.health = is_sick(u) ? DEVICE_HEALTH_SICK : u->health;
                u->id.boots++;
                break;
        case DRIVER_CONFIRM:
                if (u->id.push_id != q->push_id)
                        return DRIVER_E_FOREIGN_PUSH;
                if (u->id.state != DEVICE_TRIAL && u->id.state != DEVICE_CONFIRMED)
                        return DRIVER_E_STATE;
                u->id.state = DEVICE_CONFIRMED;
                u->confirmed = true;
                break;
        default:
                break;
        }
        return DRIVER_OK;
}

static bool is_foreign_to(const Unit *u, const DriverRequest *q) {
        return q->op == DRIVER_PUSH && !q->take_over && !u->confirmed && u->id.push_id != 0 &&
               u->id.push_id != q->push_id;
}

static void read_back(Unit *u) {
        for (Program p = PROGRAM_BACKUP; p < _PROGRAM_MAX; p++) {
                Sha256 digest;

                program_digest(p, &digest);
                if (sha256_equal(&digest, &u->id.digest))
                        program_bytes(p, u->bytes);
        }
        u->result.bytes = u->bytes;
        u->result.length = IMAGE_BYTES;
}

static int unit_start(Driver *d, const DriverRequest *request, uint64_t now_usec) {
        Unit *u = (Unit *)d;
        DriverIdentity before = u->id;
        Script s;

        u->last[request->op] = *request;
        u->asked[request->op]++;
        u->result = (DriverResult){ .heard = true, .has_identity = true };
        if (u->off) {
                u->result.code = DRIVER_E_NO_ANSWER;
                u->result.heard = u->result.has_identity = false;
        } else if (take_script(u, request->op, &s)) {
                u->result.code = s.code;
                u->result.device_code = s.device_code;
                u->result.heard = s.heard;
                u->result.has_identity = !s.silent;
                u->result.erased = s.erased;
                u->result.stream_bytes = s.stream_bytes;
                u->result.units_right = s.units_right;
        } else if (is_foreign_to(u, request)) {
                u->result.code = DRIVER_E_FOREIGN_PUSH;
        } else {
                u->result.erased = request->op == DRIVER_PUSH;
                u->result.code = go_on(u, request);
        }
        if (request->op == DRIVER_READ_BACK && u->result.code == DRIVER_OK)
                read_back(u);
        if (u->result.code != DRIVER_OK)
                (void)why(&u->result.why, 0, "%s", driver_code_to_string(u->result.code));
        /* As the driver does: what was told before the operation did its work. */
        u->result.identity = request->op == DRIVER_IDENTIFY ? u->id : before;
        return 0;
}

static void unit_next(Driver *d, uint64_t now_usec, DriverAction *ret) {
        *ret = (DriverAction){ .type = DRIVER_DONE, .deadline_usec = USEC_INFINITY };
}

static void unit_input(Driver *d, const void *bytes, size_t n, uint64_t now_usec) {}

static void unit_tick(Driver *d, uint64_t now_usec) {}

static void unit_cancel(Driver *d) {}

static void unit_destroy(Driver *d) {}

static void unit_progress(const Driver *d, DriverProgress *ret) {
        *ret = (DriverProgress){};
}

static const DriverResult *unit_result(const Driver *d) {
        return &((const Unit *)d)->result;
}

static const DriverVTable unit_vtable = {
        .name = "unit",
        .capabilities = FULL,
        .meaning = "a unit that is played",
        .destroy = unit_destroy,
        .start = unit_start,
        .next = unit_next,
        .input = unit_input,
        .tick = unit_tick,
        .cancel = unit_cancel,
        .progress = unit_progress,
        .result = unit_result,
};

static void unit_init(Unit *u) {
        *u = (Unit){
                .driver.vtable = &unit_vtable,
                .health = DEVICE_HEALTH_HEALTHY,
                .id = { .capabilities = FULL,
                                .attempts_left = 3,
                                .program_space = 4096,
                                .unit_size = 1024 },
        };
        (void)snprintf(u->id.model, sizeof(u->id.model), "boiler-ctl");
        (void)snprintf(u->id.serial, sizeof(u->id.serial), "SN-1");
        unit_runs(u, PROGRAM_BACKUP, DEVICE_CONFIRMED);
        u->id.push_id = 77;
}

/* ---- the gateway ---- */

static int64_t now(void *userdata) {
        return ((const World *)userdata)->now;
}

static bool synchronised(void *userdata) {
        return true;
}

static void write_config(World *w) {
        char path[128];
        FILE *f;

        (void)snprintf(path, sizeof(path), "%s/conf", w->path);
        f = fopen(path, "we");
        assert_non_null(f);
        (void)fprintf(f,
                        "[Server]\nPollInterval=0\n[Updates]\nProvision=auto\nAdoptSeconds=0\n%s\n"
                        "[Port line]\nPath=unix:%s/line\nDiscover=no\n%s\n"
                        "[Device boiler]\nPort=line\nModel=boiler-ctl\n",
                        w->config ? w->config : "", w->path, w->port_keys ? w->port_keys : "");
        assert_int_equal(fclose(f), 0);
}

static int listen_line(World *w) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/line", w->path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
                        listen(fd, 64) < 0)
                return -1;
        return fd;
}

void world_start(World *w) {
        char conf[128], state[128], fetch[128];
        const ManagerOptions options = { .config_path = conf,
                .state_dir = state,
                .fetch_socket = fetch,
                .root_path = "/nonexistent" };
        Why text;

        (void)snprintf(conf, sizeof(conf), "%s/conf", w->path);
        (void)snprintf(state, sizeof(state), "%s/state", w->path);
        (void)snprintf(fetch, sizeof(fetch), "%s/fetch", w->path);
        write_config(w);
        w->clock = (Clock){ now, synchronised, w };
        if (manager_new(w->event, &w->clock, &options, &w->manager, &text) < 0)
                fail_msg("%s", text.text);
        w->device = manager_find_device(w->manager, "boiler");
        assert_non_null(w->device);
        driver_free(w->device->driver);
        w->device->driver = &w->unit.driver;
        if (manager_start(w->manager) < 0)
                fail_msg("the manager does not start");
}

void world_stop(World *w) {
        w->manager = manager_free(w->manager);
        w->device = NULL;
}

void world_restart(World *w) {
        world_stop(w);
        world_start(w);
}

static void on_done(int error, void *userdata) {
        *(int *)userdata = error;
}

static void keep(World *w, Program p) {
        Release *release = program_release(p);
        uint8_t bytes[IMAGE_BYTES];
        int error = 1;
        Why text;

        program_bytes(p, bytes);
        if (store_add(w->manager->store, release, bytes, sizeof(bytes), on_done, &error, &text) < 0)
                fail_msg("%s", text.text);
        while (error == 1)
                assert_true(sd_event_run(w->event, 10 * USEC_PER_SEC) >= 0);
        assert_int_equal(error, 0);
        release_free(release);
}

void world_lose(World *w, Program p) {
        char name[SHA256_HEX];
        Sha256 digest;

        program_digest(p, &digest);
        sha256_to_hex(&digest, name);
        assert_int_equal(unlinkat(w->manager->images_fd, name, 0), 0);
}

int world_setup(void **state) {
        World *w = new0(World, 1);
        Record *record;

        if (!w)
                return -1;
        log_open("test", getenv("REKINDLE_TEST_VERBOSE") ? LOG_DEBUG : LOG_CRIT);
        /* Where syncing costs nothing, if there is such a place. */
        (void)snprintf(w->path, sizeof(w->path), "%s/test-update.XXXXXX",
                        access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(w->path) || sd_event_new(&w->event) < 0)
                return -1;
        w->line = listen_line(w);
        if (w->line < 0)
                return -1;
        unit_init(&w->unit);
        w->now = WORLD_NOON;
        w->unit.off = true;
        world_start(w);
        for (Program p = PROGRAM_BACKUP; p < _PROGRAM_MAX; p++)
                keep(w, p);
        record = w->device->record;
        (void)snprintf(record->model, sizeof(record->model), "boiler-ctl");
        (void)snprintf(record->serial, sizeof(record->serial), "SN-1");
        record->running = record->backup = program_image(PROGRAM_BACKUP);
        record->previous = program_image(PROGRAM_PREVIOUS);
        device_save(w->device);
        world_until_over(w);
        w->unit.off = false;
        world_restart(w);
        *state = w;
        return 0;
}

int world_teardown(void **state) {
        World *w = *state;

        world_stop(w);
        (void)close_fd(w->line);
        (void)sd_event_unref(w->event);
        state_remove_tree(w->path);
        free(w);
        return 0;
}

void world_offer(World *w, const Program *programs) {
        Manager *m = w->manager;

        for (size_t i = 0; i < m->n_releases; i++)
                release_free(m->releases[i]);
        free(m->releases);
        m->releases = new0(Release *, _PROGRAM_MAX);
        assert_non_null(m->releases);
        for (m->n_releases = 0; programs[m->n_releases] != PROGRAM_NONE; m->n_releases++)
                m->releases[m->n_releases] = program_release(programs[m->n_releases]);
        m->check_outcome = OUTCOME_DONE;
        m->expired = false;
        manager_consider(m);
}

/* ---- running ---- */

Update *world_update(World *w, UpdateKind kind, UpdateState state) {
        Release *release = kind == UPDATE_RESTORE ? NULL : program_release(PROGRAM_CANDIDATE);
        Update *u;

        assert_null(w->device->update);
        assert_int_equal(update_new(w->device, kind, state, release, &u), 0);
        release_free(release);
        return u;
}

void world_begin(World *w, Update *u) {
        device_begin(w->device, u);
}

static void end_soon(sd_event_source *source) {
        uint64_t due;

        if (!source || sd_event_source_get_time(source, &due) < 0 || due <= monotonic_usec())
                return;
        (void)sd_event_source_set_time_accuracy(source, 1);
        (void)sd_event_source_set_time_relative(source, 0);
}

static void hurry(World *w) {
        Update *u = w->device->update;

        if (u) {
                end_soon(u->timer);
                if (u->trial_seen && !u->entering)
                        u->trial_end_usec = 0;
        }
        end_soon(w->device->status_timer);
}

static void turn(World *w) {
        if (!w->patient)
                hurry(w);
        if (sd_event_run(w->event, 2 * USEC_PER_MSEC) < 0)
                fail_msg("the loop fails");
        if (w->manager->exit_error < 0)
                fail_msg("the daemon gave up");
}

void world_until(World *w, bool (*reached)(World *w, void *userdata), void *userdata) {
        uint64_t until = monotonic_usec() + GUARD_USEC;

        do {
                if (reached(w, userdata))
                        return;
                turn(w);
        } while (monotonic_usec() < until);
        fail_msg("it never comes to that; the update is %s, waits: %s",
                        w->device->update ? update_state_to_string(w->device->update->state)
                                          : "over",
                        w->device->update ? w->device->update->wait_text : "");
}

static bool is_in(World *w, void *userdata) {
        const Update *u = w->device->update;

        return u && u->state == *(UpdateState *)userdata && !u->entering;
}

void world_until_state(World *w, UpdateState state) {
        world_until(w, is_in, &state);
}

static bool is_over(World *w, void *userdata) {
        return !w->device->update && !w->device->saving && sync_is_idle(w->manager->sync);
}

void world_until_over(World *w) {
        world_until(w, is_over, NULL);
}

void world_turns(World *w, unsigned n) {
        while (n-- > 0)
                turn(w);
}

size_t world_results(World *w, Outcome outcome) {
        _cleanup_json_ json_t *events = NULL;
        size_t n = 0;

        assert_int_equal(history_read(w->manager->history, "boiler", 1000, &events, NULL), 0);
        for (size_t i = 0; i < json_array_size(events); i++) {
                const json_t *e = json_array_get(events, i);

                n += streq(json_string_value(json_object_get(e, "event")), "result") &&
                     streq(json_string_value(json_object_get(e, "outcome")),
                                     outcome_info(outcome)->code);
        }
        return n;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The manager puts the objects together and keeps the time of the next look at every device. */
#include "daemon/manager.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "basic/backoff.h"
#include "basic/file.h"
#include "basic/log.h"
#include "basic/names.h"
#include "daemon/backup.h"
#include "daemon/bus.h"
#include "daemon/event.h"
#include "daemon/manager-port.h"
#include "daemon/plan-child.h"
#include "daemon/verify.h"

/* ---- considering ---- */

static int on_consider(sd_event_source *source, void *userdata) {
        Manager *m = userdata;

        m->consider_source = sd_event_source_disable_unref(m->consider_source);
        for (size_t i = 0; i < m->n_devices; i++)
                device_consider(m->devices[i]);
        manager_collect(m);
        manager_tidy_folder(m);
        return 0;
}

void manager_consider(Manager *m) {
        int r;

        if (m->consider_source)
                return;
        r = sd_event_add_defer(m->event, &m->consider_source, on_consider, m);
        if (r < 0)
                manager_fatal(m, r, "the devices could not be looked at");
}

static unsigned minute_of_day(const Manager *m) {
        time_t now = (time_t)clock_now(m->clock);
        struct tm tm = {};

        (void)localtime_r(&now, &tm);
        return (unsigned)(tm.tm_hour * 60 + tm.tm_min);
}

bool manager_window_is_open(const Manager *m) {
        unsigned from = m->config->window_from, to = m->config->window_to, now;

        if (from == to)
                return true;
        now = minute_of_day(m);
        return from < to ? now >= from && now < to : now >= from || now < to;
}

static int on_window(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        manager_consider(m);
        return manager_plan_window(m);
}

/* Looks at the devices again when the service window opens next. */
int manager_plan_window(Manager *m) {
        unsigned minutes;

        if (m->config->window_from == m->config->window_to)
                return 0;
        minutes = (m->config->window_from + 24 * 60 - minute_of_day(m)) % (24 * 60);
        if (minutes == 0)
                minutes = 24 * 60;
        m->window_timer = sd_event_source_disable_unref(m->window_timer);
        return sd_event_add_time_relative(m->event, &m->window_timer, CLOCK_BOOTTIME,
                        minutes * 60 * USEC_PER_SEC, USEC_PER_SEC, on_window, m);
}

/* ---- devices ---- */

static int compare_id(const void *a, const void *b) {
        return strcmp(device_id(*(Device *const *)a), device_id(*(Device *const *)b));
}

Device *manager_find_device(Manager *m, const char *id) {
        for (size_t i = 0; i < m->n_devices; i++)
                if (streq(device_id(m->devices[i]), id))
                        return m->devices[i];
        return NULL;
}

int manager_add_device(Manager *m, const char *id, Record *record, Device **ret) {
        Device **larger;
        Device *d;
        int r;

        if (m->n_devices >= CONFIG_DEVICES_MAX) {
                record_free(record);
                return -E2BIG;
        }
        r = device_new(m, id, record, &d);
        if (r < 0)
                return r;
        larger = reallocarray(m->devices, m->n_devices + 1, sizeof(Device *));
        if (!larger) {
                device_free(d);
                return -ENOMEM;
        }
        m->devices = larger;
        m->devices[m->n_devices++] = d;
        qsort(m->devices, m->n_devices, sizeof(Device *), compare_id);
        if (m->bus)
                bus_device_added(m->bus, d);
        *ret = d;
        return 0;
}

/* ---- what must stay in the store ---- */

int manager_kept_digests(Manager *m, Sha256 **ret, size_t *ret_n) {
        Sha256 *list = new0(Sha256, m->n_devices * 4 + 1);
        size_t n = 0;

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < m->n_devices; i++) {
                const Device *d = m->devices[i];

                if (d->record->backup.known)
                        list[n++] = d->record->backup.digest;
                if (d->record->previous.known)
                        list[n++] = d->record->previous.digest;
                if (d->update && d->update->candidate)
                        list[n++] = d->update->candidate->image_digest;
                if (backup_adopting(d))
                        list[n++] = *backup_adopting(d);
        }
        *ret = list;
        *ret_n = n;
        return 0;
}

void manager_collect(Manager *m) {
        _cleanup_free_ Sha256 *keep = NULL;
        size_t n;
        int r;

        for (size_t i = 0; i < m->n_devices; i++)
                if (m->devices[i]->update && m->devices[i]->update->download)
                        return;
        if (manager_kept_digests(m, &keep, &n) < 0)
                return;
        r = store_collect(m->store, keep, n);
        if (r < 0 && r != -EBUSY)
                log_warning("the store could not be tidied up");
}

static json_t *kept_by(Manager *m, const Sha256 *digest) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < m->n_devices; i++) {
                const Record *r = m->devices[i]->record;

                if ((r->backup.known && sha256_equal(&r->backup.digest, digest)) ||
                                (r->previous.known && sha256_equal(&r->previous.digest, digest)))
                        (void)json_array_append_new(list, json_string(r->id));
        }
        return list;
}

json_t *manager_list_images(Manager *m) {
        json_t *list = json_array();
        StoreEntry *entries;
        size_t n;

        if (!list || store_list(m->store, &entries, &n) < 0) {
                json_decref(list);
                return NULL;
        }
        for (size_t i = 0; i < n; i++) {
                char digest[SHA256_HEX];

                sha256_to_hex(&entries[i].digest, digest);
                (void)json_array_append_new(list,
                                json_pack("{s:s, s:I, s:s, s:s, s:I, s:o}", "digest", digest,
                                                "length", (json_int_t)entries[i].length, "model",
                                                entries[i].model, "version", entries[i].version,
                                                "used", (json_int_t)entries[i].used, "kept-by",
                                                kept_by(m, &entries[i].digest)));
        }
        store_entries_free(entries, n);
        return list;
}

/* ---- explaining ---- */

static void explain_release(const Device *d, const Release *release, json_t *list) {
        ValidateInput in;
        Verdict verdict;

        device_validate_input(d, &in);
        in.release = release;
        validate(&in, &verdict);
        (void)json_array_append_new(
                        list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "device", device_id(d),
                                              "version", release->version, "outcome",
                                              outcome_info(verdict.outcome)->code, "class",
                                              outcome_class_to_string(
                                                              outcome_info(verdict.outcome)->class),
                                              "text", verdict.why.text));
}

json_t *manager_explain(Manager *m, const char *device) {
        json_t *list = json_array();

        for (size_t i = 0; list && i < m->n_devices; i++) {
                const Device *d = m->devices[i];

                if (device && !streq(device, device_id(d)))
                        continue;
                for (size_t k = 0; k < m->n_releases; k++)
                        if (streq(m->releases[k]->model, d->record->model))
                                explain_release(d, m->releases[k], list);
        }
        return list;
}

/* ---- inhibitors ---- */

static void inhibitor_free(Inhibitor *i) {
        sd_event_source_disable_unref(i->source);
        close_fd(i->fd);
        free(i->who);
        free(i->why);
        free(i);
}

static int on_inhibitor_gone(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        Inhibitor *gone = userdata;
        Manager *m = gone->manager;

        for (Inhibitor **p = &m->inhibitors; *p; p = &(*p)->next)
                if (*p == gone) {
                        *p = gone->next;
                        break;
                }
        log_debug("inhibitor of %s ended", gone->who);
        inhibitor_free(gone);
        if (m->bus)
                bus_manager_changed(m->bus);
        manager_consider(m);
        return 0;
}

int manager_inhibit(Manager *m, const char *who, const char *reason, int fd) {
        Inhibitor *i = new0(Inhibitor, 1);
        int r = -ENOMEM;

        if (!i) {
                close_fd(fd);
                return -ENOMEM;
        }
        i->manager = m;
        i->fd = fd;
        i->who = text_escape(who, strlen(who), NAME_MAX_LENGTH);
        i->why = text_escape(reason, strlen(reason), WHY_MAX);
        if (i->who && i->why)
                r = sd_event_add_io(m->event, &i->source, fd, EPOLLHUP, on_inhibitor_gone, i);
        if (r < 0) {
                inhibitor_free(i);
                return r;
        }
        i->next = m->inhibitors;
        m->inhibitors = i;
        log_debug("%s inhibits updates: %s", i->who, i->why);
        if (m->bus)
                bus_manager_changed(m->bus);
        return 0;
}

bool manager_is_inhibited(const Manager *m) {
        return m->inhibitors != NULL;
}

void manager_fatal(Manager *m, int error, const char *what) {
        if (m->exit_error == 0)
                m->exit_error = error < 0 ? error : -EIO;
        (void)log_full(LOG_CRIT, NULL, error, "%s; stopping, the next start goes on", what);
        (void)sd_event_exit(m->event, EXIT_FAILURE);
}

/* ---- start ---- */

/* Two daemons on one state would sweep each other's temporaries and push twice. A record lock,
 * because it ends with this process even while a child of it lives on. */
static int lock_folder(Manager *m, const char *state_dir, Why *w) {
        struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

        m->lock_fd = openat(m->state_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (m->lock_fd < 0)
                return why(w, -errno,
                                "the state folder %s cannot be used: lock: %s; it has to be writable",
                                state_dir, strerror(errno));
        if (fcntl(m->lock_fd, F_SETLK, &lock) >= 0)
                return 0;
        if ((errno != EAGAIN && errno != EACCES) || fcntl(m->lock_fd, F_GETLK, &lock) < 0)
                return why(w, -errno, "the state folder %s cannot be locked: %s", state_dir,
                                strerror(errno));
        return why(w, -EBUSY, "the state folder %s is used by process %d, another rekindled",
                        state_dir, (int)lock.l_pid);
}

static int open_folders(Manager *m, const char *state_dir, Why *w) {
        const struct {
                const char *name;
                int *fd;
        } folders[] = {
                { "images", &m->images_fd },
                { "devices", &m->devices_fd },
                { "updates", &m->updates_fd },
                { "trust", &m->trust_fd },
        };
        int r;

        r = folder_make(AT_FDCWD, state_dir, 0700);
        if (r >= 0)
                r = m->state_fd = folder_open(AT_FDCWD, state_dir);
        if (r < 0)
                return why(w, r,
                                "the state folder %s cannot be opened: %s; it has to be a folder that "
                                "the daemon may write to",
                                state_dir, strerror(-r));
        r = lock_folder(m, state_dir, w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                r = folder_make(m->state_fd, folders[i].name, 0700);
                if (r >= 0)
                        r = *folders[i].fd = folder_open(m->state_fd, folders[i].name);
                if (r >= 0)
                        r = folder_sweep_temporaries(*folders[i].fd);
                if (r < 0)
                        return why(w, r, "the folder %s/%s cannot be used: %s", state_dir,
                                        folders[i].name, strerror(-r));
        }
        return 0;
}

static void on_config_warning(const char *text, void *userdata) {
        log_warning("%s", text);
}

/* A disk that is full already is no reason not to start. */
static void use_reserve(Manager *m) {
        int r = reserve_new(m->state_fd, "reserve", STORE_RESERVE_BYTES, &m->reserve);

        if (r < 0)
                log_warning("no room can be reserved in the state folder: %s", strerror(-r));
        sync_use_reserve(m->sync, m->reserve);
}

static int make_parts(Manager *m, const ManagerOptions *o, Why *w) {
        int r;

        r = config_load(o->config_path, o->config_required, on_config_warning, NULL, &m->config, w);
        if (r < 0)
                return r;
        r = sync_new(&m->sync, m->event);
        if (r < 0)
                return why(w, r, "the syncing child cannot be started: %s", strerror(-r));
        r = open_folders(m, o->state_dir, w);
        if (r < 0)
                return r;
        use_reserve(m);
        r = store_new(m->sync, m->images_fd, m->config->store_max_bytes, &m->store);
        if (r >= 0)
                store_use_reserve(m->store, m->reserve);
        if (r >= 0)
                r = history_new(m->sync, m->state_fd, &m->history);
        if (r < 0)
                return why(w, r, "the state folder %s cannot be read: %s", o->state_dir,
                                strerror(-r));
        r = fetch_client_new(
                        m->event, o->fetch_socket, o->fetch_program, o->fetch_config, &m->fetch);
        if (r < 0)
                return why(w, r, "the fetcher cannot be used: socket %s, program %s: %s",
                                o->fetch_socket, o->fetch_program,
                                r == -EINVAL ? "the program's path has to begin with a slash"
                                             : strerror(-r));
        r = plan_child_init(m->event, m->store, &m->planner);
        return r < 0 ? why_oom(w) : 0;
}

int manager_new(sd_event *event, const Clock *clock, const ManagerOptions *options, Manager **ret,
                Why *w) {
        _cleanup_(manager_freep) Manager *m = NULL;
        int r;

        m = new0(Manager, 1);
        if (!m)
                return why_oom(w);
        m->event = sd_event_ref(event);
        m->clock = clock;
        m->state_fd = m->lock_fd = m->images_fd = m->devices_fd = m->updates_fd = m->trust_fd = -1;
        m->folder_fd = -1;
        m->consistent_targets = true;
        m->root_path = options->root_path;
        m->check_outcome = OUTCOME_SERVER_UNREACHABLE;
        m->noted_outcome = OUTCOME_DONE;
        (void)why(&m->noted_why, 0, "%s", VERIFY_FRESH);
        (void)why(&m->check_why, 0, "the server was not asked since the start");
        r = make_parts(m, options, w);
        if (r >= 0)
                r = manager_load_devices(m, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        m->bus = NULL;
        manager_refresh_done(m);
        for (size_t i = 0; i < m->n_devices; i++)
                device_free(m->devices[i]);
        free(m->devices);
        manager_close_ports(m);
        while (m->inhibitors) {
                Inhibitor *i = m->inhibitors;

                m->inhibitors = i->next;
                inhibitor_free(i);
        }
        for (size_t i = 0; i < m->n_releases; i++)
                release_free(m->releases[i]);
        free(m->releases);
        json_decref(m->surveyed);
        json_decref(m->left_out);
        sd_event_source_disable_unref(m->consider_source);
        sd_event_source_disable_unref(m->window_timer);
        plan_child_done(&m->planner);
        fetch_client_free(m->fetch);
        history_free(m->history);
        store_free(m->store);
        sync_free(m->sync);
        reserve_free(m->reserve);
        config_free(m->config);
        close_fd(m->trust_fd);
        close_fd(m->updates_fd);
        close_fd(m->devices_fd);
        close_fd(m->images_fd);
        close_fd(m->lock_fd);
        close_fd(m->state_fd);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}

int manager_start(Manager *m) {
        int r;

        manager_recall_results(m);
        r = manager_open_ports(m);
        if (r < 0)
                return r;
        r = manager_resume_updates(m);
        if (r < 0)
                return r;
        r = manager_plan_window(m);
        if (r < 0)
                return r;
        if (m->config->poll_interval_usec > 0)
                manager_refresh(m);
        return 0;
}

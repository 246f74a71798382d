/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refreshes: one at a time, of the server's metadata or of a folder's that somebody handed over.
 * Who asks for the server while it is asked already joins in; folders are read one after another,
 * each for the one who handed it over. What a folder teaches is trusted like what the server says;
 * a folder that is refused changes nothing. */
#include <fcntl.h>

#include "basic/log.h"
#include "basic/names.h"
#include "daemon/bus.h"
#include "daemon/device.h"
#include "daemon/event.h"
#include "daemon/manager-port.h"
#include "daemon/stages.h"
#include "daemon/verify.h"

struct Waiter {
        ManagerCheckFunc func; /* NULL: forgotten while its folder is read */
        void *userdata;
        int folder_fd; /* -1: the server */
        struct Waiter *next;
};

static void next_refresh(Manager *m);

static struct Waiter *waiter_free(struct Waiter *w) {
        close_fd(w->folder_fd);
        free(w);
        return NULL;
}

/* Oldest last. */
static struct Waiter *next_folder(const Manager *m) {
        struct Waiter *found = NULL;

        for (struct Waiter *w = m->waiters; w; w = w->next)
                if (w->folder_fd >= 0)
                        found = w;
        return found;
}

static void remove_waiter(Manager *m, struct Waiter *gone) {
        for (struct Waiter **p = &m->waiters; *p; p = &(*p)->next)
                if (*p == gone) {
                        *p = gone->next;
                        break;
                }
}

/* Everybody who waits for the server, or the one whose folder it was. */
static void tell(Manager *m, struct Waiter *w, Outcome outcome, const char *text) {
        ManagerCheckFunc func = w->func;
        void *userdata = w->userdata;

        remove_waiter(m, w);
        (void)waiter_free(w);
        if (func)
                func(outcome, text, userdata);
}

static void tell_server_waiters(Manager *m, Outcome outcome, const char *text) {
        struct Waiter *w = m->waiters;

        while (w) {
                if (w->folder_fd >= 0) {
                        w = w->next;
                        continue;
                }
                tell(m, w, outcome, text);
                w = m->waiters; /* the callback may have changed the list */
        }
}

static void plan_poll(Manager *m);

static void take_result(Manager *m, Outcome outcome, const char *text) {
        m->last_check = clock_now(m->clock);
        m->check_outcome = outcome;
        /* A server that is away says nothing about the clock. */
        if (outcome == OUTCOME_DONE || outcome == OUTCOME_METADATA_EXPIRED)
                m->expired = outcome == OUTCOME_METADATA_EXPIRED;
        (void)why(&m->check_why, 0, "%s", text);
        text_clean(m->check_why.text);
        for (size_t i = 0; outcome == OUTCOME_DONE && i < m->n_devices; i++)
                device_refreshed(m->devices[i]);
}

static void end(Manager *m, Outcome outcome, const char *text) {
        m->verify = verify_free(m->verify);
        if (m->reserve)
                reserve_refill(m->reserve);
        event_check(m, outcome, text);
}

static void on_server_verified(Outcome outcome, const char *text, void *userdata) {
        Manager *m = userdata;

        end(m, outcome, text);
        m->server_wanted = false;
        m->checked_folder = false;
        take_result(m, outcome, text);
        plan_poll(m);
        if (m->bus)
                bus_manager_changed(m->bus);
        tell_server_waiters(m, outcome, text);
        manager_consider(m);
        next_refresh(m);
}

static void on_folder_verified(Outcome outcome, const char *text, void *userdata) {
        Manager *m = userdata;
        struct Waiter *w = m->folder_waiter;
        Why told;

        if (outcome == OUTCOME_SERVER_UNREACHABLE)
                outcome = OUTCOME_FOLDER_UNREADABLE;
        (void)why(&told, 0, "%s%s", outcome == OUTCOME_DONE ? "" : "the folder is refused: ", text);
        if (outcome == OUTCOME_DONE)
                (void)why(&told, 0, "%s (from a folder)", text);
        end(m, outcome, told.text);
        m->folder_waiter = NULL;
        if (outcome == OUTCOME_DONE) {
                manager_offer_folder(m, w->folder_fd);
                m->checked_folder = true;
                take_result(m, outcome, told.text);
        }
        if (m->bus)
                bus_manager_changed(m->bus);
        tell(m, w, outcome, told.text);
        manager_consider(m);
        next_refresh(m);
}

/* What is due, unless something is under way; folders first, because somebody stands beside. */
static void next_refresh(Manager *m) {
        struct Waiter *w = next_folder(m);
        int r;

        if (m->verify || m->folder_waiter || (!w && !m->server_wanted))
                return;
        m->folder_waiter = w;
        if (w)
                r = verify_new(m, w->folder_fd, on_folder_verified, m, &m->verify);
        else
                r = verify_new(m, -1, on_server_verified, m, &m->verify);
        if (r < 0)
                manager_fatal(m, r, "a refresh could not begin");
        else if (m->bus)
                bus_manager_changed(m->bus);
}

void manager_refresh(Manager *m) {
        m->server_wanted = true;
        next_refresh(m);
}

static int add_waiter(Manager *m, int folder_fd, ManagerCheckFunc func, void *userdata) {
        struct Waiter *w = new0(struct Waiter, 1);

        if (!w) {
                close_fd(folder_fd);
                return -ENOMEM;
        }
        *w = (struct Waiter){ func, userdata, folder_fd, m->waiters };
        m->waiters = w;
        return 0;
}

int manager_check(Manager *m, ManagerCheckFunc func, void *userdata) {
        int r = add_waiter(m, -1, func, userdata);

        if (r >= 0)
                manager_refresh(m);
        return r;
}

int manager_check_folder(Manager *m, int folder_fd, ManagerCheckFunc func, void *userdata) {
        int r, fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 3);

        if (fd < 0)
                return -errno;
        r = add_waiter(m, fd, func, userdata);
        if (r >= 0)
                next_refresh(m);
        return r;
}

void manager_check_model(Manager *m, const char *model) {
        /* After a failure the next refresh comes by itself, and covers it. */
        if (m->check_outcome == OUTCOME_DONE && !verify_covers(m, model))
                manager_refresh(m);
}

void manager_check_forget(Manager *m, void *userdata) {
        for (struct Waiter *w = m->waiters, *next; w; w = next) {
                next = w->next;
                if (w->userdata != userdata)
                        continue;
                w->func = NULL;
                if (w == m->folder_waiter) /* its folder is being read */
                        continue;
                remove_waiter(m, w);
                (void)waiter_free(w);
        }
}

void manager_refresh_done(Manager *m) {
        m->verify = verify_free(m->verify);
        m->poll_timer = sd_event_source_disable_unref(m->poll_timer);
        while (m->waiters) {
                struct Waiter *w = m->waiters;

                m->waiters = w->next;
                (void)waiter_free(w);
        }
        m->folder_fd = close_fd(m->folder_fd);
}

/* ---- polling ---- */

static int on_poll(sd_event_source *source, uint64_t usec, void *userdata) {
        Manager *m = userdata;

        m->poll_timer = sd_event_source_disable_unref(m->poll_timer);
        manager_refresh(m);
        return 0;
}

static void plan_poll(Manager *m) {
        const Config *c = m->config;
        uint64_t usec = c->poll_interval_usec;
        int r;

        m->next_check = 0;
        if (usec == 0)
                return;
        if (c->poll_random_usec > 0)
                usec += random_u64() % c->poll_random_usec;
        m->next_check = clock_now(m->clock) + (int64_t)(usec / USEC_PER_SEC);
        m->poll_timer = sd_event_source_disable_unref(m->poll_timer);
        r = sd_event_add_time_relative(
                        m->event, &m->poll_timer, CLOCK_BOOTTIME, usec, USEC_PER_SEC, on_poll, m);
        if (r < 0)
                manager_fatal(m, r, "the next refresh could not be planned");
}

/* ---- the folder ---- */

int manager_offer_folder(Manager *m, int folder_fd) {
        int fd = fcntl(folder_fd, F_DUPFD_CLOEXEC, 3);

        if (fd < 0)
                return -errno;
        close_fd(m->folder_fd);
        m->folder_fd = fd;
        return 0;
}

/* A medium that is held open cannot be unmounted; who has to wait does so without it. */
void manager_tidy_folder(Manager *m) {
        if (m->folder_fd < 0)
                return;
        for (size_t i = 0; i < m->n_devices; i++)
                if (m->devices[i]->update && update_wants_folder(m->devices[i]->update))
                        return;
        m->folder_fd = close_fd(m->folder_fd);
}

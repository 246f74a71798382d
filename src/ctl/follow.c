/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything is asked asynchronously, so that answers and signals are seen in the order in which
 * the daemon sent them: a signal from before the request was accepted is never taken for its
 * end, and properties never go back in time.
 *
 *   ASKED ──accepted──► LOADING ──properties──► RUNNING ──Finished, wait, stranded──► ENDED
 *     │                  ▲   ▲                     │
 *     └─busy with the same   └──it is back── LOST ◄┘ daemon stopped
 */
#include "ctl/follow.h"

#include <inttypes.h>
#include <signal.h>

#include "basic/clock.h"
#include "basic/names.h"
#include "basic/terminal.h"
#include "ctl/format.h"

#define PATIENCE_USEC (60 * USEC_PER_SEC)
/* An update that is no longer there has told its end by then, if it had one. */
#define GRACE_USEC (2 * USEC_PER_SEC)

typedef enum FollowState {
        FOLLOW_ASKED,
        FOLLOW_LOADING,
        FOLLOW_RUNNING,
        FOLLOW_LOST,
        FOLLOW_ENDED,
} FollowState;

typedef struct Follow {
        FollowSet *set;
        char *id, *path, *wanted, *version;
        bool restore, joining, reloading;
        FollowState state;
        json_t *device;
        char phase[FORMAT_MAX]; /* last told */
        bool left_stranded;     /* was seen in another phase since */
        uint64_t moved_usec;    /* last progress while it waits */
        uint64_t moved;         /* what that progress was */
        uint64_t gone_usec;     /* no update is open since; 0: one is */
        char outcome[FORMAT_MAX], text[WHY_MAX];
        int status;
        bool bare; /* the text is not about this device */
        sd_bus_slot *call, *changed, *finished;
} Follow;

struct FollowSet {
        Ctl *ctl;
        Follow **items;
        size_t n;
        sd_bus_slot *owner;
        uint64_t deadline_usec; /* USEC_INFINITY: none */
        bool drawn;
};

/* ---- showing ---- */

static void clear_bar(FollowSet *f) {
        if (f->drawn)
                (void)fputs("\r\033[K", stderr);
        f->drawn = false;
}

static unsigned columns(void) {
        unsigned n = terminal_columns(STDERR_FILENO);

        return n > 1 ? n - 1 : 79;
}

static unsigned permille_of(const json_t *d) {
        uint64_t done = member_number(d, "phase-done"), total = member_number(d, "phase-total");

        /* The daemon counts the whole push; a download is a bar of its own. */
        if (streq(member_string(d, "state"), "downloading"))
                return total > 0 ? (unsigned)(MIN(done, total) * 1000 / total) : 0;
        return (unsigned)MIN(member_number(d, "progress"), UINT64_C(1000));
}

/* Of the image that is on its way: after a failed trial that is no longer the candidate. */
static const char *version_of(const json_t *d) {
        const char *role = member_string(d, "pushing");

        if (streq(role, "backup"))
                return member_string(d, "backup-version");
        if (streq(role, "previous"))
                return member_string(d, "previous-version");
        return member_string(d, "candidate");
}

static void draw_bar(Follow *w) {
        _cleanup_free_ char *line = NULL;
        const Progress p = {
                .device = w->id,
                .version = version_of(w->device),
                .phase = member_string(w->device, "phase"),
                .permille = permille_of(w->device),
                .rate_bytes = member_number(w->device, "rate"),
                .left_seconds = member_number(w->device, "time-left"),
        };

        line = progress_render(&p, columns());
        if (!line)
                return;
        (void)fprintf(stderr, "\r%s\033[K", line);
        w->set->drawn = true;
}

static void show_phase(Follow *w) {
        const char *phase = member_string(w->device, "phase");

        if (!*phase)
                return; /* the update is over, its end is told next */
        if (w->set->ctl->bar && w->set->n == 1) {
                draw_bar(w);
                return;
        }
        if (streq(w->phase, phase))
                return;
        (void)snprintf(w->phase, sizeof(w->phase), "%s", phase);
        (void)fprintf(stderr, "%s: %s\n", w->id, phase);
}

/* ---- ends ---- */

static void end(Follow *w, int status, const char *outcome, const char *text) {
        _cleanup_free_ char *escaped = NULL;

        w->state = FOLLOW_ENDED;
        w->status = status;
        if (!*text)
                text = member_string(ctl_outcome(w->set->ctl, outcome), "text");
        escaped = text_escape(text, strlen(text), WHY_MAX - 4);
        (void)snprintf(w->outcome, sizeof(w->outcome), "%s", outcome);
        (void)snprintf(w->text, sizeof(w->text), "%s", escaped ? escaped : "");
}

static void end_with(Follow *w, const char *outcome, const char *text) {
        end(w, ctl_outcome_status(w->set->ctl, outcome), outcome, text);
}

static bool ends_by_people(const char *outcome) {
        static const char *const codes[] = { "wait-approval", "wait-window", "wait-hold",
                "wait-inhibit", "wait-clock", "foreign-push", "identity-changed" };

        for (size_t i = 0; i < ELEMENTSOF(codes); i++)
                if (streq(codes[i], outcome))
                        return true;
        return false;
}

/* Looks whether it makes sense to stay. */
static void judge(Follow *w) {
        const json_t *d = w->device;
        const char *waiting = member_string(d, "waiting"), *phase = member_string(d, "phase");
        uint64_t moved = member_number(d, "progress") + member_number(d, "phase-done");

        if (!streq(phase, "stranded"))
                w->left_stranded = true;
        else if (w->left_stranded || !w->restore)
                return end_with(w, "stranded", member_string(d, "state-text"));
        if (member_true(d, "identity-changed"))
                return end_with(w, "identity-changed", member_string(d, "state-text"));
        if (*waiting && ends_by_people(waiting))
                return end_with(w, waiting, member_string(d, "state-text"));
        if (moved != w->moved || w->moved_usec == 0) {
                w->moved = moved;
                w->moved_usec = monotonic_usec();
        }
        if (*member_string(d, "kind"))
                w->gone_usec = 0;
        else if (w->gone_usec == 0)
                w->gone_usec = monotonic_usec();
        show_phase(w);
}

/* When time alone ends it; USEC_INFINITY: never. */
static uint64_t deadline_of(const Follow *w) {
        uint64_t deadline = w->set->deadline_usec;

        if (w->state == FOLLOW_RUNNING && w->gone_usec > 0)
                deadline = MIN(deadline, w->gone_usec + GRACE_USEC);
        if (w->state == FOLLOW_LOST ||
                        (w->state == FOLLOW_RUNNING && *member_string(w->device, "waiting")))
                deadline = MIN(deadline, w->moved_usec + PATIENCE_USEC);
        return deadline;
}

static void judge_time(Follow *w, uint64_t now) {
        const char *waiting = member_string(w->device, "waiting");

        if (w->state == FOLLOW_ENDED || now < deadline_of(w))
                return;
        if (w->state == FOLLOW_LOST)
                end(w, STATUS_FAILED, CTL_FAILED,
                                "rekindled stopped; the update goes on when it is started again");
        else if (w->gone_usec > 0)
                end(w, STATUS_FAILED, CTL_FAILED,
                                "the update was given up for something else: rekindlectl history");
        else if (*waiting)
                end_with(w, waiting, member_string(w->device, "state-text"));
        else
                end(w, STATUS_FAILED, CTL_FAILED,
                                "not at its end in the time given; the update goes on");
}

/* ---- the daemon ---- */

static int on_loaded(sd_bus_message *m, void *userdata, sd_bus_error *error);

static void load(Follow *w) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus *bus = w->set->ctl->bus;
        int r;

        w->state = FOLLOW_LOADING;
        w->call = sd_bus_slot_unref(w->call);
        r = sd_bus_message_new_method_call(
                        bus, &m, BUS_NAME, w->path, "org.freedesktop.DBus.Properties", "GetAll");
        if (r >= 0)
                r = sd_bus_message_append(m, "s", BUS_DEVICE);
        if (r >= 0)
                r = sd_bus_call_async(bus, &w->call, m, on_loaded, w, UINT64_MAX);
        if (r < 0)
                end(w, STATUS_FAILED, CTL_FAILED, strerror(-r));
}

static void end_refused(Follow *w, const sd_bus_error *error) {
        char text[WHY_MAX];
        const char *code;
        int status;

        status = ctl_error_status(w->set->ctl, error, &code);
        ctl_error_text(w->id, error, status, text);
        w->bare = streq(code, CTL_FAILED) || streq(code, "access-denied");
        end(w, status, code, text);
}

static void end_accepted(Follow *w) {
        char text[WHY_MAX];

        (void)snprintf(text, sizeof(text), "accepted%s%s", w->version && *w->version ? ": " : "",
                        w->version ? w->version : "");
        end(w, STATUS_DONE, CTL_ACCEPTED, text);
}

static void tell_unread(const Follow *w) {
        _cleanup_free_ char *escaped = text_escape(w->text, strlen(w->text), WHY_MAX);

        (void)ctl_failed("the folder is not read: %s", escaped ? escaped : "not enough memory");
}

static int on_loaded(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Follow *w = userdata;
        const char *kind, *candidate;

        if (w->state != FOLLOW_LOADING)
                return 0;
        if (sd_bus_message_is_method_error(m, NULL)) {
                end_refused(w, sd_bus_message_get_error(m));
                return 0;
        }
        if (json_from_properties(m, w->device) < 0) {
                end(w, STATUS_FAILED, CTL_FAILED, "the properties cannot be read");
                return 0;
        }
        kind = member_string(w->device, "kind");
        candidate = member_string(w->device, "candidate");
        if (w->joining &&
                        (!streq(kind, "upgrade") || (*w->wanted && !streq(w->wanted, candidate)))) {
                end_with(w, "busy", w->text);
                return 0;
        }
        if (w->reloading && !*kind) {
                end(w, STATUS_FAILED, CTL_FAILED,
                                "rekindled was started again meanwhile: rekindlectl history tells how it ended");
                return 0;
        }
        if (w->joining && w->set->ctl->from)
                tell_unread(w);
        if (*candidate)
                (void)free_and_strdup(&w->version, candidate);
        if (w->joining && w->set->ctl->no_wait) {
                end_accepted(w);
                return 0;
        }
        w->state = FOLLOW_RUNNING;
        judge(w);
        return 0;
}

static bool may_join(Follow *w, const char *code, const sd_bus_error *error) {
        if (w->restore || !streq(code, "busy"))
                return false;
        w->joining = true;
        (void)snprintf(w->text, sizeof(w->text), "%s", error->message ? error->message : "");
        return true;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        Follow *w = userdata;
        const char *version, *code;

        if (error) {
                (void)ctl_error_status(w->set->ctl, error, &code);
                if (!may_join(w, code, error)) {
                        end_refused(w, error);
                        return 0;
                }
        } else if (!w->restore && sd_bus_message_read(m, "s", &version) >= 0) {
                (void)free_and_strdup(&w->version, version);
        }
        if (w->set->ctl->no_wait && !w->joining)
                end_accepted(w);
        else
                load(w);
        return 0;
}

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Follow *w = userdata;
        const char *interface;

        if (w->state != FOLLOW_RUNNING)
                return 0;
        if (sd_bus_message_read(m, "s", &interface) < 0 || !streq(interface, BUS_DEVICE) ||
                        json_from_properties(m, w->device) < 0)
                return 0;
        judge(w);
        return 0;
}

static int on_finished(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Follow *w = userdata;
        const char *outcome, *text;

        if (w->state != FOLLOW_RUNNING && w->state != FOLLOW_LOADING)
                return 0;
        if (sd_bus_message_read(m, "ss", &outcome, &text) >= 0)
                end_with(w, outcome, text);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;
        FollowSet *f = userdata;

        if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0 || !streq(name, BUS_NAME))
                return 0;
        for (size_t i = 0; i < f->n; i++) {
                Follow *w = f->items[i];

                if (w->state == FOLLOW_ENDED || w->state == FOLLOW_ASKED)
                        continue;
                w->moved_usec = monotonic_usec();
                w->reloading = true;
                if (*new)
                        load(w);
                else
                        w->state = FOLLOW_LOST;
        }
        return 0;
}

/* ---- interrupted ---- */

/* Only what may be called in a handler. The update is the daemon's: it does not end with us. */
static void interrupted(int number, const char *text) {
        (void)!write(STDERR_FILENO, text, strlen(text));
        (void)signal(number, SIG_DFL);
        (void)raise(number);
}

#define GOES_ON "rekindlectl: no longer watched; the update goes on\n"

static void on_signal_plain(int number) {
        interrupted(number, GOES_ON);
}

static void on_signal_bar(int number) {
        interrupted(number, "\r\033[K" GOES_ON);
}

/* ---- life ---- */

int follow_new(Ctl *c, FollowSet **ret) {
        _cleanup_(follow_freep) FollowSet *f = new0(FollowSet, 1);
        int r;

        if (!f)
                return -ENOMEM;
        f->ctl = c;
        f->deadline_usec = c->timeout_usec > 0 ? monotonic_usec() + c->timeout_usec : USEC_INFINITY;
        r = sd_bus_match_signal(c->bus, &f->owner, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                        "org.freedesktop.DBus", "NameOwnerChanged", on_owner, f);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(f);
        return 0;
}

static Follow *item_free(Follow *w) {
        if (!w)
                return NULL;
        sd_bus_slot_unref(w->call);
        sd_bus_slot_unref(w->changed);
        sd_bus_slot_unref(w->finished);
        json_decref(w->device);
        free(w->id);
        free(w->path);
        free(w->wanted);
        free(w->version);
        free(w);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP_FUNC(Follow *, item_free);

FollowSet *follow_free(FollowSet *f) {
        if (!f)
                return NULL;
        clear_bar(f);
        sd_bus_slot_unref(f->owner);
        for (size_t i = 0; i < f->n; i++)
                item_free(f->items[i]);
        free(f->items);
        free(f);
        return NULL;
}

static int listen_to(Follow *w) {
        sd_bus *bus = w->set->ctl->bus;
        int r;

        r = sd_bus_match_signal(bus, &w->changed, BUS_NAME, w->path,
                        "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed, w);
        return r < 0 ? r
                     : sd_bus_match_signal(bus, &w->finished, BUS_NAME, w->path, BUS_DEVICE,
                                       "Finished", on_finished, w);
}

static int ask(Follow *w, const char *member) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        sd_bus *bus = w->set->ctl->bus;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, BUS_NAME, w->path, BUS_DEVICE, member);
        if (r >= 0 && !w->restore)
                r = sd_bus_message_append(m, "s", w->wanted);
        if (r >= 0)
                r = w->restore ? sd_bus_message_append(m, "a{sv}", 0)
                               : ctl_append_folder(w->set->ctl, m);
        return r < 0 ? r : sd_bus_call_async(bus, &w->call, m, on_answer, w, UINT64_MAX);
}

int follow_add(FollowSet *f, const char *id, const char *member, const char *version) {
        _cleanup_(item_freep) Follow *w = new0(Follow, 1);
        Follow **larger;
        int r;

        if (!w)
                return -ENOMEM;
        w->set = f;
        w->restore = version == NULL;
        w->id = strdup(id);
        w->wanted = strdup(version ? version : "");
        w->device = json_object();
        if (!w->id || !w->wanted || !w->device)
                return -ENOMEM;
        r = sd_bus_path_encode(BUS_DEVICES, id, &w->path);
        if (r >= 0)
                r = listen_to(w);
        if (r >= 0)
                r = ask(w, member);
        if (r < 0)
                return r;
        larger = reallocarray(f->items, f->n + 1, sizeof(Follow *));
        if (!larger)
                return -ENOMEM;
        f->items = larger;
        f->items[f->n++] = TAKE_PTR(w);
        return 0;
}

static bool is_open(const FollowSet *f) {
        for (size_t i = 0; i < f->n; i++)
                if (f->items[i]->state != FOLLOW_ENDED)
                        return true;
        return false;
}

/* Until the next moment at which time alone may end something. */
static uint64_t next_usec(const FollowSet *f, uint64_t now) {
        uint64_t next = USEC_INFINITY;

        for (size_t i = 0; i < f->n; i++)
                if (f->items[i]->state != FOLLOW_ENDED)
                        next = MIN(next, deadline_of(f->items[i]));
        return next == USEC_INFINITY ? USEC_INFINITY : next > now ? next - now : 0;
}

int follow_run(FollowSet *f) {
        void (*on_signal)(int) = f->ctl->bar && f->n == 1 ? on_signal_bar : on_signal_plain;
        int r;

        (void)signal(SIGINT, on_signal);
        (void)signal(SIGTERM, on_signal);
        while (is_open(f)) {
                uint64_t now;

                r = sd_bus_process(f->ctl->bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                now = monotonic_usec();
                for (size_t i = 0; i < f->n; i++)
                        judge_time(f->items[i], now);
                if (!is_open(f))
                        break;
                r = sd_bus_wait(f->ctl->bus, next_usec(f, now));
                if (r < 0 && r != -EINTR)
                        return r;
        }
        clear_bar(f);
        return 0;
}

/* ---- results ---- */

static json_t *describe(Follow *w) {
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "device", w->id, "version",
                        w->version ? w->version : "", "outcome", w->outcome, "class",
                        ctl_outcome_class(w->set->ctl, w->outcome), "text", w->text, "exit",
                        w->status);
}

static void print(const Follow *w) {
        bool named = w->bare || strstr(w->text, w->id);

        if (w->status != STATUS_DONE && w->status != STATUS_NOTHING)
                (void)ctl_failed("%s%s%s", named ? "" : w->id, named ? "" : ": ", w->text);
        else
                (void)printf("%s%s%s\n", named ? "" : w->id, named ? "" : ": ", w->text);
}

int follow_report(FollowSet *f, bool single) {
        _cleanup_json_ json_t *list = json_array();
        int status = STATUS_NOTHING;

        for (size_t i = 0; i < f->n; i++) {
                Follow *w = f->items[i];

                if (f->ctl->json)
                        (void)json_array_append_new(list, describe(w));
                else
                        print(w);
                if (status == STATUS_NOTHING ||
                                (status == STATUS_DONE && w->status != STATUS_NOTHING))
                        status = w->status;
        }
        if (f->ctl->json)
                (void)ctl_print_json(single ? json_array_get(list, 0) : list);
        return status;
}

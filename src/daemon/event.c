/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every event is one JSON object: the same for history, bus and outbox (rekindle-state(5)). */
#include "daemon/event.h"

#include <inttypes.h>
#include <stdarg.h>

#include "basic/log.h"
#include "basic/names.h"
#include "daemon/bus.h"

#define EVENT_FORMAT 1
#define TOLD_MAX     40                    /* events of a device's own making … */
#define TOLD_USEC    (3600 * USEC_PER_SEC) /* … in this time */
#define LOOK_BACK    64 /* events among which the result of a killed run is looked for */

static json_t *event_new(
                Manager *m, const Device *d, const char *kind, Outcome outcome, const char *text) {
        char time[RFC3339_MAX];
        Why clean;
        json_t *e;

        (void)why(&clean, 0, "%s", text);
        text_clean(clean.text);
        rfc3339_format(clock_now(m->clock), time);
        e = json_pack("{s:i, s:s, s:s, s:s, s:s}", "format", EVENT_FORMAT, "time", time, "event",
                        kind, "outcome", outcome_info(outcome)->code, "text", clean.text);
        if (e && d &&
                        (json_object_set_new(e, "device", json_string(device_id(d))) < 0 ||
                                        json_object_set_new(e, "model",
                                                        json_string(d->record->model)) < 0 ||
                                        json_object_set_new(e, "serial",
                                                        json_string(d->record->serial)) < 0)) {
                json_decref(e);
                return NULL;
        }
        return e;
}

static void log_json(int level, const Device *d, const json_t *e) {
        _cleanup_free_ char *kind = NULL, *outcome = NULL;
        const char *k = json_string_value(json_object_get(e, "event"));
        const char *o = json_string_value(json_object_get(e, "outcome"));

        if (asprintf(&kind, "REKINDLE_EVENT=%s", k) < 0 ||
                        asprintf(&outcome, "REKINDLE_OUTCOME=%s", o) < 0)
                return;
        log_event(level, d ? device_id(d) : NULL, (const char *const[]){ kind, outcome, NULL },
                        "%s: %s", k, json_string_value(json_object_get(e, "text")));
}

static int level_of(Outcome o) {
        switch (outcome_info(o)->class) {
        case OUTCOME_CLASS_FAILURE:
                return LOG_ERR;
        case OUTCOME_CLASS_REFUSAL:
                return LOG_WARNING;
        default:
                return LOG_NOTICE;
        }
}

void event_state(const Update *u) {
        Why text;

        device_update_text(u, &text);
        (void)log_full(LOG_INFO, device_id(u->device), 0, "%s", text.text);
}

static json_t *result_event(const Update *u) {
        const Device *d = u->device;
        char started[RFC3339_MAX], digest[SHA256_HEX], id[17];
        json_t *e;

        rfc3339_format(u->started, started);
        sha256_to_hex(u->candidate ? &u->candidate->image_digest : update_digest(u), digest);
        e = event_new(u->manager, d, "result", u->outcome, u->text);
        if (!e)
                return NULL;
        (void)snprintf(id, sizeof(id), "%016" PRIx64, u->id);
        if (json_object_set_new(e, "update", json_string(id)) < 0 ||
                        json_object_set_new(e, "kind",
                                        json_string(update_kind_to_string(u->kind))) < 0 ||
                        json_object_set_new(e, "started", json_string(started)) < 0 ||
                        json_object_set_new(e, "class",
                                        json_string(outcome_class_to_string(
                                                        outcome_info(u->outcome)->class))) < 0 ||
                        json_object_set_new(e, "candidate",
                                        u->candidate ? json_string(u->candidate->version)
                                                     : json_null()) < 0 ||
                        json_object_set_new(e, "digest", json_string(digest)) < 0 ||
                        json_object_set_new(e, "running", json_string(d->record->running.version)) <
                                        0 ||
                        json_object_set_new(e, "line-bytes",
                                        json_integer((json_int_t)u->line_bytes)) < 0) {
                json_decref(e);
                return NULL;
        }
        return e;
}

static bool is_same_update(const json_t *a, const json_t *b) {
        const char *s = json_string_value(json_object_get(a, "update"));
        const char *t = json_string_value(json_object_get(b, "update"));

        return s && t && streq(s, t);
}

static int find_in_history(const Update *u, const json_t *e, bool *ret) {
        _cleanup_json_ json_t *events = NULL;
        int r;

        r = history_read(u->manager->history, device_id(u->device), LOOK_BACK, &events, NULL);
        if (r < 0)
                return r;
        *ret = false;
        for (size_t i = 0; i < json_array_size(events); i++)
                *ret |= is_same_update(json_array_get(events, i), e);
        return 0;
}

static int find_in_outbox(const Update *u, const json_t *e, bool *ret) {
        _cleanup_free_ uint64_t *sequences = NULL;
        size_t n;
        int r;

        r = outbox_list(u->manager->history, &sequences, &n);
        if (r < 0)
                return r;
        *ret = false;
        for (size_t i = n; i-- > 0 && n - i <= LOOK_BACK && !*ret;) {
                _cleanup_json_ json_t *report = NULL;

                if (outbox_read(u->manager->history, sequences[i], &report) == 0)
                        *ret = is_same_update(report, e);
        }
        return 0;
}

/* What of its result a run before this one has written already. */
static int find_told(const Update *u, const json_t *e, bool *ret_report, bool *ret_history) {
        int r;

        *ret_report = *ret_history = false;
        if (!u->resumed)
                return 0;
        r = find_in_outbox(u, e, ret_report);
        return r < 0 ? r : find_in_history(u, e, ret_history);
}

int event_result(const Update *u, SyncFunc func, void *userdata, unsigned *ret_writes) {
        History *h = u->manager->history;
        _cleanup_json_ json_t *e = NULL;
        bool in_outbox, in_history;
        int r;

        e = result_event(u);
        if (!e)
                return -ENOMEM;
        r = find_told(u, e, &in_outbox, &in_history);
        if (r < 0)
                return r;
        if (in_outbox && in_history)
                return EVENT_E_TOLD;
        log_json(level_of(u->outcome), u->device, e);
        if (u->manager->bus)
                bus_event(u->manager->bus, e);
        if (!in_outbox)
                r = outbox_put(h, e, func, userdata);
        if (r >= 0 && !in_history)
                r = history_append(h, e, func, userdata);
        if (r < 0)
                return r;
        *ret_writes = !in_outbox + !in_history;
        return 0;
}

static void on_written(int error, void *userdata) {
        Manager *m = userdata;

        if (error < 0)
                manager_fatal(m, error, "an event could not be written");
}

/* What a device brings about by itself, as opposed to what people do with it. */
static bool is_told_by_device(const char *kind) {
        static const char *const kinds[] = { "unhealthy", "healthy", "identity-changed",
                "foreign-push", "stranded", "mended" };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (streq(kinds[i], kind))
                        return true;
        return false;
}

/* One that wavers all day must neither wear out the disk nor wash the rest out of history. */
static bool is_flood(Device *d, const char *kind) {
        unsigned n;

        if (!is_told_by_device(kind))
                return false;
        n = share_count(&d->told_events, TOLD_USEC, monotonic_usec());
        if (n == TOLD_MAX + 1)
                log_warning("%s: too many events; no more of them go into history this hour",
                                device_id(d));
        return n > TOLD_MAX;
}

void event_device(Device *d, const char *kind, Outcome outcome, const char *format, ...) {
        Manager *m = d->manager;
        _cleanup_json_ json_t *e = NULL;
        char text[WHY_MAX];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        if (is_flood(d, kind))
                return;
        e = event_new(m, d, kind, outcome, text);
        if (!e || history_append(m->history, e, on_written, m) < 0 ||
                        outbox_put(m->history, e, on_written, m) < 0) {
                manager_fatal(m, -EIO, "an event could not be written");
                return;
        }
        log_json(level_of(outcome), d, e);
        if (m->bus)
                bus_event(m->bus, e);
}

void event_check(Manager *m, Outcome outcome, const char *text) {
        _cleanup_json_ json_t *e = event_new(m, NULL, "check", outcome, text);
        bool is_news;

        if (!e)
                return;
        /* What comes every hour would wash the rest out of log and history: only what changes goes
         * in. */
        is_news = outcome != m->noted_outcome ||
                  (outcome == OUTCOME_DONE && !streq(text, m->noted_why.text));
        if (is_news || m->last_check == 0)
                log_json(outcome == OUTCOME_DONE ? LOG_INFO : LOG_WARNING, NULL, e);
        if (m->bus)
                bus_event(m->bus, e);
        if (!is_news)
                return;
        m->noted_outcome = outcome;
        (void)why(&m->noted_why, 0, "%s", text);
        if (history_append(m->history, e, on_written, m) < 0)
                manager_fatal(m, -EIO, "an event could not be written");
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a start takes up: the records (an unreadable one is set aside and rebuilt from what the
 * device says), the devices of the configuration, and the open updates. */
#include <dirent.h>
#include <fcntl.h>

#include "basic/file.h"
#include "basic/log.h"
#include "basic/names.h"
#include "daemon/manager-port.h"

#define RECALL_MAX 256 /* events */

static void set_aside(Manager *m, int dirfd, const char *name, const char *text) {
        char aside[NAME_MAX + 1];
        int n;

        n = snprintf(aside, sizeof(aside), "%s.damaged", name);
        log_error("%s: %s; set aside as %s", name, text, aside);
        if (n < 0 || (size_t)n >= sizeof(aside) || renameat(dirfd, name, dirfd, aside) < 0)
                log_error("%s cannot be set aside", name);
}

static int load_record(Manager *m, const char *name, const char *id) {
        _cleanup_(record_freep) Record *record = NULL;
        _cleanup_free_ char *bytes = NULL;
        Device *d;
        size_t n;
        Why w;
        int r;

        r = file_read(m->devices_fd, name, RECORD_MAX, &bytes, &n);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                (void)why(&w, r, "cannot be read: %s", strerror(-r));
        else
                r = record_parse(bytes, n, &record, &w);
        if (r >= 0 && !streq(record->id, id))
                r = why(&w, -EBADMSG, "is the record of %s", record->id);
        if (r == -EOPNOTSUPP) {
                log_error("%s: %s", name, w.text);
                return r;
        }
        if (r < 0) {
                set_aside(m, m->devices_fd, name, w.text);
                return manager_add_device(m, id, NULL, &d);
        }
        return manager_add_device(m, id, TAKE_PTR(record), &d);
}

static int load_records(Manager *m) {
        struct dirent **list;
        int n, r = 0;

        n = scandirat(m->devices_fd, ".", &list, NULL, alphasort);
        if (n < 0)
                return -errno;
        for (int i = 0; i < n; i++) {
                const char *name = list[i]->d_name;
                size_t length = strlen(name);
                char id[NAME_MAX_LENGTH + 1];

                if (r >= 0 && length > 5 && length - 5 <= NAME_MAX_LENGTH &&
                                streq(name + length - 5, ".json")) {
                        (void)snprintf(id, sizeof(id), "%.*s", (int)(length - 5), name);
                        if (name_is_valid(id))
                                r = load_record(m, name, id);
                }
                free(list[i]);
        }
        free(list);
        return r;
}

static int add_configured(Manager *m) {
        for (size_t i = 0; i < m->config->n_devices; i++) {
                const ConfigDevice *c = &m->config->devices[i];
                Device *d = manager_find_device(m, c->name);
                int r;

                if (!d) {
                        r = manager_add_device(m, c->name, NULL, &d);
                        if (r < 0)
                                return r;
                }
                d->record->address = (unsigned)c->address;
        }
        return 0;
}

int manager_load_devices(Manager *m, Why *w) {
        int r;

        r = load_records(m);
        if (r >= 0)
                r = add_configured(m);
        return r < 0 ? why(w, r, "the device records cannot be read: %s", strerror(-r)) : 0;
}

static void recall_result(Manager *m, const json_t *e) {
        const char *kind, *device, *code, *text, *time;
        Outcome outcome;
        Device *d;

        if (json_unpack((json_t *)e, "{s:s, s:s, s:s, s:s, s:s}", "event", &kind, "device", &device,
                            "outcome", &code, "text", &text, "time", &time) < 0 ||
                        !streq(kind, "result") || outcome_from_code(code, &outcome) < 0)
                return;
        d = manager_find_device(m, device);
        if (!d || rfc3339_parse(time, &d->last_time) < 0)
                return;
        d->last_outcome = outcome;
        (void)why(&d->last_text, 0, "%s", text);
}

void manager_recall_results(Manager *m) {
        _cleanup_json_ json_t *events = NULL;
        size_t damaged, i;
        json_t *e;

        if (history_read(m->history, NULL, RECALL_MAX, &events, &damaged) < 0)
                return;
        json_array_foreach(events, i, e) recall_result(m, e);
}

/* What a newer program wrote, or what memory does not suffice for, is not damaged. */
static int refuse_journal(const char *id, int error, const Why *w) {
        log_error("%s.journal: %s", id, error == -ENOMEM ? "not enough memory" : w->text);
        return error;
}

static int resume_update(Manager *m, const char *id) {
        _cleanup_(journal_freep) Journal *journal = NULL;
        _cleanup_json_ json_t *last = NULL;
        Device *d = manager_find_device(m, id);
        Update *u;
        Why w;
        int r;

        if (!d) {
                r = manager_add_device(m, id, NULL, &d);
                if (r < 0)
                        return r;
        }
        r = journal_new(m->sync, m->updates_fd, id, &journal);
        if (r < 0)
                return r;
        r = journal_load(journal, &last, &w);
        if (r == -ENOMEM || r == -EOPNOTSUPP)
                return refuse_journal(id, r, &w);
        if (r == JOURNAL_E_DAMAGED)
                log_warning("%s.journal: %s; the last whole entry counts", id, w.text);
        if (r >= 0 && !last)
                return journal_close(journal, NULL, NULL);
        if (r >= 0)
                r = update_from_journal(d, last, &u, &w);
        if (r == -ENOMEM || r == -EOPNOTSUPP)
                return refuse_journal(id, r, &w);
        if (r < 0) {
                char name[NAME_MAX_LENGTH + sizeof(".journal")];

                /* The device itself tells what is true; what it needs is decided anew. */
                (void)snprintf(name, sizeof(name), "%s.journal", id);
                set_aside(m, m->updates_fd, name, w.text);
                return 0;
        }
        d->update = u;
        journal_free(u->journal);
        u->journal = TAKE_PTR(journal);
        update_resume(u);
        return 0;
}

int manager_resume_updates(Manager *m) {
        char **ids;
        int r;

        r = journal_list(m->updates_fd, &ids);
        if (r < 0)
                return r;
        for (char **id = ids; *id; id++) {
                if (r >= 0)
                        r = resume_update(m, *id);
                free(*id);
        }
        free(ids);
        return r;
}

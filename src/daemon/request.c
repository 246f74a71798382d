/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests: what people ask of a device. Each either is accepted (OUTCOME_DONE) or refused with
 * its sentence; nothing is half done. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>

#include "basic/file.h"
#include "basic/log.h"
#include "daemon/ask.h"
#include "daemon/backup.h"
#include "daemon/event.h"
#include "daemon/stages.h"

static Outcome refuse(Why *w, Outcome o, const char *format, ...) _printf_(3, 4);

static Outcome refuse(Why *w, Outcome o, const char *format, ...) {
        char text[WHY_MAX];
        va_list ap;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void)why(w, 0, "%s", text);
        return o;
}

static Outcome refuse_version(const char *version, Why *w) {
        return refuse(w, OUTCOME_INVALID_ARGUMENT,
                        "\"%s\" is no version: digits, letters and .+~_-, %d at most", version,
                        VERSION_MAX);
}

static Outcome refuse_held(const Device *d, Why *w) {
        return refuse(w, OUTCOME_WAIT_HOLD, "%s is on hold: rekindlectl unhold %s", device_id(d),
                        device_id(d));
}

static Outcome busy(const Device *d, Why *w) {
        const Update *u = d->update;
        const char *version = update_version(u);
        bool untouched = update_is_untouched(u) && u->state != UPDATE_REPORTING;

        return refuse(w, OUTCOME_BUSY, "%s is busy: %s%s%s, %s%s%s", device_id(d),
                        update_kind_to_string(u->kind), *version ? " to " : "", version,
                        update_state_to_string(u->state), untouched ? "; rekindlectl cancel " : "",
                        untouched ? device_id(d) : "");
}

static bool is_other_version(const Update *u, const char *version) {
        return version && u->candidate && version_is_valid(version) &&
               version_compare(version, u->candidate->version) != 0;
}

/* An open update that still waits before its first erase gives way to what a person asks for.
 * While its file is fetched, it does so to a person who brings a folder, and one that began by
 * itself also to another version that is named. What was chosen by name does not. */
static bool gives_way(const Device *d, const char *version, int folder_fd) {
        const Update *u = d->update;

        if (update_is_fetching(u) && !u->by_name &&
                        (folder_fd >= 0 || (!u->by_request && is_other_version(u, version))))
                return true;
        return !u->entering &&
               (u->state == UPDATE_STRANDED ||
                               (u->state == UPDATE_WAITING && update_is_untouched(u) &&
                                               !u->by_name));
}

static Outcome pick_by_name(Device *d, const char *version, Release *const *list, size_t n,
                const Release **ret, Why *w) {
        ValidateInput in;
        Verdict verdict;

        for (size_t i = 0; i < n; i++)
                if (version_compare(list[i]->version, version) == 0) {
                        device_validate_input(d, &in);
                        in.release = list[i];
                        in.by_name = true;
                        validate(&in, &verdict);
                        *ret = list[i];
                        (void)why(w, 0, "%s", verdict.why.text);
                        return verdict.outcome;
                }
        return refuse(w, OUTCOME_UNKNOWN_VERSION, "the server offers no %s %s", d->record->model,
                        version);
}

static Outcome pick(Device *d, const char *version, const Release **ret, Why *w) {
        _cleanup_free_ Release **list = NULL;
        ValidateInput in;
        Verdict verdict;
        size_t n, i;

        if (version && !version_is_valid(version))
                return refuse_version(version, w);
        if (device_releases(d, &list, &n) < 0)
                return refuse(w, OUTCOME_INTERNAL, "not enough memory");
        if (version)
                return pick_by_name(d, version, list, n, ret, w);
        device_validate_input(d, &in);
        in.ask = false; /* a person asks: that is the approval */
        in.asked = true;
        if (validate_select(&in, list, n, &i, &verdict) < 0) {
                (void)why(w, 0, "%s", verdict.why.text);
                return verdict.outcome;
        }
        *ret = list[i];
        (void)why(w, 0, "%s", verdict.why.text);
        return verdict.outcome;
}

/* What a person could have had instead of the version that was named. */
static void note_choice(Device *d, Update *u) {
        _cleanup_free_ Release **list = NULL;
        const Release *highest;
        ValidateInput in;
        size_t n;

        if (device_releases(d, &list, &n) < 0)
                return; /* then the choice does not last */
        device_validate_input(d, &in);
        highest = validate_highest(&in, list, n);
        if (highest && version_compare(highest->version, u->candidate->version) > 0)
                (void)snprintf(u->instead_of, sizeof(u->instead_of), "%s", highest->version);
}

static bool is_acceptable(Outcome o) {
        return o == OUTCOME_DONE || outcome_info(o)->class == OUTCOME_CLASS_WAIT;
}

/* What was chosen by name lacks its file; and nothing else is named now. */
static bool is_for_choice(const Device *d, const char *version) {
        const Update *u = d->update;

        return u && u->kind == UPDATE_UPGRADE && u->by_name && update_is_fetching(u) &&
               (!version || !is_other_version(u, version));
}

static Outcome begin_upgrade(Device *d, const char *version, int folder_fd, Why *w) {
        const Release *release = NULL;
        Update *u;
        Outcome o;

        o = pick(d, version, &release, w);
        if (!is_acceptable(o) || !release)
                return o;
        if (d->record->hold)
                return refuse_held(d, w);
        d->update = update_free(d->update);
        if (update_new(d, UPDATE_UPGRADE, UPDATE_DOWNLOADING, release, &u) < 0)
                return refuse(w, OUTCOME_INTERNAL, "not enough memory");
        u->folder_fd = folder_fd;
        u->by_name = version != NULL;
        u->by_request = true;
        if (version)
                note_choice(d, u);
        else
                record_end_pass_over(d->record);
        d->retry_usec = 0;
        (void)snprintf(d->record->approved, sizeof(d->record->approved), "%s", release->version);
        device_save(d);
        device_begin(d, u);
        return OUTCOME_DONE;
}

Outcome device_request_update_from(Device *d, const char *version, int folder_fd, Why *w) {
        _cleanup_close_ int fd = -1;
        Outcome o;

        if (d->record->identity_changed)
                return refuse(w, OUTCOME_IDENTITY_CHANGED, "%s %s: rekindlectl accept %s",
                                record_is_claimed_twice(d->record)
                                                ? "two units say that they are"
                                                : "another unit answers in place of",
                                device_id(d), device_id(d));
        if (!d->record->model[0])
                return refuse(w, OUTCOME_WAIT_DEVICE,
                                "%s was never seen: nobody knows what fits it", device_id(d));
        fd = folder_fd < 0 ? -1 : fcntl(folder_fd, F_DUPFD_CLOEXEC, 3);
        if (folder_fd >= 0 && fd < 0)
                return refuse(w, OUTCOME_INTERNAL, "the folder cannot be kept: %s",
                                strerror(errno));
        if (fd >= 0 && !d->record->hold && is_for_choice(d, version)) {
                update_fetch(d->update, TAKE_FD(fd));
                return OUTCOME_DONE;
        }
        if (d->update && !gives_way(d, version, fd))
                return busy(d, w);
        o = begin_upgrade(d, version, fd, w);
        if (o == OUTCOME_DONE)
                (void)TAKE_FD(fd);
        return o;
}

Outcome device_request_update(Device *d, const char *version, Why *w) {
        return device_request_update_from(d, version, -1, w);
}

Outcome device_request_restore(Device *d, Why *w) {
        const Record *r = d->record;
        Update *u;

        if (r->identity_changed)
                return refuse(w, OUTCOME_IDENTITY_CHANGED, "another unit answers in place of %s",
                                device_id(d));
        if (d->update && d->update->state == UPDATE_STRANDED && !r->hold) {
                /* If it succeeds, that is what was asked for. */
                d->update->by_request = true;
                d->update->text[0] = '\0';
                stranded_wake(d->update);
                return OUTCOME_DONE;
        }
        if (d->update && !gives_way(d, NULL, -1))
                return busy(d, w);
        if ((!r->backup.known || !store_has(d->manager->store, &r->backup.digest)) &&
                        (!r->previous.known || !store_has(d->manager->store, &r->previous.digest)))
                return refuse(w, OUTCOME_NO_BACKUP, "nothing is kept for %s", device_id(d));
        if (r->hold)
                return refuse_held(d, w);
        d->update = update_free(d->update);
        if (update_new(d, UPDATE_RESTORE, UPDATE_RESTORING, NULL, &u) < 0)
                return refuse(w, OUTCOME_INTERNAL, "not enough memory");
        u->by_request = true;
        device_begin(d, u);
        return OUTCOME_DONE;
}

/* It does not come back by itself, and nothing below it comes in its place. */
static void pass_over(Device *d, const Update *u) {
        const char *version = update_version(u);
        Record *r = d->record;

        if (u->kind == UPDATE_ADOPT)
                d->not_adopted = *update_digest(u);
        if (u->kind != UPDATE_UPGRADE)
                return;
        if (streq(r->approved, version))
                r->approved[0] = '\0';
        if (!version_is_valid(r->running.version) ||
                        version_compare(version, r->running.version) > 0)
                record_pass_over(r, version, "since it was canceled");
        device_save(d);
}

Outcome device_request_cancel(Device *d, Why *w) {
        Update *u = d->update;

        if (!u)
                return refuse(w, OUTCOME_NOT_RUNNING, "no update of %s is under way", device_id(d));
        if (u->state == UPDATE_REPORTING)
                return refuse(w, OUTCOME_NOT_RUNNING, "the update of %s has ended already",
                                device_id(d));
        if (!update_is_untouched(u))
                return refuse(w, OUTCOME_TOO_LATE,
                                "the device is being written already; the update goes on to its end");
        pass_over(d, u);
        update_drop(u, "canceled by request");
        return OUTCOME_DONE;
}

Outcome device_request_hold(Device *d, bool hold, Why *w) {
        if (d->record->hold == hold)
                return OUTCOME_DONE;
        d->record->hold = hold;
        device_save(d);
        event_device(d, hold ? "hold" : "unhold", OUTCOME_DONE,
                        hold ? "nothing is done to it by itself from now on" : "updates go on");
        if (hold && d->update && d->update->state == UPDATE_STRANDED)
                d->update->timer = sd_event_source_disable_unref(d->update->timer);
        if (!hold && d->update && d->update->state == UPDATE_STRANDED)
                stranded_wake(d->update);
        manager_consider(d->manager);
        return OUTCOME_DONE;
}

static Outcome refuse_adoption(const Device *d, Why *w) {
        if (d->update)
                return busy(d, w);
        if (d->record->identity_changed)
                return refuse(w, OUTCOME_IDENTITY_CHANGED, "another unit answers in place of %s",
                                device_id(d));
        return OUTCOME_DONE;
}

Outcome device_request_adopt_file(
                Device *d, int fd, const char *version, DeviceFunc func, void *userdata, Why *w) {
        Outcome o = refuse_adoption(d, w);

        if (o != OUTCOME_DONE)
                return o;
        if (!version_is_valid(version))
                return refuse_version(version, w);
        if (!d->record->model[0])
                return refuse(w, OUTCOME_WAIT_DEVICE, "%s was never seen; its model is not known",
                                device_id(d));
        return backup_adopt(d, fd, version, func, userdata, w);
}

Outcome device_request_adopt(Device *d, Why *w) {
        const Record *r = d->record;
        Outcome o = refuse_adoption(d, w);

        if (o != OUTCOME_DONE)
                return o;
        if (r->hold)
                return refuse_held(d, w);
        if (!d->present)
                return refuse(w, OUTCOME_WAIT_DEVICE, "%s does not answer", device_id(d));
        if (sha256_is_zero(&d->identity.digest) || d->identity.in_bootloader)
                return refuse(w, OUTCOME_CANNOT_READ_BACK,
                                "%s reports no running program: adopt a file with its version",
                                device_id(d));
        if (r->backup.known && sha256_equal(&r->backup.digest, &d->identity.digest) &&
                        store_has(d->manager->store, &r->backup.digest))
                return refuse(w, OUTCOME_ALREADY_RUNNING, "what runs is the backup already");
        if (d->identity.health != DEVICE_HEALTH_HEALTHY)
                return refuse(w, OUTCOME_NOT_HEALTHY,
                                "the running program does not answer healthy");
        d->not_adopted = (Sha256){};
        return device_consider_adopt(d, w) ? OUTCOME_DONE : OUTCOME_CANNOT_READ_BACK;
}

static void accept_unit(Device *d) {
        Record *r = d->record;

        if (record_is_claimed_twice(r)) {
                r->claimed_model[0] = r->claimed_serial[0] = '\0';
                r->identity_changed = false;
                event_device(d, "accepted", OUTCOME_DONE, "%s serial %s stays this device",
                                r->model, r->serial);
                return;
        }
        if (!streq(r->model, r->claimed_model)) {
                /* Another kind of device: nothing that was kept fits it. */
                r->backup = r->previous = r->running = (RecordImage){};
                r->floor[0] = '\0';
                record_end_pass_over(r);
                (void)record_clear_bad(r, NULL);
        }
        (void)snprintf(r->model, sizeof(r->model), "%s", r->claimed_model);
        (void)snprintf(r->serial, sizeof(r->serial), "%s", r->claimed_serial);
        r->claimed_model[0] = r->claimed_serial[0] = '\0';
        r->identity_changed = false;
        r->capabilities = 0; /* it tells */
        r->push_id = 0;
        r->foreign_push = false;
        r->stranded_since = 0;
        r->stranded_tries = 0;
        r->erases = 0;
        d->known = false;
        event_device(d, "accepted", OUTCOME_DONE, "%s serial %s is this device from now on",
                        r->model, r->serial);
}

/* What was begun for the former unit has no meaning for this one. */
static void end_for_other_unit(Update *u) {
        u->outcome = OUTCOME_IDENTITY_CHANGED;
        (void)snprintf(u->text, sizeof(u->text), "another unit was accepted in the middle of it");
        update_enter(u, UPDATE_REPORTING);
}

Outcome device_request_accept(Device *d, Why *w) {
        Record *r = d->record;

        if (!r->identity_changed && !r->foreign_push)
                return refuse(w, OUTCOME_NOT_RUNNING, "there is nothing to accept of %s",
                                device_id(d));
        if (d->update && d->update->entering)
                return refuse(w, OUTCOME_BUSY, "%s is between two steps; try again", device_id(d));
        if (r->foreign_push && !r->identity_changed && !d->known)
                return refuse(w, OUTCOME_WAIT_DEVICE,
                                "%s did not answer since the start: which push is meant?",
                                device_id(d));
        if (r->identity_changed) {
                bool same = record_is_claimed_twice(r);

                accept_unit(d);
                if (!same && d->update && d->update->state != UPDATE_REPORTING)
                        end_for_other_unit(d->update);
        }
        if (r->foreign_push && d->known) {
                /* From now on it is as if it were ours. */
                r->foreign_push = false;
                r->push_id = d->identity.push_id;
                event_device(d, "accepted", OUTCOME_DONE, "the foreign push is taken over");
        }
        device_save(d);
        device_ask_soon(d, 0);
        manager_consider(d->manager);
        return OUTCOME_DONE;
}

Outcome device_request_approve(Device *d, const char *version, Why *w) {
        _cleanup_free_ Release **list = NULL;
        ValidateInput in;
        Verdict verdict;
        size_t n, i;

        if (version && !version_is_valid(version))
                return refuse_version(version, w);
        if (!version) {
                if (device_releases(d, &list, &n) < 0)
                        return refuse(w, OUTCOME_INTERNAL, "not enough memory");
                device_validate_input(d, &in);
                if (validate_select(&in, list, n, &i, &verdict) < 0 ||
                                verdict.outcome != OUTCOME_WAIT_APPROVAL)
                        return refuse(w, OUTCOME_NOT_RUNNING,
                                        "nothing waits for the approval of %s", device_id(d));
                version = list[i]->version;
        }
        (void)snprintf(d->record->approved, sizeof(d->record->approved), "%s", version);
        device_save(d);
        event_device(d, "approved", OUTCOME_DONE, "%s is approved", version);
        manager_consider(d->manager);
        return OUTCOME_DONE;
}

Outcome device_request_clear_bad(Device *d, const char *digest_hex, Why *w) {
        Sha256 digest;
        size_t n;

        if (digest_hex && sha256_from_hex(digest_hex, &digest) < 0)
                return refuse(w, OUTCOME_INVALID_ARGUMENT, "\"%s\" is no SHA-256 in hexadecimal",
                                digest_hex);
        n = record_clear_bad(d->record, digest_hex ? &digest : NULL);
        if (n == 0)
                return refuse(w, OUTCOME_NOT_RUNNING, "the bad list of %s has no such entry",
                                device_id(d));
        d->retry_usec = 0;
        device_save(d);
        event_device(d, "clear-bad", OUTCOME_DONE, "%zu entries of the bad list removed", n);
        manager_consider(d->manager);
        return OUTCOME_DONE;
}

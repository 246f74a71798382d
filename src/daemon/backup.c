/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of all devices wait in one line, of which the first has a slice hashed in each turn of
 * the loop: however many are asked for, the lines have their turn. A file that is adopted comes
 * piece by piece from its child, goes hashed into a temporary of the store, and becomes an image
 * when all of it is there; a device adopts one at a time. */
#include "daemon/backup.h"

#include "daemon/event.h"
#include "daemon/folder-read.h"
#include "daemon/stages.h"

struct BackupCheck {
        Device *device;
        Sha256 digests[2];
        unsigned n, at;
        StoreReader *reader; /* of digests[at]; NULL: not begun */
        DeviceFunc func;
        void *userdata;
        struct BackupCheck *next;
};

struct BackupFile {
        Device *device;
        DeviceFunc func; /* NULL: forgotten */
        void *userdata;
        RecordImage image;
        int64_t erase_day;   /* of the device when it was asked for, */
        uint64_t erases;     /* and how often it was erased on that day */
        FolderRead *reading; /* NULL: all of it is there */
        StoreAdder *adder;   /* NULL: the store makes it durable */
        int error;           /* of the store, while bytes came */
        Why why;
};

/* ---- checks ---- */

static struct BackupCheck *check_free(struct BackupCheck *c) {
        store_reader_free(c->reader);
        free(c);
        return NULL;
}

/* Out of the line. */
static void take_check(Manager *m, struct BackupCheck *c) {
        for (struct BackupCheck **p = &m->checks; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        break;
                }
        if (!m->checks)
                m->check_source = sd_event_source_disable_unref(m->check_source);
}

static void end_check(Manager *m, struct BackupCheck *c, Outcome outcome, const Why *w) {
        DeviceFunc func = c->func;
        void *userdata = c->userdata;

        take_check(m, c);
        (void)check_free(c);
        func(outcome, w, userdata);
}

static int on_check(sd_event_source *source, void *userdata) {
        Manager *m = userdata;
        struct BackupCheck *c = m->checks;
        Why w = {};
        int r;

        if (!c->reader) {
                r = store_checker_new(m->store, c->digests + c->at, &c->reader, &w);
                r = r < 0 ? r : 1;
        } else {
                r = store_reader_step(c->reader, &w);
        }
        if (r > 0)
                return 0;
        c->reader = store_reader_free(c->reader);
        if (r < 0)
                end_check(m, c, OUTCOME_DIGEST_MISMATCH, &w);
        else if (++c->at == c->n)
                end_check(m, c, OUTCOME_DONE, &w);
        return 0;
}

static int add_check(Manager *m, struct BackupCheck *c) {
        struct BackupCheck **end = &m->checks;
        int r = 0;

        if (!m->check_source)
                r = sd_event_add_defer(m->event, &m->check_source, on_check, m);
        if (r >= 0)
                r = sd_event_source_set_enabled(m->check_source, SD_EVENT_ON);
        if (r < 0)
                return r;
        while (*end)
                end = &(*end)->next;
        *end = c;
        return 0;
}

Outcome backup_check(Device *d, DeviceFunc func, void *userdata, Why *w) {
        const Record *r = d->record;
        struct BackupCheck *c;

        if (!r->backup.known) {
                (void)why(w, 0, "%s has no backup", device_id(d));
                return OUTCOME_NO_BACKUP;
        }
        c = new0(struct BackupCheck, 1);
        if (c) {
                *c = (struct BackupCheck){ .device = d, .func = func, .userdata = userdata };
                c->digests[c->n++] = r->backup.digest;
                if (r->previous.known)
                        c->digests[c->n++] = r->previous.digest;
        }
        if (!c || add_check(d->manager, c) < 0) {
                free(c);
                (void)why_oom(w);
                return OUTCOME_INTERNAL;
        }
        return OUTCOME_DONE;
}

/* ---- files ---- */

static struct BackupFile *file_free(struct BackupFile *f) {
        Device *d = f->device;

        device_saved_forget(d, f);
        store_forget(d->manager->store, f);
        folder_read_free(f->reading);
        store_adder_free(f->adder);
        free(f);
        d->adopting = NULL;
        return NULL;
}

static void end_file(struct BackupFile *f, Outcome outcome, const Why *w) {
        DeviceFunc func = f->func;
        void *userdata = f->userdata;
        const Why said = w ? *w : (const Why){};

        (void)file_free(f);
        if (func)
                func(outcome, &said, userdata);
}

static void refuse_file(struct BackupFile *f, int error) {
        Why w;

        switch (error) {
        case 0:
                (void)why(&w, 0, "the file is empty");
                break;
        case -ENOTSUP:
                (void)why(&w, 0, "that is not a regular file; the program's own bytes are wanted");
                break;
        case -EFBIG:
                (void)why(&w, 0, "the file is larger than a program may be, %d MiB",
                                (int)(RELEASE_IMAGE_MAX >> 20));
                break;
        default:
                (void)why(&w, 0, "the file cannot be read: %s", strerror(-error));
                break;
        }
        end_file(f, OUTCOME_INVALID_ARGUMENT, &w);
}

static void refuse_store(struct BackupFile *f, int error, const Why *w) {
        end_file(f, error == -ENOSPC ? OUTCOME_NO_SPACE : OUTCOME_STORE_FAILED, w);
}

static void on_recorded(int error, void *userdata) {
        end_file(userdata, OUTCOME_DONE, NULL);
}

/* What a person says of the program that was there is not said of the one that comes. */
static bool is_written_meanwhile(struct BackupFile *f) {
        const Update *u = f->device->update;
        const Record *r = f->device->record;
        Why w;

        if (r->erase_day == f->erase_day && r->erases == f->erases &&
                        (!u || update_is_untouched(u)))
                return false;
        (void)why(&w, 0, "an update of %s has begun meanwhile: what runs on it is another matter",
                        device_id(f->device));
        end_file(f, OUTCOME_BUSY, &w);
        return true;
}

static void on_stored(int error, void *userdata) {
        struct BackupFile *f = userdata;
        Device *d = f->device;

        if (error < 0) {
                manager_fatal(d->manager, error, "an image could not be made durable");
                return;
        }
        if (is_written_meanwhile(f))
                return;
        record_confirm(d->record, &f->image, NULL);
        device_save(d);
        event_device(d, "adopted", OUTCOME_DONE, "%s is kept as its backup (declared)",
                        f->image.version);
        manager_consider(d->manager);
        if (device_when_saved(d, on_recorded, f) < 0)
                manager_fatal(d->manager, -ENOMEM, "a request could not be answered");
}

static void store_file(struct BackupFile *f) {
        _cleanup_(release_freep) Release *release = NULL;
        const Device *d = f->device;
        const Sha256 *running = &d->identity.digest;
        RecordImage *image = &f->image;
        Why w;
        int r;

        image->length = store_adder_length(f->adder);
        if (store_adder_digest(f->adder, &image->digest) < 0 ||
                        release_new_bare(d->record->model, image->version, image->length,
                                        &image->digest, &release) < 0) {
                (void)why_oom(&w);
                end_file(f, OUTCOME_INTERNAL, &w);
                return;
        }
        /* What the device itself reports outranks what a person says. */
        if (!sha256_is_zero(running) && !sha256_equal(running, &image->digest)) {
                (void)why(&w, 0, "the device reports another digest than this file has");
                end_file(f, OUTCOME_DIGEST_MISMATCH, &w);
                return;
        }
        image->declared = sha256_is_zero(running);
        r = store_adder_commit(f->adder, release, on_stored, f, &w);
        if (r < 0) {
                refuse_store(f, r, &w);
                return;
        }
        f->adder = store_adder_free(f->adder);
}

static void on_read(int error, const char *text, void *userdata) {
        struct BackupFile *f = userdata;

        f->reading = NULL;
        if (f->error < 0)
                refuse_store(f, f->error, &f->why);
        else if (error < 0 || store_adder_length(f->adder) == 0)
                refuse_file(f, error);
        else if (!is_written_meanwhile(f))
                store_file(f);
}

static int on_bytes(const void *bytes, size_t n, void *userdata) {
        struct BackupFile *f = userdata;

        f->error = store_adder_write(f->adder, bytes, n, &f->why);
        return f->error;
}

static int begin_file(struct BackupFile *f, int fd, Why *w) {
        Manager *m = f->device->manager;
        const FolderRequest request = {
                .folder_fd = fd,
                .limit = RELEASE_IMAGE_MAX,
                .on_bytes = on_bytes,
                .on_done = on_read,
                .userdata = f,
        };
        int r;

        r = store_adder_new(m->store, &f->adder, w);
        if (r < 0)
                return r;
        r = folder_read_new(m->event, &request, &f->reading);
        return r < 0 ? why(w, r, "the file cannot be read: %s", strerror(-r)) : 0;
}

Outcome backup_adopt(
                Device *d, int fd, const char *version, DeviceFunc func, void *userdata, Why *w) {
        struct BackupFile *f;
        int r;

        if (d->adopting) {
                (void)why(w, 0, "a file is being adopted already");
                return OUTCOME_BUSY;
        }
        f = new0(struct BackupFile, 1);
        if (!f) {
                (void)why_oom(w);
                return OUTCOME_INTERNAL;
        }
        *f = (struct BackupFile){ .device = d, .func = func, .userdata = userdata };
        f->image = (RecordImage){ .known = true, .since = clock_now(d->manager->clock) };
        (void)snprintf(f->image.version, sizeof(f->image.version), "%s", version);
        f->erase_day = d->record->erase_day;
        f->erases = d->record->erases;
        d->adopting = f;
        r = begin_file(f, fd, w);
        if (r >= 0)
                return OUTCOME_DONE;
        (void)file_free(f);
        return r == -ENOSPC ? OUTCOME_NO_SPACE : OUTCOME_STORE_FAILED;
}

const Sha256 *backup_adopting(const Device *d) {
        return d->adopting && !d->adopting->adder ? &d->adopting->image.digest : NULL;
}

/* ---- the end ---- */

void backup_forget(Device *d, void *userdata) {
        struct BackupFile *f = d->adopting;

        for (struct BackupCheck *c = d->manager->checks, *next; c; c = next) {
                next = c->next;
                if (c->userdata != userdata)
                        continue;
                take_check(d->manager, c);
                (void)check_free(c);
        }
        if (!f || f->userdata != userdata)
                return;
        f->func = NULL;
        if (f->reading)
                (void)file_free(f);
}

void backup_free(Device *d) {
        for (struct BackupCheck *c = d->manager->checks, *next; c; c = next) {
                next = c->next;
                if (c->device != d)
                        continue;
                take_check(d->manager, c);
                (void)check_free(c);
        }
        if (d->adopting)
                (void)file_free(d->adopting);
}

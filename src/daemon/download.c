/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Downloading: the file of a release comes through the fetcher into the store, or from the folder
 * that somebody handed over, if that gives it. Broken transfers go on where they stopped
 * (Range with If-Range); what does not match the signed metadata ends the update. */
#include <inttypes.h>

#include "basic/log.h"
#include "daemon/ask.h"
#include "daemon/folder-read.h"
#include "daemon/stages.h"
#include "daemon/update.h"
#include "daemon/verify.h"

#define PAUSE_MIN_USEC (5 * USEC_PER_SEC)

struct Download {
        Update *update;
        StoreWriter *writer;
        FetchCall *call;
        FolderRead *reading;
        bool started; /* the server's answer began: what the file holds fits it */
        uint64_t folder_bytes;
        sd_event_source *unpacking;
        Why failed; /* why our side stopped the transfer */
        int error;
};

Download *download_free(Download *d) {
        if (!d)
                return NULL;
        d->call = fetch_call_cancel(d->call);
        d->reading = folder_read_free(d->reading);
        sd_event_source_disable_unref(d->unpacking);
        if (d->update->manager->folder_fd >= 0)
                manager_consider(d->update->manager); /* lets go of it when nobody else wants it */
        store_writer_free(d->writer);
        free(d);
        return NULL;
}
DEFINE_TRIVIAL_CLEANUP_FUNC(Download *, download_free);

bool download_reads_folder(const Download *d) {
        return d->reading;
}

static int take(Download *d, const void *bytes, size_t n) {
        Update *u = d->update;
        int r;

        r = store_writer_write(d->writer, bytes, n, &d->failed);
        if (r < 0) {
                d->error = r;
                return r;
        }
        u->progress.done_bytes = store_writer_offset(d->writer);
        update_set_rate(u);
        device_changed(u->device, DEVICE_CHANGED_PROGRESS);
        return 0;
}

static int on_body(FetchCall *call, unsigned status, bool resumed, const void *bytes, size_t n,
                void *userdata) {
        Download *d = userdata;
        int r;

        if (status != 200 && status != 206)
                return 0; /* the text of an error page */
        if (!d->started && !resumed) {
                /* The tag at once: who knows whether this transfer ever ends. */
                _cleanup_free_ char *etag = fetch_call_etag(call);

                r = store_writer_restart(d->writer, etag);
                if (r < 0) {
                        d->error = why(&d->failed, r, "the download cannot be stored: %s",
                                        strerror(-r));
                        return r;
                }
        }
        d->started = true;
        return take(d, bytes, n);
}

static void on_stored(int error, void *userdata) {
        Download *d = userdata;
        Update *u = d->update;

        if (error < 0) {
                manager_fatal(u->manager, error, "an image could not be made durable");
                return;
        }
        update_success(u);
}

static void cannot_store(Download *d, int error, const Why *w) {
        Update *u = d->update;

        switch (error) {
        case -EBADMSG:
                update_failure(u, OUTCOME_IMAGE_INVALID, "%s", w->text);
                break;
        case -ESTALE: /* nothing is left of it: the next time is the first */
                update_enter(u, UPDATE_DOWNLOADING);
                break;
        case -ENOSPC:
                update_failure(u, OUTCOME_NO_SPACE, "%s", w->text);
                break;
        default:
                update_failure(u, OUTCOME_STORE_FAILED, "the image cannot be stored: %s", w->text);
                break;
        }
}

/* One slice; the lines have their turn in between. */
static int on_unpack(sd_event_source *source, void *userdata) {
        Download *d = userdata;
        Why w;
        int r;

        r = store_writer_unpack(d->writer, &w);
        if (r > 0)
                return 0;
        d->unpacking = sd_event_source_disable_unref(d->unpacking);
        if (r == 0)
                r = store_writer_commit(d->writer, on_stored, d, &w);
        if (r < 0)
                cannot_store(d, r, &w);
        return 0;
}

static void complete(Download *d) {
        int r;

        r = sd_event_add_defer(d->update->manager->event, &d->unpacking, on_unpack, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->unpacking, SD_EVENT_ON);
        if (r < 0)
                manager_fatal(d->update->manager, r, "a download could not be unpacked");
}

static void broken(Download *d, const FetchResult *result) {
        Update *u = d->update;
        uint64_t have = store_writer_offset(d->writer);

        update_wait(u, UPDATE_DOWNLOADING, OUTCOME_WAIT_SERVER,
                        "the download of %s stopped after %" PRIu64 " of %" PRIu64 " bytes: %s%s%s",
                        u->candidate->version, have, u->candidate->file_length, u->folder_text.text,
                        *u->folder_text.text ? "; the server: " : "",
                        result->text && *result->text ? result->text : strerror(-result->error));
}

/* The server's answer was complete, and still it is not all that was signed. */
static void too_short(Download *d) {
        Update *u = d->update;
        uint64_t have = store_writer_offset(d->writer);

        (void)store_writer_restart(d->writer, NULL);
        update_failure(u, OUTCOME_IMAGE_INVALID,
                        "%s has %" PRIu64 " bytes on the server instead of the %" PRIu64
                        " bytes that were signed",
                        u->candidate->target, have, u->candidate->file_length);
}

/* Our side stopped the transfer, or the file is larger than it may be. */
static void spoilt(Download *d, const char *source) {
        Update *u = d->update;

        if (d->error == -ENOSPC)
                update_failure(u, OUTCOME_NO_SPACE, "%s", d->failed.text);
        else if (d->error < 0 && d->error != -EFBIG)
                update_failure(u, OUTCOME_STORE_FAILED, "%s", d->failed.text);
        else
                update_failure(u, OUTCOME_IMAGE_INVALID,
                                "%s more than the %" PRIu64 " bytes that were signed", source,
                                u->candidate->file_length);
}

static void on_done(FetchCall *call, const FetchResult *result, void *userdata) {
        Download *d = userdata;
        Update *u = d->update;

        d->call = NULL;
        if (d->error < 0 || result->error == -EFBIG)
                spoilt(d, "the server sends");
        else if (result->error < 0)
                broken(d, result);
        else if (result->status == 404 || result->status == 410)
                update_failure(u, OUTCOME_IMAGE_INVALID, "the server has no file %s (HTTP %u)",
                                u->candidate->target, result->status);
        else if (result->status == 416) {
                (void)store_writer_restart(d->writer, NULL);
                broken(d, result);
        } else if (result->status != 200 && result->status != 206)
                broken(d, result);
        else if (store_writer_offset(d->writer) < u->candidate->file_length)
                too_short(d);
        else
                complete(d);
}

static int ask_server(Download *d, Why *w) {
        Update *u = d->update;
        uint64_t have = store_writer_offset(d->writer);
        _cleanup_free_ char *url = NULL;
        FetchRequest request = {
                .kind = FETCH_TRANSFER,
                .method = "GET",
                .byte_limit = u->candidate->file_length - have,
                .resume_offset = have,
                .if_range = have > 0 ? store_writer_etag(d->writer) : NULL,
        };
        int r;

        if (have > 0 && !request.if_range) {
                /* Nothing ties these bytes to what the server has now. */
                r = store_writer_restart(d->writer, NULL);
                if (r < 0)
                        return why(w, r, "the download cannot be stored: %s", strerror(-r));
                request.resume_offset = 0;
        }
        /* A server may answer a resume with the whole file. */
        request.byte_limit = u->candidate->file_length;
        r = verify_target_url(u->manager, u->candidate, &url);
        if (r < 0)
                return why_oom(w);
        request.url = url;
        return fetch_client_call(u->manager->fetch, &request, on_body, on_done, d, &d->call, w);
}

/* It is not there, breaks off or is gone: then the server has to have it. */
static void on_folder_done(int error, const char *text, void *userdata) {
        Download *d = userdata;
        Update *u = d->update;
        Why w;

        d->reading = NULL;
        if (d->error < 0) {
                spoilt(d, "the folder holds");
                return;
        }
        if (error >= 0 && d->folder_bytes == u->candidate->file_length) {
                complete(d);
                return;
        }
        if (error >= 0)
                (void)why(&u->folder_text, 0, "%s in the folder has %" PRIu64 " bytes only",
                                u->candidate->target, d->folder_bytes);
        else
                (void)why(&u->folder_text, 0, "%s", text);
        (void)log_full(LOG_WARNING, device_id(u->device), 0, "%s", u->folder_text.text);
        manager_consider(u->manager); /* lets go of it when nobody else wants it */
        if (ask_server(d, &w) < 0)
                update_failure(u, OUTCOME_INTERNAL, "%s", w.text);
}

/* What was received before is from elsewhere; it goes when there is something better. */
static int on_folder_bytes(const void *bytes, size_t n, void *userdata) {
        Download *d = userdata;
        int r = 0;

        if (d->folder_bytes == 0)
                r = store_writer_restart(d->writer, NULL);
        if (r < 0) {
                d->error = why(&d->failed, r, "the download cannot be stored: %s", strerror(-r));
                return r;
        }
        d->folder_bytes += n;
        return take(d, bytes, n);
}

/* folder_fd: borrowed; the child that reads has its own. */
static int read_folder(Download *d, int folder_fd, Why *w) {
        Update *u = d->update;
        _cleanup_free_ char *below = NULL, *path = NULL;
        FolderRequest request = {
                .folder_fd = folder_fd,
                .limit = u->candidate->file_length,
                .on_bytes = on_folder_bytes,
                .on_done = on_folder_done,
                .userdata = d,
        };
        int r;

        if (verify_target_path(u->manager, u->candidate, &below) < 0) {
                below = NULL;
                return why_oom(w);
        }
        if (asprintf(&path, "targets/%s", below) < 0) {
                path = NULL;
                return why_oom(w);
        }
        request.path = path;
        u->folder_text = (Why){};
        r = folder_read_new(u->manager->event, &request, &d->reading);
        return r < 0 ? why(w, r, "the folder cannot be read: %s", strerror(-r)) : 0;
}

/* The folder that came with the request, or the one that was verified last. */
static int request(Download *d, Why *w) {
        _cleanup_close_ int own = TAKE_FD(d->update->folder_fd);
        int folder_fd = own >= 0 ? own : d->update->manager->folder_fd;

        return folder_fd >= 0 ? read_folder(d, folder_fd, w) : ask_server(d, w);
}

static int start(Download *d, Why *w) {
        Update *u = d->update;
        _cleanup_free_ Sha256 *keep = NULL;
        size_t n_keep;
        int r;

        r = manager_kept_digests(u->manager, &keep, &n_keep);
        if (r < 0)
                return why_oom(w);
        if (u->manager->reserve)
                reserve_refill(u->manager->reserve);
        r = store_make_room(u->manager->store,
                        store_bytes_needed(u->candidate) + store_reserve_missing(u->manager->store),
                        keep, n_keep);
        if (r < 0 && r != -ENOSPC)
                return why(w, r, "the store cannot be looked through: %s", strerror(-r));
        return store_writer_new(u->manager->store, u->candidate, &d->writer, w);
}

void download_start(Update *u) {
        _cleanup_(download_freep) Download *d = NULL;
        Why w;
        int r;

        /* It takes a while, and the device may come to need us. */
        device_ask_soon(u->device, u->manager->config->status_interval_usec);
        if (store_has(u->manager->store, &u->candidate->image_digest)) {
                update_success(u);
                return;
        }
        d = new0(Download, 1);
        if (!d) {
                manager_fatal(u->manager, -ENOMEM, "a download could not begin");
                return;
        }
        d->update = u;
        r = start(d, &w);
        if (r == -ENOSPC) {
                update_failure(u, OUTCOME_NO_SPACE, "%s", w.text);
                return;
        }
        if (r < 0) {
                update_failure(u, OUTCOME_STORE_FAILED, "%s", w.text);
                return;
        }
        u->progress.total_bytes = u->candidate->file_length;
        u->progress.done_bytes = store_writer_offset(d->writer);
        update_begin_rate(u);
        u->download = TAKE_PTR(d);
        if (u->progress.done_bytes == u->candidate->file_length) {
                complete(u->download);
                return;
        }
        r = request(u->download, &w);
        if (r < 0)
                update_failure(u, OUTCOME_INTERNAL, "%s", w.text);
}

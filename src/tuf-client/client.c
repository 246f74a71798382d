/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Client: does the updater's steps one after another. A file is written in full, synced and then
 * renamed; a target has no name before it is known to be good, where the file system can do so. */
#include "tuf-client/client.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "basic/backoff.h"
#include "basic/file.h"
#include "basic/quote.h"
#include "tuf/content.h"

#define FILE_MODE  0644
#define READ_STEP  (64 * 1024)
#define NAME_TRIES 100
#define NAME_STEM  100 /* so much of a name has room in that of a temporary */

struct Client {
        ClientOptions options; /* borrowed texts */
        Getter *getter;
        Updater *updater;
        int folder;
        uint8_t *body;
        size_t length, limit;
};

/* --- the folder ------------------------------------------------------------------------------- */

/* Opened, ours alone until it is closed, and without leftovers. */
static int open_folder(const char *path, Why *w) {
        _cleanup_close_ int fd = -1;
        int r;

        fd = folder_open(AT_FDCWD, path);
        if (fd < 0)
                return why(w, fd, "%s: %s", path, strerror(-fd));
        while (flock(fd, LOCK_EX) < 0)
                if (errno != EINTR)
                        return why(w, -errno, "%s: cannot be locked: %m", path);
        r = folder_sweep_temporaries(fd);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        return TAKE_FD(fd);
}

int client_init(const char *metadata_dir, const char *trusted_root, Why *w) {
        _cleanup_(updater_freep) Updater *u = NULL;
        _cleanup_close_ int folder = -1;
        _cleanup_free_ char *root = NULL;
        UpdaterLocal local = {};
        int r;

        r = file_read(AT_FDCWD, trusted_root, TUF_ROOT_MAX, &root, &local.root_length);
        if (r < 0)
                return why(w, r, "%s: %s", trusted_root, strerror(-r));
        local.root = root;
        r = updater_new(&local, (int64_t)time(NULL), &u, w);
        if (r < 0)
                return why_prefix(w, r, "%s", trusted_root);
        folder = open_folder(metadata_dir, w);
        if (folder < 0)
                return folder;
        r = file_replace(folder, "root.json", root, local.root_length, FILE_MODE);
        return r < 0 ? why(w, r, "%s/root.json: %s", metadata_dir, strerror(-r)) : 0;
}

/* NULL when there is none, or none that could be good. */
static char *read_role(const Client *c, const char *name, size_t max, size_t *ret_n) {
        char *bytes = NULL;

        return file_read(c->folder, name, max, &bytes, ret_n) < 0 ? NULL : bytes;
}

static int load(Client *c, Why *w) {
        _cleanup_free_ char *root = NULL, *timestamp = NULL, *snapshot = NULL, *targets = NULL;
        UpdaterLocal local = {};
        int r;

        r = file_read(c->folder, "root.json", TUF_ROOT_MAX, &root, &local.root_length);
        if (r < 0)
                return why(w, r, "%s/root.json: %s; init puts it there", c->options.metadata_dir,
                                strerror(-r));
        timestamp = read_role(c, "timestamp.json", TUF_TIMESTAMP_MAX, &local.timestamp_length);
        snapshot = read_role(c, "snapshot.json", TUF_SNAPSHOT_MAX, &local.snapshot_length);
        targets = read_role(c, "targets.json", TUF_TARGETS_MAX, &local.targets_length);
        local.root = root;
        local.timestamp = timestamp;
        local.snapshot = snapshot;
        local.targets = targets;
        return updater_new(&local, (int64_t)time(NULL), &c->updater, w);
}

int client_new(const ClientOptions *options, Client **ret, Why *w) {
        _cleanup_(client_freep) Client *c = new0(Client, 1);
        int r;

        if (!c)
                return why_oom(w);
        c->options = *options;
        c->folder = open_folder(options->metadata_dir, w);
        if (c->folder < 0)
                return c->folder;
        r = load(c, w);
        if (r >= 0)
                r = getter_new(&options->getter, &c->getter, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

Client *client_free(Client *c) {
        if (!c)
                return NULL;
        (void)updater_free(c->updater);
        (void)getter_free(c->getter);
        c->folder = close_fd(c->folder);
        free(c->body);
        free(c);
        return NULL;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* One byte more than is allowed is kept, for the updater to see. */
static int on_metadata(const void *bytes, size_t n, void *userdata) {
        Client *c = userdata;
        size_t room = c->limit + 1 - c->length;

        memcpy(c->body + c->length, bytes, MIN(n, room));
        c->length += MIN(n, room);
        return c->length > c->limit ? -EFBIG : 0;
}

static int fetch(Client *c, const UpdaterStep *step, Why *w) {
        _cleanup_free_ char *url = NULL;
        uint8_t *larger;
        Why text;
        int r;

        larger = realloc(c->body, step->limit + 1);
        if (!larger || asprintf(&url, "%s/%s", c->options.getter.metadata_url, step->name) < 0) {
                url = NULL;
                return why_oom(w);
        }
        c->body = larger;
        c->length = 0;
        c->limit = step->limit;
        r = getter_get(c->getter, url, step->limit, on_metadata, c, &text);
        if (r == -ENOENT)
                updater_not_found(c->updater);
        else if (r == -EFBIG || r >= 0)
                updater_bytes(c->updater, c->body, c->length);
        else
                updater_error(c->updater, text.text);
        return 0;
}

static int store(Client *c, const UpdaterStep *step, Why *w) {
        int r;

        r = file_replace(c->folder, step->name, step->bytes, step->length, FILE_MODE);
        if (r < 0)
                return why(w, r, "%s/%s: %s", c->options.metadata_dir, step->name, strerror(-r));
        updater_stored(c->updater);
        return 0;
}

static void load_role(Client *c, const UpdaterStep *step) {
        _cleanup_free_ char *bytes = NULL;
        size_t n = 0;

        bytes = read_role(c, step->name, step->limit, &n);
        if (bytes)
                updater_bytes(c->updater, bytes, n);
        else
                updater_not_found(c->updater);
}

/* Up to the next end. */
static int run(Client *c, Why *w) {
        UpdaterStep step;
        int r = 0;

        while (r >= 0) {
                updater_next(c->updater, &step);
                switch (step.type) {
                case UPDATER_FETCH:
                        r = fetch(c, &step, w);
                        break;
                case UPDATER_LOAD:
                        load_role(c, &step);
                        break;
                case UPDATER_STORE:
                        r = store(c, &step, w);
                        break;
                case UPDATER_DONE:
                        return 0;
                case UPDATER_FAILED:
                        (void)updater_result(c->updater, w);
                        return -EBADMSG;
                }
        }
        return r;
}

int client_refresh(Client *c, Why *w) {
        return run(c, w);
}

/* --- targets ---------------------------------------------------------------------------------- */

typedef struct Download {
        int folder, fd;
        char *name, *temporary; /* NULL: the open file has no name */
        TufContent *content;
        Why why;
} Download;

static void download_done(Download *d) {
        if (d->temporary)
                (void)unlinkat(d->folder, d->temporary, 0);
        (void)close_fd(d->fd);
        (void)close_fd(d->folder);
        (void)tuf_content_free(d->content);
        free(d->name);
        free(d->temporary);
}

/* Flat and safe: no slash is left, and a dot at the beginning is no plain one. */
static char *name_file(const char *target) {
        _cleanup_free_ char *quoted = quote_name(target);
        char *name;

        if (!quoted || quoted[0] != '.')
                return TAKE_PTR(quoted);
        return asprintf(&name, "%%2E%s", quoted + 1) < 0 ? NULL : name;
}

/* True when the file is there with the right bytes. */
static bool is_there(const Download *d, const TufTarget *target) {
        _cleanup_(tuf_content_freep) TufContent *content = NULL;
        _cleanup_free_ uint8_t *buffer = malloc(READ_STEP);
        _cleanup_close_ int fd = -1;
        struct stat st;
        ssize_t n;

        fd = openat(d->folder, d->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !buffer ||
                        tuf_content_new(target, &content, NULL) < 0)
                return false;
        while ((n = read(fd, buffer, READ_STEP)) > 0)
                if (tuf_content_update(content, buffer, (size_t)n, NULL) < 0)
                        return false;
        return n == 0 && tuf_content_finish(content, NULL) >= 0;
}

static int on_target(const void *bytes, size_t n, void *userdata) {
        Download *d = userdata;
        int r;

        r = tuf_content_update(d->content, bytes, n, &d->why);
        if (r < 0)
                return r;
        r = write_all(d->fd, bytes, n);
        return r < 0 ? why(&d->why, r, "%s: %s", d->name, strerror(-r)) : 0;
}

/* Nameless where that is possible. */
static int open_file(Download *d) {
        char stem[NAME_STEM + 1];

        d->fd = openat(d->folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, FILE_MODE);
        if (d->fd >= 0)
                return 0;
        (void)snprintf(stem, sizeof(stem), "%s", d->name);
        d->fd = file_open_temporary(d->folder, stem, FILE_MODE, &d->temporary);
        return d->fd < 0 ? d->fd : 0;
}

/* The name of a temporary file, which another client would sweep if we were killed. */
static int give_name(Download *d) {
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", d->fd);
        for (unsigned try = 0; try < NAME_TRIES && !d->temporary; try++) {
                _cleanup_free_ char *name = NULL;

                if (asprintf(&name, ".%.*s.%06u.tmp", NAME_STEM, d->name, random_u32() % 1000000U) <
                                0) {
                        name = NULL;
                        return -ENOMEM;
                }
                if (linkat(AT_FDCWD, path, d->folder, name, AT_SYMLINK_FOLLOW) == 0)
                        d->temporary = TAKE_PTR(name);
                else if (errno != EEXIST)
                        return -errno;
        }
        return d->temporary ? 0 : -EEXIST;
}

static int keep_file(Download *d) {
        int r = 0;

        if (fsync(d->fd) < 0)
                return -errno;
        if (!d->temporary)
                r = give_name(d);
        if (r >= 0 && renameat(d->folder, d->temporary, d->folder, d->name) < 0)
                r = -errno;
        if (r < 0)
                return r;
        free(TAKE_PTR(d->temporary));
        return fd_sync_folder(d->folder);
}

static int fetch_target(Client *c, Download *d, const TufTarget *target, Why *w) {
        _cleanup_free_ char *path = NULL, *quoted = NULL, *url = NULL;
        int r;

        r = updater_target_path(c->updater, target, &path);
        if (r == -EBADMSG)
                return why(w, r, "%.100s: is no path that can be asked for", target->name);
        quoted = path ? quote_path(path) : NULL;
        if (!quoted || asprintf(&url, "%s/%s", c->options.getter.target_url, quoted) < 0) {
                url = NULL;
                return why_oom(w);
        }
        r = tuf_content_new(target, &d->content, w);
        if (r < 0)
                return r;
        r = open_file(d);
        if (r < 0)
                return why(w, r, "%s: %s", d->name, strerror(-r));
        r = getter_get(c->getter, url, target->length, on_target, d, &d->why);
        if (r >= 0)
                r = tuf_content_finish(d->content, &d->why);
        if (r < 0) {
                *w = d->why;
                return startswith(w->text, "TUF") ? r : why_prefix(w, r, "%.100s", target->name);
        }
        r = keep_file(d);
        return r < 0 ? why(w, r, "%s: %s", d->name, strerror(-r)) : 0;
}

/* Locked by ourselves already. */
static bool is_same_folder(const Client *c, const char *folder) {
        struct stat a, b;

        return fstat(c->folder, &a) >= 0 && stat(folder, &b) >= 0 && a.st_dev == b.st_dev &&
               a.st_ino == b.st_ino;
}

/* Where it goes, and under what name: known to be possible before anybody is asked. */
static int open_place(
                const Client *c, const char *target, const char *folder, Download *d, Why *w) {
        long max;

        d->name = name_file(target);
        if (!d->name)
                return why_oom(w);
        if (is_same_folder(c, folder))
                return why(w, -EINVAL, "--target-dir has to be another folder than --metadata-dir");
        d->folder = open_folder(folder, w);
        if (d->folder < 0)
                return d->folder;
        max = fpathconf(d->folder, _PC_NAME_MAX);
        if (max > 0 && strlen(d->name) > (size_t)max)
                return why(w, -ENAMETOOLONG,
                                "%.150s takes names of %ld bytes at most, and percent-encoded this "
                                "target's has %zu: %.50s...",
                                folder, max, strlen(d->name), target);
        return 0;
}

int client_download(Client *c, const char *name, const char *folder, Why *w) {
        _cleanup_(download_done) Download d = { .folder = -1, .fd = -1 };
        TufTarget target;
        int r;

        r = open_place(c, name, folder, &d, w);
        if (r < 0)
                return r;
        if (updater_look_up(c->updater, name) < 0)
                return why_oom(w);
        r = run(c, w);
        if (r < 0)
                return r;
        if (updater_find_target(c->updater, name, &target) < 0) {
                (void)updater_missing(c->updater, name, w);
                return -ENOENT;
        }
        return is_there(&d, &target) ? 0 : fetch_target(c, &d, &target, w);
}

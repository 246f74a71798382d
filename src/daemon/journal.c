/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Journal: lines in and out (pure), and the file that grows by them.
 *
 * The first line comes with a whole new file (temporary, fsync, rename, fsync of the folder), so
 * that no empty file is ever durable; later lines are appended to it. Whenever the object does
 * not know what is in the file (nothing yet, or writes under way that it was told to forget) the
 * next line replaces it again: each line is the whole state. */
#include <assert.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "basic/names.h"
#include "daemon/journal.h"
#include "proto/crc.h"

#define SUFFIX         ".journal"
#define SUFFIX_DAMAGED ".damaged"
#define CRC_DIGITS     8
#define LENGTH_DIGITS  5 /* JOURNAL_LINE_MAX has no more */

struct Journal {
        Sync *sync;
        int dirfd;
        char *name;
        int fd;        /* >= 0: the file is known, lines may be appended */
        uint64_t size; /* of the file behind fd */
        SyncJob *job;  /* the write under way, or NULL */
        SyncFunc func;
        void *userdata;
};

static const char *skip_digits(const char *p, const char *end, unsigned base, uint64_t *ret) {
        uint64_t v = 0;

        for (; p < end; p++) {
                int d = *p >= '0' && *p <= '9'                 ? *p - '0'
                        : base == 16 && *p >= 'a' && *p <= 'f' ? *p - 'a' + 10
                                                               : -1;

                if (d < 0)
                        break;
                v = v * base + (unsigned)d;
        }
        *ret = v;
        return p;
}

/* The JSON of a line without its newline, or NULL when its length or checksum does not fit. */
static const char *line_body(const char *line, const char *end, size_t *ret_n) {
        uint64_t length, crc;
        const char *p;

        p = skip_digits(line, MIN(end, line + LENGTH_DIGITS), 10, &length);
        if (p == line || p == end || *p++ != ' ')
                return NULL;
        line = p;
        p = skip_digits(line, MIN(end, line + CRC_DIGITS), 16, &crc);
        if (p != line + CRC_DIGITS || p == end || *p++ != ' ')
                return NULL;
        if ((uint64_t)(end - p) != length || rkd_crc32(p, length) != crc)
                return NULL;
        *ret_n = length;
        return p;
}

/* 0 with the entry, -EBADMSG, -EOPNOTSUPP, -ENOMEM. */
static int line_parse(const char *line, const char *end, json_t **ret, Why *w) {
        _cleanup_json_ json_t *entry = NULL;
        uint64_t format = 0;
        const char *body;
        size_t n;
        int r;

        body = line_body(line, end, &n);
        if (!body)
                return why(w, -EBADMSG, "its length or checksum is wrong");
        r = json_parse(body, n, &entry, w);
        if (r < 0)
                return r;
        if (!json_is_object(entry))
                return why(w, -EBADMSG, "it is no object");
        r = json_get_uint(entry, "entry", "format", 1, INT64_MAX, &format, w);
        if (r < 0)
                return r;
        if (format > JOURNAL_FORMAT)
                return why(w, -EOPNOTSUPP, "format %llu is newer than this program, which knows %d",
                                (unsigned long long)format, JOURNAL_FORMAT);
        *ret = TAKE_PTR(entry);
        return 0;
}

/* journal_parse(), and the end of the last good line. */
static int parse_until(const char *bytes, size_t n, json_t **ret_last, size_t *ret_good,
                bool *ret_damaged, Why *w) {
        const char *p = bytes, *end = bytes + n;
        _cleanup_json_ json_t *last = NULL;
        Why first = { "" };
        bool bad = false, damaged = false;
        size_t good = 0;
        unsigned number = 0;

        while (p < end) {
                const char *newline = memchr(p, '\n', (size_t)(end - p));
                json_t *entry = NULL;
                Why detail = { "" };
                int r;

                /* What was wrong and is not the last line was no torn write. */
                damaged = damaged || bad;
                number++;
                if (!newline)
                        break;
                r = line_parse(p, newline, &entry, &detail);
                p = newline + 1;
                if (r == -EOPNOTSUPP || r == -ENOMEM)
                        return why(w, r, "line %u: %s", number, detail.text);
                if (r < 0) {
                        if (!bad)
                                (void)why(&first, 0, "line %u: %s", number, detail.text);
                        bad = true;
                        continue;
                }
                json_decref(last);
                last = entry;
                good = (size_t)(p - bytes);
        }
        if (damaged)
                (void)why(w, 0, "%s", first.text);
        *ret_last = TAKE_PTR(last);
        *ret_good = good;
        *ret_damaged = damaged;
        return 0;
}

int journal_parse(const char *bytes, size_t n, json_t **ret_last, bool *ret_damaged, Why *w) {
        size_t good;

        return parse_until(bytes, n, ret_last, &good, ret_damaged, w);
}

int journal_format(const json_t *entry, char **ret, size_t *ret_n) {
        _cleanup_json_ json_t *copy = json_copy((json_t *)entry);
        _cleanup_free_ char *text = NULL;
        char *line;
        int n;

        assert(json_is_object(entry));
        if (!copy || json_object_set_new(copy, "format", json_integer(JOURNAL_FORMAT)) < 0)
                return -ENOMEM;
        text = json_print(copy);
        if (!text)
                return -ENOMEM;
        if (strlen(text) + LENGTH_DIGITS + CRC_DIGITS + 3 > JOURNAL_LINE_MAX)
                return -E2BIG;
        n = asprintf(&line, "%zu %08x %s\n", strlen(text), rkd_crc32(text, strlen(text)), text);
        if (n < 0)
                return -ENOMEM;
        *ret = line;
        *ret_n = (size_t)n;
        return 0;
}

int journal_new(Sync *sync, int dirfd, const char *device_id, Journal **ret) {
        _cleanup_(journal_freep) Journal *j = NULL;

        if (!name_is_valid(device_id))
                return -EINVAL;
        j = new0(Journal, 1);
        if (!j)
                return -ENOMEM;
        *j = (Journal){ .sync = sync, .dirfd = dirfd, .fd = -1 };
        if (asprintf(&j->name, "%s" SUFFIX, device_id) < 0) {
                j->name = NULL;
                return -ENOMEM;
        }
        *ret = TAKE_PTR(j);
        return 0;
}

Journal *journal_free(Journal *j) {
        if (!j)
                return NULL;
        journal_forget(j);
        j->fd = close_fd(j->fd);
        free(j->name);
        free(j);
        return NULL;
}

static int open_for_append(Journal *j, uint64_t size) {
        int fd = openat(j->dirfd, j->name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0)
                return -errno;
        j->fd = fd;
        j->size = size;
        return 0;
}

/* Only the good lines stay, durably. */
static int cut(Journal *j, size_t good) {
        int r;

        r = open_for_append(j, good);
        if (r < 0)
                return r;
        if (ftruncate(j->fd, (off_t)good) < 0 || fsync(j->fd) < 0) {
                r = -errno;
                j->fd = close_fd(j->fd);
                return r;
        }
        return 0;
}

/* A file without any good line: a torn first line is nothing, the rest is kept for people to
 * look at. */
static int put_away(Journal *j, bool damaged) {
        _cleanup_free_ char *aside = NULL;

        if (!damaged) {
                if (unlinkat(j->dirfd, j->name, 0) < 0)
                        return -errno;
                return fd_sync_folder(j->dirfd);
        }
        if (asprintf(&aside, "%s" SUFFIX_DAMAGED, j->name) < 0) {
                aside = NULL;
                return -ENOMEM;
        }
        if (renameat(j->dirfd, j->name, j->dirfd, aside) < 0)
                return -errno;
        return fd_sync_folder(j->dirfd);
}

int journal_load(Journal *j, json_t **ret_last, Why *w) {
        _cleanup_json_ json_t *last = NULL;
        _cleanup_free_ char *bytes = NULL;
        bool damaged = false;
        size_t n, good = 0;
        int r;

        assert(!j->job);
        j->fd = close_fd(j->fd);
        r = file_read(j->dirfd, j->name, JOURNAL_FILE_MAX, &bytes, &n);
        if (r == -ENOENT) {
                *ret_last = NULL;
                return 0;
        }
        if (r == -EFBIG) {
                damaged = true;
                (void)why(w, 0, "the file is larger than %d bytes", JOURNAL_FILE_MAX);
        } else if (r < 0)
                return why(w, r, "%s: %s", j->name, strerror(-r));
        else
                r = parse_until(bytes, n, &last, &good, &damaged, w);
        if (r == -EOPNOTSUPP || r == -ENOMEM)
                return why_prefix(w, r, "%s", j->name);
        if (damaged)
                (void)why_prefix(w, 0, "%s", j->name);
        r = last ? cut(j, good) : put_away(j, damaged);
        if (r < 0)
                return why(w, r, "%s: %s", j->name, strerror(-r));
        *ret_last = TAKE_PTR(last);
        return damaged ? JOURNAL_E_DAMAGED : 0;
}

/* Callbacks of the user last: it may append, close again, or free. */
static void finish(Journal *j, int error) {
        SyncFunc func = j->func;
        void *userdata = j->userdata;

        j->job = NULL;
        j->func = NULL;
        if (func)
                func(error, userdata);
}

static void on_appended(int error, void *userdata) {
        finish(userdata, error);
}

static void on_replaced(int error, void *userdata) {
        Journal *j = userdata;

        if (error == 0 && open_for_append(j, j->size) < 0)
                j->fd = -1; /* the next line replaces the file again */
        finish(j, error);
}

static void on_closed(int error, void *userdata) {
        finish(userdata, error);
}

static int append_line(Journal *j, const char *line, size_t n) {
        int r;

        r = sync_write_bytes(j->sync, j->fd, line, n);
        if (r == 0)
                r = sync_file(j->sync, j->fd, on_appended, j, &j->job);
        if (r < 0) {
                /* A rest that cannot be cut off is ignored as torn; but nothing may follow it. */
                if (ftruncate(j->fd, (off_t)j->size) < 0)
                        j->fd = close_fd(j->fd);
                return r;
        }
        j->size += n;
        return 0;
}

static int replace_by_line(Journal *j, const char *line, size_t n) {
        int r;

        r = sync_write(j->sync, j->dirfd, j->name, line, n, on_replaced, j, &j->job);
        if (r < 0)
                return r;
        j->fd = close_fd(j->fd);
        j->size = n;
        return 0;
}

int journal_append(Journal *j, const json_t *entry, SyncFunc func, void *userdata) {
        _cleanup_free_ char *line = NULL;
        size_t n;
        int r;

        if (j->job)
                return -EBUSY;
        r = journal_format(entry, &line, &n);
        if (r < 0)
                return r;
        if (j->fd >= 0 && j->size + n <= JOURNAL_FILE_MAX)
                r = append_line(j, line, n);
        else
                r = replace_by_line(j, line, n);
        if (r < 0)
                return r;
        j->func = func;
        j->userdata = userdata;
        return 0;
}

int journal_close(Journal *j, SyncFunc func, void *userdata) {
        int r;

        if (j->job)
                return -EBUSY;
        r = sync_unlink(j->sync, j->dirfd, j->name, on_closed, j, &j->job);
        if (r < 0)
                return r;
        j->fd = close_fd(j->fd);
        j->func = func;
        j->userdata = userdata;
        return 0;
}

void journal_forget(Journal *j) {
        if (!j->job)
                return;
        j->job = sync_job_forget(j->job);
        j->func = NULL;
        j->fd = close_fd(j->fd);
}

static void strv_free(char **list) {
        for (char **p = list; p && *p; p++)
                free(*p);
        free(list);
}
DEFINE_TRIVIAL_CLEANUP_FUNC(char **, strv_free);

static int strv_add(char ***list, size_t *n, char *taken) {
        char **p = taken ? realloc(*list, (*n + 2) * sizeof(char *)) : NULL;

        if (!p) {
                free(taken);
                return -ENOMEM;
        }
        p[(*n)++] = taken;
        p[*n] = NULL;
        *list = p;
        return 0;
}

/* Length of the id in "ID.journal", 0: no journal. */
static size_t id_length(const char *name) {
        size_t n = strlen(name), tail = strlen(SUFFIX);

        if (name[0] == '.' || n <= tail || n - tail > NAME_MAX_LENGTH ||
                        !streq(name + n - tail, SUFFIX))
                return 0;
        return n - tail;
}

int journal_list(int dirfd, char ***ret) {
        _cleanup_(strv_freep) char **list = new0(char *, 1);
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *entry;
        size_t n = 0;
        int r;

        if (!list)
                return -ENOMEM;
        r = folder_sweep_temporaries(dirfd);
        if (r < 0)
                return r;
        r = folder_list(dirfd, ".", &dir);
        if (r < 0)
                return r;
        for (errno = 0; (entry = readdir(dir)); errno = 0) {
                size_t length = id_length(entry->d_name);

                if (length == 0)
                        continue;
                r = strv_add(&list, &n, strndup(entry->d_name, length));
                if (r < 0)
                        return r;
        }
        if (errno != 0)
                return -errno;
        *ret = TAKE_PTR(list);
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* History and outbox. History is one growing file and one former one; a line that was torn by a
 * power cut is ended at the next start and counted as damaged when it is read. The outbox is a
 * list in memory of the files in its folder: their order and whether they are results, so that
 * making room never needs to read. */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "basic/names.h"
#include "daemon/history.h"

#define FORMAT          1
#define EVENT_MAX       (64 * 1024)
#define FILE_NAME       "history.jsonl"
#define FORMER_NAME     "history.jsonl.1"
#define OUTBOX_NAME     "outbox"
#define OUTBOX_SUFFIX   ".json"
#define SEQUENCE_DIGITS 20
#define REPORT_NAME_MAX (SEQUENCE_DIGITS + sizeof(OUTBOX_SUFFIX))

typedef struct Report {
        uint64_t sequence;
        bool result;
} Report;

struct History {
        Sync *sync;
        int dirfd;
        int fd; /* of the growing file */
        uint64_t size;
        int outbox_fd;
        Report reports[OUTBOX_MAX]; /* ascending */
        size_t n_reports;
        uint64_t last_sequence;
};

/* The event as text, with its format. */
static int print(const json_t *event, char **ret) {
        _cleanup_json_ json_t *copy = json_copy((json_t *)event);
        char *text;

        assert(json_is_object(event));
        if (!copy || json_object_set_new(copy, "format", json_integer(FORMAT)) < 0)
                return -ENOMEM;
        text = json_print(copy);
        if (!text)
                return -ENOMEM;
        if (strlen(text) >= EVENT_MAX) {
                free(text);
                return -E2BIG;
        }
        *ret = text;
        return 0;
}

static int event_parse(const char *bytes, size_t n, json_t **ret) {
        _cleanup_json_ json_t *o = NULL;
        uint64_t format = 0;
        int r;

        r = json_parse(bytes, n, &o, NULL);
        if (r < 0)
                return r;
        if (!json_is_object(o) || json_get_uint(o, "event", "format", 1, FORMAT, &format, NULL) < 0)
                return -EBADMSG;
        *ret = TAKE_PTR(o);
        return 0;
}

/* ---- outbox ---- */

static void report_name(uint64_t sequence, char ret[static REPORT_NAME_MAX]) {
        (void)snprintf(ret, REPORT_NAME_MAX, "%0*" PRIu64 OUTBOX_SUFFIX, SEQUENCE_DIGITS, sequence);
}

static int report_sequence(const char *name, uint64_t *ret) {
        char digits[SEQUENCE_DIGITS + 1];

        if (strlen(name) != SEQUENCE_DIGITS + strlen(OUTBOX_SUFFIX) ||
                        !streq(name + SEQUENCE_DIGITS, OUTBOX_SUFFIX))
                return -EINVAL;
        memcpy(digits, name, SEQUENCE_DIGITS);
        digits[SEQUENCE_DIGITS] = '\0';
        return parse_uint64(digits, 1, INT64_MAX, ret);
}

static bool is_result(const json_t *report) {
        const char *kind = json_string_value(json_object_get(report, "event"));

        return kind && streq(kind, "result");
}

int outbox_read(History *h, uint64_t sequence, json_t **ret) {
        _cleanup_free_ char *bytes = NULL;
        char name[REPORT_NAME_MAX];
        size_t n;
        int r;

        report_name(sequence, name);
        r = file_read(h->outbox_fd, name, EVENT_MAX, &bytes, &n);
        if (r < 0)
                return r == -EFBIG ? -EBADMSG : r;
        return event_parse(bytes, n, ret);
}

static void report_drop(History *h, size_t i) {
        memmove(h->reports + i, h->reports + i + 1, (h->n_reports - i - 1) * sizeof(Report));
        h->n_reports--;
}

/* The first to go: the oldest that is no result, else the oldest. */
static size_t find_victim(const History *h) {
        for (size_t i = 0; i < h->n_reports; i++)
                if (!h->reports[i].result)
                        return i;
        return 0;
}

/* At start: sorted in, and where there are too many the first to go is removed from disk. */
static void report_found(History *h, uint64_t sequence) {
        _cleanup_json_ json_t *report = NULL;
        char name[REPORT_NAME_MAX];
        size_t i;

        if (h->n_reports == OUTBOX_MAX) {
                i = find_victim(h);
                report_name(h->reports[i].sequence, name);
                (void)unlinkat(h->outbox_fd, name, 0);
                report_drop(h, i);
        }
        (void)outbox_read(h, sequence, &report);
        for (i = h->n_reports; i > 0 && h->reports[i - 1].sequence > sequence; i--)
                h->reports[i] = h->reports[i - 1];
        h->reports[i] = (Report){ .sequence = sequence, .result = is_result(report) };
        h->n_reports++;
        h->last_sequence = MAX(h->last_sequence, sequence);
}

static int outbox_load(History *h) {
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *entry;
        uint64_t sequence;
        int r;

        r = folder_make(h->dirfd, OUTBOX_NAME, 0700);
        if (r < 0)
                return r;
        h->outbox_fd = folder_open(h->dirfd, OUTBOX_NAME);
        if (h->outbox_fd < 0)
                return h->outbox_fd;
        r = folder_sweep_temporaries(h->outbox_fd);
        if (r < 0)
                return r;
        r = folder_list(h->outbox_fd, ".", &dir);
        if (r < 0)
                return r;
        for (errno = 0; (entry = readdir(dir)); errno = 0)
                if (report_sequence(entry->d_name, &sequence) == 0)
                        report_found(h, sequence);
        return errno != 0 ? -errno : 0;
}

static int report_remove(History *h, size_t i, SyncFunc func, void *userdata) {
        char name[REPORT_NAME_MAX];
        int r;

        report_name(h->reports[i].sequence, name);
        r = sync_unlink(h->sync, h->outbox_fd, name, func, userdata, NULL);
        if (r < 0)
                return r;
        report_drop(h, i);
        return 0;
}

int outbox_put(History *h, const json_t *report, SyncFunc func, void *userdata) {
        _cleanup_free_ char *text = NULL;
        char name[REPORT_NAME_MAX];
        int r;

        r = print(report, &text);
        if (r < 0)
                return r;
        if (h->n_reports == OUTBOX_MAX) {
                r = report_remove(h, find_victim(h), NULL, NULL);
                if (r < 0)
                        return r;
        }
        report_name(h->last_sequence + 1, name);
        r = sync_write(h->sync, h->outbox_fd, name, text, strlen(text), func, userdata, NULL);
        if (r < 0)
                return r;
        h->reports[h->n_reports++] =
                        (Report){ .sequence = ++h->last_sequence, .result = is_result(report) };
        return 0;
}

int outbox_list(History *h, uint64_t **ret, size_t *ret_n) {
        uint64_t *list = new0(uint64_t, h->n_reports + 1);

        if (!list)
                return -ENOMEM;
        for (size_t i = 0; i < h->n_reports; i++)
                list[i] = h->reports[i].sequence;
        *ret = list;
        *ret_n = h->n_reports;
        return 0;
}

int outbox_remove(History *h, uint64_t sequence, SyncFunc func, void *userdata) {
        for (size_t i = 0; i < h->n_reports; i++)
                if (h->reports[i].sequence == sequence)
                        return report_remove(h, i, func, userdata);
        return -ENOENT;
}

/* ---- history ---- */

static int open_file(History *h) {
        struct stat st;

        h->fd = openat(h->dirfd, FILE_NAME, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                        0600);
        if (h->fd < 0 || fstat(h->fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EEXIST;
        h->size = (uint64_t)st.st_size;
        return 0;
}

/* A line that a power cut tore is ended, so that it spoils no other. What a killed run has
 * written is there for good from now on: whoever finds it need not write it again. */
static int settle(History *h) {
        char last = '\n';
        int r;

        if (h->size > 0 && pread(h->fd, &last, 1, (off_t)h->size - 1) != 1)
                return -EIO;
        if (last != '\n') {
                r = write_all(h->fd, "\n", 1);
                if (r < 0)
                        return r;
                h->size++;
        }
        return fsync(h->fd) < 0 ? -errno : 0;
}

int history_new(Sync *sync, int state_dirfd, History **ret) {
        _cleanup_(history_freep) History *h = NULL;
        int r;

        h = new0(History, 1);
        if (!h)
                return -ENOMEM;
        h->sync = sync;
        h->dirfd = state_dirfd;
        h->fd = h->outbox_fd = -1;
        r = open_file(h);
        if (r == 0)
                r = settle(h);
        if (r == 0)
                r = fd_sync_folder(state_dirfd);
        if (r == 0)
                r = outbox_load(h);
        if (r == 0)
                r = fd_sync_folder(h->outbox_fd);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(h);
        return 0;
}

History *history_free(History *h) {
        if (!h)
                return NULL;
        (void)close_fd(h->fd);
        (void)close_fd(h->outbox_fd);
        free(h);
        return NULL;
}

/* What is in the former file is durable line by line; the names become so with the next line. */
static int rotate(History *h) {
        int r;

        if (renameat(h->dirfd, FILE_NAME, h->dirfd, FORMER_NAME) < 0)
                return -errno;
        h->fd = close_fd(h->fd);
        r = open_file(h);
        if (r < 0)
                return r;
        return sync_file(h->sync, h->dirfd, NULL, NULL, NULL);
}

int history_append(History *h, const json_t *event, SyncFunc func, void *userdata) {
        _cleanup_free_ char *text = NULL;
        size_t n;
        int r;

        r = print(event, &text);
        if (r < 0)
                return r;
        n = strlen(text);
        text[n++] = '\n'; /* in place of the NUL */
        if (h->fd < 0 || h->size + n > HISTORY_MAX) {
                r = h->fd < 0 ? open_file(h) : rotate(h);
                if (r < 0)
                        return r;
        }
        r = sync_write_bytes(h->sync, h->fd, text, n);
        if (r == 0)
                r = sync_file(h->sync, h->fd, func, userdata, NULL);
        if (r < 0) {
                (void)ftruncate(h->fd, (off_t)h->size);
                return r;
        }
        h->size += n;
        return 0;
}

static bool concerns(const json_t *event, const char *device) {
        const char *s = json_string_value(json_object_get(event, "device"));

        return !device || (s && streq(s, device));
}

/* Goes through the lines of a file from its end, until array has max events. */
static int read_backwards(History *h, const char *name, const char *device, size_t max,
                json_t *array, size_t *damaged) {
        _cleanup_free_ char *bytes = NULL;
        size_t n, end;
        int r;

        r = file_read(h->dirfd, name, HISTORY_MAX + EVENT_MAX, &bytes, &n);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return r;
        for (end = n; end > 0 && json_array_size(array) < max;) {
                const char *newline = end > 1 ? memrchr(bytes, '\n', end - 1) : NULL;
                size_t begin = newline ? (size_t)(newline - bytes) + 1 : 0;
                _cleanup_json_ json_t *event = NULL;
                size_t length = end - begin;

                length -= bytes[end - 1] == '\n';
                end = begin;
                r = event_parse(bytes + begin, length, &event);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        (*damaged)++;
                else if (concerns(event, device) && json_array_append(array, event) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int history_read(History *h, const char *device, size_t max, json_t **ret, size_t *ret_damaged) {
        _cleanup_json_ json_t *newest_first = json_array(), *array = json_array();
        size_t damaged = 0;
        int r;

        if (!newest_first || !array)
                return -ENOMEM;
        r = read_backwards(h, FILE_NAME, device, max, newest_first, &damaged);
        if (r == 0)
                r = read_backwards(h, FORMER_NAME, device, max, newest_first, &damaged);
        if (r < 0)
                return r;
        for (size_t i = json_array_size(newest_first); i-- > 0;)
                if (json_array_append(array, json_array_get(newest_first, i)) < 0)
                        return -ENOMEM;
        *ret = TAKE_PTR(array);
        if (ret_damaged)
                *ret_damaged = damaged;
        return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Journal: updates/<device-id>.journal, the open update of one device: one line per entry,
 * "LENGTH CRC JSON\n" (decimal bytes of JSON, 8 hex digits CRC-32 over JSON), fsync each; a torn
 * last line is ignored, damage before it is told. Every entry is the whole state of the update,
 * so the last good one is all that a restart needs. */
#pragma once

#include "basic/json.h"
#include "basic/sync.h"

#define JOURNAL_FORMAT   1
#define JOURNAL_LINE_MAX (64 * 1024)
#define JOURNAL_FILE_MAX (4 * 1024 * 1024)

typedef struct Journal Journal;

/* dirfd: of updates/, borrowed for the object's life. Opens or creates nothing yet. */
int journal_new(Sync *sync, int dirfd, const char *device_id, Journal **ret);
Journal *journal_free(Journal *j);
DEFINE_TRIVIAL_CLEANUP_FUNC(Journal *, journal_free);

/* Pure: last good entry of the file's bytes; *ret NULL when there is none. *ret_damaged:
 * something before the last line was damaged (the text says which line). -EOPNOTSUPP: an entry
 * of a newer format, -ENOMEM. */
int journal_parse(const char *bytes, size_t n, json_t **ret_last, bool *ret_damaged, Why *w);
/* Pure: one line for an entry (an object; its member "format" is set here); new string. -E2BIG
 * above JOURNAL_LINE_MAX. */
int journal_format(const json_t *entry, char **ret, size_t *ret_n);

enum {
        JOURNAL_E_DAMAGED = 1,
};

/* Reads the file, cuts a torn tail, *ret_last NULL when there is no journal. Blocking; at start
 * only. JOURNAL_E_DAMAGED: *ret_last is set as for 0, but something else than a torn last line
 * was wrong, and w says what; a file without any good entry is then set aside as NAME.damaged. */
int journal_load(Journal *j, json_t **ret_last, Why *w);

/* Appends and syncs; func once it is on disk. One at a time: -EBUSY while one is open. On
 * failure the file is as before. A file that would outgrow JOURNAL_FILE_MAX is replaced by the
 * one new line. */
int journal_append(Journal *j, const json_t *entry, SyncFunc func, void *userdata);
/* The update is over: removes the file durably. */
int journal_close(Journal *j, SyncFunc func, void *userdata);
/* Forgets callbacks (the update dies, the writes go on). */
void journal_forget(Journal *j);

/* Device ids that have a journal: NULL-ended list, free each and the list. At start: sweeps the
 * temporaries of a killed run. */
int journal_list(int dirfd, char ***ret);

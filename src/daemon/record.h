/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Record: what the gateway knows of one device, as in devices/<id>.json. A plain value: parse,
 * print, change; the device object makes it durable. Format in rekindle-state(5). */
#pragma once

#include "basic/json.h"
#include "image/version.h"

#define RECORD_FORMAT  1
#define RECORD_MAX     (256 * 1024)
#define RECORD_BAD_MAX 64 /* oldest fall out */

typedef struct RecordImage {
        bool known; /* false: none */
        char version[VERSION_MAX + 1];
        Sha256 digest;
        uint64_t length;
        bool declared; /* a person said so (backup adopt FILE); else verified by digest */
        int64_t since; /* confirmed, adopted or seen: seconds since 1970 */
} RecordImage;

typedef struct RecordBad {
        Sha256 digest;
        char version[VERSION_MAX + 1];
        char reason[96]; /* outcome-like word and what was seen: "watchdog: 3 starts used up" */
        int64_t since;
} RecordBad;

typedef struct Record {
        char id[65];
        char model[65], hardware[65], serial[65],
                        bootloader_version[65]; /* pinned at first contact: model, serial */
        char port[65];
        unsigned address;
        char protocol[16];
        uint64_t program_space;
        uint32_t capabilities; /* DriverCapability, as last told */
        RecordImage running;
        RecordImage backup, previous;
        RecordBad *bad;
        size_t n_bad;
        char floor[VERSION_MAX + 1]; /* "": none */
        bool hold;
        /* another unit claimed this id, or this one changed: refused until accepted */
        bool identity_changed;
        char claimed_model[65], claimed_serial[65];
        bool foreign_push; /* a foreign push is open: until accepted */
        /* of the last push of ours that the device told of, or accepted; 0: none */
        uint64_t push_id;
        char approved[VERSION_MAX + 1]; /* version that a person approved; "": none */
        /* Up to this version nothing is installed by itself, because a person chose otherwise: how;
         * "": none. */
        char passed_over[VERSION_MAX + 1], passed_over_by[96];
        /* stranded and wear */
        int64_t stranded_since; /* 0: not */
        uint64_t stranded_tries;
        int64_t erase_day; /* days since 1970 */
        uint64_t erases;   /* pushes that erased on that day */
        int64_t last_seen;
} Record;

int record_new(const char *id, Record **ret);
Record *record_free(Record *r);
DEFINE_TRIVIAL_CLEANUP_FUNC(Record *, record_free);
Record *record_copy(const Record *r);

int record_parse(const char *bytes, size_t n, Record **ret,
                Why *w);             /* strict; -EBADMSG, -EOPNOTSUPP (newer format) */
char *record_print(const Record *r); /* JSON text; NULL: out of memory */

/* A second unit says that it is this one: identity_changed, and what it claims is the same. */
bool record_is_claimed_twice(const Record *r);
bool record_is_bad(const Record *r, const Sha256 *digest);
int record_add_bad(Record *r, const Sha256 *digest, const char *version, const char *reason,
                int64_t now);
/* digest NULL: all. Returns how many were removed. A digest on the bad list is never kept as
 * backup or previous (add removes it there). */
size_t record_clear_bad(Record *r, const Sha256 *digest);

/* A person does not want the version, or one below it, to come by itself. The highest counts. */
void record_pass_over(Record *r, const char *version, const char *by);
void record_end_pass_over(Record *r);

/* Confirm of a candidate: backup becomes previous (unless it is the same digest or bad),
 * candidate becomes backup; floor raised (NULL: none). */
void record_confirm(Record *r, const RecordImage *candidate, const char *floor);
/* Confirm of the restored previous: previous becomes backup, previous becomes empty. */
void record_confirm_previous(Record *r);

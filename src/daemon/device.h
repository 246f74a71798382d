/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device: one attached unit as the gateway sees it: its record (made durable here), what it said
 * last, its driver, and the update under way. Stays while known, plugged in or not. */
#pragma once

#include "basic/backoff.h"
#include "basic/share.h"
#include "daemon/manager.h"
#include "daemon/record.h"
#include "daemon/update.h"

typedef enum DeviceChange {
        DEVICE_CHANGED_STATE = 1 << 0, /* anything that is not below */
        DEVICE_CHANGED_PROGRESS = 1 << 1,
        DEVICE_CHANGED_RECORD = 1 << 2,
} DeviceChange;

struct Device {
        Manager *manager;
        Record *record;
        const ConfigDevice *config; /* NULL: found by itself */
        ManagerPort *port;          /* NULL: not seen since start */
        Driver *driver;
        bool present;                        /* answered the last identify */
        bool stale;                          /* an update ended since it told its identity */
        bool known;                          /* identity is from this run */
        DriverIdentity identity;             /* as last told */
        uint64_t seen_usec, bootloader_usec; /* monotonic; since when in its bootloader, 0: not */
        uint64_t healthy_usec;               /* healthy without a break since; 0: not */
        unsigned silent;                     /* identifies without an answer in a row */

        Update *update; /* NULL: none open */
        /* last result, for the faces */
        Outcome last_outcome;
        Why last_text;
        int64_t last_time;
        Verdict verdict; /* of the last consideration */

        Exchange *status;
        sd_event_source *status_timer;
        uint64_t status_pause_usec;
        SyncJob *saving;
        bool save_again;
        bool save_due;           /* what a device says of itself changed again too soon */
        uint64_t told_save_usec; /* when such a change was written last */
        Share told_events, told_presence;
        struct DeviceSaved *saved; /* who waits for the record to be on disk */
        Why unhealthy;             /* what is wrong with the confirmed program; empty: nothing */
        unsigned crashes;          /* abnormal resets of it in a row, … */
        uint64_t crash_usec;       /* … the last one noticed then, … */
        unsigned boots;            /* … at this count of the push … */
        uint64_t boots_push_id;
        struct BackupFile *adopting; /* what a person says is running, while it is stored */
        Sha256 not_adopted;          /* a person canceled its adoption; all zero: of none */
        Backoff retry;               /* pauses between automatic tries of the same candidate */
        uint64_t retry_usec;         /* not before this monotonic time; 0: now */
        Sha256 retry_candidate;
        unsigned in_vain;            /* tries of that one which the device did not take */
        sd_event_source *look_timer; /* when a pause or the day is over */
};

/* Makes the object for an id, with the record given (consumed) or a new one. */
int device_new(Manager *m, const char *id, Record *record, Device **ret);
Device *device_free(Device *d);
DEFINE_TRIVIAL_CLEANUP_FUNC(Device *, device_free);

const char *device_id(const Device *d);
/* "idle", "absent", ... or the update's state: "pushing", "trial", "waiting", ... */
const char *device_state(const Device *d);
/* One sentence about that state. */
void device_state_text(const Device *d, Why *ret);
/* One sentence about what its update does. */
void device_update_text(const Update *u, Why *ret);

/* Judges the confirmed program by what the device told last. */
void device_watch_health(Device *d);

/* The record has changed: writes it (one write at a time, the newest wins); trouble is fatal. */
void device_save(Device *d);
/* The same for what a device says of itself: one that says another thing each time must not wear
 * out the disk. Written with the next change, or when the device is heard some seconds later. */
void device_save_told(Device *d);
/* func runs when everything changed so far is on disk (at once if it is). */
int device_when_saved(Device *d, SyncFunc func, void *userdata);
/* The same, and the state that its update is about to enter is in the journal: a power cut does
 * not take back what was asked of it so far. */
int device_when_durable(Device *d, SyncFunc func, void *userdata);
void device_saved_forget(Device *d, void *userdata);
/* The state of its update is in the journal, and no other is asked for. */
void device_entered(Device *d);

/* What an exchange with this device brought: identity, presence, pins. Returns false when the
 * unit is another one than expected. */
bool device_heard(Device *d, const DriverResult *result);
void device_lost(Device *d);
/* A second unit says on that port that it is this one. */
void device_claimed_twice(Device *d, const char *port);
/* Fills what every request to the driver has in common. */
void device_request(const Device *d, DriverOp op, DriverRequest *ret);
/* The releases are fresh: an update that still waits goes on, or ends when its candidate is no
 * longer the one that is offered. */
void device_refreshed(Device *d);
/* The last refresh was good, and no longer offers the release. */
bool device_is_withdrawn(const Device *d, const Release *candidate);
/* A push was begun on it that nobody has confirmed; it is not ours and nobody has accepted it. */
bool device_push_is_open(const DriverIdentity *id);
bool device_push_is_foreign(const Device *d, const DriverIdentity *id);
/* Pushes that erased are counted by the day; how many of them happen by themselves is bounded. */
void device_count_erase(Device *d);
bool device_cap_reached(const Device *d);
uint64_t device_cap_left_usec(const Device *d); /* until the next day begins, in UTC */
/* Looks whether there is anything to do, and starts it. */
void device_consider(Device *d);
/* Reports no program that could run, and nothing is there to restore. */
bool device_is_blank(const Device *d);
/* Adopts what runs, from the repository or by reading back; false: neither can be, w says why. */
bool device_consider_adopt(Device *d, Why *w);
void device_ask_soon(Device *d, uint64_t usec);
/* A program that could run stands behind its bootloader, which our questions keep awake: starts
 * it. */
void device_let_start(Device *d);
/* The input of validate() as things are now. */
void device_validate_input(const Device *d, ValidateInput *ret);
/* Releases of this device's model; pointers into the manager's; new array. */
int device_releases(const Device *d, Release ***ret, size_t *ret_n);
void device_changed(Device *d, unsigned what);

/* An update is at its end: when may the same be tried again by itself? */
void device_count_try(Device *d, const Update *u);
/* An update ended (it is freed already). */
void device_finished(Device *d, Outcome outcome, const Why *text);
/* Starts an update; consumes it. */
void device_begin(Device *d, Update *u);

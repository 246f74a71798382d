/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sync: makes writes durable without stalling the event loop. One child process, forked at start,
 * receives descriptors over a socket pair and does, one job after another in the order of
 * submission: fsync, renameat and fsync of the folder. The caller has written the bytes before; the
 * callback runs on the loop when they are safe.
 *
 * A failed fsync is final: the kernel may have dropped the pages (fsync(2), NOTES), so nobody may
 * try again and believe it. The callback gets the error, and the owner of the daemon stops it; the
 * next start reads what is true. The same holds when the child dies: every open job ends with -EIO.
 * After a failed job the child does none of the later ones, for they may build on it: they end with
 * -EIO.
 *
 * Names are those of entries of the folder, without slash. Submitting fails with -EINVAL or
 * -ENAMETOOLONG for other names, with -ENOBUFS when 4096 jobs are open, and with -EIO when the
 * child is gone; then no callback runs. An open job holds up to two descriptors. Callbacks run
 * from the loop only, never inside the submitting call, and must not free the Sync. */
#pragma once

#include <systemd/sd-event.h>

#include "cleanup.h"
#include "reserve.h"

typedef struct Sync Sync;
typedef struct SyncJob SyncJob;

typedef void (*SyncFunc)(int error, void *userdata);

int sync_new(Sync **ret, sd_event *event);
/* Open jobs are forgotten, their callbacks do not run; the child ends what it has received and
 * is waited for. Who needs the rest done runs the loop until sync_is_idle(). */
Sync *sync_free(Sync *sync);
DEFINE_TRIVIAL_CLEANUP_FUNC(Sync *, sync_free);

/* Writes that find the disk full take from it; borrowed, NULL: none. */
void sync_use_reserve(Sync *sync, Reserve *reserve);
/* write_all() that does so. */
int sync_write_bytes(const Sync *sync, int fd, const void *bytes, size_t n);

/* fsync of fd (the file is open for writing; duplicated, the caller keeps his). */
int sync_file(Sync *sync, int fd, SyncFunc func, void *userdata, SyncJob **ret);
/* fsync(fd), renameat(dirfd, from, dirfd, to), fsync(dirfd). */
int sync_replace(Sync *sync, int fd, int dirfd, const char *from, const char *to, SyncFunc func,
                void *userdata, SyncJob **ret);
/* Writes bytes into a new temporary in dirfd and submits sync_replace for it. */
int sync_write(Sync *sync, int dirfd, const char *name, const void *bytes, size_t n, SyncFunc func,
                void *userdata, SyncJob **ret);
/* unlinkat(dirfd, name) and fsync(dirfd); a missing file is success. */
int sync_unlink(Sync *sync, int dirfd, const char *name, SyncFunc func, void *userdata,
                SyncJob **ret);

/* The job goes on, its callback will not run. Called with NULL does nothing. Returns NULL. The
 * handle is dead once its callback began. */
SyncJob *sync_job_forget(SyncJob *job);
/* True when no job is open. */
bool sync_is_idle(const Sync *sync);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Backup: what people do with whole images that are kept: the check of them, and the adoption of a
 * file of which they say that it runs. Neither stops the loop: images are hashed in slices, a
 * file is read by a child process. */
#pragma once

#include "daemon/request.h"

/* Checks backup and previous against their digests. OUTCOME_DONE: it began, func tells the rest;
 * else a refusal with its sentence. Checks are done one after another. */
Outcome backup_check(Device *d, DeviceFunc func, void *userdata, Why *w);
/* Keeps the bytes of a file (duplicated) as the backup, declared as this version; durable when
 * func says OUTCOME_DONE. */
Outcome backup_adopt(
                Device *d, int fd, const char *version, DeviceFunc func, void *userdata, Why *w);
/* The callback does not run any more: a check ends, and so does an adoption whose image is not on
 * its way into the store yet. */
void backup_forget(Device *d, void *userdata);
/* All that is under way of this device. */
void backup_free(Device *d);
/* What must stay in the store for an adoption; NULL: nothing. */
const Sha256 *backup_adopting(const Device *d);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Request: what people ask of a device. OUTCOME_DONE: accepted; else a refusal or
 * OUTCOME_ALREADY_RUNNING with its sentence. Accepted is not yet on disk: device_when_durable(). */
#pragma once

#include "daemon/device.h"

/* The end of what takes its time, once. */
typedef void (*DeviceFunc)(Outcome outcome, const Why *w, void *userdata);

/* version NULL: what the server offers; folder_fd: borrowed, has its file; -1: none. */
Outcome device_request_update(Device *d, const char *version, Why *w);
Outcome device_request_update_from(Device *d, const char *version, int folder_fd, Why *w);
Outcome device_request_restore(Device *d, Why *w);
Outcome device_request_cancel(Device *d, Why *w);
Outcome device_request_hold(Device *d, bool hold, Why *w);
/* From the repository or by reading back. */
Outcome device_request_adopt(Device *d, Why *w);
/* Bytes of what a person says is running (declared); see backup_adopt(). */
Outcome device_request_adopt_file(
                Device *d, int fd, const char *version, DeviceFunc func, void *userdata, Why *w);
Outcome device_request_accept(Device *d, Why *w);
Outcome device_request_approve(Device *d, const char *version, Why *w);
Outcome device_request_clear_bad(Device *d, const char *digest_hex, Why *w); /* NULL: all */

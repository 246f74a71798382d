/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Device keys: keys/device-NAME.pem signs for devices, keys/device-NAME.pub.pem is built into
 * them. After a rotation the old pair stays as keys/device-NAME-XXXXXXXX(.pub).pem, by the first
 * digits of its key id. */
#pragma once

#include "repo/new-key.h"

#define DEVICE_PREFIX "device-"

/* uri: of a key in a token, NULL: a new one. Exit codes; have said what they did, and have
 * forgotten the secrets. */
int device_key_make(const char *repo, const char *name, const char *uri, NewKey *k);
int device_key_rotate(const char *repo, const char *name, const char *uri, NewKey *k);

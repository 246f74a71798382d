/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* NativeWorld: what the tests of the native driver share: a driver, a virtual device and line,
 * and a push that fits. */
#pragma once

#include "proto/header.h"
#include "virtual-line.h"

#define WORLD_IMAGE_MAX (256 * 1024)
#define WORLD_LIMIT     (600 * USEC_PER_SEC) /* virtual */

typedef struct NativeWorld {
        VirtualDevice *device;
        Driver *driver;
        VirtualLine line;
        DriverRequest request;
        uint8_t image[WORLD_IMAGE_MAX];
        uint8_t header[RKD_HEADER_MAX];
} NativeWorld;

NativeWorld *world_new(const VirtualConfig *config);
NativeWorld *world_free(NativeWorld *w);
/* Fills image and header: n bytes that no two units share, `seed` makes them another image. */
void world_set_image(NativeWorld *w, size_t n, uint32_t seed, const char *version);
/* Both return NULL when the driver did not end in time. */
const DriverResult *world_run(NativeWorld *w, DriverOp op);
const DriverResult *world_push(NativeWorld *w, uint64_t push_id);
bool world_flash_is_image(const NativeWorld *w);
/* Push, start, confirm: a device in service. */
void world_install(NativeWorld *w, uint64_t push_id);

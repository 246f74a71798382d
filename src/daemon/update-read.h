/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading an image of the store on behalf of an update: in slices, so that other lines do not wait
 * while it is checked. */
#pragma once

#include "daemon/update.h"

typedef struct UpdateRead UpdateRead;

/* error 0: u->image and u->image_release are the update's until it leaves its state; else -errno
 * with its sentence. Not called once the update has left its state. */
typedef void (*UpdateReadFunc)(Update *u, int error, const char *text);

/* func runs once, perhaps at once. Takes the place of a former reading of this state. */
void update_read_image(Update *u, const Sha256 *digest, UpdateReadFunc func);
UpdateRead *update_read_free(UpdateRead *read);

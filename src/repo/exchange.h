/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exchange: a folder of files that changes as a whole. The new one is made beside the old one and
 * the two change places in one rename. */
#pragma once

#include "basic/cleanup.h"

/* Calls for each name in a folder but . and .. ; no folder: no call. < 0 of func stops it. */
int folder_foreach(int parent_fd, const char *path,
                int (*func)(int fd, const char *name, void *userdata), void *userdata);

/* Removes a folder and the files in it, if it is there. */
int folder_remove(int dirfd, const char *path);

/* An empty folder, whatever was there before, with the mode of `like` if that is there; opened. */
int folder_make_fresh(int dirfd, const char *path, const char *like);

/* Puts fresh, whose files are durable, in the place of path, durably. What was there lies under
 * fresh afterwards. */
int folder_exchange(int dirfd, const char *fresh, const char *path);

/* What folder_exchange(), or a hard link, says where a file system cannot do that (old FAT,
 * some of the network), or where the folder is a mount of its own. */
bool is_unable(int r);

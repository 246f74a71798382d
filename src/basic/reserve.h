/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reserve: room on a file system that nobody else can take, for small writes that must succeed
 * when the disk is full. An empty file holds blocks behind its end (fallocate(2),
 * FALLOC_FL_KEEP_SIZE); they are given back piece by piece when a write needs them, and taken
 * again when there is room. On a file system that cannot do so nothing is held, and
 * reserve_missing() says it. */
#pragma once

#include "cleanup.h"

typedef struct Reserve Reserve;

/* Opens or makes dirfd/name and takes the bytes, if there are so many. */
int reserve_new(int dirfd, const char *name, uint64_t bytes, Reserve **ret);
/* What is held stays held. */
Reserve *reserve_free(Reserve *reserve);
DEFINE_TRIVIAL_CLEANUP_FUNC(Reserve *, reserve_free);

/* Bytes of the wanted ones that are not held. */
uint64_t reserve_missing(const Reserve *reserve);
/* Gives a piece back to the file system; false: there was none. NULL holds nothing. */
bool reserve_give(Reserve *reserve);
/* Takes what is missing, all of it or nothing. */
void reserve_refill(Reserve *reserve);

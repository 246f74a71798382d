/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fails the Nth operation on files of this program and of the children that it forks: opening
 * for writing, writing, reserving, cutting, syncing, renaming, removing. Linked in, it stands
 * before the C library. */
#pragma once

#include <stdbool.h>

typedef enum FaultMode {
        FAULT_ONCE, /* the Nth operation is not done and fails with EIO */
        /* neither is any after it: what is on disk then is what a killed program leaves */
        FAULT_CRASH,
        FAULT_SHORT, /* as FAULT_CRASH, but a write that is the Nth does its first half */
        _FAULT_MODE_MAX,
} FaultMode;

/* n from 1. */
void fault_arm(FaultMode mode, unsigned n);
/* Ends it. True when the Nth operation was reached. */
bool fault_disarm(void);

/* SPDX-License-Identifier: MIT */
/*
 * The bootloader's half of the library as one unit, for the smallest code: compile this instead of
 * the files that it includes. The decoder of patches stays on its own.
 */

#define RKD_ALL

#include "device/rkd-begin.c"
#include "device/rkd-boot.c"
#include "device/rkd-check.c"
#include "device/rkd-command.c"
#include "device/rkd-digest.c"
#include "device/rkd-fallback.c"
#include "device/rkd-flash.c"
#include "device/rkd-identity.c"
#include "device/rkd-link.c"
#include "device/rkd-record.c"
#include "device/rkd-sha256.c"
#include "device/rkd-slot.c"
#include "device/rkd-stream.c"

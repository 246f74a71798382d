/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a build of the device library leaves out, and what it knows beforehand: given to the
 * compiler (-DRKD_WITH_READ=0) for all of the library and its callers alike. Everything is in by
 * default. What is out does not exist in RkdPlatform either, and the gateway is told so by
 * identify.
 *
 * RKD_PLATFORM_H names a header ("my-platform.h") with `static const RkdPlatform rkd_platform`: the
 * library is compiled for this one platform then, and the argument of init is not looked at.
 */

/* READ: the gateway may read the program back. */
#ifndef RKD_WITH_READ
#define RKD_WITH_READ 1
#endif

/* SET-BAUD: more than one speed. */
#ifndef RKD_WITH_BAUD
#define RKD_WITH_BAUD 1
#endif

/* The floor can be enforced by the device itself. */
#ifndef RKD_WITH_FLOOR
#define RKD_WITH_FLOOR 1
#endif

/* Device signatures can be demanded. */
#ifndef RKD_WITH_SIGNATURE
#define RKD_WITH_SIGNATURE 1
#endif

/* The bootloader looks for version and digest of a program that it did not install. Without it such
 * a program tells them itself, while it runs. */
#ifndef RKD_WITH_SEARCH
#define RKD_WITH_SEARCH 1
#endif

/* 1: the CPU stands still while flash works, so there is no flash_poll, and erasing and writing are
 * done when they return. 0: RKD_CAN_FLASH_BLOCKS_CPU tells, at run time. */
#ifndef RKD_FLASH_BLOCKS
#define RKD_FLASH_BLOCKS 0
#endif

/* 1: flash can be read at its address like any memory, so there is no flash_read. */
#ifndef RKD_FLASH_MAPPED
#define RKD_FLASH_MAPPED 0
#endif

/* Init checks the rules of RkdPlatform. For a struct that was found good once and is constant. */
#ifndef RKD_WITH_CHECKS
#define RKD_WITH_CHECKS 1
#endif

/* small.c in place of the bootloader's half: as small as can be. Wants RKD_FLASH_BLOCKS and a
 * little-endian machine. */
#ifndef RKD_SMALL
#define RKD_SMALL 0
#endif

/* The library tells its platform what happens. */
#ifndef RKD_WITH_LOG
#define RKD_WITH_LOG (!RKD_SMALL)
#endif
#if RKD_WITH_LOG && RKD_SMALL
#error "the small engine keeps no log"
#endif

/* Rounds of SHA-256 between two moves of its window of 24 words: 64 moves nothing, which is fast
 * and small; 16 takes 192 bytes less of the stack and a third more time. */
#ifndef RKD_SHA256_SLIDE
#define RKD_SHA256_SLIDE 64
#endif

/* There may be two slots for programs. Needs flash_read, which knows where they are. */
#ifndef RKD_WITH_SLOTS
#define RKD_WITH_SLOTS (!RKD_FLASH_MAPPED && !RKD_SMALL)
#endif
#if RKD_WITH_SLOTS && (RKD_FLASH_MAPPED || RKD_SMALL)
#error "two slots need flash_read, and are not in the small engine"
#endif

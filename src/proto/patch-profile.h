/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The profiles of the patch codec (rekindle-patch(7), "Profiles") and what they differ in.
 *
 * A device is built for one profile (RKD_PATCH_PROFILE: 0 no patches, 1 compact, 2 full) and has
 * no memory or code for another's; without that definition there is room for the full one, and
 * the profile is told when a model begins.
 */

#include <stdint.h>

typedef enum RkdPatchProfile {
        RKD_PATCH_NONE = 0,
        RKD_PATCH_COMPACT = 1,
        RKD_PATCH_FULL = 2,
        _RKD_PATCH_PROFILE_MAX,
} RkdPatchProfile;

#ifndef RKD_PATCH_PROFILE
#define RKD_PATCH_IS_FULL(profile) ((profile) == RKD_PATCH_FULL)
#define RKD_PATCH_FULL_SIZES       1
#define RKD_PATCH_IS_BUILT         1
#else
#define RKD_PATCH_IS_FULL(profile) ((void)(profile), RKD_PATCH_PROFILE == 2)
#define RKD_PATCH_FULL_SIZES       (RKD_PATCH_PROFILE == 2)
#define RKD_PATCH_IS_BUILT         (RKD_PATCH_PROFILE != 0)
#endif

/* Entries of the map, and trees of literals. */
#define RKD_PATCH_MAP_COMPACT   48u
#define RKD_PATCH_MAP_FULL      384u
#define RKD_PATCH_TREES_COMPACT 2u
#define RKD_PATCH_TREES_FULL    4u

#if RKD_PATCH_FULL_SIZES
#define RKD_PATCH_MAP_MOST   RKD_PATCH_MAP_FULL
#define RKD_PATCH_TREES_MOST RKD_PATCH_TREES_FULL
#else
#define RKD_PATCH_MAP_MOST   RKD_PATCH_MAP_COMPACT
#define RKD_PATCH_TREES_MOST RKD_PATCH_TREES_COMPACT
#endif

/* codec_profile of the identity: the profile, and this bit where a unit is larger than the page
 * buffer, so that it is erased before it is filled. */
#define RKD_PATCH_ERASES_FIRST 0x80u
/* The first byte of a stream. */
#define RKD_PATCH_FORMAT(codec_profile, isa) ((uint8_t)((codec_profile) | (isa) << 4))

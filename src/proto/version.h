/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Order of versions for a device that enforces its floor: SemVer 2.0.0 precedence; a leading
 * `v`, missing and further numeric fields are tolerated; build fields are compared like
 * pre-release ones, last.
 */

#include "proto/bytes.h"

/* Below 0, 0, above 0: a before, like, after b. Any texts can be compared. */
int rkd_version_compare(RkdText a, RkdText b);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Versions in order: SemVer 2.0.0 precedence, tolerant of a leading `v`, missing fields (1.2 =
 * 1.2.0) and extra numeric fields; build fields are compared like pre-release ones, last. Pure. */
#pragma once

#include "basic/cleanup.h"

#define VERSION_MAX 48

/* 1..48 bytes of [A-Za-z0-9.+~_-] with at least one leading number: what may name a release. */
bool version_is_valid(const char *s);

/* < 0, 0, > 0 as strcmp. Both must be valid. Numbers of any length are compared without
 * overflow. */
int version_compare(const char *a, const char *b);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The device header of a release (rekindle-link(7)): built from its fields, or compared with
 * them. */
#pragma once

#include "image/release.h"

/* Fills release->header with the header that the other fields ask for. -EMSGSIZE when the
 * strings do not fit. */
int release_build_header(Release *release, uint8_t algorithm, Why *w);

/* release->header must say what the other fields say, and its algorithm must fit the signature.
 * -EBADMSG. */
int release_check_header(const Release *release, Why *w);

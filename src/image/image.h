/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Image: the bytes of a program, checked against what a release says: one blob, or a part table
 * whose digest is SHA-256 over (count u16, then offset u32, length u32, sha256 of each part,
 * then the parts' bytes in that order); little-endian. */
#pragma once

#include "image/release.h"

/* Digest of image bytes under the release's part table (NULL parts: of the blob). The caller
 * maps or holds the bytes. */
int image_digest(
                const void *bytes, size_t n, const ReleasePart *parts, size_t n_parts, Sha256 *ret);

/* Length, digest and each part against the release. 0, or -EBADMSG with the sentence. */
int image_check(const void *bytes, size_t n, const Release *release, Why *w);

/* The same for a file; hashed in blocks of 64 KiB. */
int image_check_fd(int fd, const Release *release, Why *w);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Content: the bytes of a target as they come, against what its metadata says (specification
 * 5.7.3): never more than its length, and every hash of a kind known here (SHA-256, SHA-512). */
#pragma once

#include "tuf/updater.h"

typedef struct TufContent TufContent;

/* Copies what it needs of the target. */
int tuf_content_new(const TufTarget *target, TufContent **ret, Why *w);
TufContent *tuf_content_free(TufContent *c);
DEFINE_TRIVIAL_CLEANUP_FUNC(TufContent *, tuf_content_free);

/* -EFBIG: more than its length. */
int tuf_content_update(TufContent *c, const void *bytes, size_t n, Why *w);
/* After the last byte: -EBADMSG when length or a hash is another one. */
int tuf_content_finish(TufContent *c, Why *w);

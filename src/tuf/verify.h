/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verify: whether enough distinct keys of a role signed a piece of metadata. */
#pragma once

#include "tuf/metadata.h"

/* -EKEYREJECTED when the threshold is not met. */
int tuf_verify_by(const TufSigners *signers, const TufMetadata *m, Why *w);
/* The role that m claims, by the keys and threshold that `root` gives to it. */
int tuf_verify(const TufMetadata *root, const TufMetadata *m, Why *w);

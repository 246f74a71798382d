/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pin notes: which token refused the PIN of which source, kept in the publisher's folder, so that
 * a timer does not try the same one hour by hour until the token is locked. Neither the PIN nor a
 * digest of it is kept, because so short a thing is found from its digest: that a source changed
 * is seen from its file. */
#pragma once

#include "basic/error.h"

#define PIN_NOTES "refused-pins.json"

typedef struct PinNotes {
        int repo_fd;
        bool are_obeyed; /* nobody is there who could know better */
} PinNotes;

typedef struct PinSource {
        const char *name; /* a file, or what else has the PIN; NULL: a person */
        bool is_file;
        int dirfd; /* where the file is */
} PinSource;

/* -EACCES: the token refused that PIN before, and where it comes from has not changed. notes:
 * NULL where none are kept, here and below. */
int pin_notes_check(const PinNotes *notes, const char *uri, const PinSource *source, Why *w);
/* The token refused it. Puts into w, behind what it holds, what that means for a timer. */
void pin_notes_add(const PinNotes *notes, const char *uri, const PinSource *source, Why *w);
/* The token took a PIN. */
int pin_notes_forget(const PinNotes *notes, const char *uri, Why *w);

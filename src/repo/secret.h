/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets: where passphrases of encrypted keys and PINs of tokens come from: the files that were
 * named (first line), the environment variable REKINDLE_PASSPHRASE, what was typed before in
 * this run, the terminal. */
#pragma once

#include "repo/pin-note.h"

#define SECRET_MAX       256 /* with the NUL */
#define SECRET_FILES_MAX 8
#define SECRET_VARIABLE  "REKINDLE_PASSPHRASE"

typedef struct Secrets {
        const char *files[SECRET_FILES_MAX];
        size_t n_files;
        char typed[SECRET_MAX];    /* "": nothing yet */
        const PinNotes *pin_notes; /* NULL: none are kept */
} Secrets;

/* Forgets what was typed. */
void secrets_done(Secrets *s);

/* The candidates for `what` one after another: attempt 0, 1, ... -EACCES when there is no further
 * one; the terminal is asked last and once. */
int secrets_get(Secrets *s, const char *what, unsigned attempt, char ret[static SECRET_MAX],
                Why *w);

/* For what can be tried once only (a token locks itself): the first candidate. */
int secrets_first(Secrets *s, const char *what, char ret[static SECRET_MAX], Why *w);
/* Where that one comes from. */
PinSource secrets_first_source(const Secrets *s);

/* A passphrase to encrypt with; typed twice on the terminal unless a file or the variable has it.
 * At least 8 characters. */
int secrets_new(Secrets *s, const char *what, char ret[static SECRET_MAX], Why *w);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Request: a document that people sign one after another. In the publisher's folder it is staged;
 * to those who sign elsewhere it goes as a file: {format, role, signed, signatures, signers,
 * before}, where signers says whose signatures count and before is what it replaces. Whoever
 * signs sees all of it, so nothing in the file has to be believed. */
#pragma once

#include "repo/publish.h"
#include "repo/sign.h"

typedef struct Request {
        char *role;
        Signing signing;
        json_t *before; /* owned; content that is in force, NULL: none */
        json_t *owned;  /* what the signers are borrowed from */
        bool is_new;    /* not staged yet */
} Request;

void request_done(Request *q);

/* What is staged for the role; for targets and teams, what publish would sign now. -ENOENT: no
 * root is staged; -EALREADY: nothing to sign. p: open, with its keyring and clock. */
int request_from_repo(Request *q, Publish *p, const char *role, Why *w);
int request_from_file(Request *q, const char *path, Why *w);
int request_parse(Request *q, const char *bytes, size_t n, Why *w);

int request_save_to_repo(const Request *q, const Repo *repo, Why *w);
int request_save_to_file(const Request *q, const char *path, Why *w);

/* Everything that a signature would stand for, and who signed; printable ASCII, whatever it
 * says. */
void request_print(const Request *q, FILE *out);
/* "root 2: 1 of 2 signatures" and whose are missing. */
void request_print_state(const Request *q, FILE *out);

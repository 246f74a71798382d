/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A publisher's bench: a temporary folder with images, the real rekindle-repo, and a client that
 * refreshes from DIR/public. */
#pragma once

#include "image/release.h"
#include "tuf/updater.h"

#define BENCH_NOW "2030-01-01T00:00:00Z"

typedef struct Bench {
        char *folder;      /* current folder of the programs; the repository is "repo" in it */
        char output[8192]; /* of the last program: standard output and error */
        json_t *local;     /* name → text: what the client stored */
        Updater *updater;  /* of the last refresh */
        Why why;
} Bench;

/* Fixture functions: images app.bin (compressible), noise.bin (not), other.bin; "repo" made by
 * init at BENCH_NOW. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* Runs a command line (words with blanks between; no quoting). Returns the exit code, -1 when a
 * signal ended it. */
int bench_command(Bench *b, const char *line);
/* The same with rekindle-repo before it. */
int bench_run(Bench *b, const char *line);
/* Fails the test unless it exits so, with `text` in its output (NULL: any). */
void bench_expect(Bench *b, int code, const char *line, const char *text);

/* New string with the bytes of a file below the folder; fails the test when it cannot be read. */
char *bench_read(const Bench *b, const char *path, size_t *ret_n);
void bench_write(const Bench *b, const char *path, const void *bytes, size_t n);
bool bench_has(const Bench *b, const char *path);
/* Names, sizes and digests of all files below a folder, sorted: equal text means nothing
 * changed. New string. */
char *bench_list(Bench *b, const char *path);

/* A refresh from repo/public at a time. */
UpdaterError bench_refresh(Bench *b, const char *now);
/* Forgets what the client stored, and gives it repo/root.json. */
void bench_new_client(Bench *b);
/* The release of a target after a good refresh; fails the test when there is none. */
Release *bench_release(Bench *b, const char *target);

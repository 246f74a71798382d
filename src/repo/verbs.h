/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs of rekindle-repo, one file each, and the few things that they share: exit codes and
 * option values. */
#pragma once

#include "repo/repo.h"

enum {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
};

/* argv[0] is the verb. Return an exit code; have said what is wrong on standard error. */
int verb_init(int argc, char *argv[]);
int verb_add(int argc, char *argv[]);
int verb_publish(int argc, char *argv[]);
int verb_show(int argc, char *argv[]);
int verb_device_key(int argc, char *argv[]);

/* Say it and return the exit code. */
int failed(const Why *w);
int wrong_usage(const char *format, ...) _printf_(1, 2);
/* What getopt_long() answered to something that is no option of the verb, or lacks its value. */
int wrong_option(int c, char *argv[]);
/* Prints the text on standard output, EXIT_DONE. */
int print_help(const char *text);

/* Option values. 0, or EXIT_USAGE after saying what would be right. */
int option_now(const char *value, int64_t *ret);
/* "ROLE=TIME" into seconds[ROLE]. */
int option_expires_in(const char *value, uint64_t seconds[static _TUF_ROLE_MAX]);
/* Exactly n arguments from argv[optind] on. */
int option_arguments(int argc, char *argv[], int n, const char *names);

/* Signing, for init and publish. */
typedef struct Signer {
        const Repo *repo;   /* its keys/ROLE.pem */
        const char *keys;   /* folder of keys that are not there; NULL: none */
        const json_t *root; /* content of the root metadata that names the keys */
} Signer;

/* {signed, signatures} of content, by the key file of the role, whose id must be one of the
 * role's. */
int sign_metadata(const Signer *s, TufRole role, const json_t *content, json_t **ret, Why *w);
/* Common members of "signed". NULL: out of memory. */
json_t *new_content(TufRole role, uint64_t version, int64_t expires);

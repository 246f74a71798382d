/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs of rekindle-repo, one file each, and the few things that they share: exit codes and
 * option values. */
#pragma once

#include "basic/table.h"
#include "repo/keyring.h"
#include "repo/repo.h"

enum {
        EXIT_DONE = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2,
};

/* argv[0] is the verb. Return an exit code; have said what is wrong on standard error. */
int verb_add(int argc, char *argv[]);
int verb_delegate(int argc, char *argv[]);
int verb_device_key(int argc, char *argv[]);
int verb_expire_check(int argc, char *argv[]);
int verb_export(int argc, char *argv[]);
int verb_init(int argc, char *argv[]);
int verb_key(int argc, char *argv[]);
int verb_promote(int argc, char *argv[]);
int verb_prune(int argc, char *argv[]);
int verb_publish(int argc, char *argv[]);
int verb_refresh(int argc, char *argv[]);
int verb_remove(int argc, char *argv[]);
int verb_root(int argc, char *argv[]);
int verb_show(int argc, char *argv[]);
int verb_targets(int argc, char *argv[]);
int verb_verify(int argc, char *argv[]);

/* A verb of a group ("key add"). */
typedef struct SubVerb {
        const char *name; /* with its group, as texts say it: "key add" */
        int (*run)(int argc, char *argv[]);
        const char *help;
} SubVerb;

int run_sub_verb(const SubVerb *verbs, size_t n, const char *help, int argc, char *argv[]);

/* Say it and return the exit code. */
int failed(const Why *w);
int wrong_usage(const char *format, ...) _printf_(1, 2);
/* What getopt_long() answered to something that is no option of the verb, or lacks its value. */
int wrong_option(int c, char *argv[]);
/* The end of the program: EXIT_FAILED instead of EXIT_DONE when what it printed went nowhere. */
int end_output(int code);
/* Prints the text on standard output; an exit code. */
int print_help(const char *text);
/* Prints JSON for programs. */
int print_json(const json_t *value, Why *w);
/* Prints a table for people, as wide as their terminal. r: how filling it went. */
int print_table(const Table *t, int r, Why *w);

/* Option values. 0, or EXIT_USAGE after saying what would be right. */
int option_now(const char *value, int64_t *ret);
/* The options of nearly every verb, when the option was none of its own: --now ('n') and --help
 * ('h'), which ends the program. */
int option_common(int c, const char *help, int64_t *now, char *argv[]);
/* "ROLE=TIME" into seconds[ROLE]. */
int option_expires_in(const char *value, uint64_t seconds[static _TUF_ROLE_MAX]);
int option_number(const char *option, const char *value, uint64_t min, uint64_t max, uint64_t *ret);
/* Models, channels, files: see name_is_valid(). */
int option_name(const char *option, const char *value);
int option_type(const char *value, KeyType *ret);
/* Between min and max arguments from argv[optind] on. */
int option_arguments(int argc, char *argv[], int min, int max, const char *names);

/* Options of a keyring. 0, EXIT_USAGE, or -1: the option is none of these. */
#define KEYRING_OPTIONS                                                                            \
        { "keys", required_argument, NULL, 1001 }, { "key", required_argument, NULL, 1002 }, {     \
                "passphrase-file", required_argument, NULL, 1003                                   \
        }
#define KEYRING_HELP                                                                               \
        "  --keys FOLDER           look here for keys that are not in DIR/keys\n"                  \
        "  --key KEY               sign with this key too, a file or a pkcs11: URI; any\n"         \
        "                          number\n"                                                       \
        "  --passphrase-file FILE  passphrase of encrypted keys, or the PIN of a token;\n"         \
        "                          else REKINDLE_PASSPHRASE, else the terminal is asked\n"
int option_keyring(Keyring *ring, int c, const char *value);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ctl: what the verbs of rekindlectl share: the parsed command line, the connection, calls with
 * errors as sentences, and what the daemon tells as JSON with kebab-case member names. Functions
 * that return `int` return an exit status and have said on standard error what is wrong. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/json.h"

#define BUS_NAME    "org.rekindle.Rekindle1"
#define BUS_PATH    "/org/rekindle/Rekindle1"
#define BUS_DEVICES BUS_PATH "/devices"
#define BUS_MANAGER BUS_NAME ".Manager"
#define BUS_DEVICE  BUS_NAME ".Device"

/* Design section 10. */
enum {
        STATUS_DONE = 0,
        STATUS_FAILED = 1,
        STATUS_USAGE = 2,
        STATUS_NOTHING = 3,
        STATUS_NOT_FOUND = 4,
        STATUS_REFUSED = 5,
        STATUS_RESTORED = 6,
        STATUS_UNREACHABLE = 7,
};

typedef struct Ctl Ctl;

typedef int VerbFunc(Ctl *c, int argc, char *argv[]); /* argv: the arguments only */

typedef struct Verb {
        const char *name;    /* "backup list" has two words */
        const char *usage;   /* its arguments */
        const char *meaning; /* one line */
        unsigned min, max;   /* arguments */
        unsigned options;    /* VerbOption */
        VerbFunc *run;
} Verb;

typedef enum VerbOption {
        VERB_EXPLAIN = 1 << 0, /* --explain */
        VERB_VERSION = 1 << 1, /* --version V */
        VERB_LINES = 1 << 2,   /* -n N */
        VERB_WAIT = 1 << 3,    /* --no-wait */
        VERB_FROM = 1 << 4,    /* --from DIR */
} VerbOption;

struct Ctl {
        /* command line */
        const Verb *verb;
        bool json, no_wait, no_color, explain, help;
        const char *version;   /* --version V */
        const char *from;      /* --from DIR; NULL: the server */
        uint32_t lines;        /* -n; 0: not given */
        uint64_t timeout_usec; /* 0: none given */

        sd_bus *bus;
        int folder_fd;    /* of --from; -1: none */
        json_t *outcomes; /* code → {class, error, text, exit}; fetched when needed */
        bool color;       /* standard output is a terminal that takes it */
        unsigned columns; /* of the terminal that standard output is; 0: it is none */
        bool bar;         /* standard error is a terminal */
};

/* Outcomes that are not the daemon's. */
#define CTL_ACCEPTED "accepted" /* and not waited for */
#define CTL_FAILED   "failed"   /* before the daemon could say anything */

extern const Verb verbs[]; /* ends with a NULL name */

/* Fills ret from the command line; arguments of the verb in *ret_argv. A wrong one has been told:
 * STATUS_USAGE. ret->verb NULL: print --help or --version (ret->version is set then). */
int ctl_parse(int argc, char *argv[], Ctl *ret, int *ret_argc, char ***ret_argv);
void ctl_help(const Ctl *c, FILE *f);

int ctl_connect(Ctl *c);
void ctl_done(Ctl *c);

int ctl_usage(const char *format, ...) _printf_(1, 2);
int ctl_failed(const char *format, ...) _printf_(1, 2);
int ctl_errno(int r, const char *what);
/* Tells a failure; with --json also on standard output. device: its id, or NULL. */
int ctl_failure(Ctl *c, const char *device, const char *outcome, int status, const char *text);
/* Tells what the daemon (or the bus) refused. device: for the sentence about an unknown one;
 * NULL. */
int ctl_refused(Ctl *c, const char *device, const sd_bus_error *error);

/* The sentence alone, not escaped. */
void ctl_error_text(const char *device, const sd_bus_error *error, int status,
                char ret[static WHY_MAX]);

/* Members of the outcome table by code; NULL when there is none. */
const json_t *ctl_outcome(Ctl *c, const char *code);
/* Its class; those outcomes that are our own have one too. */
const char *ctl_outcome_class(Ctl *c, const char *code);
int ctl_outcome_status(Ctl *c, const char *code);
/* Exit status for an error of the bus, and the outcome's code ("" when it is none of ours). */
int ctl_error_status(Ctl *c, const sd_bus_error *error, const char **ret_code);

/* A method call; reply may be NULL. The _device form builds the path from the id. */
int ctl_call(Ctl *c, const char *member, sd_bus_message **reply, const char *types, ...);
int ctl_call_device(Ctl *c, const char *id, const char *member, sd_bus_message **reply,
                const char *types, ...);

/* The next complete value of the message as JSON; descriptors cannot be in it. 0 or -errno. */
int json_from_message(sd_bus_message *m, json_t **ret);
/* The properties of an interface, a{sv} at the message's position, with kebab-case names, into
 * object. 0 or -errno. */
int json_from_properties(sd_bus_message *m, json_t *object);

/* Sorted by id. */
int ctl_devices(Ctl *c, json_t **ret);
int ctl_device(Ctl *c, const char *id, json_t **ret);
int ctl_manager(Ctl *c, json_t **ret);
/* Devices named on the command line, or all when argc is 0. */
int ctl_devices_named(Ctl *c, int argc, char *argv[], json_t **ret);

/* "" or 0 when the member is missing or of another type. */
const char *member_string(const json_t *o, const char *key);
uint64_t member_number(const json_t *o, const char *key);
bool member_true(const json_t *o, const char *key);

/* Opens the folder of --from. */
int ctl_open_folder(Ctl *c);
/* The options of a call: the folder of --from, or none. 0 or -errno. */
int ctl_append_folder(const Ctl *c, sd_bus_message *m);
/* Makes the daemon ask the server, or look into the folder of --from; how that ended. */
int ctl_check(Ctl *c, char ret_outcome[static 64], char ret_text[static WHY_MAX]);

/* Tells that something is done: "NAME: TEXT", or JSON with the name as member `key`. */
int ctl_said(const Ctl *c, const char *key, const char *name, const char *text);
/* Prints JSON and returns STATUS_DONE. */
int ctl_print_json(const json_t *value);

/* Verbs. */
VerbFunc verb_list, verb_status, verb_show, verb_check, verb_verify, verb_update, verb_restore,
                verb_cancel, verb_hold, verb_unhold, verb_accept, verb_approve, verb_clear_bad,
                verb_backup_list, verb_backup_check, verb_backup_adopt, verb_backup_images,
                verb_ports, verb_ports_release, verb_history, verb_monitor;

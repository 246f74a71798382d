/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manager: the daemon as one object: configuration, ports, devices, store, releases of the last
 * good refresh, inhibitors and the timers of polling. Everything else hangs below it and gets at
 * the others through it. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/clock.h"
#include "basic/share.h"
#include "basic/sync.h"
#include "daemon/config.h"
#include "daemon/history.h"
#include "daemon/outcome.h"
#include "daemon/store.h"
#include "driver/port.h"
#include "fetch/client.h"
#include "image/release.h"

typedef struct Manager Manager;
typedef struct Device Device;
typedef struct Bus Bus;
typedef struct Verify Verify;
typedef struct Inhibitor Inhibitor;

typedef struct ManagerOptions {
        const char *config_path;
        bool config_required;
        const char *state_dir;
        const char *fetch_socket, *fetch_program, *fetch_config;
        const char *root_path; /* initial trust: the publisher's root.json */
} ManagerOptions;

typedef struct ManagerPort {
        Manager *manager;
        Port *port; /* NULL: could not be made; problem says why */
        const ConfigPort *config;
        Driver *scout; /* asks who is there, for addresses without a device */
        Exchange *scouting;
        sd_event_source *scout_timer;
        char *problem;
        Why refused; /* a unit that answers and cannot be taken up; empty: none */
        uint64_t scout_pause_usec;
        const Device *rival; /* answered here while it was present on its own port … */
        uint64_t rival_usec; /* … then */
        bool wanted;         /* on-demand: by the scout */
        bool announced;      /* PortWanted was sent */
        Share told;          /* of its state */
} ManagerPort;

struct Inhibitor {
        Manager *manager;
        char *who, *why;
        int fd; /* our end of the pipe; hang-up ends it */
        sd_event_source *source;
        Inhibitor *next;
};

struct Manager {
        sd_event *event;
        const Clock *clock;
        Config *config;
        Reserve *reserve; /* room for what has to be written when the disk is full */
        Sync *sync;
        Store *store;
        History *history;
        FetchClient *fetch;
        Bus *bus; /* NULL before the faces are up and in some tests */
        Verify *verify;
        Planner planner;

        int state_fd, lock_fd, images_fd, devices_fd, updates_fd, trust_fd;

        ManagerPort *ports;
        Device **devices; /* sorted by id */
        size_t n_ports, n_devices;
        Inhibitor *inhibitors;

        Release **releases; /* of the last good refresh */
        size_t n_releases;
        json_t *surveyed;               /* models whose releases those are; NULL: all */
        json_t *left_out;               /* sentences, as told last; NULL: none */
        bool consistent_targets;        /* file names on the server begin with their digest */
        const char *root_path;          /* initial trust */
        int64_t last_check, next_check; /* seconds since 1970; 0: never, none planned */
        Outcome check_outcome;          /* of the last refresh; OUTCOME_DONE: fresh */
        bool expired; /* so the last metadata that could be judged was, or the clock is wrong */
        Why check_why;
        Outcome noted_outcome; /* of the last refresh that went into history */
        Why noted_why;
        sd_event_source *poll_timer, *consider_source, *window_timer, *check_source;
        struct Waiter *waiters;       /* who asked for a refresh */
        struct Waiter *folder_waiter; /* whose folder is verified now; NULL: none is */
        struct BackupCheck *checks;   /* of what is kept; the first is under way */
        bool server_wanted;           /* the server is to be asked, or is being asked */
        bool checked_folder;          /* the last refresh was of a folder */
        int folder_fd;                /* where files of releases are looked for first; -1: none */
        int exit_error;               /* < 0: fatal, the loop ends with it */
};

int manager_new(sd_event *event, const Clock *clock, const ManagerOptions *options, Manager **ret,
                Why *w);
Manager *manager_free(Manager *m);
DEFINE_TRIVIAL_CLEANUP_FUNC(Manager *, manager_free);

/* Opens ports, takes up open updates, starts polling. After the bus is up. */
int manager_start(Manager *m);

Device *manager_find_device(Manager *m, const char *id);
ManagerPort *manager_find_port(Manager *m, const char *name);
/* Nobody known answers on this port: asks who is there. NULL does nothing. */
void manager_port_idle(ManagerPort *p);
/* Somebody answered: an on-demand line that was wanted for the first contact is given back. */
void manager_port_met(ManagerPort *p);

/* A refresh now, or joins the one under way. func runs exactly once; < 0 only when it could not
 * even be queued. */
typedef void (*ManagerCheckFunc)(Outcome outcome, const char *text, void *userdata);
int manager_check(Manager *m, ManagerCheckFunc func, void *userdata);
/* A refresh if the last one left out what may be releases of this model. */
void manager_check_model(Manager *m, const char *model);
/* The same of a folder instead of the server; the descriptor is duplicated. */
int manager_check_folder(Manager *m, int folder_fd, ManagerCheckFunc func, void *userdata);
/* The folder (duplicated) is asked for files first, until nobody needs one. */
int manager_offer_folder(Manager *m, int folder_fd);
void manager_check_forget(Manager *m, void *userdata);

/* Verdicts without doing anything: array of {"device","version","outcome","class","text"};
 * device NULL: all. New reference. */
json_t *manager_explain(Manager *m, const char *device);

/* fd: our end of a pipe whose other end the caller holds; consumed. */
int manager_inhibit(Manager *m, const char *who, const char *why, int fd);
bool manager_is_inhibited(const Manager *m);

/* The application has released an on-demand port. OUTCOME_DONE, or a refusal with its sentence. */
Outcome manager_release_port(Manager *m, const char *name, Why *w);

/* Images of the store with the devices that keep them:
 * {"digest","length","model","version","used","kept-by":[…]}. New reference. */
json_t *manager_list_images(Manager *m);

/* Looks again at every device soon (new releases, a hold ended, the window opened). */
void manager_consider(Manager *m);
bool manager_window_is_open(const Manager *m);
/* Digests that must stay in the store. New array. */
int manager_kept_digests(Manager *m, Sha256 **ret, size_t *ret_n);
/* Something that cannot be: our own disk failed. Ends the loop; the next start finds what is
 * true. */
void manager_fatal(Manager *m, int error, const char *what);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Config: /etc/rekindle/rekindled.conf and the drop-ins in rekindled.conf.d as one immutable
 * value. One table describes every key (section, type, default, meaning); it feeds the parser,
 * `rekindled --describe` and rekindled.conf(5). */
#pragma once

#include "daemon/validate.h"
#include "driver/port.h"

#define CONFIG_PORTS_MAX   64
#define CONFIG_DEVICES_MAX 512

typedef struct ConfigPort {
        char *name;
        char *path;
        PortMode mode;
        /* 0: not set (push_baud: fastest that both can; none = stay) */
        uint64_t baud, program_baud, push_baud;
        bool half_duplex, rtscts;
        uint64_t turnaround_usec;
        char *owner; /* Owner=UNIT: refused at start, the missing right is named */
        /* address 0: a unit without a section of its own gets the id MODEL-SERIAL */
        bool discover;
} ConfigPort;

typedef struct ConfigDevice {
        char *name; /* the device's id */
        char *port;
        uint64_t address;     /* 0..254 */
        char *model, *serial; /* NULL: as told */
        char *protocol;       /* "native" */
        char *channel;
        ProvisionPolicy provision;
        bool provision_set;
        bool ask, ask_set; /* Approval=ask|auto */
        bool strict_floor, strict_floor_set;
} ConfigDevice;

typedef struct Config {
        /* [Server] */
        /* "/metadata", "/targets": below the fetcher's Origin=; or absolute URLs that it allows */
        char *metadata_url, *targets_url;
        uint64_t poll_interval_usec, poll_random_usec; /* interval 0: only on request */
        /* [Updates] */
        bool ask;
        ProvisionPolicy provision;
        char *channel;
        bool strict_floor;
        uint64_t store_max_bytes;
        uint64_t adopt_usec;                                         /* AdoptSeconds= */
        uint64_t trial_min_usec, trial_max_usec, trial_default_usec; /* within 5 s - 3600 s */
        uint64_t restore_tries;                                      /* per image; 2 */
        uint64_t stranded_pause_usec;                                /* the first one */
        uint64_t pushes_per_day;                                     /* cap on erases; 24 */
        unsigned window_from, window_to; /* minutes of the local day; equal: always open */
        uint64_t status_interval_usec;   /* identify of an idle device */

        ConfigPort *ports;
        size_t n_ports;
        ConfigDevice *devices;
        size_t n_devices;
} Config;

/* Reads the main file and the drop-ins beside it (FILE.d/, sorted). Warnings (unknown keys) go
 * to on_warning. Bad value: -EINVAL with file, line, key and what is allowed. A missing main
 * file is an empty one unless `required`. */
int config_load(const char *path, bool required,
                void (*on_warning)(const char *text, void *userdata), void *userdata, Config **ret,
                Why *w);
/* The same from bytes (tests, fuzzing): one file, its name for the texts. */
typedef struct ConfigText {
        const char *file, *bytes;
        size_t n;
} ConfigText;
int config_parse(const ConfigText *text, void (*on_warning)(const char *text, void *userdata),
                void *userdata, Config **ret, Why *w);
Config *config_free(Config *c);
DEFINE_TRIVIAL_CLEANUP_FUNC(Config *, config_free);

const ConfigPort *config_find_port(const Config *c, const char *name);
const ConfigDevice *config_find_device(const Config *c, const char *name);
/* A device of that port and address (and serial, if the section names one; NULL matches any). */
const ConfigDevice *config_match_device(
                const Config *c, const char *port, unsigned address, const char *serial);

/* The table as text: "human" (man-like), or JSON for tools. */
void config_describe(FILE *f, bool json);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the bus share: the object itself, the way of every method call through
 * bus_authorize(), and readers and writers of the argument types that several methods have. */
#pragma once

#include "daemon/bus.h"

#define BUS_NAME    "org.rekindle.Rekindle1"
#define BUS_PATH    "/org/rekindle/Rekindle1"
#define BUS_DEVICES BUS_PATH "/devices"
#define BUS_ERROR   BUS_NAME ".Error."
#define BUS_MANAGER BUS_NAME ".Manager"
#define BUS_DEVICE  BUS_NAME ".Device"
#define BUS_ACTION  "org.rekindle.rekindle1."

#define BUS_PROPERTIES_MAX 64
/* What callers can make grow is bounded. */
#define BUS_CALLS_MAX       256
#define BUS_INHIBITORS_MAX  64
#define BUS_HISTORY_MAX     10000
#define BUS_HISTORY_DEFAULT 100
#define BUS_PROGRESS_USEC   (200 * USEC_PER_MSEC)

typedef struct BusCall BusCall;

/* A call whose answer is due later. */
typedef struct BusAnswer BusAnswer;
struct BusAnswer {
        Bus *bus;
        Device *device; /* NULL: a check of the server or of a folder */
        sd_bus_message *call, *reply;
        sd_bus_slot *gone; /* the end of its caller */
        BusAnswer *next;
};

/* One known device: what was told of it last. */
typedef struct BusDevice {
        Device *device;
        char *path;
        bool changed;    /* look for what to tell at the end of this turn of the loop */
        bool progressed; /* the same, but not more often than BUS_PROGRESS_USEC */
        uint64_t told[BUS_PROPERTIES_MAX]; /* digests of the values last told */
} BusDevice;

struct Bus {
        Manager *manager;
        sd_bus *bus;
        sd_bus_slot *slots[6];
        BusDevice **devices;
        size_t n_devices;
        BusCall *calls;
        size_t n_calls;
        BusAnswer *answers;
        size_t n_answers;
        sd_event_source *flush, *progress;
        bool progress_pending;
        bool manager_changed;
};

/* Goes on with a call that is allowed: < 0 with or without error is the reply, else the reply
 * has been sent or will be. */
typedef int (*BusContinuation)(Bus *b, sd_bus_message *call, sd_bus_error *error);

/* Asks whether the caller may do this and goes on with func from the event loop, or refuses.
 * Who may call at all is judged by the bus itself (its policy file). */
int bus_authorize(Bus *b, sd_bus_message *call, const char *action, BusContinuation func,
                sd_bus_error *error);
void bus_calls_free(Bus *b);

/* For the callback of what was begun with it as userdata. When the caller ends before, that is
 * forgotten. */
int bus_answer_new(Bus *b, Device *d, sd_bus_message *call, BusAnswer **ret);
BusAnswer *bus_answer_free(BusAnswer *a); /* unanswered */
/* These answer and free it: outcome and sentence; nothing, or the error of the outcome. */
void bus_answer_with_outcome(BusAnswer *a, Outcome outcome, const char *text);
void bus_answer_done(BusAnswer *a, Outcome outcome, const Why *w);
/* Sends the reply when what was asked of the device is on disk. */
int bus_answer_when_durable(Bus *b, Device *d, sd_bus_message *call, sd_bus_message *reply);
void bus_answers_free(Bus *b);

/* Fills error from the outcome's row and the particulars; < 0. */
int bus_refuse(sd_bus_error *error, Outcome o, const Why *w);
int bus_refuse_argument(sd_bus_error *error, const char *format, ...) _printf_(2, 3);

typedef struct BusOption {
        const char *name;
        char type;   /* 's', 'h' or 'u' */
        void *value; /* const char **, int * (both borrowed from the message) or uint32_t * */
} BusOption;

/* Reads an a{sv}; anything that is not among the options is refused by its name. */
int bus_read_options(sd_bus_message *m, const BusOption *options, size_t n, sd_bus_error *error);
/* Refuses a descriptor that is no folder to read from. */
int bus_check_folder(int fd, sd_bus_error *error);
/* An array of flat JSON objects as aa{sv}: strings, integers (x), booleans, lists of strings;
 * null members are left out. */
int bus_append_objects(sd_bus_message *m, const json_t *objects);

extern const sd_bus_vtable bus_manager_vtable[], bus_device_vtable[];
void bus_manager_emit(Bus *b);

/* userdata of the device's interface is its Device. */
int bus_device_property_get(sd_bus *bus, const char *path, const char *interface,
                const char *property, sd_bus_message *reply, void *userdata, sd_bus_error *error);
/* Tells what has changed since it was told last. */
void bus_device_emit(Bus *b, BusDevice *bd);
/* Takes the present values as told. */
void bus_device_mark_told(BusDevice *bd);

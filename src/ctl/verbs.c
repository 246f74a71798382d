/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of verbs: parser, help and dispatch feed on it. */
#include "ctl/ctl.h"

const Verb verbs[] = {
        /* clang-format off */
        { "list",          "",                      "devices, what they run and how they are", 0, 0, 0, verb_list },
        { "status",        "",                      "the gateway: server, ports, devices", 0, 0, 0, verb_status },
        { "show",          "DEV",                   "everything about one device", 1, 1, 0, verb_show },
        { "check",         "[--explain [DEV]]",     "ask the server, or explain each release", 0, 1, VERB_EXPLAIN, verb_check },
        { "verify",        "--from DIR",            "learn what a folder of releases offers", 0, 0, VERB_FROM, verb_verify },
        { "update",        "[DEV[@VERSION]]",       "install the newest or the named release", 0, 1, VERB_WAIT | VERB_FROM, verb_update },
        { "restore",       "DEV",                   "put the backup back", 1, 1, VERB_WAIT, verb_restore },
        { "cancel",        "DEV",                   "stop an update that has erased nothing", 1, 1, 0, verb_cancel },
        { "hold",          "DEV",                   "do nothing to it by itself until unhold", 1, 1, 0, verb_hold },
        { "unhold",        "DEV",                   "end a hold", 1, 1, 0, verb_unhold },
        { "accept",        "DEV",                   "accept another unit, or a foreign push", 1, 1, 0, verb_accept },
        { "approve",       "DEV[@VERSION]",         "approve what waits, or a version", 1, 1, 0, verb_approve },
        { "clear-bad",     "DEV [DIGEST]",          "forget that programs failed on it", 1, 2, 0, verb_clear_bad },
        { "backup list",   "[DEV]",                 "backup and previous program of devices", 0, 1, 0, verb_backup_list },
        { "backup check",  "[DEV]",                 "compare what is kept with its digest", 0, 1, 0, verb_backup_check },
        { "backup adopt",  "DEV [FILE --version V]", "keep what runs as the backup", 1, 2, VERB_VERSION, verb_backup_adopt },
        { "backup images", "",                      "images in the store and who keeps them", 0, 0, 0, verb_backup_images },
        { "ports",         "",                      "serial lines and their state", 0, 0, 0, verb_ports },
        { "ports release", "NAME",                  "hand the gateway an on-demand line", 1, 1, 0, verb_ports_release },
        { "history",       "[DEV] [-n N]",          "what happened", 0, 1, VERB_LINES, verb_history },
        { "monitor",       "[DEV]",                 "what happens, as it happens", 0, 1, 0, verb_monitor },
        {},
        /* clang-format on */
};

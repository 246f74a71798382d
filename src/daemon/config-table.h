/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one table of keys: section, type, default, what is allowed, meaning. Parser, description,
 * example file and rekindled.conf(5) follow it. */
#pragma once

#include "daemon/config.h"

typedef enum ConfigSection {
        CONFIG_SERVER,
        CONFIG_UPDATES,
        CONFIG_PORT,   /* [Port NAME] */
        CONFIG_DEVICE, /* [Device NAME] */
        _CONFIG_SECTION_MAX,
} ConfigSection;

typedef enum ConfigType {
        CONFIG_TYPE_NAME,     /* char *, as name_is_valid() */
        CONFIG_TYPE_TEXT,     /* char *, 1..64 printable characters */
        CONFIG_TYPE_URL,      /* char * */
        CONFIG_TYPE_PATH,     /* char *, absolute or unix:/… */
        CONFIG_TYPE_UNIT,     /* char *, a systemd unit; refused */
        CONFIG_TYPE_PROTOCOL, /* char *, a driver */
        CONFIG_TYPE_SPAN,     /* uint64_t, microseconds */
        CONFIG_TYPE_BYTES,    /* uint64_t */
        CONFIG_TYPE_NUMBER,   /* uint64_t */
        CONFIG_TYPE_SPEED,    /* uint64_t, or "none" as CONFIG_SPEED_NONE */
        CONFIG_TYPE_SWITCH,   /* bool, yes or no */
        CONFIG_TYPE_EITHER,   /* bool, second of two words is true */
        CONFIG_TYPE_CHOICE,   /* an enum in the order of the words */
        CONFIG_TYPE_WINDOW,   /* two unsigned: minutes of the day */
        _CONFIG_TYPE_MAX,
} ConfigType;

#define CONFIG_SPEED_NONE UINT64_MAX

typedef struct ConfigKey {
        ConfigSection section;
        const char *name;
        ConfigType type;
        const char *fallback; /* as one would write it; NULL: not set */
        uint64_t minimum, maximum;
        const char *words;   /* "auto|ask" */
        size_t offset;       /* in Config, ConfigPort or ConfigDevice */
        size_t offset_set;   /* of the bool that says that it is set; 0: none */
        const char *meaning; /* sentences, one space between */
} ConfigKey;

const ConfigKey *config_key(size_t i); /* in the order of the table; NULL: end */
const ConfigKey *config_key_find(ConfigSection section, const char *name);
const char *config_section_to_string(ConfigSection section);
bool config_section_has_name(ConfigSection section);
const char *config_type_to_string(ConfigType type);

#define CONFIG_ALLOWED_MAX 160
/* What is allowed, in words that fit behind "it has to be". */
void config_key_allowed(const ConfigKey *key, char ret[static CONFIG_ALLOWED_MAX]);

/* Sets the field of the section's struct; text "" is the default. -EINVAL (nothing is changed),
 * -ENOMEM. */
int config_key_set(const ConfigKey *key, void *section, const char *text);
/* The same for all keys of a section: the defaults. */
int config_section_reset(ConfigSection which, void *section);
/* Frees the strings. */
void config_section_done(ConfigSection which, void *section);

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of keys, the types of their values, and the table as text. */
#include <assert.h>
#include <inttypes.h>
#include <jansson.h>

#include "basic/json.h"
#include "basic/names.h"
#include "daemon/config-table.h"
#include "driver/driver.h"

#define TEXT_MAX      64
#define URL_MAX       1000
#define PATH_MAX_     255 /* of a path in the configuration */
#define UNIX_PREFIX   "unix:"
#define COMMENT_WIDTH 80

/* The types write through these. */
_Static_assert(sizeof(ProvisionPolicy) == sizeof(unsigned) && sizeof(PortMode) == sizeof(unsigned),
                "choices are stored as unsigned");
_Static_assert(offsetof(Config, window_to) == offsetof(Config, window_from) + sizeof(unsigned),
                "a window is stored as two unsigned in a row");

static const ConfigKey keys[];

typedef struct Type {
        const char *name;
        bool is_string;
        /* Turns text into the value at `field`; -EINVAL leaves it. Strings: only checks. */
        int (*parse)(const ConfigKey *key, const char *text, void *field);
} Type;

static const Type types[_CONFIG_TYPE_MAX];
static const char *const sections[_CONFIG_SECTION_MAX];

/* ---- values ---- */

static int parse_name(const ConfigKey *key, const char *text, void *field) {
        return name_is_valid(text) ? 0 : -EINVAL;
}

static int parse_text(const ConfigKey *key, const char *text, void *field) {
        return text_is_printable(text, TEXT_MAX) ? 0 : -EINVAL;
}

static int parse_url(const ConfigKey *key, const char *text, void *field) {
        size_t n = strlen(text);

        if (!text_is_printable(text, URL_MAX) || strchr(text, ' ') || text[n - 1] == '/')
                return -EINVAL;
        return text[0] == '/' || startswith(text, "https://") || startswith(text, "http://")
                               ? 0
                               : -EINVAL;
}

static int parse_path(const ConfigKey *key, const char *text, void *field) {
        const char *path = startswith(text, UNIX_PREFIX) ? text + strlen(UNIX_PREFIX) : text;

        return path[0] == '/' && path[1] && text_is_printable(text, PATH_MAX_) ? 0 : -EINVAL;
}

static int parse_protocol(const ConfigKey *key, const char *text, void *field) {
        return driver_find(text) ? 0 : -EINVAL;
}

/* No word is allowed; the parser says why. */
static int parse_unit(const ConfigKey *key, const char *text, void *field) {
        return -EINVAL;
}

static int set_number(const ConfigKey *key, uint64_t v, void *field) {
        if (v < key->minimum || v > key->maximum)
                return -EINVAL;
        *(uint64_t *)field = v;
        return 0;
}

static int parse_span(const ConfigKey *key, const char *text, void *field) {
        uint64_t v = 0;

        return parse_usec(text, &v) < 0 ? -EINVAL : set_number(key, v, field);
}

static int parse_size(const ConfigKey *key, const char *text, void *field) {
        uint64_t v = 0;

        return parse_bytes(text, &v) < 0 ? -EINVAL : set_number(key, v, field);
}

static int parse_number(const ConfigKey *key, const char *text, void *field) {
        uint64_t v = 0;

        return parse_uint64(text, 0, UINT64_MAX, &v) < 0 ? -EINVAL : set_number(key, v, field);
}

static int parse_speed(const ConfigKey *key, const char *text, void *field) {
        if (!streq(text, "none"))
                return parse_number(key, text, field);
        *(uint64_t *)field = CONFIG_SPEED_NONE;
        return 0;
}

static int parse_switch(const ConfigKey *key, const char *text, void *field) {
        return parse_boolean(text, field) < 0 ? -EINVAL : 0;
}

/* Index of the word in "a|b|c", or -EINVAL. */
static int word_index(const char *words, const char *text) {
        size_t n = strlen(text);

        for (int i = 0;; i++) {
                size_t k = strcspn(words, "|");

                if (k == n && memcmp(words, text, n) == 0)
                        return i;
                if (!words[k])
                        return -EINVAL;
                words += k + 1;
        }
}

static int parse_either(const ConfigKey *key, const char *text, void *field) {
        int i = word_index(key->words, text);

        if (i < 0)
                return i;
        *(bool *)field = i == 1;
        return 0;
}

static int parse_choice(const ConfigKey *key, const char *text, void *field) {
        int i = word_index(key->words, text);

        if (i < 0)
                return i;
        *(unsigned *)field = (unsigned)i;
        return 0;
}

/* Two digits below the limit. */
static int two_digits(const char *s, unsigned limit, unsigned *ret) {
        unsigned v;

        if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
                return -EINVAL;
        v = (unsigned)(s[0] - '0') * 10 + (unsigned)(s[1] - '0');
        if (v >= limit)
                return -EINVAL;
        *ret = v;
        return 0;
}

/* HH:MM at s. */
static int minute_of_day(const char *s, unsigned *ret) {
        unsigned hours, minutes;

        if (two_digits(s, 24, &hours) < 0 || s[2] != ':' || two_digits(s + 3, 60, &minutes) < 0)
                return -EINVAL;
        *ret = hours * 60 + minutes;
        return 0;
}

static int parse_window(const ConfigKey *key, const char *text, void *field) {
        unsigned from, to;

        if (strlen(text) != strlen("HH:MM-HH:MM") || text[5] != '-' ||
                        minute_of_day(text, &from) < 0 || minute_of_day(text + 6, &to) < 0)
                return -EINVAL;
        ((unsigned *)field)[0] = from;
        ((unsigned *)field)[1] = to;
        return 0;
}

/* ---- keys ---- */

const ConfigKey *config_key(size_t i) {
        return keys[i].name ? keys + i : NULL;
}

const ConfigKey *config_key_find(ConfigSection section, const char *name) {
        for (const ConfigKey *key = keys; key->name; key++)
                if (key->section == section && streq(key->name, name))
                        return key;
        return NULL;
}

const char *config_section_to_string(ConfigSection section) {
        assert((unsigned)section < _CONFIG_SECTION_MAX);
        return sections[section];
}

bool config_section_has_name(ConfigSection section) {
        return section == CONFIG_PORT || section == CONFIG_DEVICE;
}

const char *config_type_to_string(ConfigType type) {
        assert((unsigned)type < _CONFIG_TYPE_MAX);
        return types[type].name;
}

static void print_span(uint64_t usec, char *ret, size_t n) {
        if (usec % (86400 * USEC_PER_SEC) == 0 && usec > 0)
                (void)snprintf(ret, n, "%" PRIu64 "d", usec / (86400 * USEC_PER_SEC));
        else if (usec % (3600 * USEC_PER_SEC) == 0 && usec > 0)
                (void)snprintf(ret, n, "%" PRIu64 "h", usec / (3600 * USEC_PER_SEC));
        else
                (void)snprintf(ret, n, "%" PRIu64 "s", usec / USEC_PER_SEC);
}

static void print_size(uint64_t bytes, char *ret, size_t n) {
        if (bytes % (1 << 30) == 0 && bytes > 0)
                (void)snprintf(ret, n, "%" PRIu64 "G", bytes >> 30);
        else
                (void)snprintf(ret, n, "%" PRIu64 "M", bytes >> 20);
}

static void print_protocols(char ret[static CONFIG_ALLOWED_MAX]) {
        size_t n = 0;

        for (size_t i = 0; driver_by_index(i) && n < CONFIG_ALLOWED_MAX; i++)
                n += (size_t)snprintf(ret + n, CONFIG_ALLOWED_MAX - n, "%s%s", i > 0 ? " | " : "",
                                driver_by_index(i)->name);
}

static void print_words(const char *words, char ret[static CONFIG_ALLOWED_MAX]) {
        size_t n = 0;

        for (; *words && n + 4 < CONFIG_ALLOWED_MAX; words++) {
                if (*words == '|')
                        ret[n++] = ' ';
                ret[n++] = *words;
                if (*words == '|')
                        ret[n++] = ' ';
        }
        ret[n] = '\0';
}

static void print_range(const ConfigKey *key, char ret[static CONFIG_ALLOWED_MAX]) {
        char from[24], to[24];

        if (key->type == CONFIG_TYPE_SPAN) {
                print_span(key->minimum, from, sizeof(from));
                print_span(key->maximum, to, sizeof(to));
        } else if (key->type == CONFIG_TYPE_BYTES) {
                print_size(key->minimum, from, sizeof(from));
                print_size(key->maximum, to, sizeof(to));
        } else {
                (void)snprintf(from, sizeof(from), "%" PRIu64, key->minimum);
                (void)snprintf(to, sizeof(to), "%" PRIu64, key->maximum);
        }
        (void)snprintf(ret, CONFIG_ALLOWED_MAX, "%s from %s to %s%s",
                        key->type == CONFIG_TYPE_SPAN    ? "a span of time"
                        : key->type == CONFIG_TYPE_BYTES ? "a size"
                                                         : "a whole number",
                        from, to, key->type == CONFIG_TYPE_SPEED ? ", or none" : "");
}

void config_key_allowed(const ConfigKey *key, char ret[static CONFIG_ALLOWED_MAX]) {
        static const char *const texts[_CONFIG_TYPE_MAX] = {
                [CONFIG_TYPE_NAME] = "1 to 64 of letters, digits, '.', '_' and '-', no dot first",
                [CONFIG_TYPE_TEXT] = "1 to 64 printable ASCII characters",
                [CONFIG_TYPE_URL] =
                                "a path from / on, or an https:// (http:// if fetch.conf allows it) address, without / at its end",
                [CONFIG_TYPE_PATH] = "an absolute path, or unix: and an absolute path",
                [CONFIG_TYPE_UNIT] = "left out",
                [CONFIG_TYPE_SWITCH] = "yes | no",
                [CONFIG_TYPE_WINDOW] = "HH:MM-HH:MM in local time; from and to alike: always",
        };

        if (key->type == CONFIG_TYPE_PROTOCOL)
                print_protocols(ret);
        else if (key->words)
                print_words(key->words, ret);
        else if (texts[key->type])
                (void)snprintf(ret, CONFIG_ALLOWED_MAX, "%s", texts[key->type]);
        else
                print_range(key, ret);
}

static int set_string(const ConfigKey *key, char **field, const char *text) {
        int r = text ? types[key->type].parse(key, text, NULL) : 0;

        return r < 0 ? r : free_and_strdup(field, text);
}

int config_key_set(const ConfigKey *key, void *section, const char *text) {
        void *field = (char *)section + key->offset;
        bool is_default = !*text;
        int r;

        if (is_default)
                text = key->fallback;
        if (types[key->type].is_string)
                r = set_string(key, field, text);
        else if (!text) {
                /* Without a default it is a number or a switch: 0 is "not set". */
                memset(field, 0,
                                key->type == CONFIG_TYPE_SWITCH || key->type == CONFIG_TYPE_EITHER
                                                ? sizeof(bool)
                                : key->type == CONFIG_TYPE_CHOICE ? sizeof(unsigned)
                                                                  : sizeof(uint64_t));
                r = 0;
        } else
                r = types[key->type].parse(key, text, field);
        if (r == 0 && key->offset_set > 0)
                *(bool *)((char *)section + key->offset_set) = !is_default;
        return r;
}

int config_section_reset(ConfigSection which, void *section) {
        int r;

        for (const ConfigKey *key = keys; key->name; key++) {
                if (key->section != which)
                        continue;
                r = config_key_set(key, section, "");
                if (r < 0)
                        return r;
        }
        return 0;
}

void config_section_done(ConfigSection which, void *section) {
        for (const ConfigKey *key = keys; key->name; key++)
                if (key->section == which && types[key->type].is_string) {
                        char **field = (char **)((char *)section + key->offset);

                        free(*field);
                        *field = NULL;
                }
}

/* ---- as text ---- */

/* Text as comment lines of at most COMMENT_WIDTH columns. */
static void print_comment(FILE *f, const char *text) {
        size_t column = 0;

        while (*text) {
                size_t n = strcspn(text, " ");

                if (column == 0 || column + 1 + n > COMMENT_WIDTH) {
                        (void)fputs(column > 0 ? "\n# " : "# ", f);
                        column = 2;
                } else {
                        (void)fputc(' ', f);
                        column++;
                }
                (void)fwrite(text, 1, n, f);
                column += n;
                text += n + (text[n] == ' ');
        }
        (void)fputc('\n', f);
}

static void describe_human(FILE *f) {
        char allowed[CONFIG_ALLOWED_MAX], line[CONFIG_ALLOWED_MAX + 16];
        const ConfigKey *last = NULL;

        (void)fputs("# SPDX-License-Identifier: LGPL-2.1-or-later\n"
                    "# rekindled.conf: see rekindled.conf(5). Every key is shown with its default; a\n"
                    "# key without a value has none. Files of rekindled.conf.d/*.conf are read after\n"
                    "# this one.\n",
                        f);
        for (const ConfigKey *key = keys; key->name; last = key++) {
                if (!last || last->section != key->section)
                        (void)fprintf(f,
                                        config_section_has_name(key->section) ? "\n#[%s NAME]\n"
                                                                              : "\n[%s]\n",
                                        sections[key->section]);
                else
                        (void)fputc('\n', f);
                print_comment(f, key->meaning);
                config_key_allowed(key, allowed);
                (void)snprintf(line, sizeof(line), "Allowed: %s.", allowed);
                print_comment(f, line);
                (void)fprintf(f, "#%s=%s\n", key->name, key->fallback ? key->fallback : "");
        }
}

static json_t *key_to_json(const ConfigKey *key) {
        char allowed[CONFIG_ALLOWED_MAX];
        json_t *o;

        config_key_allowed(key, allowed);
        o = json_pack("{ss ss ss ss ss}", "section", sections[key->section], "key", key->name,
                        "type", types[key->type].name, "allowed", allowed, "meaning", key->meaning);
        if (o && key->fallback)
                (void)json_object_set_new(o, "default", json_string(key->fallback));
        return o;
}

void config_describe(FILE *f, bool json) {
        _cleanup_json_ json_t *array = NULL;

        if (!json) {
                describe_human(f);
                return;
        }
        array = json_array();
        for (const ConfigKey *key = keys; key->name; key++)
                (void)json_array_append_new(array, key_to_json(key));
        (void)json_dumpf(array, f, JSON_INDENT(2));
        (void)fputc('\n', f);
}

/* ---- tables ---- */

static const char *const sections[_CONFIG_SECTION_MAX] = {
        [CONFIG_SERVER] = "Server",
        [CONFIG_UPDATES] = "Updates",
        [CONFIG_PORT] = "Port",
        [CONFIG_DEVICE] = "Device",
};

static const Type types[_CONFIG_TYPE_MAX] = {
        [CONFIG_TYPE_NAME] = { "name", true, parse_name },
        [CONFIG_TYPE_TEXT] = { "text", true, parse_text },
        [CONFIG_TYPE_URL] = { "url", true, parse_url },
        [CONFIG_TYPE_PATH] = { "path", true, parse_path },
        [CONFIG_TYPE_UNIT] = { "unit", true, parse_unit },
        [CONFIG_TYPE_PROTOCOL] = { "protocol", true, parse_protocol },
        [CONFIG_TYPE_SPAN] = { "span", false, parse_span },
        [CONFIG_TYPE_BYTES] = { "bytes", false, parse_size },
        [CONFIG_TYPE_NUMBER] = { "number", false, parse_number },
        [CONFIG_TYPE_SPEED] = { "speed", false, parse_speed },
        [CONFIG_TYPE_SWITCH] = { "boolean", false, parse_switch },
        [CONFIG_TYPE_EITHER] = { "choice", false, parse_either },
        [CONFIG_TYPE_CHOICE] = { "choice", false, parse_choice },
        [CONFIG_TYPE_WINDOW] = { "window", false, parse_window },
};

#define S(x) (UINT64_C(x) * USEC_PER_SEC)
#define M(x) (UINT64_C(x) << 20)

#define SERVER(name, type, fallback, min, max, field, meaning)                                     \
        {                                                                                          \
                CONFIG_SERVER, #name, CONFIG_TYPE_##type, fallback, min, max, NULL,                \
                                offsetof(Config, field), 0, meaning                                \
        }
#define UPDATES(name, type, fallback, min, max, field, meaning)                                    \
        {                                                                                          \
                CONFIG_UPDATES, #name, CONFIG_TYPE_##type, fallback, min, max, NULL,               \
                                offsetof(Config, field), 0, meaning                                \
        }
#define UPDATES_WORDS(name, type, fallback, words, field, meaning)                                 \
        {                                                                                          \
                CONFIG_UPDATES, #name, CONFIG_TYPE_##type, fallback, 0, 0, words,                  \
                                offsetof(Config, field), 0, meaning                                \
        }
#define PORT(name, type, fallback, min, max, field, meaning)                                       \
        {                                                                                          \
                CONFIG_PORT, #name, CONFIG_TYPE_##type, fallback, min, max, NULL,                  \
                                offsetof(ConfigPort, field), 0, meaning                            \
        }
#define PORT_WORDS(name, type, fallback, words, field, meaning)                                    \
        {                                                                                          \
                CONFIG_PORT, #name, CONFIG_TYPE_##type, fallback, 0, 0, words,                     \
                                offsetof(ConfigPort, field), 0, meaning                            \
        }
#define DEVICE(name, type, fallback, min, max, field, meaning)                                     \
        {                                                                                          \
                CONFIG_DEVICE, #name, CONFIG_TYPE_##type, fallback, min, max, NULL,                \
                                offsetof(ConfigDevice, field), 0, meaning                          \
        }
#define DEVICE_SET(name, type, words, field, meaning)                                              \
        {                                                                                          \
                CONFIG_DEVICE, #name, CONFIG_TYPE_##type, NULL, 0, 0, words,                       \
                                offsetof(ConfigDevice, field),                                     \
                                offsetof(ConfigDevice, field##_set), meaning                       \
        }

static const ConfigKey keys[] = {
        SERVER(MetadataUrl, URL, "/metadata", 0, 0, metadata_url,
                        "Where the signed metadata of the repository is. A path is taken below the Origin= of fetch.conf; "
                        "an address of its own needs the leave of fetch.conf."),
        SERVER(TargetsUrl, URL, "/targets", 0, 0, targets_url,
                        "Where the files of the releases are; as MetadataUrl=."),
        SERVER(PollInterval, SPAN, "1h", 0, S(7 * 86400), poll_interval_usec,
                        "Pause between two looks at the repository. 0: only on request."),
        SERVER(PollRandomDelay, SPAN, "10min", 0, S(86400), poll_random_usec,
                        "Up to this much is added to each pause at random, so that a fleet does not come all at once."),
        UPDATES_WORDS(Approval, EITHER, "auto", "auto|ask", ask,
                        "auto: a release that validates is installed by itself. ask: it waits for rekindlectl approve."),
        UPDATES_WORDS(Provision, CHOICE, "ask", "ask|auto|no", provision,
                        "What to do with a device that reports no program and has no record, where its section names a "
                        "model: wait for rekindlectl approve, give it its first program by itself, or leave it."),
        UPDATES(Channel, NAME, "stable", 0, 0, channel,
                        "Only releases of this channel are considered."),
        UPDATES(StrictFloor, SWITCH, "no", 0, 0, strict_floor,
                        "Whether backup and previous may not be put back either once they are below the floor of their "
                        "device."),
        UPDATES(StoreMax, BYTES, "256M", M(1), M(1048576), store_max_bytes,
                        "Size that the image store is brought back to. Images that a device may need are kept in any case."),
        UPDATES(AdoptSeconds, SPAN, "60", 0, S(86400), adopt_usec,
                        "How long a running program has to answer healthy before it is adopted as a backup."),
        UPDATES(TrialMinSeconds, SPAN, "5", S(5), S(3600), trial_min_usec,
                        "Shortest trial; a release that asks for less gets this."),
        UPDATES(TrialMaxSeconds, SPAN, "3600", S(5), S(3600), trial_max_usec,
                        "Longest trial; a release that asks for more gets this."),
        UPDATES(TrialSeconds, SPAN, "30", S(5), S(3600), trial_default_usec,
                        "Trial of a release that names none."),
        UPDATES(RestoreTries, NUMBER, "2", 1, 10, restore_tries,
                        "How often the backup, and then the previous program, is pushed back before the device counts as "
                        "stranded."),
        UPDATES(StrandedPause, SPAN, "1min", S(1), S(6 * 3600), stranded_pause_usec,
                        "Pause before a stranded device is tried again for the first time. The pauses double, up to six "
                        "hours."),
        UPDATES(PushesPerDay, NUMBER, "24", 1, 1000, pushes_per_day,
                        "Pushes that erase flash which one device gets by itself in a day (UTC) at most, restores included. "
                        "The way back from an update that failed and what a person asks for are counted and not bounded."),
        UPDATES(Window, WINDOW, "00:00-00:00", 0, 0, window_from,
                        "Service window: the time of the local day in which updates may run. It may pass midnight."),
        UPDATES(StatusInterval, SPAN, "1min", S(1), S(86400), status_interval_usec,
                        "Pause between two questions to a device on which nothing else is done."),
        PORT(Path, PATH, NULL, 0, 0, path,
                        "The serial line: a device file, a symlink to one, or unix: and the path of a stream socket. Needed."),
        PORT_WORDS(Mode, CHOICE, "exclusive", "exclusive|on-demand", mode,
                        "exclusive: the daemon keeps the line open. on-demand: it opens the line only while it needs it and "
                        "after it was handed over with rekindlectl ports release."),
        PORT(Baud, NUMBER, "115200", 1200, 4000000, baud,
                        "Speed of the bootloader in bits per second."),
        PORT(ProgramBaud, NUMBER, NULL, 1200, 4000000, program_baud,
                        "Speed of the programs, where it is another than that of the bootloader."),
        PORT(PushBaud, SPEED, NULL, 1200, 4000000, push_baud,
                        "Speed to change to for a push. Not set: the fastest that device and line can. none: no change."),
        PORT(HalfDuplex, SWITCH, "no", 0, 0, half_duplex,
                        "Whether only one side may send at a time (RS-485 with two wires)."),
        PORT(RtsCts, SWITCH, "no", 0, 0, rtscts, "Whether RTS and CTS hold back the sender."),
        PORT(TurnaroundUsec, NUMBER, "1000", 0, 1000000, turnaround_usec,
                        "Pause in microseconds between the last byte received and the first byte sent, with HalfDuplex=yes."),
        PORT(Owner, UNIT, NULL, 0, 0, owner,
                        "The unit of the application that has the line otherwise. Not available in this version: stopping a "
                        "unit takes the right org.freedesktop.systemd1.manage-units."),
        PORT(Discover, SWITCH, "yes", 0, 0, discover,
                        "Whether a unit without a section of its own that answers at address 0 becomes a device, with the id "
                        "MODEL-SERIAL. Without effect on a bus."),
        DEVICE(Port, NAME, NULL, 0, 0, port,
                        "NAME of the [Port NAME] that the device is on. Needed."),
        DEVICE(Address, NUMBER, "0", 0, 254, address, "Address on a bus; 0: alone on its line."),
        DEVICE(Model, NAME, NULL, 0, 0, model,
                        "The model that has to be there. Not set: as the device tells."),
        DEVICE(Serial, TEXT, NULL, 0, 0, serial,
                        "The serial number that has to be there. Not set: as the device tells."),
        DEVICE(Protocol, PROTOCOL, "native", 0, 0, protocol,
                        "What the bootloader speaks; see rekindle-drivers(7)."),
        DEVICE(Channel, NAME, NULL, 0, 0, channel, "As in [Updates], for this device."),
        DEVICE_SET(Provision, CHOICE, "ask|auto|no", provision,
                        "As in [Updates], for this device."),
        { CONFIG_DEVICE, "Approval", CONFIG_TYPE_EITHER, NULL, 0, 0, "auto|ask",
                        offsetof(ConfigDevice, ask), offsetof(ConfigDevice, ask_set),
                        "As in [Updates], for this device." },
        DEVICE_SET(StrictFloor, SWITCH, NULL, strict_floor, "As in [Updates], for this device."),
        { .name = NULL },
};

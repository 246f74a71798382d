/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Config: files in, one value out. Every assignment is noted with its place, so that what turns
 * out wrong only when all files are read (a port that is missing, an address twice) is still
 * said with file and line. */
#include <dirent.h>
#include <fcntl.h>

#include "basic/file.h"
#include "basic/ini.h"
#include "daemon/config-table.h"
#include "driver/driver.h"

#define DROPINS_MAX 64
#define NOTES_MAX   16384

/* Where a key (NULL: the section) of a port, a device or a single section (index 0) was set. */
typedef struct Note {
        ConfigSection section;
        size_t index;
        const ConfigKey *key;
        char *file;
        unsigned line;
} Note;

typedef struct Parse {
        Config *config;
        void (*on_warning)(const char *text, void *userdata);
        void *userdata;
        Note *notes;
        size_t n_notes;
        /* the section of the lines that come */
        ConfigSection section;
        size_t index;
        bool skip; /* unknown */
} Parse;

static void parse_done(Parse *p) {
        for (size_t i = 0; i < p->n_notes; i++)
                free(p->notes[i].file);
        free(p->notes);
        config_free(p->config);
}

/* An unknown key, or an unknown section where the line has no key. */
static void warn(Parse *p, const IniLine *line) {
        Why w;

        if (!p->on_warning)
                return;
        if (line->key)
                (void)why(&w, 0, "%s:%u: there is no key %s in [%s]; it is ignored", line->file,
                                line->line, line->key, line->section);
        else
                (void)why(&w, 0,
                                "%s:%u: there is no section %s, only Server, Updates, Port NAME and "
                                "Device NAME; it is ignored",
                                line->file, line->line, line->section);
        p->on_warning(w.text, p->userdata);
}

static int note(Parse *p, const IniLine *line, const ConfigKey *key, Why *w) {
        Note *n;

        if (p->n_notes >= NOTES_MAX)
                return why(w, -EINVAL, "%s:%u: more than %d lines in all files", line->file,
                                line->line, NOTES_MAX);
        n = realloc(p->notes, (p->n_notes + 1) * sizeof(Note));
        if (!n)
                return why_oom(w);
        p->notes = n;
        n += p->n_notes;
        *n = (Note){ .section = p->section, .index = p->index, .key = key, .line = line->line };
        n->file = strdup(line->file);
        if (!n->file)
                return why_oom(w);
        p->n_notes++;
        return 0;
}

/* Starts a sentence about a key of a section: the last place that set it, else the section's. */
static int wrong(const Parse *p, ConfigSection section, size_t index, const char *key, Why *w,
                const char *text) {
        const Note *place = NULL;

        for (size_t i = 0; i < p->n_notes; i++) {
                const Note *n = p->notes + i;

                if (n->section != section || n->index != index)
                        continue;
                if (!place || (n->key && streq(n->key->name, key)))
                        place = n;
        }
        return place ? why(w, -EINVAL, "%s:%u: %s=: %s", place->file, place->line, key, text)
                     : why(w, -EINVAL, "%s=: %s", key, text);
}

static void *section_of(const Parse *p) {
        switch (p->section) {
        case CONFIG_PORT:
                return p->config->ports + p->index;
        case CONFIG_DEVICE:
                return p->config->devices + p->index;
        default:
                return p->config;
        }
}

/* The entries of a kind of named section; the name is the first member of each. */
typedef struct Named {
        void **array;
        size_t *n;
        size_t size, max;
} Named;

_Static_assert(offsetof(ConfigPort, name) == 0 && offsetof(ConfigDevice, name) == 0,
                "named_get() looks there");

static Named named_of(Config *c, ConfigSection section) {
        if (section == CONFIG_PORT)
                return (Named){ (void **)&c->ports, &c->n_ports, sizeof(ConfigPort),
                        CONFIG_PORTS_MAX };
        return (Named){ (void **)&c->devices, &c->n_devices, sizeof(ConfigDevice),
                CONFIG_DEVICES_MAX };
}

/* Finds the entry of this name or adds it. -E2BIG: there are too many. */
static int named_get(const Named *named, ConfigSection which, const char *name, size_t *ret) {
        char *p = *named->array;
        size_t i;

        for (i = 0; i < *named->n; i++)
                if (streq(*(char **)(p + i * named->size), name)) {
                        *ret = i;
                        return 0;
                }
        if (i >= named->max)
                return -E2BIG;
        p = realloc(p, (i + 1) * named->size);
        if (!p)
                return -ENOMEM;
        *named->array = p;
        p += i * named->size;
        memset(p, 0, named->size);
        (*named->n)++;
        *ret = i;
        *(char **)p = strdup(name);
        return *(char **)p ? config_section_reset(which, p) : -ENOMEM;
}

static int begin_named(Parse *p, const IniLine *line, Why *w) {
        Named named = named_of(p->config, p->section);
        int r;

        r = named_get(&named, p->section, line->name, &p->index);
        if (r == -E2BIG)
                return why(w, -EINVAL, "%s:%u: more than %zu sections [%s NAME]", line->file,
                                line->line, named.max, line->section);
        return r < 0 ? why_oom(w) : note(p, line, NULL, w);
}

static int begin_section(Parse *p, const IniLine *line, Why *w) {
        p->skip = false;
        p->index = 0;
        for (int i = 0; i < _CONFIG_SECTION_MAX; i++) {
                p->section = (ConfigSection)i;
                if (!streq(config_section_to_string(p->section), line->section))
                        continue;
                if (config_section_has_name(p->section) != !!line->name)
                        return why(w, -EINVAL, "%s:%u: [%s]: this section %s", line->file,
                                        line->line, line->section,
                                        line->name ? "has no name"
                                                   : "needs a name, as in [Port heating]");
                return line->name ? begin_named(p, line, w) : note(p, line, NULL, w);
        }
        p->skip = true;
        warn(p, line);
        return 0;
}

static int refuse_owner(const IniLine *line, Why *w) {
        return why(w, -EINVAL,
                        "%s:%u: Owner=%.64s: stopping %.64s takes a polkit rule that grants "
                        "org.freedesktop.systemd1.manage-units on it to the user of this daemon, and this version "
                        "cannot use that right; leave Owner= out and hand the line over with "
                        "rekindlectl ports release",
                        line->file, line->line, line->value, line->value);
}

static int on_line(const IniLine *line, void *userdata, Why *w) {
        char allowed[CONFIG_ALLOWED_MAX];
        Parse *p = userdata;
        const ConfigKey *key;
        int r;

        if (!line->key)
                return begin_section(p, line, w);
        if (p->skip)
                return 0;
        key = config_key_find(p->section, line->key);
        if (!key) {
                warn(p, line);
                return 0;
        }
        if (key->type == CONFIG_TYPE_UNIT && *line->value)
                return refuse_owner(line, w);
        r = config_key_set(key, section_of(p), line->value);
        if (r == -ENOMEM)
                return why_oom(w);
        if (r < 0) {
                config_key_allowed(key, allowed);
                return why(w, -EINVAL, "%s:%u: %s=%.100s: it has to be %s", line->file, line->line,
                                key->name, line->value, allowed);
        }
        return note(p, line, key, w);
}

/* ---- what only the whole can tell ---- */

static bool was_set(const Parse *p, ConfigSection section, size_t index, const char *key) {
        for (size_t i = 0; i < p->n_notes; i++)
                if (p->notes[i].section == section && p->notes[i].index == index &&
                                p->notes[i].key && streq(p->notes[i].key->name, key))
                        return true;
        return false;
}

static bool has_bus(const Config *c, const ConfigPort *port) {
        for (size_t i = 0; i < c->n_devices; i++)
                if (streq_ptr(c->devices[i].port, port->name) && c->devices[i].address > 0)
                        return true;
        return false;
}

static int check_port(Parse *p, size_t i, Why *w) {
        const Config *c = p->config;
        ConfigPort *port = c->ports + i;
        bool bus = has_bus(c, port);

        if (!port->path)
                return wrong(p, CONFIG_PORT, i, "Path", w,
                                "it is missing; a port needs the path of its line");
        for (size_t k = 0; k < i; k++)
                if (streq(c->ports[k].path, port->path))
                        return wrong(p, CONFIG_PORT, i, "Path", w,
                                        "another [Port] has the same; a line belongs to one port");
        if (port->half_duplex && port->rtscts)
                return wrong(p, CONFIG_PORT, i, "RtsCts", w,
                                "with HalfDuplex=yes nothing answers on CTS; it has to be no");
        if (bus && port->push_baud != 0 && port->push_baud != CONFIG_SPEED_NONE)
                return wrong(p, CONFIG_PORT, i, "PushBaud", w,
                                "a device on this port has an address, and a bus has one speed; it has to be "
                                "none or left out");
        if (bus && port->discover && was_set(p, CONFIG_PORT, i, "Discover"))
                return wrong(p, CONFIG_PORT, i, "Discover", w,
                                "a device on this port has an address, and units on a bus do not announce "
                                "themselves; it has to be no");
        if (bus) {
                port->discover = false;
                port->push_baud = CONFIG_SPEED_NONE;
        }
        if (port->push_baud == CONFIG_SPEED_NONE)
                port->push_baud = port->baud;
        return 0;
}

static bool same_place(const ConfigDevice *a, const ConfigDevice *b) {
        if (!streq_ptr(a->port, b->port) || a->address != b->address)
                return false;
        return !a->serial || !b->serial || streq(a->serial, b->serial);
}

static int check_device(Parse *p, size_t i, Why *w) {
        const Config *c = p->config;
        const ConfigDevice *d = c->devices + i;
        const DriverVTable *driver = driver_find(d->protocol);

        if (!d->port)
                return wrong(p, CONFIG_DEVICE, i, "Port", w,
                                "it is missing; a device needs the name of its [Port NAME]");
        if (!config_find_port(c, d->port))
                return wrong(p, CONFIG_DEVICE, i, "Port", w,
                                "there is no [Port] of this name; it has to be one of those");
        for (size_t k = 0; k < i; k++) {
                if (!streq(c->devices[k].port, d->port))
                        continue;
                if (same_place(c->devices + k, d))
                        return wrong(p, CONFIG_DEVICE, i, "Address", w,
                                        "another [Device] on this port has the same; they need other addresses "
                                        "or other serial numbers");
                if ((c->devices[k].address == 0) != (d->address == 0))
                        return wrong(p, CONFIG_DEVICE, i, "Address", w,
                                        "another [Device] makes this port a bus; on a bus every device needs an "
                                        "address from 1 to 254");
        }
        if (d->address > 0 && !streq(d->protocol, "native"))
                return wrong(p, CONFIG_DEVICE, i, "Address", w,
                                "only Protocol=native knows addresses; it has to be 0");
        if (!(driver->capabilities & DRIVER_CAN_IDENTIFY) && !d->model)
                return wrong(p, CONFIG_DEVICE, i, "Model", w,
                                "it is missing; over this protocol a device cannot tell it");
        return 0;
}

static int check_trial(Parse *p, Why *w) {
        Config *c = p->config;

        if (c->trial_min_usec > c->trial_max_usec)
                return wrong(p, CONFIG_UPDATES, 0, "TrialMinSeconds", w,
                                "it has to be at most TrialMaxSeconds=");
        if (!was_set(p, CONFIG_UPDATES, 0, "TrialSeconds"))
                c->trial_default_usec =
                                CLAMP(c->trial_default_usec, c->trial_min_usec, c->trial_max_usec);
        if (c->trial_default_usec < c->trial_min_usec || c->trial_default_usec > c->trial_max_usec)
                return wrong(p, CONFIG_UPDATES, 0, "TrialSeconds", w,
                                "it has to be from TrialMinSeconds= to TrialMaxSeconds=");
        return 0;
}

static int check(Parse *p, Why *w) {
        int r;

        r = check_trial(p, w);
        for (size_t i = 0; r == 0 && i < p->config->n_devices; i++)
                r = check_device(p, i, w);
        for (size_t i = 0; r == 0 && i < p->config->n_ports; i++)
                r = check_port(p, i, w);
        return r;
}

/* ---- files ---- */

static int parse_init(Parse *p, void (*on_warning)(const char *text, void *userdata),
                void *userdata, Why *w) {
        *p = (Parse){ .on_warning = on_warning, .userdata = userdata };
        p->config = new0(Config, 1);
        if (!p->config || config_section_reset(CONFIG_SERVER, p->config) < 0 ||
                        config_section_reset(CONFIG_UPDATES, p->config) < 0)
                return why_oom(w);
        return 0;
}

/* What the reader of INI lines refuses is a bad value like any other. */
static int parse_bytes_of(Parse *p, const char *file, const char *bytes, size_t n, Why *w) {
        int r;

        p->skip = true;
        r = ini_parse(file, bytes, n, on_line, p, w);
        return r == -EBADMSG || r == -E2BIG ? -EINVAL : r;
}

static int finish(Parse *p, Config **ret, Why *w) {
        int r = check(p, w);

        if (r < 0)
                return r;
        *ret = TAKE_PTR(p->config);
        return 0;
}

int config_parse(const ConfigText *text, void (*on_warning)(const char *text, void *userdata),
                void *userdata, Config **ret, Why *w) {
        _cleanup_(parse_done) Parse p;
        int r;

        r = parse_init(&p, on_warning, userdata, w);
        if (r == 0)
                r = parse_bytes_of(&p, text->file, text->bytes, text->n, w);
        return r < 0 ? r : finish(&p, ret, w);
}

static int parse_file(Parse *p, const char *path, bool required, Why *w) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        r = file_read(AT_FDCWD, path, INI_FILE_MAX, &bytes, &n);
        if (r == -ENOENT && !required)
                return 0;
        if (r == -EFBIG)
                return why(w, -EINVAL, "%s: larger than %d bytes", path, INI_FILE_MAX);
        if (r == -EISDIR || r == -ENOTSUP)
                return why(w, -EINVAL, "%s: it is no regular file; one of text is wanted", path);
        if (r < 0)
                return why(w, r, "%s: %s", path, strerror(-r));
        return parse_bytes_of(p, path, bytes, n, w);
}

static int is_dropin(const struct dirent *entry) {
        size_t n = strlen(entry->d_name);

        return entry->d_name[0] != '.' && n > 5 && streq(entry->d_name + n - 5, ".conf");
}

/* Names in the order of their bytes, whatever the locale. */
static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static int parse_dropins(Parse *p, const char *path, Why *w) {
        _cleanup_free_ char *folder = NULL;
        struct dirent **list = NULL;
        int n, r = 0;

        if (asprintf(&folder, "%s.d", path) < 0) {
                folder = NULL;
                return why_oom(w);
        }
        n = scandir(folder, &list, is_dropin, by_name);
        if (n < 0)
                return errno == ENOENT ? 0 : why(w, -errno, "%s: %s", folder, strerror(errno));
        if (n > DROPINS_MAX)
                r = why(w, -EINVAL, "%s: %d files; %d are allowed", folder, n, DROPINS_MAX);
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = NULL;

                if (r == 0 && asprintf(&file, "%s/%s", folder, list[i]->d_name) < 0) {
                        file = NULL;
                        r = why_oom(w);
                }
                if (r == 0)
                        r = parse_file(p, file, true, w);
                free(list[i]);
        }
        free(list);
        return r;
}

int config_load(const char *path, bool required,
                void (*on_warning)(const char *text, void *userdata), void *userdata, Config **ret,
                Why *w) {
        _cleanup_(parse_done) Parse p;
        int r;

        r = parse_init(&p, on_warning, userdata, w);
        if (r == 0)
                r = parse_file(&p, path, required, w);
        if (r == 0)
                r = parse_dropins(&p, path, w);
        return r < 0 ? r : finish(&p, ret, w);
}

Config *config_free(Config *c) {
        if (!c)
                return NULL;
        config_section_done(CONFIG_SERVER, c);
        config_section_done(CONFIG_UPDATES, c);
        for (size_t i = 0; i < c->n_ports; i++) {
                config_section_done(CONFIG_PORT, c->ports + i);
                free(c->ports[i].name);
        }
        for (size_t i = 0; i < c->n_devices; i++) {
                config_section_done(CONFIG_DEVICE, c->devices + i);
                free(c->devices[i].name);
        }
        free(c->ports);
        free(c->devices);
        free(c);
        return NULL;
}

const ConfigPort *config_find_port(const Config *c, const char *name) {
        for (size_t i = 0; i < c->n_ports; i++)
                if (streq(c->ports[i].name, name))
                        return c->ports + i;
        return NULL;
}

const ConfigDevice *config_find_device(const Config *c, const char *name) {
        for (size_t i = 0; i < c->n_devices; i++)
                if (streq(c->devices[i].name, name))
                        return c->devices + i;
        return NULL;
}

const ConfigDevice *config_match_device(
                const Config *c, const char *port, unsigned address, const char *serial) {
        const ConfigDevice *any = NULL;

        for (size_t i = 0; i < c->n_devices; i++) {
                const ConfigDevice *d = c->devices + i;

                if (!streq(d->port, port) || d->address != address)
                        continue;
                if (d->serial && serial && streq(d->serial, serial))
                        return d;
                if (!any && (!d->serial || !serial))
                        any = d;
        }
        return any;
}

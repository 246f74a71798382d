/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* D-Bus values as JSON: dictionaries become objects, arrays and structures arrays. The bus
 * bounds depth and size. */
#include "ctl/ctl.h"
#include "ctl/format.h"

static int read_container(sd_bus_message *m, char type, const char *contents, json_t **ret);

static int read_basic(sd_bus_message *m, char type, json_t **ret) {
        union {
                const char *s;
                int b;
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
        } v;
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        switch (type) {
        case 's':
        case 'o':
        case 'g':
                *ret = json_string(v.s);
                break;
        case 'b':
                *ret = json_boolean(v.b);
                break;
        case 'y':
                *ret = json_integer(v.y);
                break;
        case 'n':
                *ret = json_integer(v.n);
                break;
        case 'q':
                *ret = json_integer(v.q);
                break;
        case 'i':
                *ret = json_integer(v.i);
                break;
        case 'u':
                *ret = json_integer(v.u);
                break;
        case 'x':
                *ret = json_integer(v.x);
                break;
        case 't':
                *ret = json_integer(v.t > INT64_MAX ? INT64_MAX : (json_int_t)v.t);
                break;
        case 'd':
                *ret = json_real(v.d);
                break;
        default:
                return -EBADMSG;
        }
        return *ret ? 0 : -ENOMEM;
}

int json_from_message(sd_bus_message *m, json_t **ret) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (r == 0)
                return -EBADMSG;
        if (type == 'a' || type == 'r' || type == 'v')
                return read_container(m, type, contents, ret);
        return read_basic(m, type, ret);
}

static int read_entry(sd_bus_message *m, const char *contents, json_t *object) {
        json_t *value;
        const char *key;
        int r;

        r = sd_bus_message_enter_container(m, 'e', contents);
        if (r <= 0)
                return r;
        r = sd_bus_message_read_basic(m, 's', &key);
        if (r >= 0)
                r = json_from_message(m, &value);
        if (r < 0)
                return r;
        if (json_object_set_new(object, key, value) < 0)
                return -ENOMEM;
        r = sd_bus_message_exit_container(m);
        return r < 0 ? r : 1;
}

static int read_dictionary(sd_bus_message *m, const char *contents, json_t *object) {
        char entry[64];
        int r;

        if (snprintf(entry, sizeof(entry), "%.*s", (int)strlen(contents) - 2, contents + 1) >=
                        (int)sizeof(entry))
                return -E2BIG;
        do
                r = read_entry(m, entry, object);
        while (r > 0);
        return r;
}

static int read_items(sd_bus_message *m, json_t *array) {
        json_t *item;
        int r;

        while ((r = sd_bus_message_at_end(m, false)) == 0) {
                r = json_from_message(m, &item);
                if (r < 0)
                        return r;
                if (json_array_append_new(array, item) < 0)
                        return -ENOMEM;
        }
        return MIN(r, 0);
}

static int read_container(sd_bus_message *m, char type, const char *contents, json_t **ret) {
        bool dictionary = type == 'a' && contents[0] == '{';
        _cleanup_json_ json_t *value = NULL;
        _cleanup_free_ char *kept = strdup(contents);
        int r;

        if (!kept)
                return -ENOMEM;
        r = sd_bus_message_enter_container(m, type, kept);
        if (r < 0)
                return r;
        if (type == 'v') {
                r = json_from_message(m, &value);
        } else {
                value = dictionary ? json_object() : json_array();
                if (!value)
                        return -ENOMEM;
                r = dictionary ? read_dictionary(m, kept, value) : read_items(m, value);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(value);
        return 0;
}

/* Structures get names where they are known, so that no program has to count. */
static json_t *name_members(const char *key, json_t *value) {
        static const struct {
                const char *key, *names[5];
        } known[] = {
                { "bad", { "digest", "version", "reason", "since" } },
                { "inhibitors", { "who", "why" } },
        };
        json_t *item;
        size_t i;

        for (size_t k = 0; k < ELEMENTSOF(known); k++) {
                if (!streq(known[k].key, key))
                        continue;
                json_array_foreach(value, i, item) {
                        json_t *object = json_object();

                        for (size_t n = 0; object && known[k].names[n]; n++)
                                (void)json_object_set(
                                                object, known[k].names[n], json_array_get(item, n));
                        (void)json_array_set_new(value, i, object);
                }
        }
        return value;
}

int json_from_properties(sd_bus_message *m, json_t *object) {
        _cleanup_json_ json_t *properties = NULL;
        char name[FORMAT_MAX];
        const char *key;
        json_t *value;
        int r;

        r = json_from_message(m, &properties);
        if (r < 0)
                return r;
        if (!json_is_object(properties))
                return -EBADMSG;
        json_object_foreach(properties, key, value) {
                format_kebab(key, name);
                if (json_object_set(object, name, name_members(name, value)) < 0)
                        return -ENOMEM;
        }
        return 0;
}

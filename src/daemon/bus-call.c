/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way of a method call: authorised from the event loop (today the bus policy has judged
 * already, so the answer is always yes; an authority that takes its time comes in here without
 * any method noticing), arguments read strictly, refusals with the name of their outcome. */
#include <stdarg.h>

#include "basic/log.h"
#include "daemon/bus-private.h"
#include "daemon/folder-read.h"

struct BusCall {
        Bus *bus;
        sd_bus_message *message;
        BusContinuation func;
        sd_event_source *source;
        BusCall *next;
};

static void call_free(BusCall *c) {
        Bus *b = c->bus;

        for (BusCall **p = &b->calls; *p; p = &(*p)->next)
                if (*p == c) {
                        *p = c->next;
                        b->n_calls--;
                        break;
                }
        sd_event_source_disable_unref(c->source);
        sd_bus_message_unref(c->message);
        free(c);
}

static int on_allowed(sd_event_source *source, void *userdata) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
        BusCall *c = userdata;
        Bus *b = c->bus;
        BusContinuation func = c->func;
        int r;

        message = sd_bus_message_ref(c->message);
        call_free(c);
        r = func(b, message, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                r = sd_bus_reply_method_errno(message, r, &error);
        if (r < 0)
                (void)log_full(LOG_WARNING, NULL, r, "a call of %s could not be answered",
                                sd_bus_message_get_member(message));
        return 0;
}

int bus_authorize(Bus *b, sd_bus_message *call, const char *action, BusContinuation func,
                sd_bus_error *error) {
        BusCall *c;
        int r;

        if (b->n_calls + b->n_answers >= BUS_CALLS_MAX)
                return sd_bus_error_set(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                "too many calls are open; try again later");
        c = new0(BusCall, 1);
        if (!c)
                return -ENOMEM;
        *c = (BusCall){
                .bus = b, .message = sd_bus_message_ref(call), .func = func, .next = b->calls
        };
        b->calls = c;
        b->n_calls++;
        r = sd_event_add_defer(b->manager->event, &c->source, on_allowed, c);
        if (r < 0) {
                call_free(c);
                return r;
        }
        log_debug("%s asks for %s on %s", sd_bus_message_get_sender(call), action,
                        sd_bus_message_get_path(call));
        return 1;
}

void bus_calls_free(Bus *b) {
        while (b->calls)
                call_free(b->calls);
}

int bus_refuse(sd_bus_error *error, Outcome o, const Why *w) {
        const OutcomeInfo *info = outcome_info(o);

        return sd_bus_error_set(error, info->bus_error, w && w->text[0] ? w->text : info->text);
}

int bus_refuse_argument(sd_bus_error *error, const char *format, ...) {
        char text[WHY_MAX];
        va_list ap;
        Why w;

        va_start(ap, format);
        (void)vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        (void)why(&w, 0, "%s", text);
        return bus_refuse(error, OUTCOME_INVALID_ARGUMENT, &w);
}

static int refuse_option(
                const char *name, const BusOption *options, size_t n, sd_bus_error *error) {
        char known[WHY_MAX] = "none";
        size_t k = 0;

        for (size_t i = 0; i < n && k < sizeof(known); i++)
                k += (size_t)snprintf(known + k, sizeof(known) - k, "%s%s", i > 0 ? ", " : "",
                                options[i].name);
        return bus_refuse_argument(
                        error, "there is no option \"%s\" here; known are: %s", name, known);
}

static int read_option(sd_bus_message *m, const BusOption *o, sd_bus_error *error) {
        const char signature[] = { o->type, '\0' };
        const char *contents;
        int r;

        r = sd_bus_message_peek_type(m, NULL, &contents);
        if (r < 0)
                return r;
        if (!streq(contents, signature))
                return bus_refuse_argument(error, "option \"%s\" has type %s instead of %s",
                                o->name, contents, signature);
        return sd_bus_message_read(m, "v", signature, o->value);
}

static int read_entry(sd_bus_message *m, const BusOption *options, size_t n, uint64_t *seen,
                sd_bus_error *error) {
        const char *name;
        int r;

        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                if (!streq(options[i].name, name))
                        continue;
                if (*seen & UINT64_C(1) << i)
                        return bus_refuse_argument(error, "option \"%s\" is there twice", name);
                *seen |= UINT64_C(1) << i;
                return read_option(m, options + i, error);
        }
        return refuse_option(name, options, n, error);
}

int bus_read_options(sd_bus_message *m, const BusOption *options, size_t n, sd_bus_error *error) {
        uint64_t seen = 0;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                r = read_entry(m, options, n, &seen, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

int bus_check_folder(int fd, sd_bus_error *error) {
        if (folder_fd_is_valid(fd))
                return 0;
        return bus_refuse_argument(
                        error, "option \"folder\" is no folder that was opened for reading");
}

static int append_strings(sd_bus_message *m, const json_t *list) {
        const json_t *item;
        size_t i;
        int r;

        r = sd_bus_message_open_container(m, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "s");
        json_array_foreach(list, i, item) {
                if (r >= 0 && json_is_string(item))
                        r = sd_bus_message_append(m, "s", json_string_value(item));
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_value(sd_bus_message *m, const json_t *value) {
        switch (json_typeof(value)) {
        case JSON_STRING:
                return sd_bus_message_append(m, "v", "s", json_string_value(value));
        case JSON_INTEGER:
                return sd_bus_message_append(m, "v", "x", (int64_t)json_integer_value(value));
        case JSON_TRUE:
        case JSON_FALSE:
                return sd_bus_message_append(m, "v", "b", json_is_true(value));
        case JSON_ARRAY:
                return append_strings(m, value);
        default:
                return -EINVAL;
        }
}

static int append_object(sd_bus_message *m, json_t *object) {
        const char *key;
        json_t *value;
        int r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r < 0)
                return r;
        json_object_foreach(object, key, value) {
                if (json_is_null(value))
                        continue;
                r = sd_bus_message_open_container(m, 'e', "sv");
                if (r >= 0)
                        r = sd_bus_message_append(m, "s", key);
                if (r >= 0)
                        r = append_value(m, value);
                if (r >= 0)
                        r = sd_bus_message_close_container(m);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

int bus_append_objects(sd_bus_message *m, const json_t *objects) {
        json_t *object;
        size_t i;
        int r;

        r = sd_bus_message_open_container(m, 'a', "a{sv}");
        if (r < 0)
                return r;
        json_array_foreach(objects, i, object) {
                r = append_object(m, object);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_close_container(m);
}

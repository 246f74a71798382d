/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check: asks the server. With --explain it asks nobody and says what would be done. verify: has a
 * folder looked at in the server's place. */
#include <fcntl.h>

#include "basic/names.h"
#include "ctl/show.h"

static const char *const columns[] = { "DEVICE", "VERSION", "VERDICT", "WHY", NULL };

static int read_verdicts(Ctl *c, const char *device, json_t **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        if (device)
                r = ctl_call(c, "Explain", &reply, "a{sv}", 1, "device", "s", device);
        else
                r = ctl_call(c, "Explain", &reply, "a{sv}", 0);
        if (r != 0)
                return r;
        r = json_from_message(reply, ret);
        return r < 0 ? ctl_errno(r, "the verdicts cannot be read") : 0;
}

static int show_verdicts(Ctl *c, const json_t *verdicts) {
        _cleanup_(table_freep) Table *t = NULL;
        const json_t *v;
        size_t i;
        int r;

        r = table_new(columns, &t);
        json_array_foreach(verdicts, i, v) {
                const char *class = member_string(v, "class");

                if (r >= 0)
                        r = table_add(t, member_string(v, "device"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, member_string(v, "version"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t,
                                        streq(class, "success") ? "update"
                                                                : member_string(v, "outcome"),
                                        format_state_color(class));
                if (r >= 0)
                        r = table_add(t, member_string(v, "text"), COLOR_NONE);
        }
        return show_table(c, t, r);
}

static int explain(Ctl *c, const char *device) {
        _cleanup_json_ json_t *verdicts = NULL, *known = NULL;
        int r;

        r = device ? ctl_device(c, device, &known) : 0;
        if (r == 0)
                r = read_verdicts(c, device, &verdicts);
        if (r != 0)
                return r;
        if (c->json)
                return ctl_print_json(verdicts);
        if (json_array_size(verdicts) == 0) {
                (void)puts("There is no release for any device that is known here: "
                           "rekindlectl check asks the server.");
                return STATUS_DONE;
        }
        return show_verdicts(c, verdicts);
}

int ctl_open_folder(Ctl *c) {
        c->folder_fd = open(c->from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->folder_fd < 0)
                return ctl_failed("the folder %s cannot be opened: %m", c->from);
        return 0;
}

int ctl_append_folder(const Ctl *c, sd_bus_message *m) {
        if (c->folder_fd < 0)
                return sd_bus_message_append(m, "a{sv}", 0);
        return sd_bus_message_append(m, "a{sv}", 1, "folder", "h", c->folder_fd);
}

int ctl_check(Ctl *c, char ret_outcome[static 64], char ret_text[static WHY_MAX]) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *escaped = NULL;
        const char *outcome, *text;
        int r;

        if (c->folder_fd >= 0)
                r = ctl_call(c, "Check", &reply, "a{sv}", 1, "folder", "h", c->folder_fd);
        else
                r = ctl_call(c, "Check", &reply, "a{sv}", 0);
        if (r != 0)
                return r;
        r = sd_bus_message_read(reply, "ss", &outcome, &text);
        if (r < 0)
                return ctl_errno(r, "the answer cannot be read");
        escaped = text_escape(text, strlen(text), WHY_MAX - 4);
        (void)snprintf(ret_outcome, 64, "%s", outcome);
        (void)snprintf(ret_text, WHY_MAX, "%s", escaped ? escaped : "");
        return 0;
}

static int show_check(Ctl *c) {
        char outcome[64], text[WHY_MAX];
        _cleanup_json_ json_t *o = NULL;
        int r, status;

        r = ctl_check(c, outcome, text);
        if (r != 0)
                return r;
        status = ctl_outcome_status(c, outcome);
        if (c->json) {
                o = json_pack("{s:s, s:s, s:s, s:i}", "outcome", outcome, "class",
                                member_string(ctl_outcome(c, outcome), "class"), "text", text,
                                "exit", status);
                (void)ctl_print_json(o);
        } else if (status == STATUS_DONE) {
                (void)puts(*text ? text : "what the server offers is known and fresh");
        } else {
                (void)ctl_failed("%s", *text ? text : outcome);
        }
        return status;
}

int verb_verify(Ctl *c, int argc, char *argv[]) {
        int r;

        if (!c->from)
                return ctl_usage("verify needs --from DIR; rekindlectl check asks the server");
        r = ctl_open_folder(c);
        return r != 0 ? r : show_check(c);
}

int verb_check(Ctl *c, int argc, char *argv[]) {
        if (c->explain)
                return explain(c, argc > 0 ? argv[0] : NULL);
        if (argc > 0)
                return ctl_usage("check asks for all devices; check --explain takes one");
        return show_check(c);
}

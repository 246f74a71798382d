/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* show: everything about one device. */
#include <inttypes.h>

#include "ctl/show.h"

static void line_if(const Ctl *c, const json_t *d, const char *name, const char *key) {
        if (*member_string(d, key))
                show_line(c, name, member_string(d, key));
}

static void show_program(const Ctl *c, const json_t *d, const char *name, const char *version_key,
                const char *digest_key, const char *note) {
        const char *version = member_string(d, version_key), *digest = member_string(d, digest_key);
        char text[WHY_MAX];

        if (!*version && !*digest) {
                show_line(c, name, "none");
                return;
        }
        (void)snprintf(text, sizeof(text), "%s%s", *version ? version : "unknown version", note);
        show_line(c, name, text);
        line_if(c, d, "digest", digest_key);
}

static void show_unit(const Ctl *c, const json_t *d) {
        char text[FORMAT_MAX];

        show_line(c, "device", member_string(d, "id"));
        show_line(c, "model", member_string(d, "model"));
        line_if(c, d, "hardware", "hardware");
        line_if(c, d, "serial", "serial");
        line_if(c, d, "bootloader", "bootloader-version");
        (void)snprintf(text, sizeof(text), "%s, address %" PRIu64 ", %s", member_string(d, "port"),
                        member_number(d, "address"), member_string(d, "protocol"));
        show_line(c, "port", text);
        format_bytes(member_number(d, "program-space"), text);
        show_line(c, "program space", member_number(d, "program-space") > 0 ? text : "not known");
        format_time(member_number(d, "last-seen"), text);
        show_line(c, "last seen", member_true(d, "present") ? "now" : text);
}

static void show_condition(const Ctl *c, const json_t *d) {
        char state[FORMAT_MAX];

        show_state(d, state);
        show_line(c, "state", state);
        show_line(c, "what", member_string(d, "state-text"));
        line_if(c, d, "device says", "device-state");
        line_if(c, d, "health", "health");
        line_if(c, d, "candidate", "candidate");
        line_if(c, d, "waits for", "waiting");
        if (member_true(d, "hold"))
                show_line(c, "hold", "yes: nothing is done to it by itself");
        if (member_true(d, "identity-changed")) {
                show_line(c, "claimed model", member_string(d, "claimed-model"));
                show_line(c, "claimed serial", member_string(d, "claimed-serial"));
        }
        if (member_true(d, "foreign-push"))
                show_line(c, "foreign push", "open; rekindlectl accept takes over");
}

static const char *note_on_running(const json_t *d) {
        const char *state = member_string(d, "running-state");

        if (streq(state, "trial"))
                return " (on trial)";
        return streq(state, "none") ? " (ran last; nothing runs now)" : "";
}

static void show_programs(const Ctl *c, const json_t *d) {
        const json_t *bad;
        size_t i;

        show_program(c, d, "running", "running-version", "running-digest", note_on_running(d));
        show_program(c, d, "backup", "backup-version", "backup-digest",
                        member_true(d, "backup-verified") ? "" : " (declared)");
        show_program(c, d, "previous", "previous-version", "previous-digest", "");
        line_if(c, d, "floor", "floor");
        line_if(c, d, "approved", "approved");
        line_if(c, d, "passed over", "passed-over");
        json_array_foreach(json_object_get(d, "bad"), i, bad) {
                char text[2 * WHY_MAX];

                (void)snprintf(text, sizeof(text), "%s: %s", member_string(bad, "version"),
                                member_string(bad, "reason"));
                show_line(c, "bad", text);
                line_if(c, bad, "digest", "digest");
        }
}

static void show_last(const Ctl *c, const json_t *d) {
        char time[FORMAT_MAX], text[2 * WHY_MAX];

        if (member_number(d, "outcome-time") > 0) {
                format_time(member_number(d, "outcome-time"), time);
                (void)snprintf(text, sizeof(text), "%s %s: %s", time, member_string(d, "outcome"),
                                member_string(d, "outcome-text"));
                show_line(c, "last result", text);
        }
        if (*member_string(d, "verdict")) {
                (void)snprintf(text, sizeof(text), "%s: %s", member_string(d, "verdict"),
                                member_string(d, "verdict-text"));
                show_line(c, "next release", text);
        }
}

int verb_show(Ctl *c, int argc, char *argv[]) {
        _cleanup_json_ json_t *device = NULL;
        int r;

        r = ctl_device(c, argv[0], &device);
        if (r != 0)
                return r;
        if (c->json)
                return ctl_print_json(device);
        show_unit(c, device);
        show_condition(c, device);
        show_programs(c, device);
        show_last(c, device);
        return STATUS_DONE;
}

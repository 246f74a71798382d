/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines and cells that more than one verb prints. */
#include "ctl/show.h"

#include <inttypes.h>

#include "basic/names.h"
#include "basic/terminal.h"

#define TEXT_MAX      400
#define NAME_WIDTH    14 /* so that a whole digest fits into 80 columns */
#define VALUE_MIN     20 /* narrower, a value is not broken */
#define DIGEST_DIGITS 16

int show_table(const Ctl *c, Table *t, int r) {
        if (r >= 0)
                r = table_print(t, c->color, c->columns, stdout);
        return r < 0 ? ctl_errno(r, "the answer cannot be shown") : STATUS_DONE;
}

void show_text(FILE *f, const char *text) {
        _cleanup_free_ char *escaped = text_escape(text, strlen(text), TEXT_MAX);

        (void)fputs(escaped ? escaped : "?", f);
}

void show_line(const Ctl *c, const char *name, const char *value) {
        _cleanup_free_ char *escaped = text_escape(value, strlen(value), TEXT_MAX);
        size_t indent = NAME_WIDTH + strlen(": ");
        size_t room = c->columns >= indent + VALUE_MIN ? c->columns - indent : SIZE_MAX;
        const char *text = escaped && *escaped ? escaped : "-";

        (void)printf("%*s: ", NAME_WIDTH, name);
        for (;;) {
                size_t n = text_break(text, room);

                (void)printf("%.*s\n", (int)n, text);
                text += n;
                text += strspn(text, " ");
                if (!*text)
                        return;
                (void)printf("%*s", (int)indent, "");
        }
}

void show_digest(const char *digest, char ret[static FORMAT_MAX]) {
        (void)snprintf(ret, FORMAT_MAX, "%.*s", DIGEST_DIGITS, digest);
}

void show_state(const json_t *device, char ret[static FORMAT_MAX]) {
        const char *state = member_string(device, "state");
        uint64_t permille = member_number(device, "progress");

        if (*member_string(device, "kind") && permille > 0)
                (void)snprintf(ret, FORMAT_MAX, "%s %" PRIu64 " %%", state, permille / 10);
        else
                (void)snprintf(ret, FORMAT_MAX, "%s", state);
}

/* A release that waits for a person is more than that all is well. */
static const char *what_of(const json_t *device) {
        const char *state = member_string(device, "state");
        bool waits = (streq(state, "idle") || streq(state, "blank")) &&
                     streq(member_string(device, "verdict"), "wait-approval");

        return member_string(device, waits ? "verdict-text" : "state-text");
}

int show_devices(Table *t, const json_t *devices) {
        const json_t *d;
        size_t i;
        int r = 0;

        table_keep_to_lines(t);
        json_array_foreach(devices, i, d) {
                char state[FORMAT_MAX];

                show_state(d, state);
                if (r >= 0)
                        r = table_add(t, member_string(d, "id"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, member_string(d, "model"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, member_string(d, "running-version"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, member_string(d, "backup-version"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, state, format_state_color(member_string(d, "state")));
                if (r >= 0)
                        r = table_add(t, member_true(d, "hold") ? "hold" : "", COLOR_YELLOW);
                if (r >= 0)
                        r = table_add(t, what_of(d), COLOR_NONE);
        }
        return r;
}

const char *const show_device_columns[] = { "DEVICE", "MODEL", "RUNNING", "BACKUP", "STATE", "HOLD",
        "WHAT", NULL };

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backup list, check, adopt, images. */
#include <fcntl.h>

#include "ctl/show.h"

static int add_program(Table *t, const json_t *d, const char *role, const char *how) {
        char key[FORMAT_MAX], digest[FORMAT_MAX];
        int r;

        (void)snprintf(key, sizeof(key), "%s-digest", role);
        show_digest(member_string(d, key), digest);
        if (!*digest)
                return 0;
        (void)snprintf(key, sizeof(key), "%s-version", role);
        r = table_add(t, member_string(d, "id"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, role, COLOR_NONE);
        if (r >= 0)
                r = table_add(t, member_string(d, key), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, how, COLOR_NONE);
        return r < 0 ? r : table_add(t, digest, COLOR_NONE);
}

static json_t *describe(const json_t *d) {
        static const char *const keys[] = { "id", "backup-version", "backup-digest",
                "backup-verified", "previous-version", "previous-digest" };
        json_t *o = json_object();

        for (size_t i = 0; o && i < ELEMENTSOF(keys); i++)
                (void)json_object_set(o, keys[i], json_object_get(d, keys[i]));
        return o;
}

int verb_backup_list(Ctl *c, int argc, char *argv[]) {
        static const char *const columns[] = { "DEVICE", "ROLE", "VERSION", "HOW", "DIGEST", NULL };
        _cleanup_json_ json_t *devices = NULL, *out = json_array();
        _cleanup_(table_freep) Table *t = NULL;
        const json_t *d;
        size_t i;
        int r;

        r = ctl_devices_named(c, argc, argv, &devices);
        if (r != 0)
                return r;
        r = table_new(columns, &t);
        if (r >= 0)
                table_keep_to_lines(t);
        json_array_foreach(devices, i, d) {
                if (r >= 0)
                        r = add_program(t, d, "backup",
                                        member_true(d, "backup-verified") ? "verified"
                                                                          : "declared");
                if (r >= 0)
                        r = add_program(t, d, "previous", "");
                if (json_array_append_new(out, describe(d)) < 0)
                        r = -ENOMEM;
        }
        return c->json && r >= 0 ? ctl_print_json(out) : show_table(c, t, r);
}

static int check_one(Ctl *c, const char *id, json_t *results) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *outcome, *text;
        int r, status;

        r = ctl_call_device(c, id, "CheckBackup", &reply, "a{sv}", 0);
        if (r != 0)
                return r;
        r = sd_bus_message_read(reply, "ss", &outcome, &text);
        if (r < 0)
                return ctl_errno(r, "the answer cannot be read");
        status = ctl_outcome_status(c, outcome);
        (void)json_array_append_new(results,
                        json_pack("{s:s, s:s, s:s, s:s, s:i}", "device", id, "outcome", outcome,
                                        "class", member_string(ctl_outcome(c, outcome), "class"),
                                        "text", text, "exit", status));
        if (!c->json) {
                show_text(stdout, id);
                (void)printf(": %s: ", status == STATUS_DONE ? "intact" : outcome);
                show_text(stdout, text);
                (void)puts("");
        }
        return status;
}

int verb_backup_check(Ctl *c, int argc, char *argv[]) {
        _cleanup_json_ json_t *devices = NULL, *results = json_array();
        const json_t *d;
        int r, worst = STATUS_DONE;
        size_t i;

        r = ctl_devices_named(c, argc, argv, &devices);
        if (r != 0)
                return r;
        json_array_foreach(devices, i, d) {
                r = check_one(c, member_string(d, "id"), results);
                if (r != 0)
                        worst = r;
        }
        if (c->json)
                (void)ctl_print_json(results);
        return worst;
}

static int adopt_file(Ctl *c, const char *id, const char *path) {
        _cleanup_close_ int fd = -1;
        Why w;

        /* Opening a pipe that nobody writes must not hang. */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                (void)why(&w, 0, "%s cannot be opened: %s", path, strerror(errno));
                return ctl_failure(c, id, CTL_FAILED, STATUS_FAILED, w.text);
        }
        return ctl_call_device(c, id, "Adopt", NULL, "a{sv}", 2, "file", "h", fd, "version", "s",
                        c->version);
}

int verb_backup_adopt(Ctl *c, int argc, char *argv[]) {
        int r;

        if ((argc > 1) != (c->version != NULL))
                return ctl_usage("FILE and --version V belong together: "
                                 "backup adopt DEV FILE --version V");
        if (argc > 1)
                r = adopt_file(c, argv[0], argv[1]);
        else
                r = ctl_call_device(c, argv[0], "Adopt", NULL, "a{sv}", 0);
        if (r != 0)
                return r;
        return ctl_said(c, "device", argv[0],
                        argc > 1 ? "kept as its backup"
                                 : "accepted; rekindlectl backup list shows it when it is kept");
}

static int add_image(Table *t, const json_t *image) {
        char length[FORMAT_MAX], used[FORMAT_MAX], digest[FORMAT_MAX], kept[WHY_MAX] = "";
        const json_t *id;
        size_t i, n = 0;
        int r;

        format_bytes(member_number(image, "length"), length);
        format_time(member_number(image, "used"), used);
        show_digest(member_string(image, "digest"), digest);
        json_array_foreach(json_object_get(image, "kept-by"), i, id) {
                if (n < sizeof(kept))
                        n += (size_t)snprintf(kept + n, sizeof(kept) - n, "%s%s", i > 0 ? " " : "",
                                        json_string_value(id));
        }
        r = table_add(t, member_string(image, "model"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, member_string(image, "version"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, length, COLOR_NONE);
        if (r >= 0)
                r = table_add(t, used, COLOR_NONE);
        if (r >= 0)
                r = table_add(t, digest, COLOR_NONE);
        return r < 0 ? r : table_add(t, kept, COLOR_NONE);
}

int verb_backup_images(Ctl *c, int argc, char *argv[]) {
        static const char *const columns[] = { "MODEL", "VERSION", "SIZE", "USED", "DIGEST",
                "KEPT BY", NULL };
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_json_ json_t *images = NULL;
        const json_t *image;
        size_t i;
        int r;

        r = ctl_call(c, "Images", &reply, "a{sv}", 0);
        if (r != 0)
                return r;
        r = json_from_message(reply, &images);
        if (r < 0)
                return ctl_errno(r, "the answer cannot be read");
        if (c->json)
                return ctl_print_json(images);
        r = table_new(columns, &t);
        if (r >= 0)
                table_keep_to_lines(t);
        json_array_foreach(images, i, image) {
                if (r >= 0)
                        r = add_image(t, image);
        }
        return show_table(c, t, r);
}

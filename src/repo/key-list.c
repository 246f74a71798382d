/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of keys: those in force, and what the stage makes of them. Nothing is opened for it
 * but public keys. */
#include <assert.h>
#include <fcntl.h>

#include "basic/file.h"
#include "repo/device-key.h"
#include "repo/key-list.h"
#include "repo/keyring.h"
#include "repo/root-edit.h"
#include "repo/stage.h"

#define PUBLIC_TAIL ".pub.pem"

static const char *type_of(const json_t *key) {
        const char *type = json_string_value(json_object_get(key, "keytype"));

        return !type ? "?" : streq(type, "ecdsa") ? "p256" : type;
}

static int put_keys(const Repo *repo, json_t *list, const TufSigners *now, const json_t *other,
                const char *state) {
        const json_t *ids = json_object_get(now->role, "keyids");
        const json_t *others = json_object_get(other, "keyids");
        const Keyring ring = { .repo_fd = repo->fd };

        for (size_t i = 0; i < json_array_size(ids); i++) {
                const char *id = json_string_value(json_array_get(ids, i));
                bool is_in_other = json_has_string(others, id);

                /* Those of both are in force; those of one alone come or go. */
                if (streq(state, "in force") ? !is_in_other : is_in_other)
                        continue;
                if (json_array_append_new(
                                    list, json_pack("{s:s, s:s, s:s, s:b}", "keyid", id, "type",
                                                          type_of(json_object_get(now->keys, id)),
                                                          "state", state, "here",
                                                          keyring_has(&ring, now->name, id))) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* before, after: role NULL where there is none. */
static int put_role(const Repo *repo, json_t *roles, const TufSigners *before,
                const TufSigners *after) {
        const json_t *threshold = json_object_get(before->role ?: after->role, "threshold");
        const json_t *next = json_object_get(after->role, "threshold");
        json_t *keys = json_array();

        if (json_object_set_new(roles, before->name,
                            json_pack("{s:O, s:o}", "threshold", (json_t *)threshold, "keys",
                                            keys)) < 0)
                return -ENOMEM;
        if (next && !json_equal((json_t *)next, (json_t *)threshold) &&
                        json_object_set(json_object_get(roles, before->name), "staged-threshold",
                                        (json_t *)next) < 0)
                return -ENOMEM;
        if (put_keys(repo, keys, before, after->role, "in force") < 0 ||
                        put_keys(repo, keys, before, after->role, "staged: removed") < 0 ||
                        put_keys(repo, keys, after, before->role, "staged: added") < 0)
                return -ENOMEM;
        return 0;
}

static int put_top_roles(const Repo *repo, json_t *roles, Why *w) {
        const json_t *current = repo->current[TUF_ROOT]->content;
        _cleanup_json_ json_t *next = NULL;
        int r;

        r = root_next_content(repo, 0, &next, NULL, w);
        for (TufRole i = 0; r >= 0 && i < _TUF_ROLE_MAX; i++) {
                const TufSigners before = root_signers(current, i), after = root_signers(next, i);

                r = put_role(repo, roles, &before, &after);
        }
        return r == -ENOMEM ? why_oom(w) : r;
}

static int put_teams(const Repo *repo, json_t *roles) {
        const char *name;
        json_t *entry;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < repo->n_teams; i++) {
                const Team *team = &repo->teams[i];
                const json_t *next = json_object_get(repo->staged_teams, team->name) ?: team->entry;
                const TufSigners before = team_signers(team->name, team->entry),
                                 after = team_signers(team->name, json_is_null(next) ? NULL : next);

                r = put_role(repo, roles, &before, &after);
        }
        json_object_foreach(repo->staged_teams, name, entry) {
                const TufSigners before = team_signers(name, NULL),
                                 after = team_signers(name, entry);

                if (r >= 0 && json_is_object(entry) && !repo_find_team(repo, name))
                        r = put_role(repo, roles, &before, &after);
        }
        return r;
}

static int put_device(const Repo *repo, json_t *devices, const char *file, Why *w) {
        size_t n = strlen(file), tail = strlen(PUBLIC_TAIL), head = strlen(DEVICE_PREFIX);
        _cleanup_json_ json_t *key = NULL;
        char path[512], id[TUF_KEYID_HEX];
        int r;

        if (!startswith(file, DEVICE_PREFIX) || n <= head + tail ||
                        !streq(file + n - tail, PUBLIC_TAIL))
                return 0;
        (void)snprintf(path, sizeof(path), REPO_KEYS "/%s", file);
        r = public_key_read(repo->fd, path, &key, w);
        if (r >= 0)
                r = tuf_key_id(key, id, w);
        if (r < 0)
                return r;
        return json_array_append_new(devices, json_pack("{s:s%, s:s, s:s}", "name", file, n - tail,
                                                              "keyid", id, "type", type_of(key))) <
                                               0
                               ? why_oom(w)
                               : 0;
}

static int put_devices(const Repo *repo, json_t *devices, Why *w) {
        _cleanup_(closedirp) DIR *dir = NULL;
        int r;

        r = folder_list(repo->fd, REPO_KEYS, &dir);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return why(w, r, REPO_KEYS ": %s", strerror(-r));
        for (struct dirent *entry; r >= 0 && (entry = readdir(dir));)
                r = put_device(repo, devices, entry->d_name, w);
        return r;
}

static int by_name(const void *a, const void *b) {
        return strcmp(json_string_value(json_object_get(*(json_t *const *)a, "name")),
                        json_string_value(json_object_get(*(json_t *const *)b, "name")));
}

int key_list_get(const Repo *repo, json_t **ret, Why *w) {
        _cleanup_json_ json_t *roles = json_object(), *devices = json_array();
        int r;

        assert(repo && ret);
        if (!roles || !devices)
                return why_oom(w);
        r = put_top_roles(repo, roles, w);
        if (r >= 0 && put_teams(repo, roles) < 0)
                r = why_oom(w);
        if (r >= 0)
                r = put_devices(repo, devices, w);
        if (r < 0)
                return r;
        *ret = json_pack("{s:O, s:o}", "roles", roles, "devices", json_sorted(devices, by_name));
        return *ret ? 0 : why_oom(w);
}

static const char *get(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key));
}

static void print_role(const char *name, const json_t *role) {
        const json_t *keys = json_object_get(role, "keys"), *next;
        json_int_t threshold = json_integer_value(json_object_get(role, "threshold"));

        printf("%s: %lld of %zu", name, (long long)threshold, json_array_size(keys));
        next = json_object_get(role, "staged-threshold");
        if (next)
                printf(", staged: %lld", (long long)json_integer_value(next));
        printf("\n");
        for (size_t i = 0; i < json_array_size(keys); i++) {
                const json_t *key = json_array_get(keys, i);

                printf("  %.16s  %-8s %-10s %s\n", get(key, "keyid"), get(key, "type"),
                                json_is_true(json_object_get(key, "here")) ? "here" : "elsewhere",
                                get(key, "state"));
        }
}

void key_list_print(const json_t *list) {
        const json_t *devices = json_object_get(list, "devices");
        const char *name;
        json_t *role;

        json_object_foreach(json_object_get(list, "roles"), name, role) {
                print_role(name, role);
        }
        if (json_array_size(devices) > 0)
                printf("devices:\n");
        for (size_t i = 0; i < json_array_size(devices); i++) {
                const json_t *key = json_array_get(devices, i);

                printf("  %.16s  %-8s %s\n", get(key, "keyid"), get(key, "type"), get(key, "name"));
        }
}

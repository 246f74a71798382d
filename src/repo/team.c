/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Teams: from TUF's delegations and to them. */
#include <assert.h>

#include "basic/names.h"
#include "repo/team.h"
#include "tuf/metadata.h"

#define PATTERN_TAIL "/*/*"

bool team_name_is_valid(const char *name) {
        static const char *const taken[] = { "root", "targets", "snapshot", "timestamp", "device" };

        if (!name_is_valid(name))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(taken); i++) {
                size_t n = strlen(taken[i]);

                if (startswith(name, taken[i]) && (name[n] == '\0' || name[n] == '-'))
                        return false;
        }
        return strlen(name) < 4 || !streq(name + strlen(name) - 4, ".pub");
}

bool team_has_model(const json_t *entry, const char *model) {
        return json_has_string(json_object_get(entry, "models"), model);
}

int team_check(const json_t *entry, const char *name, Why *w) {
        json_t *keys, *models;
        int r;

        r = json_get_object(entry, name, "keys", &keys, w);
        if (r >= 0)
                r = tuf_signers_check(entry, name, w);
        if (r >= 0)
                r = json_get_array(entry, name, "models", TEAM_MODELS_MAX, &models, w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_array_size(models); i++)
                if (!json_is_string(json_array_get(models, i)) ||
                                !name_is_valid(json_string_value(json_array_get(models, i))))
                        return why(w, -EBADMSG, "%s: \"models\" has to be a list of names", name);
        return 0;
}

/* The keys of `all` that the role names. */
static json_t *own_keys(const json_t *all, const json_t *keyids) {
        json_t *keys = json_object();

        for (size_t i = 0; i < json_array_size(keyids); i++) {
                const char *id = json_string_value(json_array_get(keyids, i));
                json_t *key = json_object_get(all, id);

                if (key && json_object_set(keys, id, key) < 0)
                        break;
        }
        return keys;
}

static int models_of(const json_t *role, json_t **ret, Why *w) {
        _cleanup_json_ json_t *models = json_array();
        json_t *paths;
        int r;

        r = json_get_array(role, "delegation", "paths", TEAM_MODELS_MAX, &paths, w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_array_size(paths); i++) {
                const char *path = json_string_value(json_array_get(paths, i));
                const char *tail = path ? strchr(path, '/') : NULL;

                if (!tail || !streq(tail, PATTERN_TAIL))
                        return why(w, -EBADMSG,
                                        "a delegation has another path than MODEL" PATTERN_TAIL
                                        ", which rekindle-repo did not write");
                if (json_array_append_new(models, json_stringn(path, (size_t)(tail - path))) < 0)
                        return why_oom(w);
        }
        *ret = TAKE_PTR(models);
        return 0;
}

static int from_role(const json_t *role, const json_t *keys, json_t **ret, Why *w) {
        _cleanup_json_ json_t *models = NULL, *own = NULL;
        json_t *keyids = json_object_get(role, "keyids");
        const char *name;
        int r;

        r = json_get_string(role, "delegation", "name", NAME_MAX_LENGTH, &name, w);
        if (r < 0)
                return r;
        if (!team_name_is_valid(name))
                return why(w, -EBADMSG, "delegation to \"%s\": not a name of rekindle-repo", name);
        r = models_of(role, &models, w);
        if (r < 0)
                return r;
        own = own_keys(keys, keyids);
        *ret = json_pack("{s:s, s:{s:O, s:O, s:O, s:O}}", "name", name, "entry", "keys", own,
                        "keyids", keyids, "threshold", json_object_get(role, "threshold"), "models",
                        models);
        return *ret ? 0 : why_oom(w);
}

int teams_from_delegations(const json_t *delegations, json_t **ret, Why *w) {
        _cleanup_json_ json_t *list = json_array();
        json_t *keys, *roles = NULL, *one = NULL;
        int r;

        assert(ret);
        if (!list)
                return why_oom(w);
        if (delegations) {
                r = json_get_object(delegations, "delegations", "keys", &keys, w);
                if (r >= 0)
                        r = json_get_array(delegations, "delegations", "roles", 1024, &roles, w);
                for (size_t i = 0; r >= 0 && i < json_array_size(roles); i++) {
                        r = from_role(json_array_get(roles, i), keys, &one, w);
                        if (r >= 0 && json_array_append_new(list, one) < 0)
                                return why_oom(w);
                }
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(list);
        return 0;
}

static json_t *to_role(const char *name, const json_t *entry) {
        const json_t *models = json_object_get(entry, "models");
        _cleanup_json_ json_t *paths = json_array();

        for (size_t i = 0; i < json_array_size(models); i++)
                if (json_array_append_new(paths, json_sprintf("%s" PATTERN_TAIL,
                                                                 json_string_value(json_array_get(
                                                                                 models, i)))) < 0)
                        return NULL;
        return json_pack("{s:s, s:O, s:O, s:b, s:O}", "name", name, "keyids",
                        json_object_get(entry, "keyids"), "threshold",
                        json_object_get(entry, "threshold"), "terminating", true, "paths", paths);
}

json_t *teams_to_delegations(const json_t *list) {
        _cleanup_json_ json_t *keys = json_object(), *roles = json_array();

        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *one = json_array_get(list, i);
                json_t *entry = json_object_get(one, "entry");

                if (json_object_update(keys, json_object_get(entry, "keys")) < 0 ||
                                json_array_append_new(
                                                roles, to_role(json_string_value(json_object_get(
                                                                               one, "name")),
                                                                       entry)) < 0)
                        return NULL;
        }
        return json_pack("{s:O, s:O}", "keys", keys, "roles", roles);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Edits: on a copy, which is checked and staged as a whole. */
#include <assert.h>

#include "repo/publish.h"
#include "repo/root-edit.h"
#include "repo/sign.h"
#include "repo/stage.h"
#include "repo/team.h"
#include "tuf/key.h"

#define PREFIX_MIN 4 /* digits of a key id that are enough if they are its own */

int root_next_content(
                const Repo *repo, int64_t now, json_t **ret, json_t **ret_signatures, Why *w) {
        const TufMetadata *current = repo->current[TUF_ROOT];
        _cleanup_json_ json_t *next = NULL;
        json_t *content;
        int r;

        assert(ret);
        r = stage_load_next(repo, "root", &next, w);
        if (r < 0 && r != -ENOENT)
                return r;
        content = json_object_get(next, "signed");
        if (content && json_integer_value(json_object_get(content, "version")) >
                                        (json_int_t)current->version) {
                *ret = json_deep_copy(content);
                if (ret_signatures)
                        *ret_signatures = json_incref(json_object_get(next, "signatures"));
        } else {
                _cleanup_json_ json_t *renewed = root_renewed(current->content,
                                current->version + 1, now + (int64_t)repo->expires_in[TUF_ROOT]);

                *ret = renewed ? json_deep_copy(renewed) : NULL;
                if (ret_signatures)
                        *ret_signatures = NULL;
        }
        return *ret ? 0 : why_oom(w);
}

static int begin_team(RootEdit *e, Why *w) {
        const json_t *entry = json_object_get(e->repo->staged_teams, e->role);
        const Team *team = repo_find_team(e->repo, e->role);

        if (!entry && team)
                entry = team->entry;
        if (!json_is_object(entry))
                return why(w, -ENOENT,
                                "\"%s\" is no role; there are root, targets, snapshot, timestamp, "
                                "teams (see delegate) and device-NAME",
                                e->role);
        e->content = json_deep_copy(entry);
        e->is_team = true;
        e->signers = e->content;
        e->keys = json_object_get(e->content, "keys");
        return e->content ? 0 : why_oom(w);
}

static bool is_top_role(const char *name) {
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (streq(tuf_role_to_string(i), name))
                        return true;
        return false;
}

int root_edit_begin(RootEdit *e, Repo *repo, const char *role, int64_t now, Why *w) {
        json_t *signatures = NULL;
        int r;

        assert(e && repo && role);
        *e = (RootEdit){ .repo = repo, .role = role };
        if (!is_top_role(role))
                return begin_team(e, w);
        r = root_next_content(repo, now, &e->content, &signatures, w);
        if (r < 0)
                return r;
        e->n_signatures = json_array_size(signatures);
        json_decref(signatures);
        e->keys = json_object_get(e->content, "keys");
        e->signers = json_object_get(json_object_get(e->content, "roles"), role);
        return 0;
}

void root_edit_done(RootEdit *e) {
        json_decref(e->content);
}

static size_t find_id(const RootEdit *e, const char *keyid) {
        const json_t *ids = json_object_get(e->signers, "keyids");

        for (size_t i = 0; i < json_array_size(ids); i++)
                if (streq(json_string_value(json_array_get(ids, i)), keyid))
                        return i;
        return SIZE_MAX;
}

bool root_edit_has(const RootEdit *e, const char *keyid) {
        return find_id(e, keyid) != SIZE_MAX;
}

int root_edit_add(RootEdit *e, const json_t *key, const char *keyid, Why *w) {
        if (root_edit_has(e, keyid))
                return why(w, -EEXIST, "%s has the key %.16s already", e->role, keyid);
        if (json_object_set(e->keys, keyid, (json_t *)key) < 0 ||
                        json_array_append_new(json_object_get(e->signers, "keyids"),
                                        json_string(keyid)) < 0)
                return why_oom(w);
        return 0;
}

int root_edit_remove(RootEdit *e, const char *keyid, Why *w) {
        size_t i = find_id(e, keyid);

        if (i == SIZE_MAX)
                return why(w, -ENOENT, "%s has no key %.16s", e->role, keyid);
        return json_array_remove(json_object_get(e->signers, "keyids"), i) < 0 ? why_oom(w) : 0;
}

int root_edit_threshold(RootEdit *e, uint64_t threshold, Why *w) {
        return json_object_set_new(e->signers, "threshold", json_integer((json_int_t)threshold)) < 0
                               ? why_oom(w)
                               : 0;
}

int root_edit_resolve(const RootEdit *e, const char *prefix, char ret[static SHA256_HEX], Why *w) {
        const json_t *ids = json_object_get(e->signers, "keyids");
        const char *found = NULL;

        for (size_t i = 0; i < json_array_size(ids); i++) {
                const char *id = json_string_value(json_array_get(ids, i));

                if (!startswith(id, prefix))
                        continue;
                if (found)
                        return why(w, -EINVAL,
                                        "%s has two keys that begin with %s; name more digits",
                                        e->role, prefix);
                found = id;
        }
        if (!found || strlen(prefix) < PREFIX_MIN)
                return why(w, -ENOENT,
                                "%s has no key %.64s; it has to be the first digits of one that "
                                "\"key list\" shows, at least %d",
                                e->role, prefix, PREFIX_MIN);
        (void)snprintf(ret, SHA256_HEX, "%.64s", found);
        return 0;
}

static bool is_used(const json_t *roles, const char *keyid) {
        const char *name;
        json_t *role;

        json_object_foreach((json_t *)roles, name, role) {
                if (json_has_string(json_object_get(role, "keyids"), keyid))
                        return true;
        }
        return false;
}

/* Keys that no role names any more. */
static int drop_unused(RootEdit *e, Why *w) {
        _cleanup_json_ json_t *one = e->is_team ? json_pack("{s:O}", "team", e->content) : NULL;
        const json_t *roles = e->is_team ? one : json_object_get(e->content, "roles");
        const char *id;
        json_t *key;
        void *tmp;

        if (!roles)
                return why_oom(w);
        json_object_foreach_safe(e->keys, tmp, id, key) {
                if (!is_used(roles, id))
                        (void)json_object_del(e->keys, id);
        }
        return 0;
}

int root_edit_check(const RootEdit *e, size_t n_keys, uint64_t threshold, Why *w) {
        json_int_t now = json_integer_value(json_object_get(e->signers, "threshold"));

        if (threshold == 0)
                threshold = now < 0 ? 0 : (uint64_t)now;
        if (n_keys > KEYS_PER_ROLE_MAX)
                return why(w, -E2BIG, "%s would have %zu keys; a role can have %d", e->role, n_keys,
                                KEYS_PER_ROLE_MAX);
        if (threshold >= 1 && threshold <= n_keys)
                return 0;
        return why(w, -EINVAL,
                        "%s would have %zu key%s for a threshold of %llu; add a key first, or lower "
                        "it with \"key threshold\"",
                        e->role, n_keys, n_keys == 1 ? "" : "s", (unsigned long long)threshold);
}

int root_edit_save(RootEdit *e, Why *w) {
        size_t n = json_array_size(json_object_get(e->signers, "keyids"));
        _cleanup_json_ json_t *document = NULL;
        int r;

        r = root_edit_check(e, n, 0, w);
        if (r < 0)
                return r;
        r = drop_unused(e, w);
        if (r < 0)
                return r;
        if (e->is_team) {
                if (json_object_set(e->repo->staged_teams, e->role, e->content) < 0)
                        return why_oom(w);
                return stage_save(e->repo, w);
        }
        document = json_pack("{s:O, s:[]}", "signed", e->content, "signatures");
        return document ? stage_save_next(e->repo, "root", document, w) : why_oom(w);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "basic/quote.h"
#include "graph.h"

json_t *graph_role(Maker *m, const char *role) {
        json_t *content;

        if (streq(role, "targets"))
                return m->content[TUF_TARGETS];
        content = json_object_get(m->roles, role);
        if (content)
                return content;
        content = json_pack("{s:s, s:s, s:i, s:s, s:{}}", "_type", "targets", "spec_version",
                        "1.0.34", "version", 1, "expires", MAKER_FUTURE, "targets");
        json_object_set_new(m->roles, role, content);
        return content;
}

void graph_add_target(Maker *m, const char *role, const char *name) {
        maker_add_target(graph_role(m, role), name);
}

static json_t *delegations_of(Maker *m, const char *delegator, unsigned key) {
        json_t *content = graph_role(m, delegator), *o = json_object_get(content, "delegations");

        if (!o) {
                o = json_pack("{s:{}}", "keys");
                json_object_set_new(content, "delegations", o);
        }
        json_object_set_new(json_object_get(o, "keys"), m->ids[key], maker_key_object(m, key));
        return o;
}

static json_t *words(const char *text) {
        char *copy = strdup(text), *rest = NULL;
        json_t *list = json_array();

        for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
                json_array_append_new(list, json_string(word + (*word == '#')));
        free(copy);
        return list;
}

void graph_delegate(Maker *m, const char *delegator, const char *role, const char *patterns,
                unsigned key) {
        json_t *o = delegations_of(m, delegator, key), *roles = json_object_get(o, "roles");
        size_t n = strlen(patterns);
        bool terminating = n > 0 && patterns[n - 1] == '!';
        char *plain = strndup(patterns, n - terminating);

        if (!roles) {
                roles = json_array();
                json_object_set_new(o, "roles", roles);
        }
        json_array_append_new(roles,
                        json_pack("{s:s, s:[s], s:i, s:b, s:o}", "name", role, "keyids",
                                        m->ids[key], "threshold", 1, "terminating", terminating,
                                        *plain == '#' ? "path_hash_prefixes" : "paths",
                                        words(plain)));
        free(plain);
        if (!streq(role, "targets"))
                graph_write(m, role, key);
}

void graph_delegate_bins(
                Maker *m, const char *delegator, const char *prefix, unsigned bits, unsigned key) {
        json_t *o = delegations_of(m, delegator, key);

        json_object_set_new(o, "succinct_roles",
                        json_pack("{s:s, s:[s], s:i, s:i}", "name_prefix", prefix, "keyids",
                                        m->ids[key], "threshold", 1, "bit_length", (int)bits));
}

static void file_of(const Maker *m, const char *role, int version, char ret[320]) {
        char *quoted = quote_name(role);

        if (json_is_true(json_object_get(m->content[TUF_ROOT], "consistent_snapshot")))
                (void)snprintf(ret, 320, "%d.%s.json", version, quoted);
        else
                (void)snprintf(ret, 320, "%s.json", quoted);
        free(quoted);
}

void graph_write(Maker *m, const char *role, unsigned key) {
        json_t *content = graph_role(m, role);
        char name[320], *text;

        text = maker_sign(m, content, &key, 1);
        file_of(m, role, (int)json_integer_value(json_object_get(content, "version")), name);
        maker_put(m, name, text);
        free(text);
        json_object_set_new(m->role_keys, role, json_integer((json_int_t)key));
}

void graph_publish(Maker *m) {
        json_t *meta = json_object_get(m->content[TUF_SNAPSHOT], "meta"), *content;
        const char *role;

        json_object_foreach(m->roles, role, content) {
                char *listed = NULL;

                graph_write(m, role,
                                (unsigned)json_integer_value(json_object_get(m->role_keys, role)));
                assert_true(asprintf(&listed, "%s.json", role) > 0);
                json_object_set_new(meta, listed,
                                json_pack("{s:O}", "version", json_object_get(content, "version")));
                free(listed);
        }
        maker_publish(m, TUF_TARGETS);
}

/* Requests of the walk, without versions. */
static void expect_roles(const Maker *m, const char *roles) {
        char got[sizeof(m->requests)] = "";

        for (const char *p = m->requests; *p;) {
                const char *end = strchr(p, ' '), *name = p + strspn(p, "0123456789");
                size_t n = strlen(got);

                name += *name == '.' && name > p;
                (void)snprintf(got + n, sizeof(got) - n, "%.*s ",
                                (int)(end - name - (ptrdiff_t)strlen(".json")), name);
                p = end + 1;
        }
        assert_string_equal(got, roles);
}

static void run(Maker *m, const char *roles) {
        UpdaterError e = maker_run(m);

        if (e != UPDATER_OK)
                fail_msg("%s: %s", updater_error_to_string(e), m->why.text);
        expect_roles(m, roles);
}

static void refresh(Maker *m) {
        maker_expect(m, UPDATER_OK, NULL);
        m->requests[0] = m->stores[0] = '\0';
}

void graph_look_up(Maker *m, const char *name, const char *roles) {
        refresh(m);
        assert_int_equal(updater_look_up(m->updater, name), 0);
        run(m, roles);
}

void graph_survey(Maker *m, const char *folders, const char *roles) {
        const char *list[16];
        json_t *split = folders ? words(folders) : NULL;
        size_t n = json_array_size(split);

        for (size_t i = 0; i < n; i++)
                list[i] = json_string_value(json_array_get(split, i));
        refresh(m);
        assert_int_equal(updater_survey(m->updater, folders ? list : NULL, n), 0);
        json_decref(split);
        run(m, roles);
}

void graph_expect(Maker *m, const char *name, const char *role) {
        TufTarget t;

        if (!role) {
                assert_int_equal(updater_find_target(m->updater, name, &t), -ENOENT);
                return;
        }
        if (updater_find_target(m->updater, name, &t) < 0) {
                (void)updater_missing(m->updater, name, &m->why);
                fail_msg("%s is not found: %s", name, m->why.text);
        }
        assert_string_equal(t.role, role);
        assert_string_equal(t.name, name);
}

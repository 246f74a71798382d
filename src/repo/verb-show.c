/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* show: what is published and staged, as a table or as JSON. */
#include <getopt.h>

#include "basic/clock.h"
#include "image/version.h"
#include "repo/stage.h"
#include "repo/verbs.h"

static const char help[] = "rekindle-repo show DIR [--json]\n"
                           "\n"
                           "Lists the releases and when the signatures expire.\n"
                           "\n"
                           "  --json                  for programs\n"
                           "  --help                  this text\n";

static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "help", no_argument, NULL, 'h' },
        {},
};

static int put_role(json_t *roles, const char *name, const TufMetadata *m) {
        char text[RFC3339_MAX];

        rfc3339_format(m->expires, text);
        return json_object_set_new(roles, name,
                        json_pack("{s:I, s:s}", "version", (json_int_t)m->version, "expires",
                                        text));
}

static const char *state_to_string(RepoState state) {
        return state == REPO_STAGED ? "staged" : state == REPO_REMOVED ? "removed" : "published";
}

static int collect(const Release *release, RepoState state, void *userdata) {
        _cleanup_json_ json_t *custom = release_to_custom(release);
        json_t *o = json_object_get(custom, "rekindle");

        if (!o || json_object_set_new(o, "target", json_string(release->target)) < 0 ||
                        json_object_set_new(o, "state", json_string(state_to_string(state))) < 0 ||
                        json_object_set_new(o, "file-length",
                                        json_integer((json_int_t)release->file_length)) < 0 ||
                        json_array_append(userdata, o) < 0)
                return -ENOMEM;
        return 0;
}

/* Names of roles whose keys, models or existence the next publish changes. */
static int put_staged_roles(const Repo *repo, json_t *list, Why *w) {
        _cleanup_json_ json_t *next = NULL;
        const char *name;
        json_t *entry;
        int r;

        r = stage_load_next(repo, "root", &next, w);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r >= 0 && json_array_append_new(list, json_string("root")) < 0)
                return why_oom(w);
        json_object_foreach(repo->staged_teams, name, entry) {
                if (json_array_append_new(list, json_string(name)) < 0)
                        return why_oom(w);
        }
        return 0;
}

static const char *get(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key));
}

/* By model, then version. */
static int compare(const void *a, const void *b) {
        const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
        int r = strcmp(get(x, "model"), get(y, "model"));

        if (r == 0)
                r = version_compare(get(x, "version"), get(y, "version"));
        return r != 0 ? r : strcmp(get(x, "target"), get(y, "target"));
}

static int describe(const Repo *repo, json_t **ret, Why *w) {
        _cleanup_json_ json_t *roles = json_object(), *list = json_array(), *releases = NULL,
                              *staged = json_array();
        int r;

        if (!roles || !list || !staged)
                return why_oom(w);
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (repo->current[i] &&
                                put_role(roles, tuf_role_to_string(i), repo->current[i]) < 0)
                        return why_oom(w);
        for (size_t i = 0; i < repo->n_teams; i++)
                if (put_role(roles, repo->teams[i].name, repo->teams[i].current) < 0)
                        return why_oom(w);
        r = repo_foreach_release(repo, collect, list, w);
        if (r == -ENOMEM)
                return why_oom(w);
        if (r < 0)
                return r;
        r = put_staged_roles(repo, staged, w);
        if (r < 0)
                return r;
        releases = json_sorted(list, compare);
        *ret = releases ? json_pack("{s:O, s:O, s:O}", "roles", roles, "releases", releases,
                                          "staged-roles", staged)
                        : NULL;
        return *ret ? 0 : why_oom(w);
}

/* "A,B"; a cell shows no more than a part of a long list. */
static void list_hardware(const json_t *list, char *ret, size_t size) {
        size_t n = 0;

        (void)snprintf(ret, size, "any");
        for (size_t i = 0; i < json_array_size(list); i++) {
                int k = snprintf(ret + n, size - n, "%s%s", i > 0 ? "," : "",
                                json_string_value(json_array_get(list, i)));

                n = MIN(n + (size_t)k, size - 1);
        }
}

static int add_number(Table *t, const json_t *number) {
        char text[24];

        (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(number));
        return table_add(t, text, COLOR_NONE);
}

static int add_release(Table *t, const json_t *o) {
        const json_t *image = json_object_get(o, "image");
        char hardware[400], state[80];
        int r;

        list_hardware(json_object_get(o, "hardware"), hardware, sizeof(hardware));
        (void)snprintf(state, sizeof(state), "%s%s", get(o, "state"),
                        json_object_get(o, "device-signature") ? ", signed for devices" : "");
        r = table_add(t, get(o, "model"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, get(o, "version"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, get(o, "channel"), COLOR_NONE);
        if (r >= 0)
                r = table_add(t, hardware, COLOR_NONE);
        if (r >= 0)
                r = add_number(t, json_object_get(image, "length"));
        if (r >= 0)
                r = add_number(t, json_object_get(o, "file-length"));
        return r < 0 ? r : table_add(t, state, COLOR_NONE);
}

static int print_releases(const json_t *releases, Why *w) {
        static const char *const columns[] = { "MODEL", "VERSION", "CHANNEL", "HARDWARE", "IMAGE",
                "FILE", "STATE", NULL };
        _cleanup_(table_freep) Table *t = NULL;
        int r;

        r = table_new(columns, &t);
        for (size_t i = 0; r >= 0 && i < json_array_size(releases); i++)
                r = add_release(t, json_array_get(releases, i));
        return print_table(t, r, w);
}

static int print_roles(json_t *roles, Why *w) {
        static const char *const columns[] = { "ROLE", "VERSION", "EXPIRES", NULL };
        _cleanup_(table_freep) Table *t = NULL;
        const char *name;
        json_t *role;
        int r;

        r = table_new(columns, &t);
        json_object_foreach(roles, name, role) {
                if (r >= 0)
                        r = table_add(t, name, COLOR_NONE);
                if (r >= 0)
                        r = add_number(t, json_object_get(role, "version"));
                if (r >= 0)
                        r = table_add(t, get(role, "expires"), COLOR_NONE);
        }
        return print_table(t, r, w);
}

static int print_description(const json_t *description, Why *w) {
        const json_t *releases = json_object_get(description, "releases"), *staged;
        int r;

        r = print_releases(releases, w);
        if (r < 0)
                return r;
        printf(json_array_size(releases) == 0 ? "(no release yet)\n\n" : "\n");
        r = print_roles(json_object_get(description, "roles"), w);
        if (r < 0)
                return r;
        staged = json_object_get(description, "staged-roles");
        for (size_t i = 0; i < json_array_size(staged); i++)
                printf("a change of %s is staged\n", json_string_value(json_array_get(staged, i)));
        return 0;
}

static int print(const json_t *description, bool as_json, Why *w) {
        return as_json ? print_json(description, w) : print_description(description, w);
}

int verb_show(int argc, char *argv[]) {
        _cleanup_json_ json_t *description = NULL;
        _cleanup_(repo_freep) Repo *repo = NULL;
        bool as_json = false;
        Why w = {};
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                if (c == 'h')
                        return print_help(help);
                if (c != 'j')
                        return wrong_option(c, argv);
                as_json = true;
        }
        r = option_arguments(argc - optind, argv, 1, 1, "DIR");
        if (r != 0)
                return r;
        r = repo_open(argv[optind], &repo, &w);
        if (r >= 0)
                r = describe(repo, &description, &w);
        if (r >= 0)
                r = print(description, as_json, &w);
        return r < 0 ? failed(&w) : EXIT_DONE;
}

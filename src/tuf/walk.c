/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Walk: the search through delegated roles (specification 5.6.7), pre-order and depth-first.
 *
 * A search runs over what is loaded and stops where a role is needed that nobody looked at yet.
 * That role is obtained, from the local file or the server, and the search begins again: no state
 * is kept between but what is loaded and which delegations were found good or refused. The survey
 * does the same for all delegations that can list something in its folders.
 *
 * A role's bytes are loaded once; each delegation to it is judged by its own keys. What cannot be
 * had or does not verify is a refused delegation, which ends the searches that come to it, not the
 * walk. Only a fetch that broke, or no memory, fails the walk. */
#include <assert.h>

#include "basic/quote.h"
#include "tuf/clause.h"
#include "tuf/updater-private.h"
#include "tuf/verify.h"

#define TARGETS           "targets"
#define STORED_NAME_BYTES 220 /* so that its temporary file has a name, too */

static void walk_on(Updater *u);

/* --- what is known ---------------------------------------------------------------------------- */

const Edge *walk_find_edge(const Updater *u, const char *role, const char *delegator) {
        for (size_t i = 0; i < u->n_edges; i++)
                if (streq(u->edges[i].role, role) && streq(u->edges[i].delegator, delegator))
                        return &u->edges[i];
        return NULL;
}

const TufMetadata *walk_find_loaded(const Updater *u, const char *role) {
        if (streq(role, TARGETS))
                return u->trusted[TUF_TARGETS];
        for (size_t i = 0; i < u->n_loaded; i++)
                if (streq(u->loaded[i].role, role))
                        return u->loaded[i].metadata;
        return NULL;
}

static Edge *add_edge(Updater *u, const char *role, const char *delegator) {
        Edge *larger, *e;

        larger = reallocarray(u->edges, u->n_edges + 1, sizeof(Edge));
        if (!larger)
                return NULL;
        u->edges = larger;
        e = &u->edges[u->n_edges];
        *e = (Edge){ strdup(role), strdup(delegator), .error = UPDATER_E_FETCH };
        if (!e->role || !e->delegator) {
                free(e->role);
                free(e->delegator);
                return NULL;
        }
        u->n_edges++;
        return e;
}

/* Takes the metadata over on success. */
static int add_loaded(Updater *u, const char *role, TufMetadata *m) {
        Loaded *larger;
        char *name;

        larger = reallocarray(u->loaded, u->n_loaded + 1, sizeof(Loaded));
        if (!larger)
                return -ENOMEM;
        u->loaded = larger;
        name = strdup(role);
        if (!name)
                return -ENOMEM;
        u->loaded[u->n_loaded++] = (Loaded){ name, m };
        return 0;
}

/* --- the search ------------------------------------------------------------------------------- */

static bool was_visited(const Search *s, const char *role) {
        for (size_t i = 0; i < s->n; i++)
                if (streq(s->visited[i], role))
                        return true;
        return false;
}

/* A bin's name lies in the struct itself. */
static void copy_needed(Delegation *ret, const Delegation *d) {
        *ret = *d;
        if (d->name == d->bin)
                ret->name = ret->signers.name = ret->bin;
}

static SearchResult visit(const Updater *u, Search *s, const char *role, const TufMetadata *m);

static SearchResult visit_delegation(
                const Updater *u, Search *s, const Delegation *d, const char *delegator) {
        const Edge *edge = walk_find_edge(u, d->name, delegator);

        if (!edge) {
                copy_needed(&s->needed, d);
                s->delegator = delegator;
                return SEARCH_NEEDS;
        }
        if (edge->error != UPDATER_OK) {
                s->edge = edge;
                return SEARCH_REFUSED;
        }
        return visit(u, s, edge->role, walk_find_loaded(u, edge->role));
}

static SearchResult visit(const Updater *u, Search *s, const char *role, const TufMetadata *m) {
        const DelegationQuery query = { .path = s->path, .budget = &s->budget };
        uint64_t i = 0;
        Delegation d;

        s->visited[s->n++] = role;
        if (json_object_get(json_object_get(m->content, TARGETS), s->path)) {
                s->found = m;
                s->found_role = role;
                return SEARCH_FOUND;
        }
        while (delegation_next(m, &query, &i, &d)) {
                SearchResult r = SEARCH_NOT_HERE;

                if (!was_visited(s, d.name)) {
                        s->is_cut = s->n == TUF_VISITS_MAX;
                        r = s->is_cut ? SEARCH_MISSING : visit_delegation(u, s, &d, role);
                }
                if (r != SEARCH_NOT_HERE)
                        return r;
                if (d.terminating)
                        return SEARCH_MISSING;
        }
        s->is_cut = s->budget == 0;
        return s->is_cut ? SEARCH_MISSING : SEARCH_NOT_HERE;
}

SearchResult walk_search(const Updater *u, Search *s, const char *path) {
        SearchResult r;

        s->path = path;
        s->n = 0;
        s->is_cut = false;
        r = visit(u, s, TARGETS, u->trusted[TUF_TARGETS]);
        return r == SEARCH_NOT_HERE ? SEARCH_MISSING : r;
}

/* --- the survey ------------------------------------------------------------------------------- */

/* The next delegation that nobody looked at, in the order of a search. */
typedef struct Survey {
        DelegationQuery query;
        const char *visited[TUF_EDGES_MAX + 1];
        size_t n;
        bool is_cut; /* more bins than are looked at */
        const char *delegator;
        Delegation needed;
} Survey;

static bool survey_visited(const Survey *s, const char *role) {
        for (size_t i = 0; i < s->n; i++)
                if (streq(s->visited[i], role))
                        return true;
        return false;
}

static bool survey_visit(const Updater *u, Survey *s, const char *role) {
        const TufMetadata *m = walk_find_loaded(u, role);
        const Edge *edge;
        uint64_t i = 0;

        s->visited[s->n++] = role;
        if (delegation_bins(m) > TUF_EDGES_MAX) {
                s->is_cut = true;
                return false;
        }
        while (delegation_next(m, &s->query, &i, &s->needed)) {
                edge = walk_find_edge(u, s->needed.name, role);
                if (!edge) {
                        s->delegator = role;
                        return true;
                }
                if (edge->error == UPDATER_OK && !survey_visited(s, edge->role) &&
                                survey_visit(u, s, edge->role))
                        return true;
        }
        return false;
}

static bool leaves_out(const TufMetadata *m, const DelegationQuery *query) {
        static const DelegationQuery all = {};
        uint64_t n = 0, k = 0, i;
        Delegation d;

        if (delegation_bins(m) > 0)
                return query->folders && query->n_folders == 0;
        for (i = 0; delegation_next(m, &all, &i, &d);)
                n++;
        for (i = 0; delegation_next(m, query, &i, &d);)
                k++;
        return k < n;
}

static bool is_vouched_for(const Updater *u, const char *role) {
        for (size_t i = 0; i < u->n_edges; i++)
                if (streq(u->edges[i].role, role) && u->edges[i].error == UPDATER_OK)
                        return true;
        return false;
}

static void finish_survey(Updater *u, const DelegationQuery *query) {
        u->is_partial = leaves_out(u->trusted[TUF_TARGETS], query);
        for (size_t i = 0; i < u->n_loaded && !u->is_partial; i++)
                u->is_partial = is_vouched_for(u, u->loaded[i].role) &&
                                leaves_out(u->loaded[i].metadata, query);
        u->step = UPDATER_DONE;
}

/* --- obtaining a role ------------------------------------------------------------------------- */

static void out_of_memory(Updater *u) {
        (void)why_oom(&u->why);
        updater_fail(u, UPDATER_E_FETCH);
}

static void refuse(Edge *e, int r) {
        e->error = updater_error_of(r);
        (void)why_prefix(&e->why, 0, "delegated by %.60s", e->delegator);
}

/* By the keys that its delegator names. */
static int verify_edge(const Updater *u, const Edge *e, const TufMetadata *m, Why *w) {
        Delegation d;
        int r;

        if (!delegation_find(walk_find_loaded(u, e->delegator), e->role, &d))
                return why(w, -EBADMSG, "%.100s: is not delegated to", e->role);
        r = tuf_verify_by(&d.signers, m, w);
        return tuf_broken(TUF_TARGETS, TUF_CHECK_SIGNATURE, r, w);
}

static int promise(const Updater *u, const char *role, TufMeta *ret, Why *w) {
        _cleanup_free_ char *listed = NULL;

        if (asprintf(&listed, "%s.json", role) < 0) {
                listed = NULL;
                return why_oom(w);
        }
        if (tuf_metadata_find(u->trusted[TUF_SNAPSHOT], listed, ret) < 0)
                return why(w, -EBADMSG, "TUF 5.6.7: snapshot: does not list %.100s", listed);
        return 0;
}

/* Everything but the question who vouches for it. */
static int read_delegated(Updater *u, const char *role, const void *bytes, size_t n,
                TufMetadata **ret, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        TufMeta meta;
        int r;

        r = promise(u, role, &meta, w);
        if (r < 0)
                return r;
        r = tuf_meta_check(&meta, role, bytes, n, w);
        if (r < 0)
                return tuf_broken(TUF_TARGETS, TUF_CHECK_HASH, r, w);
        r = tuf_metadata_new(TUF_TARGETS, bytes, n, &m, w);
        if (r < 0)
                return tuf_broken(TUF_TARGETS, TUF_CHECK_FORMAT,
                                r == -ENOMEM ? r : why_prefix(w, r, "%.100s", role), w);
        r = verify_edge(u, &u->edges[u->n_edges - 1], m, w);
        if (r < 0)
                return r;
        r = updater_check_version(m, &meta, role, w);
        if (r < 0)
                return r;
        r = updater_check_expiry(u, m, role, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static int take_delegated(Updater *u, const void *bytes, size_t n, Why *w) {
        const char *role = u->edges[u->n_edges - 1].role;
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        int r;

        r = read_delegated(u, role, bytes, n, &m, w);
        if (r < 0)
                return r;
        r = add_loaded(u, role, m);
        if (r < 0)
                return why_oom(w);
        m = NULL;
        u->delegated_bytes += n;
        return 0;
}

/* Name of its file here, also the last part of its URL. */
static int name_file(Updater *u, const char *role, Why *w) {
        _cleanup_free_ char *quoted = quote_name(role);

        if (!quoted)
                return why_oom(w);
        if (strlen(quoted) + strlen(".json") >= STORED_NAME_BYTES)
                return why(w, -EBADMSG,
                                "TUF 4.5: %.60s...: the name of the role is too long for a file",
                                role);
        (void)snprintf(u->stored_name, sizeof(u->stored_name), "%s.json", quoted);
        return 0;
}

static int check_length(const Updater *u, const char *role, Why *w) {
        size_t room = MIN((size_t)TUF_TARGETS_MAX, TUF_DELEGATED_MAX - u->delegated_bytes);
        TufMeta meta;
        int r;

        r = promise(u, role, &meta, w);
        if (r < 0)
                return r;
        if (meta.length == UINT64_MAX ? room > 0 : meta.length <= room)
                return 0;
        return why(w, -EBADMSG, "TUF 5.6.1: %.100s: no room; %zu bytes are left", role, room);
}

/* The delegation is new. True when a step is open now. */
static bool obtain(Updater *u, const char *role, const char *delegator) {
        const TufMetadata *known;
        Edge *e = add_edge(u, role, delegator);
        int r;

        if (!e) {
                out_of_memory(u);
                return true;
        }
        known = walk_find_loaded(u, role);
        if (known) {
                r = verify_edge(u, e, known, &e->why);
        } else {
                r = name_file(u, role, &e->why);
                if (r >= 0)
                        r = check_length(u, role, &e->why);
        }
        if (r == -ENOMEM) {
                out_of_memory(u);
                return true;
        }
        if (r < 0)
                refuse(e, r);
        else if (known)
                e->error = UPDATER_OK;
        if (r < 0 || known)
                return false;
        u->step = UPDATER_LOAD;
        u->limit = TUF_TARGETS_MAX;
        return true;
}

static void fetch(Updater *u) {
        size_t room = MIN((size_t)TUF_TARGETS_MAX, TUF_DELEGATED_MAX - u->delegated_bytes);
        TufMeta meta;

        if (promise(u, u->edges[u->n_edges - 1].role, &meta, NULL) < 0)
                return out_of_memory(u); /* it was there before */
        updater_ask(u, updater_is_consistent(u) ? meta.version : 0, u->stored_name,
                        MIN(meta.length, room));
}

/* --- steps ------------------------------------------------------------------------------------ */

void walk_bytes(Updater *u, const void *bytes, size_t n) {
        Edge *e = &u->edges[u->n_edges - 1];
        bool is_local = u->step == UPDATER_LOAD;
        char *copy = NULL;
        int r;

        if (n > u->limit)
                r = why(&e->why, -EBADMSG, "TUF 5.6.1: %.100s: has more than %zu bytes", e->role,
                                u->limit);
        else
                r = take_delegated(u, bytes ?: "", n, &e->why);
        if (r >= 0)
                e->error = UPDATER_OK;
        if (r == -ENOMEM)
                return out_of_memory(u);
        if (r < 0 && is_local)
                return fetch(u);
        if (r < 0)
                refuse(e, r);
        if (r < 0 || is_local)
                return walk_on(u);
        copy = malloc(n + 1);
        if (!copy)
                return out_of_memory(u);
        memcpy(copy, bytes ?: "", n);
        free(u->bytes);
        u->bytes = copy;
        u->length = n;
        u->step = UPDATER_STORE;
}

void walk_not_found(Updater *u) {
        Edge *e = &u->edges[u->n_edges - 1];

        if (u->step == UPDATER_LOAD)
                return fetch(u);
        (void)why(&e->why, 0, "TUF 5.6.1: %.200s: not found", u->name);
        refuse(e, -EBADMSG);
        e->error = UPDATER_E_NOT_FOUND;
        walk_on(u);
}

void walk_stored(Updater *u) {
        walk_on(u);
}

/* As the survey sees it; borrowed from u. */
static DelegationQuery survey_query(Updater *u) {
        return (DelegationQuery){
                .budget = &u->budget,
                .folders = (const char *const *)u->folders,
                .n_folders = u->n_folders,
        };
}

static bool find_wanted(Updater *u, Delegation *ret, const char **ret_delegator) {
        Search s = { .budget = u->budget };
        SearchResult r = walk_search(u, &s, u->wanted);

        u->budget = s.budget;
        if (r != SEARCH_NEEDS)
                return false;
        copy_needed(ret, &s.needed);
        *ret_delegator = s.delegator;
        return true;
}

static bool find_any(Updater *u, Delegation *ret, const char **ret_delegator) {
        Survey s = { .query = survey_query(u) };
        bool found = survey_visit(u, &s, TARGETS);

        u->is_cut = s.is_cut || u->budget == 0 || (found && u->n_edges == TUF_EDGES_MAX);
        if (!found)
                return false;
        copy_needed(ret, &s.needed);
        *ret_delegator = s.delegator;
        return true;
}

static void walk_on(Updater *u) {
        DelegationQuery query = survey_query(u);
        const char *delegator;
        Delegation d;

        while (u->walk == WALK_LOOK_UP ? find_wanted(u, &d, &delegator)
                                       : find_any(u, &d, &delegator)) {
                if (u->n_edges == TUF_EDGES_MAX)
                        break;
                if (obtain(u, d.name, delegator))
                        return;
        }
        if (u->walk == WALK_SURVEY)
                return finish_survey(u, &query);
        u->step = UPDATER_DONE;
}

static void forget_question(Updater *u) {
        free(TAKE_PTR(u->wanted));
        for (size_t i = 0; i < u->n_folders; i++)
                free(u->folders[i]);
        u->n_folders = 0;
        free(TAKE_PTR(u->folders));
}

void walk_done(Updater *u) {
        forget_question(u);
        for (size_t i = 0; i < u->n_loaded; i++) {
                free(u->loaded[i].role);
                (void)tuf_metadata_free(u->loaded[i].metadata);
        }
        free(u->loaded);
        for (size_t i = 0; i < u->n_edges; i++) {
                free(u->edges[i].role);
                free(u->edges[i].delegator);
        }
        free(u->edges);
}

int updater_look_up(Updater *u, const char *name) {
        char *copy;

        assert(u && name && u->step == UPDATER_DONE);
        copy = strdup(name);
        if (!copy)
                return -ENOMEM;
        forget_question(u);
        u->walk = WALK_LOOK_UP;
        u->wanted = copy;
        walk_on(u);
        return 0;
}

int updater_survey(Updater *u, const char *const *folders, size_t n) {
        assert(u && (folders || n == 0) && u->step == UPDATER_DONE);
        forget_question(u);
        u->folders = folders ? new0(char *, n + 1) : NULL;
        if (folders && !u->folders)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                u->folders[i] = strdup(folders[i]);
                if (!u->folders[i])
                        return -ENOMEM;
                u->n_folders++;
        }
        u->walk = WALK_SURVEY;
        walk_on(u);
        return 0;
}

bool updater_is_partial(const Updater *u) {
        return u->is_partial;
}

bool updater_is_cut(const Updater *u) {
        return u->is_cut;
}

bool updater_refusal(const Updater *u, size_t i, const char **ret_role, const Why **ret_why) {
        for (size_t k = 0; k < u->n_edges; k++) {
                if (u->edges[k].error == UPDATER_OK || i-- > 0)
                        continue;
                *ret_role = u->edges[k].role;
                *ret_why = &u->edges[k].why;
                return true;
        }
        return false;
}

static bool is_top_level(const char *stored_name) {
        size_t n = strlen(stored_name) - MIN(strlen(stored_name), strlen(".json"));

        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++) {
                const char *name = tuf_role_to_string(i);

                if (n == strlen(name) && startswith(stored_name, name))
                        return true;
        }
        return false;
}

bool updater_is_listed(const Updater *u, const char *stored_name) {
        json_t *meta = json_object_get(u->trusted[TUF_SNAPSHOT]->content, "meta"), *entry;
        const char *name;

        if (is_top_level(stored_name))
                return true;
        json_object_foreach(meta, name, entry) {
                _cleanup_free_ char *quoted = quote_name(name);

                if (!quoted || streq(quoted, stored_name))
                        return true;
        }
        return false;
}

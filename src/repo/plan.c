/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first half of a publish. A role gets a new version when what it lists changed, when half of
 * its time is over, or when its signatures do not count any more because the root or the
 * delegation names other keys. In this order: root, teams, targets, snapshot, timestamp. */
#include <assert.h>

#include "basic/clock.h"
#include "repo/publish.h"
#include "repo/sign.h"
#include "repo/stage.h"
#include "repo/team.h"
#include "tuf/updater.h"
#include "tuf/verify.h"

void publish_done(Publish *p) {
        assert(p);
        json_decref(p->root);
        json_decref(p->root_document);
        json_decref(p->wanted);
        json_decref(p->teams);
        json_decref(p->targets);
        json_decref(p->held);
        json_decref(p->meta);
        json_decref(p->report);
        for (size_t i = 0; i < p->n_files; i++)
                free(p->files[i].text);
        free(p->files);
        (void)repo_free(p->repo);
}

static void warn(const char *format, const char *a, const char *b) {
        (void)fputs("rekindle-repo: warning: ", stderr);
        (void)fprintf(stderr, "%s%s%s", a, format, b);
        (void)fputs("\n", stderr);
}

/* --- a document ------------------------------------------------------------------------------- */

/* What the role above says about a document. */
static json_t *promise(uint64_t version, const char *text) {
        size_t n = strlen(text);
        char hex[SHA256_HEX];
        Sha256 digest;

        if (sha256_of(text, n, &digest) < 0)
                return NULL;
        sha256_to_hex(&digest, hex);
        return json_pack("{s:I, s:I, s:{s:s}}", "version", (json_int_t)version, "length",
                        (json_int_t)n, "hashes", "sha256", hex);
}

static uint64_t version_of(const json_t *content) {
        return (uint64_t)json_integer_value(json_object_get(content, "version"));
}

static bool lasts(const json_t *content, int64_t now) {
        const char *expires = json_string_value(json_object_get(content, "expires"));
        int64_t end;

        return expires && rfc3339_parse(expires, &end) >= 0 && end > now;
}

/* What gateways take of a role's metadata. */
static size_t limit_of(const char *role) {
        if (streq(role, "root"))
                return TUF_ROOT_MAX;
        if (streq(role, "timestamp"))
                return TUF_TIMESTAMP_MAX;
        return streq(role, "snapshot") ? TUF_SNAPSHOT_MAX : TUF_TARGETS_MAX;
}

static int add_file(Publish *p, const char *role, const json_t *document, Why *w) {
        uint64_t version = version_of(json_object_get(document, "signed"));
        bool is_timestamp = streq(role, "timestamp");
        NewFile *more = reallocarray(p->files, p->n_files + 1, sizeof(*more));
        char listed[METADATA_NAME];
        NewFile *file;

        if (!more)
                return why_oom(w);
        p->files = more;
        file = &more[p->n_files];
        file->text = json_print(document);
        if (!file->text)
                return why_oom(w);
        p->n_files++;
        if (strlen(file->text) > limit_of(role))
                return why(w, -EFBIG, "%s would have %zu bytes, but gateways take at most %zu",
                                role, strlen(file->text), limit_of(role));
        (void)snprintf(listed, sizeof(listed), "%s.json", role);
        if (is_timestamp)
                (void)snprintf(file->name, sizeof(file->name), "timestamp.json");
        else
                (void)snprintf(file->name, sizeof(file->name), "%llu.%.100s.json",
                                (unsigned long long)version, role);
        if (json_array_append_new(p->report,
                            json_sprintf("%s %llu", role, (unsigned long long)version)) < 0)
                return why_oom(w);
        if (is_timestamp || streq(role, "root"))
                return 0;
        return json_object_set_new(p->meta, listed, promise(version, file->text)) < 0 ? why_oom(w)
                                                                                      : 0;
}

/* Signs and takes the file in. 0 also when signatures are missing: then *ret_complete is false
 * and the text says which. */
static int make(Publish *p, const char *role, Signing *s, bool *ret_complete, Why *w) {
        _cleanup_json_ json_t *document = NULL;
        int r;

        r = signing_sign(s, p->ring, w);
        if (r < 0)
                return r;
        *ret_complete = signing_check(s, p->ring, w) == 0;
        if (!*ret_complete)
                return 0;
        document = signing_document(s);
        if (!document)
                return why_oom(w);
        r = add_file(p, role, document, w);
        if (r >= 0 && streq(role, "root")) {
                json_decref(p->root);
                json_decref(p->root_document);
                p->root = json_incref(s->content);
                p->root_document = TAKE_PTR(document);
        }
        return r;
}

static bool is_half_over(const Publish *p, TufRole role, const TufMetadata *m) {
        return m->expires - p->now <= (int64_t)(p->expires_in[role] / 2);
}

/* Nothing yet, half over, or signed by keys that do not count any more. */
static bool needs_signing(
                const Publish *p, TufRole role, const TufMetadata *m, const TufSigners *signers) {
        return !m || is_half_over(p, role, m) || tuf_verify_by(signers, m, NULL) < 0;
}

static int64_t expiry(const Publish *p, TufRole role) {
        return p->now + (int64_t)p->expires_in[role];
}

/* --- root ------------------------------------------------------------------------------------- */

int root_both_signers(const json_t *before, const json_t *content, TufSigners ret[static 2]) {
        ret[0] = root_signers(before, TUF_ROOT);
        ret[1] = root_signers(content, TUF_ROOT);
        return 2;
}

json_t *root_renewed(const json_t *root, uint64_t version, int64_t expires) {
        json_t *content = new_content(TUF_ROOT, version, expires);

        if (json_object_update_missing(content, (json_t *)root) < 0) {
                json_decref(content);
                return NULL;
        }
        return content;
}

static void warn_about_root(const TufMetadata *m, const char *reason) {
        char text[RFC3339_MAX];

        rfc3339_format(m->expires, text);
        (void)fprintf(stderr,
                        "rekindle-repo: warning: the root expires at %s and cannot be renewed here: "
                        "%s\n",
                        text, reason);
}

static int sign_root(
                Publish *p, json_t *content, const json_t *signatures, bool *ret_complete, Why *w) {
        const TufMetadata *current = p->repo->current[TUF_ROOT];
        Signing s = {};
        TufSigners signers[2];
        int n = root_both_signers(current->content, content, signers), r;

        r = signing_init(&s, signers, (size_t)n, content, w);
        if (r >= 0)
                r = signing_take(&s, signatures, w);
        if (r >= 0)
                r = make(p, "root", &s, ret_complete, w);
        signing_done(&s);
        return r;
}

static int plan_staged_root(Publish *p, const json_t *next, Why *w) {
        const TufMetadata *current = p->repo->current[TUF_ROOT];
        json_t *content = json_object_get(next, "signed");
        bool complete;
        int r;

        if (version_of(content) <= current->version)
                return 0; /* published by a run that was cut */
        if (version_of(content) != current->version + 1)
                return why(w, -EBADMSG,
                                "the staged root is version %llu, but %llu is due; drop it with "
                                "\"rekindle-repo root drop\" and stage it anew",
                                (unsigned long long)version_of(content),
                                (unsigned long long)current->version + 1);
        if (!lasts(content, p->now))
                return why(w, -EBADMSG,
                                "the staged root has expired; stage it anew with \"rekindle-repo root "
                                "renew\"");
        r = sign_root(p, content, json_object_get(next, "signatures"), &complete, w);
        if (r >= 0 && !complete) {
                warn(" (the staged root waits; see \"rekindle-repo root show\")", w ? w->text : "",
                                "");
                p->is_held = p->is_held || !p->only_online;
        }
        return r;
}

static int plan_root(Publish *p, Why *w) {
        const TufMetadata *current = p->repo->current[TUF_ROOT];
        _cleanup_json_ json_t *next = NULL, *content = NULL;
        bool complete;
        int r;

        p->root = json_incref((json_t *)current->content);
        if (p->only_online)
                return 0;
        r = stage_load_next(p->repo, "root", &next, w);
        if (r >= 0)
                return plan_staged_root(p, next, w);
        if (r != -ENOENT)
                return r;
        if (!is_half_over(p, TUF_ROOT, current))
                return 0;
        content = root_renewed(current->content, current->version + 1, expiry(p, TUF_ROOT));
        if (!content)
                return why_oom(w);
        r = sign_root(p, content, NULL, &complete, w);
        if (r >= 0 && !complete)
                warn_about_root(current, w ? w->text : "");
        return r;
}

/* --- who lists what --------------------------------------------------------------------------- */

static int add_wanted(Publish *p, const char *name, json_t *entry) {
        return json_array_append_new(
                        p->wanted, json_pack("{s:s, s:O}", "name", name, "entry", entry));
}

/* The published teams, as the stage changes them; then those that are new. */
static int plan_wanted(Publish *p, Why *w) {
        const json_t *staged = p->repo->staged_teams;
        const char *name;
        json_t *entry;

        for (size_t i = 0; i < p->repo->n_teams; i++) {
                const Team *team = &p->repo->teams[i];

                entry = json_object_get(staged, team->name) ?: team->entry;
                if (!json_is_null(entry) && add_wanted(p, team->name, entry) < 0)
                        return why_oom(w);
        }
        json_object_foreach((json_t *)staged, name, entry) {
                if (!json_is_null(entry) && !repo_find_team(p->repo, name) &&
                                add_wanted(p, name, entry) < 0)
                        return why_oom(w);
        }
        return 0;
}

static const json_t *find_wanted(const Publish *p, const char *name) {
        for (size_t i = 0; i < json_array_size(p->wanted); i++) {
                const json_t *one = json_array_get(p->wanted, i);

                if (streq(json_string_value(json_object_get(one, "name")), name))
                        return json_object_get(one, "entry");
        }
        return NULL;
}

/* Who lists a target: who does already, else the team of its model, else targets. */
static const char *owner_of(const Publish *p, const char *target) {
        const char *slash = strchr(target, '/'), *role;
        char model[80] = "";

        if (repo_find_target(p->repo, target, &role) &&
                        (streq(role, "targets") || find_wanted(p, role)))
                return role;
        if (slash && (size_t)(slash - target) < sizeof(model))
                memcpy(model, target, (size_t)(slash - target));
        for (size_t i = 0; i < json_array_size(p->wanted); i++) {
                const json_t *one = json_array_get(p->wanted, i);

                if (team_has_model(json_object_get(one, "entry"), model))
                        return json_string_value(json_object_get(one, "name"));
        }
        return "targets";
}

/* Targets of a role as they are meant to be. NULL: out of memory. */
static json_t *merge_targets(const Publish *p, const char *role, const TufMetadata *m) {
        const json_t *old = targets_of(m);
        json_t *merged = old ? json_copy((json_t *)old) : json_object();
        const char *target;
        json_t *entry;

        json_object_foreach(p->repo->removed, target, entry) {
                (void)json_object_del(merged, target);
        }
        json_object_foreach(p->repo->staged, target, entry) {
                if (streq(owner_of(p, target), role) &&
                                json_object_set(merged, target, entry) < 0) {
                        json_decref(merged);
                        return NULL;
                }
        }
        return merged;
}

/* --- targets and teams ------------------------------------------------------------------------ */

static uint64_t next_version(const Publish *p, const char *role, const TufMetadata *m) {
        const TufMetadata *snapshot = p->repo->current[TUF_SNAPSHOT];
        uint64_t version = m ? m->version : 0;
        char name[METADATA_NAME];
        TufMeta meta;

        /* A team of this name may have been there before; versions never fall. */
        (void)snprintf(name, sizeof(name), "%.100s.json", role);
        if (snapshot && tuf_metadata_find(snapshot, name, &meta) >= 0)
                version = MAX(version, meta.version);
        return version + 1;
}

/* Takes delegations (NULL: none). */
static json_t *targets_content(const Publish *p, const char *role, const TufMetadata *m,
                json_t *targets, json_t *delegations) {
        json_t *content =
                        new_content(TUF_TARGETS, next_version(p, role, m), expiry(p, TUF_TARGETS));

        if (!content || json_object_set(content, "targets", targets) < 0 ||
                        (delegations && json_object_set(content, "delegations", delegations) < 0)) {
                json_decref(content);
                content = NULL;
        }
        json_decref(delegations);
        return content;
}

static bool is_same_member(const json_t *a, const json_t *b, const char *member) {
        const json_t *x = json_object_get(a, member), *y = json_object_get(b, member);

        return (!x && !y) || (x && y && json_equal((json_t *)x, (json_t *)y));
}

static bool is_same_content(const json_t *a, const json_t *b) {
        return is_same_member(a, b, "targets") && is_same_member(a, b, "delegations");
}

/* The document that people are signing one after another stands for content, if it says the
 * same. */
static int begin_signing(Publish *p, const char *role, const TufSigners *signers, json_t *content,
                Signing *ret, Why *w) {
        _cleanup_json_ json_t *next = NULL;
        json_t *old;
        int r;

        r = stage_load_next(p->repo, role, &next, w);
        if (r < 0 && r != -ENOENT)
                return r;
        old = json_object_get(next, "signed");
        if (!old || version_of(old) != version_of(content) || !is_same_content(old, content) ||
                        !lasts(old, p->now))
                return signing_init(ret, signers, 1, content, w);
        r = signing_init(ret, signers, 1, old, w);
        return r < 0 ? r : signing_take(ret, json_object_get(next, "signatures"), w);
}

static int sign_targets(Publish *p, const char *role, const TufSigners *signers, json_t *content,
                bool *ret_complete, Why *w) {
        Signing s = {};
        int r;

        r = begin_signing(p, role, signers, content, &s, w);
        if (r >= 0)
                r = make(p, role, &s, ret_complete, w);
        signing_done(&s);
        return r;
}

static int keep_team(Publish *p, const char *name, const json_t *entry, const json_t *targets) {
        if (json_object_update(p->targets, (json_t *)targets) < 0)
                return -ENOMEM;
        return json_array_append_new(
                        p->teams, json_pack("{s:s, s:O}", "name", name, "entry", (json_t *)entry));
}

/* A team whose signatures are missing stays as it is published, or is not there yet. */
static int hold_team(Publish *p, const char *name, bool is_changed, const char *reason, Why *w) {
        const Team *team = repo_find_team(p->repo, name);

        warn(is_changed ? " is held back: " : " is not renewed: ", name, reason);
        p->is_held = p->is_held || is_changed;
        if (json_object_set_new(p->held, name, json_true()) < 0 ||
                        (team && keep_team(p, name, team->entry, targets_of(team->current)) < 0))
                return why_oom(w);
        return 0;
}

static int plan_team(Publish *p, const char *name, const json_t *entry, Why *w) {
        const Team *team = repo_find_team(p->repo, name);
        const TufMetadata *current = team ? team->current : NULL;
        const TufSigners signers = team_signers(name, entry);
        _cleanup_json_ json_t *targets = merge_targets(p, name, current), *content = NULL;
        bool is_changed, complete;
        int r;

        if (!targets)
                return why_oom(w);
        is_changed = !team || !json_equal((json_t *)targets_of(current), targets) ||
                     !json_equal(team->entry, (json_t *)entry);
        if (json_equal((json_t *)targets_of(current), targets) &&
                        !needs_signing(p, TUF_TARGETS, current, &signers))
                return keep_team(p, name, entry, targets) < 0 ? why_oom(w) : 0;
        content = targets_content(p, name, current, targets, NULL);
        if (!content)
                return why_oom(w);
        r = sign_targets(p, name, &signers, content, &complete, w);
        if (r < 0)
                return r;
        if (!complete)
                return hold_team(p, name, is_changed, w ? w->text : "", w);
        return keep_team(p, name, entry, targets) < 0 ? why_oom(w) : 0;
}

static int plan_teams(Publish *p, Why *w) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < json_array_size(p->wanted); i++) {
                const json_t *one = json_array_get(p->wanted, i);

                r = plan_team(p, json_string_value(json_object_get(one, "name")),
                                json_object_get(one, "entry"), w);
        }
        return r;
}

static json_t *top_targets_content(const Publish *p, json_t *targets) {
        return targets_content(p, "targets", p->repo->current[TUF_TARGETS], targets,
                        json_array_size(p->teams) > 0 ? teams_to_delegations(p->teams) : NULL);
}

static int plan_targets(Publish *p, Why *w) {
        const TufMetadata *current = p->repo->current[TUF_TARGETS];
        const TufSigners signers = root_signers(p->root, TUF_TARGETS);
        _cleanup_json_ json_t *targets = merge_targets(p, "targets", current), *content = NULL;
        bool is_changed, complete;
        int r;

        if (!targets || json_object_update(p->targets, targets) < 0)
                return why_oom(w);
        content = top_targets_content(p, targets);
        if (!content)
                return why_oom(w);
        is_changed = !current || !is_same_content(current->content, content) ||
                     tuf_verify_by(&signers, current, NULL) < 0;
        if (!is_changed && !is_half_over(p, TUF_TARGETS, current))
                return 0;
        r = sign_targets(p, "targets", &signers, content, &complete, w);
        if (r < 0 || complete)
                return r;
        if (is_changed)
                return -EKEYREJECTED; /* the text is there */
        warn(" is not renewed: ", "targets", w ? w->text : "");
        return 0;
}

/* --- snapshot and timestamp ------------------------------------------------------------------- */

static int plan_online(Publish *p, TufRole role, json_t *meta, Why *w) {
        const char *name = tuf_role_to_string(role);
        const TufMetadata *current = p->repo->current[role];
        const TufSigners signers = root_signers(p->root, role);
        _cleanup_json_ json_t *content = NULL;
        Signing s = {};
        bool complete;
        int r;

        if (current && json_equal(json_object_get(current->content, "meta"), meta) &&
                        !needs_signing(p, role, current, &signers))
                return 0;
        content = new_content(role, next_version(p, name, current), expiry(p, role));
        if (json_object_set(content, "meta", meta) < 0)
                return why_oom(w);
        r = signing_init(&s, &signers, 1, content, w);
        if (r >= 0)
                r = make(p, name, &s, &complete, w);
        signing_done(&s);
        return r < 0 ? r : complete ? 0 : -EKEYREJECTED;
}

static int plan_snapshot(Publish *p, Why *w) {
        _cleanup_json_ json_t *meta = json_copy(p->meta); /* make() adds the snapshot's own entry */

        return meta ? plan_online(p, TUF_SNAPSHOT, meta, w) : why_oom(w);
}

static int plan_timestamp(Publish *p, Why *w) {
        const TufMetadata *timestamp = p->repo->current[TUF_TIMESTAMP];
        _cleanup_json_ json_t *meta = NULL;
        json_t *entry = json_object_get(p->meta, "snapshot.json");

        if (!entry && timestamp)
                entry = json_object_get(
                                json_object_get(timestamp->content, "meta"), "snapshot.json");
        meta = json_pack("{s:O}", "snapshot.json", entry);
        return meta ? plan_online(p, TUF_TIMESTAMP, meta, w) : why_oom(w);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int begin(Publish *p, Why *w) {
        const TufMetadata *snapshot = p->repo->current[TUF_SNAPSHOT];

        p->wanted = json_array();
        p->teams = json_array();
        p->targets = json_object();
        p->held = json_object();
        p->report = json_array();
        p->meta = snapshot ? json_copy(json_object_get(snapshot->content, "meta")) : json_object();
        if (!p->wanted || !p->teams || !p->targets || !p->held || !p->report || !p->meta)
                return why_oom(w);
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (p->expires_in[i] == 0)
                        p->expires_in[i] = p->repo->expires_in[i];
        return 0;
}

int publish_plan(Publish *p, Why *w) {
        int r;

        assert(p && p->repo && p->ring);
        r = begin(p, w);
        if (r < 0)
                return r;
        if (p->only_online && !p->repo->current[TUF_TIMESTAMP])
                return why(w, -ENOENT, "nothing is published yet that could be refreshed");
        r = plan_root(p, w);
        if (r >= 0 && !p->only_online) {
                r = plan_wanted(p, w);
                if (r >= 0)
                        r = plan_teams(p, w);
                if (r >= 0)
                        r = plan_targets(p, w);
        }
        if (r >= 0)
                r = plan_snapshot(p, w);
        return r < 0 ? r : plan_timestamp(p, w);
}

int publish_next_content(
                Publish *p, const char *role, json_t **ret, TufSigners *ret_signers, Why *w) {
        const Team *team = repo_find_team(p->repo, role);
        bool is_top = streq(role, "targets");
        const TufMetadata *current = is_top ? p->repo->current[TUF_TARGETS]
                                     : team ? team->current
                                            : NULL;
        _cleanup_json_ json_t *targets = NULL, *content = NULL;
        int r;

        r = begin(p, w);
        if (r >= 0)
                r = plan_root(p, w);
        if (r >= 0)
                r = plan_wanted(p, w);
        if (r < 0)
                return r;
        if (!is_top && !find_wanted(p, role))
                return why(w, -ENOENT, "\"%s\" is neither targets nor a team; see key list", role);
        if (is_top)
                r = plan_teams(p, w);
        if (r < 0)
                return r;
        *ret_signers = is_top ? root_signers(p->root, TUF_TARGETS)
                              : team_signers(role, find_wanted(p, role));
        targets = merge_targets(p, role, current);
        content = !targets ? NULL
                  : is_top ? top_targets_content(p, targets)
                           : targets_content(p, role, current, targets, NULL);
        if (!content)
                return why_oom(w);
        if (current && is_same_content(current->content, content) &&
                        !needs_signing(p, TUF_TARGETS, current, ret_signers))
                return -EALREADY;
        *ret = TAKE_PTR(content);
        return 0;
}

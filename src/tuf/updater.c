/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Updater: the detailed client workflow of TUF (specification 5.3 to 5.6) as a pure object.
 *
 * States: root → timestamp → snapshot → targets → done, and failed from each. In a state the
 * updater waits for one fetched file or for one store. Local files are verified again when their
 * state is entered, by the root that is trusted by then, which is what makes recovery from a
 * fast-forward attack work; a local file that does not verify is no error, it is fetched again.
 * One that verifies but is expired, or of another version than promised, still serves to notice
 * a rollback. Nothing is taken over before its signatures, and nothing is final before its
 * expiry was judged against the one reading of the clock. */
#include <assert.h>

#include "basic/clock.h"
#include "tuf/updater.h"
#include "tuf/verify.h"

#define NAME_BYTES 64

struct Updater {
        int64_t now;
        TufRole stage;
        UpdaterStepType step;
        UpdaterError error;
        Why why;

        TufMetadata *trusted[_TUF_ROLE_MAX];
        unsigned roots;             /* new ones in this refresh */
        char *local[_TUF_ROLE_MAX]; /* copies as given; dropped once judged */
        size_t local_length[_TUF_ROLE_MAX];

        char name[NAME_BYTES];
        size_t limit;
        char *bytes; /* to be stored */
        size_t length;
};

static const size_t limits[_TUF_ROLE_MAX] = {
        [TUF_ROOT] = TUF_ROOT_MAX,
        [TUF_TIMESTAMP] = TUF_TIMESTAMP_MAX,
        [TUF_SNAPSHOT] = TUF_SNAPSHOT_MAX,
        [TUF_TARGETS] = TUF_TARGETS_MAX,
};

static void enter(Updater *u, TufRole stage);

static void fail(Updater *u, UpdaterError error) {
        u->step = UPDATER_FAILED;
        u->error = error;
}

/* What a negative errno of parsing and checking means. */
static UpdaterError error_of(int r) {
        switch (r) {
        case -EKEYREJECTED:
                return UPDATER_E_SIGNATURE;
        case -ESTALE:
                return UPDATER_E_VERSION;
        case -EKEYEXPIRED:
                return UPDATER_E_EXPIRED;
        default:
                return UPDATER_E_METADATA;
        }
}

static int check_expiry(const Updater *u, const TufMetadata *m, Why *w) {
        char text[RFC3339_MAX];

        if (m->expires > u->now)
                return 0;
        rfc3339_format(m->expires, text);
        return why(w, -EKEYEXPIRED, "%s: version %llu expired at %s", tuf_role_to_string(m->role),
                        (unsigned long long)m->version, text);
}

/* The entry that promises `role`: of snapshot in the timestamp, of targets in the snapshot. */
static int promise(const Updater *u, TufRole role, TufMeta *ret, Why *w) {
        const TufMetadata *from = u->trusted[role == TUF_SNAPSHOT ? TUF_TIMESTAMP : TUF_SNAPSHOT];

        assert(role == TUF_SNAPSHOT || role == TUF_TARGETS);
        if (tuf_metadata_find(from, role == TUF_SNAPSHOT ? "snapshot.json" : "targets.json", ret) <
                        0)
                return why(w, -EBADMSG, "%s: does not list %s.json", tuf_role_to_string(from->role),
                                tuf_role_to_string(role));
        return 0;
}

static int check_promised_version(const Updater *u, const TufMetadata *m, Why *w) {
        TufMeta meta;
        int r;

        r = promise(u, m->role, &meta, w);
        if (r < 0)
                return r;
        if (m->version == meta.version)
                return 0;
        return why(w, -ESTALE, "%s: is version %llu, but %llu is promised",
                        tuf_role_to_string(m->role), (unsigned long long)m->version,
                        (unsigned long long)meta.version);
}

static void trust(Updater *u, TufMetadata *m) {
        (void)tuf_metadata_free(u->trusted[m->role]);
        u->trusted[m->role] = m;
}

/* The following take bytes of one role as far as they are good: 0: trusted and final. -EALREADY:
 * the trusted one is as new. Otherwise < 0; where the specification says so, the metadata was
 * set before it was found expired or not final. */
static int take_root(Updater *u, const void *bytes, size_t n, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        const TufMetadata *old = u->trusted[TUF_ROOT];
        int r;

        r = tuf_metadata_new(TUF_ROOT, bytes, n, &m, w);
        if (r < 0)
                return r;
        if (old) {
                r = tuf_verify(old, m, w);
                if (r < 0)
                        return why_prefix(w, r, "by root %llu", (unsigned long long)old->version);
                if (m->version != old->version + 1)
                        return why(w, -ESTALE, "root: is version %llu; it has to be %llu",
                                        (unsigned long long)m->version,
                                        (unsigned long long)old->version + 1);
        }
        r = tuf_verify(m, m, w);
        if (r < 0)
                return why_prefix(w, r, "by itself");
        trust(u, TAKE_PTR(m));
        return 0;
}

static int take_timestamp(Updater *u, const void *bytes, size_t n, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        const TufMetadata *old = u->trusted[TUF_TIMESTAMP];
        int r;

        r = tuf_metadata_new(TUF_TIMESTAMP, bytes, n, &m, w);
        if (r < 0)
                return r;
        r = tuf_verify(u->trusted[TUF_ROOT], m, w);
        if (r < 0)
                return r;
        if (old && m->version < old->version)
                return why(w, -ESTALE, "timestamp: is version %llu, but %llu was seen before",
                                (unsigned long long)m->version, (unsigned long long)old->version);
        if (old && m->version == old->version)
                return why(w, -EALREADY, "timestamp: nothing new");
        if (old) {
                TufMeta before, after;

                (void)tuf_metadata_find(old, "snapshot.json", &before);
                (void)tuf_metadata_find(m, "snapshot.json", &after);
                if (after.version < before.version)
                        return why(w, -ESTALE,
                                        "timestamp: version of the snapshot fell from %llu to %llu",
                                        (unsigned long long)before.version,
                                        (unsigned long long)after.version);
        }
        trust(u, TAKE_PTR(m));
        return check_expiry(u, u->trusted[TUF_TIMESTAMP], w);
}

static int check_snapshot_final(const Updater *u, Why *w) {
        int r = check_expiry(u, u->trusted[TUF_SNAPSHOT], w);

        return r < 0 ? r : check_promised_version(u, u->trusted[TUF_SNAPSHOT], w);
}

static int take_snapshot(Updater *u, const void *bytes, size_t n, bool is_local, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        TufMeta meta;
        int r;

        r = promise(u, TUF_SNAPSHOT, &meta, w);
        if (r < 0)
                return r;
        if (!is_local) {
                r = tuf_meta_check(&meta, "snapshot", bytes, n, w);
                if (r < 0)
                        return r;
        }
        r = tuf_metadata_new(TUF_SNAPSHOT, bytes, n, &m, w);
        if (r < 0)
                return r;
        r = tuf_verify(u->trusted[TUF_ROOT], m, w);
        if (r < 0)
                return r;
        if (u->trusted[TUF_SNAPSHOT]) {
                r = tuf_metadata_check_rollback(u->trusted[TUF_SNAPSHOT], m, w);
                if (r < 0)
                        return r;
        }
        trust(u, TAKE_PTR(m));
        return check_snapshot_final(u, w);
}

static int take_targets(Updater *u, const void *bytes, size_t n, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        TufMeta meta;
        int r;

        r = promise(u, TUF_TARGETS, &meta, w);
        if (r < 0)
                return r;
        r = tuf_meta_check(&meta, "targets", bytes, n, w);
        if (r < 0)
                return r;
        r = tuf_metadata_new(TUF_TARGETS, bytes, n, &m, w);
        if (r < 0)
                return r;
        r = tuf_verify(u->trusted[TUF_ROOT], m, w);
        if (r < 0)
                return r;
        r = check_promised_version(u, m, w);
        if (r < 0)
                return r;
        r = check_expiry(u, m, w);
        if (r < 0)
                return r;
        trust(u, TAKE_PTR(m));
        return 0;
}

static int take(Updater *u, const void *bytes, size_t n, bool is_local, Why *w) {
        switch (u->stage) {
        case TUF_ROOT:
                return take_root(u, bytes, n, w);
        case TUF_TIMESTAMP:
                return take_timestamp(u, bytes, n, w);
        case TUF_SNAPSHOT:
                return take_snapshot(u, bytes, n, is_local, w);
        default:
                return take_targets(u, bytes, n, w);
        }
}

static void ask(Updater *u, uint64_t version, size_t limit) {
        u->step = UPDATER_FETCH;
        u->limit = limit;
        if (version > 0)
                (void)snprintf(u->name, sizeof(u->name), "%llu.%s.json",
                                (unsigned long long)version, tuf_role_to_string(u->stage));
        else
                (void)snprintf(u->name, sizeof(u->name), "%s.json", tuf_role_to_string(u->stage));
}

static void ask_promised(Updater *u) {
        TufMeta meta;
        int r;

        r = promise(u, u->stage, &meta, &u->why);
        if (r < 0)
                return fail(u, error_of(r));
        if (meta.length != UINT64_MAX && meta.length > limits[u->stage]) {
                (void)why(&u->why, 0, "%s: is promised with %llu bytes; at most %zu are taken",
                                tuf_role_to_string(u->stage), (unsigned long long)meta.length,
                                limits[u->stage]);
                return fail(u, UPDATER_E_METADATA);
        }
        ask(u, updater_is_consistent(u) ? meta.version : 0, MIN(meta.length, limits[u->stage]));
}

/* Roots are at an end: the last one must not be expired. */
static void finish_roots(Updater *u) {
        int r;

        r = check_expiry(u, u->trusted[TUF_ROOT], &u->why);
        if (r < 0)
                return fail(u, error_of(r));
        enter(u, TUF_TIMESTAMP);
}

/* The timestamp is as new as it gets. An equal one on the server does not prolong an expired
 * one. */
static void finish_timestamp(Updater *u) {
        int r;

        r = check_expiry(u, u->trusted[TUF_TIMESTAMP], &u->why);
        if (r < 0)
                return fail(u, error_of(r));
        enter(u, TUF_SNAPSHOT);
}

static void advance(Updater *u) {
        switch (u->stage) {
        case TUF_ROOT:
                if (u->roots == TUF_ROOTS_MAX)
                        return finish_roots(u);
                return ask(u, u->trusted[TUF_ROOT]->version + 1, TUF_ROOT_MAX);
        case TUF_TIMESTAMP:
                return finish_timestamp(u);
        case TUF_SNAPSHOT:
                return enter(u, TUF_TARGETS);
        default:
                u->step = UPDATER_DONE;
        }
}

/* True when the local file is trusted and final. */
static bool take_local(Updater *u) {
        _cleanup_free_ char *bytes = TAKE_PTR(u->local[u->stage]);

        return bytes && take(u, bytes, u->local_length[u->stage], true, NULL) == 0;
}

static void enter(Updater *u, TufRole stage) {
        bool is_final;

        u->stage = stage;
        is_final = take_local(u);
        if (stage == TUF_TIMESTAMP)
                ask(u, 0, TUF_TIMESTAMP_MAX);
        else if (is_final)
                advance(u);
        else
                ask_promised(u);
}

static int keep_local(Updater *u, TufRole role, const void *bytes, size_t n) {
        if (!bytes || n > limits[role])
                return 0;
        u->local[role] = malloc(n + 1);
        if (!u->local[role])
                return -ENOMEM;
        memcpy(u->local[role], bytes, n);
        u->local_length[role] = n;
        return 0;
}

int updater_new(const UpdaterLocal *local, int64_t now, Updater **ret, Why *w) {
        _cleanup_(updater_freep) Updater *u = NULL;
        int r;

        assert(local && local->root && ret);
        u = new0(Updater, 1);
        if (!u)
                return why_oom(w);
        u->now = now;
        r = take_root(u, local->root, local->root_length, w);
        if (r < 0)
                return why_prefix(w, r, "trusted root");
        if (keep_local(u, TUF_TIMESTAMP, local->timestamp, local->timestamp_length) < 0 ||
                        keep_local(u, TUF_SNAPSHOT, local->snapshot, local->snapshot_length) < 0 ||
                        keep_local(u, TUF_TARGETS, local->targets, local->targets_length) < 0)
                return why_oom(w);
        u->stage = TUF_ROOT;
        advance(u);
        *ret = TAKE_PTR(u);
        return 0;
}

Updater *updater_free(Updater *u) {
        if (!u)
                return NULL;
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++) {
                (void)tuf_metadata_free(u->trusted[i]);
                free(u->local[i]);
        }
        free(u->bytes);
        free(u);
        return NULL;
}

void updater_next(Updater *u, UpdaterStep *ret) {
        assert(u && ret);
        *ret = (UpdaterStep){ .type = u->step };
        if (u->step == UPDATER_FETCH || u->step == UPDATER_STORE)
                ret->name = u->name;
        if (u->step == UPDATER_FETCH)
                ret->limit = u->limit;
        if (u->step == UPDATER_STORE) {
                ret->bytes = u->bytes;
                ret->length = u->length;
        }
}

void updater_bytes(Updater *u, const void *bytes, size_t n) {
        char *copy;
        int r;

        assert(u && u->step == UPDATER_FETCH && (bytes || n == 0));
        if (n > u->limit) {
                (void)why(&u->why, 0, "%s: has more than %zu bytes", u->name, u->limit);
                return fail(u, UPDATER_E_METADATA);
        }
        copy = malloc(n + 1);
        if (!copy) {
                (void)why_oom(&u->why);
                return fail(u, UPDATER_E_FETCH);
        }
        if (n > 0)
                memcpy(copy, bytes, n);
        copy[n] = '\0';
        r = take(u, copy, n, false, &u->why);
        if (r < 0) {
                free(copy);
                if (r == -EALREADY)
                        return advance(u);
                return fail(u, r == -ENOMEM ? UPDATER_E_FETCH : error_of(r));
        }
        if (u->stage == TUF_ROOT)
                u->roots++;
        free(u->bytes);
        u->bytes = copy;
        u->length = n;
        u->step = UPDATER_STORE;
        (void)snprintf(u->name, sizeof(u->name), "%s.json", tuf_role_to_string(u->stage));
}

void updater_stored(Updater *u) {
        assert(u && u->step == UPDATER_STORE);
        free(TAKE_PTR(u->bytes));
        advance(u);
}

void updater_not_found(Updater *u) {
        assert(u && u->step == UPDATER_FETCH);
        if (u->stage == TUF_ROOT)
                return finish_roots(u);
        (void)why(&u->why, 0, "%s: not found on the server", u->name);
        fail(u, UPDATER_E_NOT_FOUND);
}

void updater_error(Updater *u, const char *text) {
        assert(u && (u->step == UPDATER_FETCH || u->step == UPDATER_STORE));
        (void)why(&u->why, 0, "%s: %s", u->name, text ?: "could not be fetched");
        fail(u, UPDATER_E_FETCH);
}

UpdaterError updater_result(const Updater *u, Why *ret_why) {
        assert(u);
        if (u->error != UPDATER_OK && ret_why)
                *ret_why = u->why;
        return u->error;
}

bool updater_is_consistent(const Updater *u) {
        return tuf_root_is_consistent(u->trusted[TUF_ROOT]);
}

/* -ENOENT when the entry has no SHA-256: this client cannot check such a file. */
static int read_target(const char *name, const json_t *entry, TufTarget *ret) {
        const char *hex = json_string_value(
                        json_object_get(json_object_get(entry, "hashes"), "sha256"));

        *ret = (TufTarget){
                .name = name,
                .length = (uint64_t)json_integer_value(json_object_get(entry, "length")),
                .custom = json_object_get(entry, "custom"),
        };
        return hex && sha256_from_hex(hex, &ret->digest) >= 0 ? 0 : -ENOENT;
}

static json_t *all_targets(const Updater *u) {
        assert(u->step == UPDATER_DONE);
        return json_object_get(u->trusted[TUF_TARGETS]->content, "targets");
}

int updater_foreach_target(
                Updater *u, int (*func)(const TufTarget *target, void *userdata), void *userdata) {
        const char *name;
        TufTarget target;
        json_t *entry;
        int r;

        assert(u && func);
        json_object_foreach(all_targets(u), name, entry) {
                if (read_target(name, entry, &target) < 0)
                        continue;
                r = func(&target, userdata);
                if (r < 0)
                        return r;
        }
        return 0;
}

int updater_find_target(Updater *u, const char *name, TufTarget *ret) {
        json_t *targets;
        TufTarget target;
        void *i;

        assert(u && name && ret);
        targets = all_targets(u);
        i = json_object_iter_at(targets, name);
        if (!i || read_target(json_object_iter_key(i), json_object_iter_value(i), &target) < 0)
                return -ENOENT;
        *ret = target;
        return 0;
}

/* Segments between slashes that are neither empty nor "." nor "..": what can be looked up below
 * a folder. */
static bool is_plain_path(const char *p) {
        for (;;) {
                size_t n = strcspn(p, "/");

                if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
                        return false;
                if (p[n] == '\0')
                        return true;
                p += n + 1;
        }
}

int updater_target_path(const Updater *u, const TufTarget *target, char **ret) {
        const char *slash, *file;
        char hex[SHA256_HEX];
        char *path;

        assert(u && target && ret);
        if (!is_plain_path(target->name))
                return -EBADMSG;
        slash = strrchr(target->name, '/');
        file = slash ? slash + 1 : target->name;
        sha256_to_hex(&target->digest, hex);
        if (!updater_is_consistent(u))
                path = strdup(target->name);
        else if (asprintf(&path, "%.*s%s.%s", (int)(file - target->name), target->name, hex, file) <
                        0)
                path = NULL;
        if (!path)
                return -ENOMEM;
        *ret = path;
        return 0;
}

const char *updater_error_to_string(UpdaterError e) {
        static const char *const names[_UPDATER_ERROR_MAX] = {
                [UPDATER_OK] = "ok",
                [UPDATER_E_FETCH] = "metadata-fetch",
                [UPDATER_E_NOT_FOUND] = "metadata-not-found",
                [UPDATER_E_METADATA] = "metadata-malformed",
                [UPDATER_E_SIGNATURE] = "metadata-signature",
                [UPDATER_E_VERSION] = "metadata-version",
                [UPDATER_E_EXPIRED] = "metadata-expired",
        };

        assert(e >= 0 && e < _UPDATER_ERROR_MAX);
        return names[e];
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Updater: the detailed client workflow of TUF (specification 5.3 to 5.6) as a pure object.
 *
 * States: root → timestamp → snapshot → targets → done, and failed from each. In a state the
 * updater waits for one fetched file or for one store. Local files are verified again when their
 * state is entered, by the root that is trusted by then, which is what makes recovery from a
 * fast-forward attack work; a local file that does not verify is no error, it is fetched again.
 * One that verifies but is expired, or of another version than promised, still serves to notice
 * a rollback. Nothing is taken over before its signatures, and nothing is final before its
 * expiry was judged against the one reading of the clock. What comes after the four is walk.c. */
#include <assert.h>

#include "tuf/clause.h"
#include "tuf/updater-private.h"
#include "tuf/verify.h"

static const size_t limits[_TUF_ROLE_MAX] = {
        [TUF_ROOT] = TUF_ROOT_MAX,
        [TUF_TIMESTAMP] = TUF_TIMESTAMP_MAX,
        [TUF_SNAPSHOT] = TUF_SNAPSHOT_MAX,
        [TUF_TARGETS] = TUF_TARGETS_MAX,
};

static void enter(Updater *u, TufRole stage);

void updater_fail(Updater *u, UpdaterError error) {
        u->step = UPDATER_FAILED;
        u->error = error;
}

UpdaterError updater_error_of(int r) {
        switch (r) {
        case -ENOMEM:
                return UPDATER_E_FETCH;
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

int updater_check_expiry(const Updater *u, const TufMetadata *m, const char *name, Why *w) {
        char text[RFC3339_MAX];

        if (m->expires > u->now)
                return 0;
        rfc3339_format(m->expires, text);
        return tuf_broken(m->role, TUF_CHECK_EXPIRY,
                        why(w, -EKEYEXPIRED, "%.100s: version %llu expired at %s", name,
                                        (unsigned long long)m->version, text),
                        w);
}

int updater_check_version(const TufMetadata *m, const TufMeta *promised, const char *name, Why *w) {
        if (m->version == promised->version)
                return 0;
        return tuf_broken(m->role, TUF_CHECK_VERSION,
                        why(w, -ESTALE, "%.100s: is version %llu, but %llu is promised", name,
                                        (unsigned long long)m->version,
                                        (unsigned long long)promised->version),
                        w);
}

static int check_expiry(const Updater *u, const TufMetadata *m, Why *w) {
        return updater_check_expiry(u, m, tuf_role_to_string(m->role), w);
}

/* The entry that promises `role`: of snapshot in the timestamp, of targets in the snapshot. */
static int promise(const Updater *u, TufRole role, TufMeta *ret, Why *w) {
        const TufMetadata *from = u->trusted[role == TUF_SNAPSHOT ? TUF_TIMESTAMP : TUF_SNAPSHOT];

        assert(role == TUF_SNAPSHOT || role == TUF_TARGETS);
        if (tuf_metadata_find(from, role == TUF_SNAPSHOT ? "snapshot.json" : "targets.json", ret) >=
                        0)
                return 0;
        return tuf_broken(from->role, TUF_CHECK_FORMAT,
                        why(w, -EBADMSG, "%s: does not list %s.json",
                                        tuf_role_to_string(from->role), tuf_role_to_string(role)),
                        w);
}

static int check_promised_version(const Updater *u, const TufMetadata *m, Why *w) {
        TufMeta meta;
        int r;

        r = promise(u, m->role, &meta, w);
        return r < 0 ? r : updater_check_version(m, &meta, tuf_role_to_string(m->role), w);
}

/* Parsed, and signed by the keys that the trusted root names. */
static int read_signed(
                Updater *u, TufRole role, const void *bytes, size_t n, TufMetadata **ret, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        int r;

        r = tuf_metadata_new(role, bytes, n, &m, w);
        if (r < 0)
                return tuf_broken(role, TUF_CHECK_FORMAT, r, w);
        r = tuf_verify(u->trusted[TUF_ROOT], m, w);
        if (r < 0)
                return tuf_broken(role, TUF_CHECK_SIGNATURE, r, w);
        *ret = TAKE_PTR(m);
        return 0;
}

static void trust(Updater *u, TufMetadata *m) {
        (void)tuf_metadata_free(u->trusted[m->role]);
        u->trusted[m->role] = m;
}

/* The following take bytes of one role as far as they are good: 0: trusted and final. -EALREADY:
 * the trusted one is as new. Otherwise < 0; where the specification says so, the metadata was
 * set before it was found expired or not final. */
static int take_next_root(Updater *u, TufMetadata *m, Why *w) {
        const TufMetadata *old = u->trusted[TUF_ROOT];
        int r;

        r = tuf_verify(old, m, w);
        if (r < 0)
                return tuf_broken(TUF_ROOT, TUF_CHECK_SIGNATURE,
                                why_prefix(w, r, "by root %llu", (unsigned long long)old->version),
                                w);
        if (m->version == old->version + 1)
                return 0;
        return tuf_broken(TUF_ROOT, TUF_CHECK_VERSION,
                        why(w, -ESTALE, "root: is version %llu; it has to be %llu",
                                        (unsigned long long)m->version,
                                        (unsigned long long)old->version + 1),
                        w);
}

static int take_root(Updater *u, const void *bytes, size_t n, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        int r;

        r = tuf_metadata_new(TUF_ROOT, bytes, n, &m, w);
        if (r < 0)
                return tuf_broken(TUF_ROOT, TUF_CHECK_FORMAT, r, w);
        if (u->trusted[TUF_ROOT]) {
                r = take_next_root(u, m, w);
                if (r < 0)
                        return r;
        }
        r = tuf_verify(m, m, w);
        if (r < 0)
                return tuf_broken(TUF_ROOT, TUF_CHECK_SIGNATURE, why_prefix(w, r, "by itself"), w);
        trust(u, TAKE_PTR(m));
        return 0;
}

/* Against the one that was trusted before. */
static int check_timestamp_rollback(const TufMetadata *old, const TufMetadata *m, Why *w) {
        TufMeta before, after;

        if (m->version < old->version)
                return tuf_broken(TUF_TIMESTAMP, TUF_CHECK_VERSION,
                                why(w, -ESTALE, "timestamp: is version %llu, but %llu was seen before",
                                                (unsigned long long)m->version,
                                                (unsigned long long)old->version),
                                w);
        if (m->version == old->version)
                return why(w, -EALREADY, "timestamp: nothing new");
        (void)tuf_metadata_find(old, "snapshot.json", &before);
        (void)tuf_metadata_find(m, "snapshot.json", &after);
        if (after.version >= before.version)
                return 0;
        return tuf_broken(TUF_TIMESTAMP, TUF_CHECK_ROLLBACK,
                        why(w, -ESTALE, "timestamp: version of the snapshot fell from %llu to %llu",
                                        (unsigned long long)before.version,
                                        (unsigned long long)after.version),
                        w);
}

static int take_timestamp(Updater *u, const void *bytes, size_t n, Why *w) {
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        int r;

        r = read_signed(u, TUF_TIMESTAMP, bytes, n, &m, w);
        if (r < 0)
                return r;
        if (u->trusted[TUF_TIMESTAMP]) {
                r = check_timestamp_rollback(u->trusted[TUF_TIMESTAMP], m, w);
                if (r < 0)
                        return r;
        }
        trust(u, TAKE_PTR(m));
        return check_expiry(u, u->trusted[TUF_TIMESTAMP], w);
}

static int check_snapshot_final(const Updater *u, Why *w) {
        int r = check_promised_version(u, u->trusted[TUF_SNAPSHOT], w);

        return r < 0 ? r : check_expiry(u, u->trusted[TUF_SNAPSHOT], w);
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
                        return tuf_broken(TUF_SNAPSHOT, TUF_CHECK_HASH, r, w);
        }
        r = read_signed(u, TUF_SNAPSHOT, bytes, n, &m, w);
        if (r < 0)
                return r;
        if (!is_local) {
                r = updater_check_version(m, &meta, "snapshot", w);
                if (r < 0)
                        return r;
        }
        if (u->trusted[TUF_SNAPSHOT]) {
                r = tuf_metadata_check_rollback(u->trusted[TUF_SNAPSHOT], m, w);
                if (r < 0)
                        return tuf_broken(TUF_SNAPSHOT, TUF_CHECK_ROLLBACK, r, w);
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
                return tuf_broken(TUF_TARGETS, TUF_CHECK_HASH, r, w);
        r = read_signed(u, TUF_TARGETS, bytes, n, &m, w);
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

void updater_ask(Updater *u, uint64_t version, const char *name, size_t limit) {
        u->step = UPDATER_FETCH;
        u->limit = limit;
        if (version > 0)
                (void)snprintf(u->name, sizeof(u->name), "%llu.%s", (unsigned long long)version,
                                name);
        else
                (void)snprintf(u->name, sizeof(u->name), "%s", name);
}

static void ask(Updater *u, uint64_t version, size_t limit) {
        (void)snprintf(u->stored_name, sizeof(u->stored_name), "%s.json",
                        tuf_role_to_string(u->stage));
        updater_ask(u, version, u->stored_name, limit);
}

static void ask_promised(Updater *u) {
        TufMeta meta;
        int r;

        r = promise(u, u->stage, &meta, &u->why);
        if (r < 0)
                return updater_fail(u, updater_error_of(r));
        if (meta.length != UINT64_MAX && meta.length > limits[u->stage]) {
                (void)why(&u->why, 0,
                                "TUF %s: %s: is promised with %llu bytes; at most %zu are taken",
                                tuf_clause(u->stage, TUF_CHECK_FETCH), tuf_role_to_string(u->stage),
                                (unsigned long long)meta.length, limits[u->stage]);
                return updater_fail(u, UPDATER_E_METADATA);
        }
        ask(u, updater_is_consistent(u) ? meta.version : 0, MIN(meta.length, limits[u->stage]));
}

/* Roots are at an end: the last one must not be expired. */
static void finish_roots(Updater *u) {
        int r;

        r = check_expiry(u, u->trusted[TUF_ROOT], &u->why);
        if (r < 0)
                return updater_fail(u, updater_error_of(r));
        enter(u, TUF_TIMESTAMP);
}

/* The timestamp is as new as it gets. An equal one on the server does not prolong an expired
 * one. */
static void finish_timestamp(Updater *u) {
        int r;

        r = check_expiry(u, u->trusted[TUF_TIMESTAMP], &u->why);
        if (r < 0)
                return updater_fail(u, updater_error_of(r));
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
        u->budget = TUF_BUDGET;
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
        walk_done(u);
        free(u->bytes);
        free(u);
        return NULL;
}

void updater_next(Updater *u, UpdaterStep *ret) {
        assert(u && ret);
        *ret = (UpdaterStep){ .type = u->step };
        if (u->step == UPDATER_FETCH)
                ret->name = u->name;
        if (u->step == UPDATER_LOAD || u->step == UPDATER_STORE)
                ret->name = u->stored_name;
        if (u->step == UPDATER_FETCH || u->step == UPDATER_LOAD)
                ret->limit = u->limit;
        if (u->step == UPDATER_STORE) {
                ret->bytes = u->bytes;
                ret->length = u->length;
        }
}

static void keep_bytes(Updater *u, char *bytes, size_t n) {
        if (u->stage == TUF_ROOT)
                u->roots++;
        free(u->bytes);
        u->bytes = bytes;
        u->length = n;
        u->step = UPDATER_STORE;
}

void updater_bytes(Updater *u, const void *bytes, size_t n) {
        char *copy;
        int r;

        assert(u && (u->step == UPDATER_FETCH || u->step == UPDATER_LOAD) && (bytes || n == 0));
        if (u->walk != WALK_NONE)
                return walk_bytes(u, bytes, n);
        if (n > u->limit) {
                (void)why(&u->why, 0, "TUF %s: %s: has more than %zu bytes",
                                tuf_clause(u->stage, TUF_CHECK_FETCH), u->name, u->limit);
                return updater_fail(u, UPDATER_E_METADATA);
        }
        copy = malloc(n + 1);
        if (!copy) {
                (void)why_oom(&u->why);
                return updater_fail(u, UPDATER_E_FETCH);
        }
        if (n > 0)
                memcpy(copy, bytes, n);
        copy[n] = '\0';
        r = take(u, copy, n, false, &u->why);
        if (r >= 0)
                return keep_bytes(u, copy, n);
        free(copy);
        if (r == -EALREADY)
                return advance(u);
        updater_fail(u, updater_error_of(r));
}

void updater_stored(Updater *u) {
        assert(u && u->step == UPDATER_STORE);
        free(TAKE_PTR(u->bytes));
        if (u->walk != WALK_NONE)
                return walk_stored(u);
        advance(u);
}

void updater_not_found(Updater *u) {
        assert(u && (u->step == UPDATER_FETCH || u->step == UPDATER_LOAD));
        if (u->walk != WALK_NONE)
                return walk_not_found(u);
        if (u->stage == TUF_ROOT)
                return finish_roots(u);
        (void)why(&u->why, 0, "TUF %s: %s: not found", tuf_clause(u->stage, TUF_CHECK_FETCH),
                        u->name);
        updater_fail(u, UPDATER_E_NOT_FOUND);
}

void updater_error(Updater *u, const char *text) {
        assert(u && u->step <= UPDATER_STORE);
        (void)why(&u->why, 0, "%s: %s", u->step == UPDATER_FETCH ? u->name : u->stored_name,
                        text ?: "could not be fetched");
        updater_fail(u, UPDATER_E_FETCH);
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

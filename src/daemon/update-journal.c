/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every entry holds the whole update, so that the last good line is all that a restart reads.
 * Numbers that do not fit JSON's signed 64 bits (push ids) are hexadecimal text. */
#include "daemon/update-journal.h"

#include <inttypes.h>

#include "daemon/device.h"

static int lookup(const char *s, const char *(*name)(int), int max, int *ret) {
        for (int i = 0; i < max; i++)
                if (streq(s, name(i))) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

static const char *state_name(int i) {
        return update_state_to_string((UpdateState)i);
}

static const char *kind_name(int i) {
        return update_kind_to_string((UpdateKind)i);
}

static const char *role_name(int i) {
        return update_role_to_string((UpdateRole)i);
}

static json_t *candidate_to_json(const Release *c) {
        char digest[SHA256_HEX];

        if (!c)
                return json_null();
        sha256_to_hex(&c->file_digest, digest);
        return json_pack("{s:s, s:I, s:s, s:o}", "target", c->target ? c->target : "", "length",
                        (json_int_t)c->file_length, "sha256", digest, "custom",
                        release_to_custom(c));
}

static json_t *kept_to_json(const RecordImage *kept) {
        char digest[SHA256_HEX];

        if (!kept->known)
                return json_null();
        sha256_to_hex(&kept->digest, digest);
        return json_pack("{s:s, s:s, s:I}", "version", kept->version, "sha256", digest, "length",
                        (json_int_t)kept->length);
}

json_t *update_to_json(const Update *u) {
        return json_pack(
                        "{s:i, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o,"
                        " s:b, s:b, s:b, s:b, s:b, s:s, s:[iii], s:i, s:i, s:i, s:s, s:s, s:s, s:s, s:I, s:I}",
                        "format", UPDATE_JOURNAL_FORMAT, "id", json_hex64(u->id), "kind",
                        kind_name(u->kind), "state", state_name(u->state), "resume",
                        state_name(u->resume), "role", role_name(u->role), "push-id",
                        json_hex64(u->push_id), "last-push-id", json_hex64(u->last_push_id),
                        "candidate", candidate_to_json(u->candidate), "kept",
                        kept_to_json(&u->kept), "backup-bad", u->backup_bad, "touched", u->touched,
                        "by-name", u->by_name, "by-request", u->by_request, "provision",
                        u->provision, "instead-of", u->instead_of, "tries",
                        u->tries[ROLE_CANDIDATE], u->tries[ROLE_BACKUP], u->tries[ROLE_PREVIOUS],
                        "trial-seconds", u->trial_seconds, "stalls", u->stalls, "restarts",
                        u->trial_restarts, "outcome", outcome_info(u->outcome)->code, "text",
                        u->text, "wait", outcome_info(u->wait)->code, "wait-text", u->wait_text,
                        "stranded-tries", (json_int_t)u->stranded_tries, "started",
                        (json_int_t)u->started);
}

static int get_enum(const json_t *e, const char *key, const char *(*name)(int), int max, int *ret,
                Why *w) {
        const char *s;
        int r;

        r = json_get_string(e, "journal", key, 64, &s, w);
        if (r < 0)
                return r;
        if (lookup(s, name, max, ret) < 0)
                return why(w, -EBADMSG,
                                "journal: \"%s\" is \"%s\", which this version does not know", key,
                                s);
        return 0;
}

static int get_hex64(const json_t *e, const char *key, uint64_t *ret, Why *w) {
        if (!json_object_get(e, key))
                return why(w, -EBADMSG, "journal: \"%s\" is missing", key);
        return json_get_hex64_opt(e, "journal", key, ret, w);
}

static int get_outcome(const json_t *e, const char *key, Outcome *ret, Why *w) {
        const char *s;
        int r;

        r = json_get_string(e, "journal", key, 64, &s, w);
        if (r < 0)
                return r;
        if (outcome_from_code(s, ret) < 0)
                return why(w, -EBADMSG, "journal: \"%s\" is \"%s\", which is no outcome", key, s);
        return 0;
}

static int get_text(const json_t *e, const char *key, size_t max, char *ret, Why *w) {
        const char *s = "";
        int r;

        r = json_get_text_opt(e, "journal", key, max, &s, w);
        if (r < 0)
                return r;
        (void)snprintf(ret, max + 1, "%s", s);
        return 0;
}

static int get_candidate(const json_t *e, Release **ret, Why *w) {
        json_t *c = NULL, *custom;
        const char *target;
        uint64_t length;
        Sha256 digest;
        int r;

        r = json_get_object_opt(e, "journal", "candidate", &c, w);
        if (r < 0 || !c)
                return r;
        r = json_get_text_opt(c, "journal", "target", 512, &target, w);
        if (r >= 0)
                r = json_get_uint(c, "journal", "length", 0, INT64_MAX, &length, w);
        if (r >= 0)
                r = json_get_sha256(c, "journal", "sha256", &digest, w);
        if (r >= 0)
                r = json_get_object(c, "journal", "custom", &custom, w);
        if (r < 0)
                return r;
        return release_parse(target, length, &digest, custom, ret, w);
}

static int get_kept(const json_t *e, RecordImage *ret, Why *w) {
        const char *version = "";
        json_t *kept = NULL;
        int r;

        *ret = (RecordImage){};
        r = json_get_object_opt(e, "journal", "kept", &kept, w);
        if (r < 0 || !kept)
                return r;
        r = json_get_text_opt(kept, "kept", "version", VERSION_MAX, &version, w);
        if (r >= 0)
                r = json_get_sha256(kept, "kept", "sha256", &ret->digest, w);
        if (r >= 0)
                r = json_get_uint(kept, "kept", "length", 0, INT64_MAX, &ret->length, w);
        if (r < 0)
                return r;
        (void)snprintf(ret->version, sizeof(ret->version), "%s", version);
        ret->known = true;
        return 0;
}

static int get_flags(Update *u, const json_t *e, Why *w) {
        const struct {
                const char *key;
                bool *value;
        } flags[] = {
                { "backup-bad", &u->backup_bad },
                { "touched", &u->touched },
                { "by-name", &u->by_name },
                { "by-request", &u->by_request },
                { "provision", &u->provision },
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(flags) && r >= 0; i++)
                r = json_get_bool_opt(e, "journal", flags[i].key, flags[i].value, w);
        return r;
}

static int get_numbers(Update *u, const json_t *e, Why *w) {
        json_t *tries = NULL;
        uint64_t v = 0, started = 0;
        int r;

        r = json_get_array(e, "journal", "tries", _ROLE_MAX, &tries, w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_array_size(tries); i++) {
                json_int_t n = json_integer_value(json_array_get(tries, i));

                u->tries[i] = n < 0 || n > 1000 ? 1000 : (unsigned)n;
        }
        r = json_get_uint(e, "journal", "trial-seconds", 0, UINT32_MAX, &v, w);
        if (r < 0)
                return r;
        u->trial_seconds = (unsigned)v;
        r = json_get_uint(e, "journal", "stalls", 0, 1000, &v, w);
        if (r < 0)
                return r;
        u->stalls = (unsigned)v;
        r = json_get_uint(e, "journal", "restarts", 0, 1000, &v, w);
        if (r < 0)
                return r;
        u->trial_restarts = (unsigned)v;
        r = json_get_uint(e, "journal", "stranded-tries", 0, INT64_MAX, &u->stranded_tries, w);
        if (r < 0)
                return r;
        r = json_get_uint(e, "journal", "started", 0, INT64_MAX, &started, w);
        if (r < 0)
                return r;
        u->started = (int64_t)started;
        return 0;
}

static int get_all(Update *u, const json_t *e, Why *w) {
        int kind = 0, state = 0, resume = 0, role = 0, r;
        uint64_t format;

        r = json_get_uint(e, "journal", "format", 1, INT64_MAX, &format, w);
        if (r < 0)
                return r;
        if (format != UPDATE_JOURNAL_FORMAT)
                return why(w, -EOPNOTSUPP, "journal: format %" PRIu64 " is newer than this program",
                                format);
        if ((r = get_hex64(e, "id", &u->id, w)) < 0 ||
                        (r = get_enum(e, "kind", kind_name, _UPDATE_KIND_MAX, &kind, w)) < 0 ||
                        (r = get_enum(e, "state", state_name, _UPDATE_STATE_MAX, &state, w)) < 0 ||
                        (r = get_enum(e, "resume", state_name, _UPDATE_STATE_MAX, &resume, w)) <
                                        0 ||
                        (r = get_enum(e, "role", role_name, _ROLE_MAX, &role, w)) < 0 ||
                        (r = get_hex64(e, "push-id", &u->push_id, w)) < 0 ||
                        (r = get_hex64(e, "last-push-id", &u->last_push_id, w)) < 0 ||
                        (r = get_candidate(e, &u->candidate, w)) < 0 ||
                        (r = get_kept(e, &u->kept, w)) < 0 || (r = get_flags(u, e, w)) < 0 ||
                        (r = get_numbers(u, e, w)) < 0 ||
                        (r = get_outcome(e, "outcome", &u->outcome, w)) < 0 ||
                        (r = get_outcome(e, "wait", &u->wait, w)) < 0 ||
                        (r = get_text(e, "text", WHY_MAX - 1, u->text, w)) < 0 ||
                        (r = get_text(e, "instead-of", VERSION_MAX, u->instead_of, w)) < 0 ||
                        (r = get_text(e, "wait-text", WHY_MAX - 1, u->wait_text, w)) < 0)
                return r;
        u->kind = (UpdateKind)kind;
        u->state = (UpdateState)state;
        u->resume = (UpdateState)resume;
        u->role = (UpdateRole)role;
        /* This entry was written before the device was asked, and nobody knows how far it came. */
        u->touched |= u->state == UPDATE_PUSHING;
        if (u->role == ROLE_CANDIDATE && u->kind == UPDATE_UPGRADE && !u->candidate)
                return why(w, -EBADMSG, "journal: an upgrade without \"candidate\"");
        return 0;
}

int update_from_journal(Device *d, const json_t *entry, Update **ret, Why *w) {
        _cleanup_(update_freep) Update *u = NULL;
        int r;

        r = update_new(d, UPDATE_RESTORE, UPDATE_RESTORING, NULL, &u);
        if (r < 0)
                return why_oom(w);
        r = get_all(u, entry, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(u);
        return 0;
}

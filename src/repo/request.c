/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests: from the stage or from a file, and the text that a signer reads. */
#include <assert.h>
#include <fcntl.h>

#include "basic/file.h"
#include "basic/names.h"
#include "repo/request.h"
#include "repo/root-edit.h"
#include "repo/stage.h"
#include "repo/team.h"
#include "tuf/updater.h"

#define FORMAT   1
#define FILE_MAX (2 * TUF_TARGETS_MAX)

void request_done(Request *q) {
        assert(q);
        signing_done(&q->signing);
        free(q->role);
        json_decref(q->before);
        json_decref(q->owned);
}

/* --- from the publisher's folder -------------------------------------------------------------- */

static int from_staged_root(Request *q, const Repo *repo, Why *w) {
        const json_t *current = repo->current[TUF_ROOT]->content;
        _cleanup_json_ json_t *content = NULL, *signatures = NULL;
        TufSigners signers[2];
        int n, r;

        r = root_next_content(repo, 0, &content, &signatures, w);
        if (r < 0)
                return r;
        if (!signatures)
                return why(w, -ENOENT,
                                "no root is staged; \"key add\", \"key remove\", \"key rotate\" and "
                                "\"root renew\" stage one");
        n = root_both_signers(current, content, signers);
        q->before = json_incref((json_t *)current);
        r = signing_init(&q->signing, signers, (size_t)n, content, w);
        return r < 0 ? r : signing_take(&q->signing, signatures, w);
}

static bool is_same(const json_t *a, const json_t *b, const char *member) {
        const json_t *x = json_object_get(a, member), *y = json_object_get(b, member);

        return (!x && !y) || (x && y && json_equal((json_t *)x, (json_t *)y));
}

/* What is staged stands for content if it says the same, so its signatures go on counting. */
static int from_targets(Request *q, Publish *p, Why *w) {
        _cleanup_json_ json_t *content = NULL, *next = NULL;
        const Team *team = repo_find_team(p->repo, q->role);
        const TufMetadata *current = streq(q->role, "targets") ? p->repo->current[TUF_TARGETS]
                                     : team                    ? team->current
                                                               : NULL;
        TufSigners signers;
        json_t *staged;
        int r;

        r = publish_next_content(p, q->role, &content, &signers, w);
        if (r == -EALREADY)
                return why(w, r,
                                "nothing about %s has changed, and it lasts: there is nothing to sign",
                                q->role);
        if (r < 0)
                return r;
        r = stage_load_next(p->repo, q->role, &next, w);
        if (r < 0 && r != -ENOENT)
                return r;
        staged = json_object_get(next, "signed");
        q->is_new = !staged || !is_same(staged, content, "version") ||
                    !is_same(staged, content, "targets") ||
                    !is_same(staged, content, "delegations");
        q->before = current ? json_incref((json_t *)current->content) : NULL;
        r = signing_init(&q->signing, &signers, 1, q->is_new ? content : staged, w);
        if (r >= 0 && !q->is_new)
                r = signing_take(&q->signing, json_object_get(next, "signatures"), w);
        return r;
}

int request_from_repo(Request *q, Publish *p, const char *role, Why *w) {
        assert(q && p && p->repo && role);
        *q = (Request){};
        if (free_and_strdup(&q->role, role) < 0)
                return why_oom(w);
        return streq(role, "root") ? from_staged_root(q, p->repo, w) : from_targets(q, p, w);
}

int request_save_to_repo(const Request *q, const Repo *repo, Why *w) {
        _cleanup_json_ json_t *document = signing_document(&q->signing);

        return document ? stage_save_next(repo, q->role, document, w) : why_oom(w);
}

/* --- from a file ------------------------------------------------------------------------------ */

static int read_signers(Request *q, const json_t *file, TufSigners ret[static SIGNERS_MAX],
                size_t *ret_n, Why *w) {
        json_t *list, *keys;
        size_t n;
        int r;

        r = json_get_array(file, "request", "signers", SIGNERS_MAX, &list, w);
        if (r < 0)
                return r;
        n = json_array_size(list);
        if (n == 0)
                return why(w, -EBADMSG, "request: \"signers\" is empty");
        for (size_t i = 0; i < n; i++) {
                const json_t *one = json_array_get(list, i);

                r = json_get_object(one, "signers", "keys", &keys, w);
                if (r >= 0)
                        r = tuf_signers_check(one, "signers", w);
                if (r < 0)
                        return r;
                ret[i] = (TufSigners){ .keys = keys, .role = one, .name = q->role };
        }
        *ret_n = n;
        return 0;
}

/* Nothing that the text for the reader would not show. */
static int check_kind(const Request *q, const json_t *content, Why *w) {
        _cleanup_json_ json_t *teams = NULL;

        if (!streq(q->role, "root"))
                return teams_from_delegations(json_object_get(content, "delegations"), &teams, w);
        if (!json_is_true(json_object_get(content, "consistent_snapshot")))
                return why(w, -EBADMSG,
                                "the root has no consistent snapshots, which rekindle-repo "
                                "did not write");
        return 0;
}

/* Content has to be what it says it is before anybody signs it: its shape is checked as a gateway
 * would. */
static int check_content(const Request *q, const json_t *content, Why *w) {
        TufRole role = streq(q->role, "root") ? TUF_ROOT : TUF_TARGETS;
        _cleanup_json_ json_t *document =
                        json_pack("{s:O, s:[]}", "signed", (json_t *)content, "signatures");
        _cleanup_(tuf_metadata_freep) TufMetadata *m = NULL;
        _cleanup_free_ char *text = json_print(document);
        int r;

        if (!text)
                return why_oom(w);
        r = tuf_metadata_new(role, text, strlen(text), &m, w);
        return r < 0 ? r : check_kind(q, content, w);
}

static int take_file(Request *q, json_t *file, Why *w) {
        json_t *content, *signatures, *before = NULL;
        TufSigners signers[SIGNERS_MAX];
        const char *role;
        uint64_t format;
        size_t n = 0;
        int r;

        q->owned = json_incref(file);
        r = json_get_uint(file, "request", "format", FORMAT, FORMAT, &format, w);
        if (r >= 0)
                r = json_get_string(file, "request", "role", NAME_MAX_LENGTH, &role, w);
        if (r >= 0)
                r = json_get_object(file, "request", "signed", &content, w);
        if (r >= 0)
                r = json_get_array(file, "request", "signatures", 1024, &signatures, w);
        if (r >= 0)
                r = json_get_object_opt(file, "request", "before", &before, w);
        if (r < 0)
                return r;
        if (!streq(role, "root") && !streq(role, "targets") && !team_name_is_valid(role))
                return why(w, -EBADMSG, "request: \"%s\" is no role that people sign", role);
        if (free_and_strdup(&q->role, role) < 0)
                return why_oom(w);
        r = check_content(q, content, w);
        if (r >= 0 && before) {
                r = check_content(q, before, w);
                if (r < 0)
                        return why_prefix(w, r, "\"before\"");
        }
        if (r >= 0)
                r = read_signers(q, file, signers, &n, w);
        if (r < 0)
                return r;
        q->before = before ? json_incref(before) : NULL;
        r = signing_init(&q->signing, signers, n, content, w);
        return r < 0 ? r : signing_take(&q->signing, signatures, w);
}

int request_parse(Request *q, const char *bytes, size_t n, Why *w) {
        _cleanup_json_ json_t *file = NULL;
        int r;

        assert(q);
        *q = (Request){};
        r = json_parse(bytes, n, &file, w);
        return r < 0 ? r : take_file(q, file, w);
}

int request_from_file(Request *q, const char *path, Why *w) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;
        int r;

        assert(q && path);
        *q = (Request){};
        r = file_read(AT_FDCWD, path, FILE_MAX, &bytes, &n);
        if (r < 0)
                return why_unread(w, r, path);
        r = request_parse(q, bytes, n, w);
        return r < 0 ? why_prefix(w, r, "%s: is no file of \"export\"", path) : 0;
}

int request_save_to_file(const Request *q, const char *path, Why *w) {
        const Signing *s = &q->signing;
        _cleanup_json_ json_t *signers = json_array(), *file = NULL;

        for (size_t i = 0; i < s->n_signers; i++)
                if (json_array_append_new(signers,
                                    json_pack("{s:O, s:O, s:O}", "keys",
                                                    (json_t *)s->signers[i].keys, "keyids",
                                                    json_object_get(s->signers[i].role, "keyids"),
                                                    "threshold",
                                                    json_object_get(s->signers[i].role,
                                                                    "threshold"))) < 0)
                        return why_oom(w);
        file = json_pack("{s:i, s:s, s:O, s:O, s:O, s:O*}", "format", FORMAT, "role", q->role,
                        "signed", s->content, "signatures", s->signatures, "signers", signers,
                        "before", q->before);
        return file ? repo_write_json(AT_FDCWD, path, file, FILE_MAX, w) : why_oom(w);
}

/* --- for the reader --------------------------------------------------------------------------- */

/* Text of others: no escape sequence and no line of its own gets through. */
static void put(FILE *out, const char *s, size_t max) {
        for (size_t i = 0; s && s[i] && i < max; i++)
                (void)fputc(s[i] >= ' ' && s[i] <= '~' ? s[i] : '?', out);
}

static void print_header(FILE *out, const Request *q) {
        const json_t *content = q->signing.content;

        (void)fprintf(out, "%s version %lld, expires ", q->role,
                        (long long)json_integer_value(json_object_get(content, "version")));
        put(out, json_string_value(json_object_get(content, "expires")), 64);
        (void)fputc('\n', out);
}

static void print_id(FILE *out, char mark, const char *id) {
        (void)fprintf(out, "  %c ", mark);
        put(out, id, 2 * SHA256_BYTES);
        (void)fputc('\n', out);
}

/* Those of one role that another one has (common, unless it is 0), and those that it has not. */
static void print_ids(FILE *out, const json_t *role, const json_t *other, char common, char rest) {
        const json_t *ids = json_object_get(role, "keyids");
        const json_t *others = json_object_get(other, "keyids");

        for (size_t i = 0; i < json_array_size(ids); i++) {
                const char *id = json_string_value(json_array_get(ids, i));
                char mark = json_has_string(others, id) ? common : rest;

                if (mark)
                        print_id(out, mark, id);
        }
}

static long long threshold_of(const json_t *role) {
        return (long long)json_integer_value(json_object_get(role, "threshold"));
}

static void print_root(FILE *out, const Request *q) {
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++) {
                const json_t *now = root_signers(q->signing.content, i).role,
                             *before = root_signers(q->before, i).role;

                (void)fprintf(out, "%s: %lld of %zu keys\n", tuf_role_to_string(i),
                                threshold_of(now), json_array_size(json_object_get(now, "keyids")));
                print_ids(out, now, before, ' ', '+');
                print_ids(out, before, now, '\0', '-');
        }
}

static void print_entry(FILE *out, char mark, const char *target, const json_t *entry) {
        const json_t *release = json_object_get(json_object_get(entry, "custom"), "rekindle");
        const char *channel = json_string_value(json_object_get(release, "channel"));

        (void)fprintf(out, "%c ", mark);
        put(out, target, 256);
        (void)fputs("  channel ", out);
        put(out, channel ?: "stable", NAME_MAX_LENGTH);
        (void)fputs("  image ", out);
        put(out, json_string_value(json_object_get(json_object_get(release, "image"), "sha256")),
                        16);
        (void)fputc('\n', out);
}

static void print_targets(FILE *out, const Request *q) {
        json_t *now = json_object_get(q->signing.content, "targets"),
               *before = json_object_get(q->before, "targets"), *entry;
        const char *target;

        json_object_foreach(now, target, entry) {
                json_t *old = json_object_get(before, target);

                print_entry(out, !old ? '+' : json_equal(old, entry) ? ' ' : '*', target, entry);
        }
        json_object_foreach(before, target, entry) {
                if (!json_object_get(now, target))
                        print_entry(out, '-', target, entry);
        }
}

static const json_t *find_role(const json_t *content, const char *name) {
        const json_t *roles = json_object_get(json_object_get(content, "delegations"), "roles");

        for (size_t i = 0; i < json_array_size(roles); i++) {
                const json_t *role = json_array_get(roles, i);

                if (streq(json_string_value(json_object_get(role, "name")), name))
                        return role;
        }
        return NULL;
}

static void print_delegations(FILE *out, const Request *q) {
        const json_t *roles = json_object_get(
                        json_object_get(q->signing.content, "delegations"), "roles");

        for (size_t i = 0; i < json_array_size(roles); i++) {
                const json_t *role = json_array_get(roles, i);
                const char *name = json_string_value(json_object_get(role, "name"));
                const json_t *paths = json_object_get(role, "paths");

                (void)fputs("delegates to ", out);
                put(out, name, NAME_MAX_LENGTH);
                (void)fprintf(out, " (%lld of %zu keys):", threshold_of(role),
                                json_array_size(json_object_get(role, "keyids")));
                for (size_t k = 0; k < json_array_size(paths); k++) {
                        (void)fputc(' ', out);
                        put(out, json_string_value(json_array_get(paths, k)), 2 * NAME_MAX_LENGTH);
                }
                (void)fputc('\n', out);
                print_ids(out, role, find_role(q->before, name), ' ', '+');
        }
}

void request_print(const Request *q, FILE *out) {
        assert(q && out);
        print_header(out, q);
        if (streq(q->role, "root"))
                print_root(out, q);
        else {
                print_targets(out, q);
                print_delegations(out, q);
        }
        request_print_state(q, out);
}

void request_print_state(const Request *q, FILE *out) {
        const Signing *s = &q->signing;
        size_t n = json_array_size(s->signatures);
        Why w;

        for (size_t i = 0; i < n; i++) {
                (void)fputs("signed by ", out);
                put(out,
                                json_string_value(json_object_get(
                                                json_array_get(s->signatures, i), "keyid")),
                                2 * SHA256_BYTES);
                (void)fputc('\n', out);
        }
        if (signing_check(s, NULL, &w) < 0)
                (void)fprintf(out, "%s\n", w.text);
        else
                (void)fputs("all signatures are there\n", out);
}

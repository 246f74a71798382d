/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The updater says what it wants; this file fetches and stores it, one step at a time: first the
 * four top-level roles, then the delegated ones that can list releases of our models. The expiry
 * is judged against the larger of one clock reading and the trusted time on disk (trust/time),
 * which moves only from a synchronised clock. */
#include "daemon/verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "basic/log.h"
#include "basic/names.h"
#include "build-config.h"
#include "daemon/device.h"
#include "daemon/folder-read.h"
#include "tuf/updater.h"

#define RELEASES_MAX  4096
#define LEFT_OUT_MAX  32 /* told one by one */
#define TIME_FILE_MAX 128

struct Verify {
        Manager *manager;
        VerifyFunc func;
        void *userdata;
        Updater *updater;
        int folder_fd; /* borrowed; -1: the server is asked */
        FetchCall *call;
        FolderRead *reading;
        SyncJob *job;
        uint8_t *body;
        size_t length, limit;
        sd_event_source *defer;
        int64_t now;
        json_t *models;   /* of the survey; NULL: not begun */
        json_t *left_out; /* sentences; what is beyond LEFT_OUT_MAX is only counted */
        size_t n_left_out;
};

typedef struct Collect {
        Verify *verify;
        Release **releases;
        size_t n;
        bool consistent;
} Collect;

static void step(Verify *v);

static void collect_done(Collect *c) {
        for (size_t i = 0; i < c->n; i++)
                release_free(c->releases[i]);
        free(c->releases);
}

static Outcome outcome_of(UpdaterError e) {
        static const Outcome map[_UPDATER_ERROR_MAX] = {
                [UPDATER_OK] = OUTCOME_DONE,
                [UPDATER_E_FETCH] = OUTCOME_SERVER_UNREACHABLE,
                [UPDATER_E_NOT_FOUND] = OUTCOME_METADATA_MISSING,
                [UPDATER_E_METADATA] = OUTCOME_METADATA_INVALID,
                [UPDATER_E_SIGNATURE] = OUTCOME_METADATA_SIGNATURE,
                [UPDATER_E_VERSION] = OUTCOME_METADATA_VERSION,
                [UPDATER_E_EXPIRED] = OUTCOME_METADATA_EXPIRED,
        };

        return map[e];
}

static void finish(Verify *v, Outcome outcome, const char *text) {
        VerifyFunc func = v->func;
        void *userdata = v->userdata;
        Why copy;

        (void)why(&copy, 0, "%s", text);
        func(outcome, copy.text, userdata);
}

static void leave_out(Verify *v, const char *what, const char *name, const char *why_not) {
        Why text;

        if (v->n_left_out++ >= LEFT_OUT_MAX)
                return;
        (void)why(&text, 0, "%s %s is left out: %s", what, name, why_not);
        text_clean(text.text);
        (void)json_array_append_new(v->left_out, json_string(text.text));
}

/* Each refresh finds the same again: only what differs from the last time is told. */
static void tell_left_out(Verify *v) {
        Manager *m = v->manager;
        const json_t *text;
        size_t i;

        if (v->n_left_out > LEFT_OUT_MAX)
                (void)json_array_append_new(
                                v->left_out, json_sprintf("%zu more are left out",
                                                             v->n_left_out - LEFT_OUT_MAX));
        if (json_equal(v->left_out, m->left_out))
                return;
        json_array_foreach(v->left_out, i, text) log_warning("%s", json_string_value(text));
        json_decref(m->left_out);
        m->left_out = json_incref(v->left_out);
}

static int add_target(const TufTarget *target, void *userdata) {
        Collect *c = userdata;
        Release **larger;
        Release *release;
        Why w;
        int r;

        if (!target->custom || !target->has_sha256)
                return 0;
        r = release_parse(target->name, target->length, &target->digest, target->custom, &release,
                        &w);
        if (r == -ENOENT)
                return 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                leave_out(c->verify, "release", target->name, w.text);
                return 0;
        }
        if (c->n >= RELEASES_MAX) {
                release_free(release);
                return -E2BIG;
        }
        larger = reallocarray(c->releases, c->n + 1, sizeof(Release *));
        if (!larger) {
                release_free(release);
                return -ENOMEM;
        }
        c->releases = larger;
        c->releases[c->n++] = release;
        return 0;
}

/* --- models ----------------------------------------------------------------------------------- */

static int add_model(json_t *models, const char *model) {
        return model && *model ? json_object_set_new(models, model, json_true()) : 0;
}

/* Models that are known here: of the configuration, and of every device that was seen. */
static int begin_survey(Verify *v) {
        Manager *m = v->manager;
        _cleanup_free_ const char **folders = NULL;
        const char *model;
        json_t *value;
        size_t n = 0;
        int r = 0;

        v->models = json_object();
        for (size_t i = 0; i < m->config->n_devices; i++)
                r |= add_model(v->models, m->config->devices[i].model);
        for (size_t i = 0; i < m->n_devices; i++)
                r |= add_model(v->models, m->devices[i]->record->model);
        folders = new0(const char *, json_object_size(v->models) + 1);
        if (!v->models || r < 0 || !folders)
                return -ENOMEM;
        json_object_foreach(v->models, model, value) {
                folders[n++] = model;
        }
        return updater_survey(v->updater, folders, n);
}

bool verify_covers(const Manager *m, const char *model) {
        return !m->surveyed || !*model || json_object_get(m->surveyed, model);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Roles that could not be had are told; all others are used. */
static void tell_refusals(Verify *v, Why *text) {
        const char *role;
        const Why *w;
        Why cut;

        (void)why(text, 0, VERIFY_FRESH);
        for (size_t i = 0; updater_refusal(v->updater, i, &role, &w); i++) {
                leave_out(v, "role", role, w->text);
                if (i == 0)
                        (void)why(text, 0, VERIFY_FRESH ", but role %.64s is left out: %s", role,
                                        w->text);
        }
        if (updater_is_cut(v->updater)) {
                (void)why(&cut, 0,
                                "there are more than %d for the models here, or too many patterns",
                                TUF_EDGES_MAX);
                leave_out(v, "rest of", "the delegated roles", cut.text);
        }
}

/* Files of roles that the snapshot does not list any more. */
static void sweep_roles(Verify *v) {
        Manager *m = v->manager;
        _cleanup_(closedirp) DIR *dir = NULL;
        struct dirent *entry;

        if (folder_list(m->trust_fd, ".", &dir) < 0)
                return;
        while ((entry = readdir(dir))) {
                size_t n = strlen(entry->d_name);

                if (n > strlen(".json") && streq(entry->d_name + n - strlen(".json"), ".json") &&
                                !updater_is_listed(v->updater, entry->d_name))
                        (void)sync_unlink(m->sync, m->trust_fd, entry->d_name, NULL, NULL, NULL);
        }
}

static void take_releases(Verify *v) {
        Manager *m = v->manager;
        Collect c = { .verify = v, .consistent = updater_is_consistent(v->updater) };
        Why text;
        int r;

        r = updater_foreach_target(v->updater, add_target, &c);
        if (r < 0) {
                collect_done(&c);
                finish(v, OUTCOME_METADATA_INVALID,
                                r == -E2BIG ? "the repository lists more than 4096 releases"
                                            : "the releases could not be read: not enough memory");
                return;
        }
        for (size_t i = 0; i < m->n_releases; i++)
                release_free(m->releases[i]);
        free(m->releases);
        m->releases = c.releases;
        m->n_releases = c.n;
        m->consistent_targets = c.consistent;
        json_decref(m->surveyed);
        m->surveyed = updater_is_partial(v->updater) ? json_incref(v->models) : NULL;
        sweep_roles(v);
        tell_refusals(v, &text);
        tell_left_out(v);
        finish(v, OUTCOME_DONE, text.text);
}

/* --- steps ------------------------------------------------------------------------------------ */

static int on_body(FetchCall *call, unsigned status, bool resumed, const void *bytes, size_t n,
                void *userdata) {
        Verify *v = userdata;

        if (status != 200)
                return 0;
        if (n > v->limit - v->length)
                return -EFBIG;
        memcpy(v->body + v->length, bytes, n);
        v->length += n;
        return 0;
}

static void on_done(FetchCall *call, const FetchResult *result, void *userdata) {
        Verify *v = userdata;
        Why w;

        v->call = NULL;
        if (result->error == -EFBIG) {
                /* The updater looks at the length first, and says what is wrong with it. */
                updater_bytes(v->updater, v->body, v->limit + 1);
        } else if (result->error < 0) {
                updater_error(v->updater, result->text && *result->text ? result->text
                                                                        : strerror(-result->error));
        } else if (result->status == 404 || result->status == 403) {
                updater_not_found(v->updater);
        } else if (result->status != 200) {
                (void)why(&w, 0, "the server answered HTTP %u", result->status);
                updater_error(v->updater, w.text);
        } else {
                updater_bytes(v->updater, v->body, v->length);
        }
        step(v);
}

static int on_file_bytes(const void *bytes, size_t n, void *userdata) {
        Verify *v = userdata;

        memcpy(v->body + v->length, bytes, n);
        v->length += n;
        return 0;
}

static void on_file_done(int error, const char *text, void *userdata) {
        Verify *v = userdata;

        v->reading = NULL;
        if (error == -EFBIG)
                updater_bytes(v->updater, v->body, v->limit + 1);
        else if (error == -ENOENT)
                updater_not_found(v->updater);
        else if (error < 0)
                updater_error(v->updater, text);
        else
                updater_bytes(v->updater, v->body, v->length);
        step(v);
}

static int read_folder(Verify *v, const char *name, Why *w) {
        _cleanup_free_ char *path = NULL;
        FolderRequest request = { v->folder_fd, NULL, v->limit, on_file_bytes, on_file_done, v };
        int r;

        if (asprintf(&path, "metadata/%s", name) < 0) {
                path = NULL;
                return why_oom(w);
        }
        request.path = path;
        r = folder_read_new(v->manager->event, &request, &v->reading);
        return r < 0 ? why(w, r, "the folder cannot be read: %s", strerror(-r)) : 0;
}

static int ask_server(Verify *v, const char *name, Why *w) {
        FetchRequest request = { .kind = FETCH_TRANSFER, .method = "GET", .byte_limit = v->limit };
        _cleanup_free_ char *url = NULL;

        if (asprintf(&url, "%s/%s", v->manager->config->metadata_url, name) < 0) {
                url = NULL;
                return why_oom(w);
        }
        request.url = url;
        return fetch_client_call(v->manager->fetch, &request, on_body, on_done, v, &v->call, w);
}

static void fetch(Verify *v, const UpdaterStep *s) {
        uint8_t *larger;
        Why w;
        int r;

        larger = realloc(v->body, MAX(s->limit, 1U));
        if (larger)
                v->body = larger;
        v->length = 0;
        v->limit = s->limit;
        if (!larger)
                r = why_oom(&w);
        else
                r = v->folder_fd >= 0 ? read_folder(v, s->name, &w) : ask_server(v, s->name, &w);
        if (r < 0)
                finish(v, OUTCOME_INTERNAL, w.text);
}

static void on_stored(int error, void *userdata) {
        Verify *v = userdata;

        v->job = NULL;
        if (error < 0) {
                manager_fatal(v->manager, error, "trusted metadata could not be stored");
                return;
        }
        updater_stored(v->updater);
        step(v);
}

static void store(Verify *v, const UpdaterStep *s) {
        int r;

        r = sync_write(v->manager->sync, v->manager->trust_fd, s->name, s->bytes, s->length,
                        on_stored, v, &v->job);
        if (r < 0)
                finish(v, OUTCOME_STORE_FAILED, "trusted metadata could not be stored");
}

/* What was stored before; a file that cannot be read is fetched again. */
static void load_role(Verify *v, const UpdaterStep *s) {
        _cleanup_free_ char *bytes = NULL;
        size_t n;

        if (file_read(v->manager->trust_fd, s->name, s->limit, &bytes, &n) < 0)
                updater_not_found(v->updater);
        else
                updater_bytes(v->updater, bytes, n);
}

/* Steps that need nobody else are done at once; v may be gone afterwards. */
static void step(Verify *v) {
        UpdaterStep s;
        Why w;

        for (;;) {
                updater_next(v->updater, &s);
                switch (s.type) {
                case UPDATER_FETCH:
                        fetch(v, &s);
                        return;
                case UPDATER_STORE:
                        store(v, &s);
                        return;
                case UPDATER_LOAD:
                        load_role(v, &s);
                        break;
                case UPDATER_DONE:
                        if (v->models) {
                                take_releases(v);
                                return;
                        }
                        if (begin_survey(v) < 0) {
                                finish(v, OUTCOME_INTERNAL, "not enough memory");
                                return;
                        }
                        break;
                case UPDATER_FAILED:
                        finish(v, outcome_of(updater_result(v->updater, &w)), w.text);
                        return;
                }
        }
}

static int on_begin(sd_event_source *source, void *userdata) {
        Verify *v = userdata;

        v->defer = sd_event_source_disable_unref(v->defer);
        step(v);
        return 0;
}

/* Time that was trusted last: trust/time, {"format": 1, "trusted": seconds since 1970}. What
 * cannot be read counts as none: the time of the build is the lowest bound anyway. */
static int64_t stored_time(Manager *m) {
        _cleanup_free_ char *s = NULL;
        _cleanup_json_ json_t *o = NULL;
        uint64_t format, seconds;
        size_t n;

        if (file_read(m->trust_fd, "time", TIME_FILE_MAX, &s, &n) < 0 ||
                        json_parse(s, n, &o, NULL) < 0 ||
                        json_get_uint(o, "time", "format", 1, 1, &format, NULL) < 0 ||
                        json_get_uint(o, "time", "trusted", 0, INT64_MAX, &seconds, NULL) < 0)
                return 0;
        return (int64_t)seconds;
}

static void store_time(Manager *m, int64_t seconds) {
        _cleanup_json_ json_t *o =
                        json_pack("{s:i, s:I}", "format", 1, "trusted", (json_int_t)seconds);
        _cleanup_free_ char *text = o ? json_print(o) : NULL;

        /* A lost write only means an older lower bound. */
        if (text)
                (void)sync_write(
                                m->sync, m->trust_fd, "time", text, strlen(text), NULL, NULL, NULL);
}

static int64_t trusted_now(Manager *m) {
        int64_t now = clock_now(m->clock), stored = stored_time(m);
        bool synchronised = m->clock->is_synchronised(m->clock->userdata);

        if (synchronised && now > stored && now > REKINDLE_BUILD_TIME)
                store_time(m, now);
        return MAX(MAX(now, stored), (int64_t)REKINDLE_BUILD_TIME);
}

static int read_local(Manager *m, const char *name, size_t max, char **ret, size_t *ret_n) {
        int r;

        r = file_read(m->trust_fd, name, max, ret, ret_n);
        return r == -ENOENT ? 0 : r;
}

static int load(Verify *v, Why *w) {
        Manager *m = v->manager;
        _cleanup_free_ char *root = NULL, *timestamp = NULL, *snapshot = NULL, *targets = NULL;
        UpdaterLocal local = {};
        bool is_initial = false;
        int r;

        r = read_local(m, "root.json", TUF_ROOT_MAX, &root, &local.root_length);
        if (r >= 0 && !root) {
                r = file_read(AT_FDCWD, m->root_path, TUF_ROOT_MAX, &root, &local.root_length);
                is_initial = true;
                if (r < 0)
                        return why(w, r,
                                        "no initial trust: %s: %s; put the publisher's root.json there",
                                        m->root_path, strerror(-r));
        }
        if (r >= 0)
                r = read_local(m, "timestamp.json", TUF_TIMESTAMP_MAX, &timestamp,
                                &local.timestamp_length);
        if (r >= 0)
                r = read_local(m, "snapshot.json", TUF_SNAPSHOT_MAX, &snapshot,
                                &local.snapshot_length);
        if (r >= 0)
                r = read_local(m, "targets.json", TUF_TARGETS_MAX, &targets, &local.targets_length);
        if (r < 0)
                return why(w, r, "the folder trust cannot be read: %s", strerror(-r));
        local.root = root;
        local.timestamp = timestamp;
        local.snapshot = snapshot;
        local.targets = targets;
        r = updater_new(&local, v->now, &v->updater, w);
        if (r >= 0 || r == -ENOMEM)
                return r;
        if (is_initial)
                return why_prefix(w, r, "no initial trust: %s", m->root_path);
        return why_prefix(w, r,
                        "trust/root.json in the state folder is damaged (removed, trust begins again with %s)",
                        m->root_path);
}

int verify_new(Manager *m, int folder_fd, VerifyFunc func, void *userdata, Verify **ret) {
        _cleanup_(verify_freep) Verify *v = NULL;
        Why w;
        int r;

        v = new0(Verify, 1);
        if (!v)
                return -ENOMEM;
        v->manager = m;
        v->folder_fd = folder_fd;
        v->func = func;
        v->userdata = userdata;
        v->now = trusted_now(m);
        v->left_out = json_array();
        if (!v->left_out)
                return -ENOMEM;
        r = load(v, &w);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                func(OUTCOME_METADATA_INVALID, w.text, userdata);
                return 0;
        }
        r = sd_event_add_defer(m->event, &v->defer, on_begin, v);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(v);
        return 0;
}

Verify *verify_free(Verify *v) {
        if (!v)
                return NULL;
        v->call = fetch_call_cancel(v->call);
        v->reading = folder_read_free(v->reading);
        v->job = sync_job_forget(v->job);
        sd_event_source_disable_unref(v->defer);
        updater_free(v->updater);
        json_decref(v->models);
        json_decref(v->left_out);
        free(v->body);
        free(v);
        return NULL;
}

int verify_target_path(const Manager *m, const Release *release, char **ret) {
        const char *slash = strrchr(release->target, '/');
        const char *file = slash ? slash + 1 : release->target;
        char digest[SHA256_HEX] = "";

        if (m->consistent_targets)
                sha256_to_hex(&release->file_digest, digest);
        return asprintf(ret, "%.*s%s%s%s", (int)(file - release->target), release->target, digest,
                               *digest ? "." : "", file) < 0
                               ? -ENOMEM
                               : 0;
}

int verify_target_url(Manager *m, const Release *release, char **ret) {
        _cleanup_free_ char *path = NULL;

        if (verify_target_path(m, release, &path) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return asprintf(ret, "%s/%s", m->config->targets_url, path) < 0 ? -ENOMEM : 0;
}

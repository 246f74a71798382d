/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hostile server: a client that knows the first state of a repository meets the second one with
 * edits in it. The input is a list of edits: bytes changed, put in and cut out, files swapped,
 * taken away, put back to the first state, answers that break off; or a file's content signed
 * again by its own keys after an edit, as the thief of a key would.
 *
 * Whatever comes: no crash, and as long as nobody else has signed, no target that the owner did not
 * publish, no version that falls on disk, and a client that comes to the good state as soon as the
 * server is good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/tuf/graph.h"
#include "tuf/canon.h"

#define FILES_MAX    32
#define EDITS_MAX    16
#define TEAM_KEY     6
#define ERROR_LENGTH SIZE_MAX

typedef struct File {
        char name[64];
        char *bytes;
        size_t n; /* ERROR_LENGTH: cannot be fetched */
} File;

typedef struct Table {
        File files[FILES_MAX];
        size_t n;
} Table;

/* One edit, six bytes of input. */
enum {
        EDIT_SET,
        EDIT_INSERT,
        EDIT_DELETE,
        EDIT_CUT,
        EDIT_SWAP,
        EDIT_REMOVE,
        EDIT_OLD,
        EDIT_ERROR,
        EDIT_SIGN,
        EDIT_DIGIT,
        _EDIT_MAX
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static Maker *maker;
static Table first, second; /* what the server has in both states */
static Table known;         /* what the client has stored in the first one */

/* --- tables ----------------------------------------------------------------------------------- */

static File *find(Table *t, const char *name) {
        for (size_t i = 0; i < t->n; i++)
                if (streq(t->files[i].name, name))
                        return &t->files[i];
        return NULL;
}

static void set(File *f, const void *bytes, size_t n) {
        char *copy = malloc(n + 1);

        if (!copy)
                abort();
        memcpy(copy, bytes, n);
        copy[n] = '\0';
        free(f->bytes);
        f->bytes = copy;
        f->n = n;
}

static void put(Table *t, const char *name, const void *bytes, size_t n) {
        File *f = find(t, name);

        if (!f) {
                if (t->n == FILES_MAX)
                        abort();
                f = &t->files[t->n++];
                (void)snprintf(f->name, sizeof(f->name), "%s", name);
        }
        set(f, bytes, n);
}

static void copy(Table *to, const Table *from) {
        for (size_t i = 0; i < from->n; i++)
                put(to, from->files[i].name, from->files[i].bytes, from->files[i].n);
}

static void clear(Table *t) {
        for (size_t i = 0; i < t->n; i++)
                free(t->files[i].bytes);
        *t = (Table){};
}

static void copy_json(Table *to, const json_t *object) {
        const char *name;
        json_t *text;

        json_object_foreach((json_t *)object, name, text) {
                put(to, name, json_string_value(text), json_string_length(text));
        }
}

/* --- the repository --------------------------------------------------------------------------- */

static void publish_version(unsigned version) {
        char name[32];

        (void)snprintf(name, sizeof(name), "boiler/%u/app", version);
        graph_add_target(maker, "team", name);
        (void)snprintf(name, sizeof(name), "pump/%u/app", version);
        graph_add_target(maker, "targets", name);
        json_object_set_new(graph_role(maker, "team"), "version", json_integer(version));
        graph_publish(maker);
}

static void build(void) {
        void *fixture = NULL;

        if (maker_set_up(&fixture) < 0)
                abort();
        maker = fixture;
        graph_delegate(maker, "targets", "team", "boiler/*/*", TEAM_KEY);
        graph_delegate(maker, "team", "sub", "boiler/*/*", TEAM_KEY);
        publish_version(1);
        copy_json(&first, maker->files);
        graph_look_up(maker, "boiler/1/app", "team ");
        copy_json(&known, maker->local);
        maker_publish(maker, TUF_ROOT);
        publish_version(2);
        copy_json(&second, maker->files);
}

/* --- edits ------------------------------------------------------------------------------------ */

static void splice(File *f, size_t at, size_t out, const char *in, size_t n) {
        char *bytes = malloc(f->n - out + n + 1);

        if (!bytes)
                abort();
        memcpy(bytes, f->bytes, at);
        memcpy(bytes + at, in, n);
        memcpy(bytes + at + n, f->bytes + at + out, f->n - at - out);
        set(f, bytes, f->n - out + n);
        free(bytes);
}

static const unsigned *keys_of(const char *name, unsigned *n) {
        static const unsigned team = TEAM_KEY;

        *n = 1;
        for (TufRole i = 0; i < _TUF_ROLE_MAX; i++)
                if (strstr(name, tuf_role_to_string(i))) {
                        *n = maker->n_signers[i];
                        return maker->signers[i];
                }
        return &team;
}

/* Signs what is in the file; false: it is no metadata any more. */
static bool sign_again(File *f) {
        const unsigned *keys;
        json_t *document, *content;
        char *text = NULL, *canonical;
        unsigned n_keys;
        size_t n;

        if (json_parse(f->bytes, f->n, &document, NULL) < 0)
                return false;
        content = json_object_get(document, "signed");
        keys = keys_of(f->name, &n_keys);
        if (content && canon_encode(content, &canonical, &n, NULL) >= 0) {
                free(canonical);
                text = maker_sign(maker, content, keys, n_keys);
        }
        json_decref(document);
        if (!text)
                return false;
        set(f, text, strlen(text));
        free(text);
        return true;
}

/* The next digit behind the place, so that numbers change more often than the rest. */
static void change_digit(File *f, size_t at, uint8_t value) {
        for (size_t i = at; i < f->n; i++)
                if (f->bytes[i] >= '0' && f->bytes[i] <= '9') {
                        f->bytes[i] = (char)('0' + value % 10);
                        return;
                }
}

/* True when somebody else has signed. */
static bool edit(Table *server, const uint8_t e[6]) {
        File *f = &server->files[e[1] % server->n], *old;
        size_t at = f->n > 0 && f->n != ERROR_LENGTH ? (size_t)(e[2] << 8 | e[3]) % f->n : 0;
        const File *other;

        if (f->n == ERROR_LENGTH || (f->n == 0 && e[0] % _EDIT_MAX != EDIT_SWAP))
                return false;
        switch (e[0] % _EDIT_MAX) {
        case EDIT_SET:
                f->bytes[at] = (char)e[4];
                break;
        case EDIT_INSERT:
                splice(f, at, 0, f->bytes + e[5] % f->n, MIN((size_t)e[4], f->n - e[5] % f->n));
                break;
        case EDIT_DELETE:
                splice(f, at, MIN((size_t)e[4], f->n - at), "", 0);
                break;
        case EDIT_CUT:
                f->n = at;
                break;
        case EDIT_SWAP:
                other = &server->files[e[4] % server->n];
                if (other != f && other->n != ERROR_LENGTH)
                        set(f, other->bytes, other->n);
                break;
        case EDIT_REMOVE:
                f->name[0] = '\0';
                break;
        case EDIT_OLD:
                old = find(&first, f->name);
                if (old)
                        set(f, old->bytes, old->n);
                break;
        case EDIT_ERROR:
                f->n = ERROR_LENGTH;
                break;
        case EDIT_SIGN:
                return sign_again(f);
        default:
                change_digit(f, at, e[4]);
                break;
        }
        return false;
}

/* --- the client ------------------------------------------------------------------------------- */

static void fetch(Updater *u, Table *server, const UpdaterStep *step) {
        const File *f = find(server, step->name);

        if (!f)
                updater_not_found(u);
        else if (f->n == ERROR_LENGTH)
                updater_error(u, "reset");
        else
                updater_bytes(u, f->bytes, f->n);
}

static void load(Updater *u, Table *local, const UpdaterStep *step) {
        const File *f = find(local, step->name);

        if (f)
                updater_bytes(u, f->bytes, f->n);
        else
                updater_not_found(u);
}

static bool run(Updater *u, Table *server, Table *local) {
        UpdaterStep step;
        Why w = {};

        for (unsigned n = 0;; n++) {
                if (n > 4096)
                        abort();
                updater_next(u, &step);
                switch (step.type) {
                case UPDATER_FETCH:
                        fetch(u, server, &step);
                        break;
                case UPDATER_LOAD:
                        load(u, local, &step);
                        break;
                case UPDATER_STORE:
                        put(local, step.name, step.bytes, step.length);
                        updater_stored(u);
                        break;
                case UPDATER_DONE:
                        return true;
                case UPDATER_FAILED:
                        if (updater_result(u, &w) == UPDATER_OK || w.text[0] == '\0')
                                abort();
                        return false;
                }
        }
}

static int64_t version_of(Table *local, const char *name) {
        const File *f = find(local, name);
        json_t *document = NULL;
        int64_t version;

        if (!f || json_parse(f->bytes, f->n, &document, NULL) < 0)
                return 0;
        version = json_integer_value(
                        json_object_get(json_object_get(document, "signed"), "version"));
        json_decref(document);
        return version;
}

typedef struct Seen {
        bool forged;
        unsigned n;
} Seen;

static int on_target(const TufTarget *target, void *userdata) {
        static const char *const own[] = { "boiler/1/app", "boiler/2/app", "pump/1/app",
                "pump/2/app" };
        Seen *seen = userdata;
        bool is_own = false;

        for (size_t i = 0; i < ELEMENTSOF(own); i++)
                is_own = is_own || streq(target->name, own[i]);
        if (!seen->forged && (!is_own || target->length != 3))
                abort();
        seen->n++;
        return 0;
}

/* A refresh, all targets of a model, and a look for one. Number of targets; -1: it failed. */
static int meet(Table *server, Table *local, bool forged) {
        static const char *const folders[] = { "boiler" };
        const File *root = find(local, "root.json"), *timestamp = find(local, "timestamp.json"),
                   *snapshot = find(local, "snapshot.json"), *targets = find(local, "targets.json");
        UpdaterLocal l = {
                .root = root->bytes,
                .root_length = root->n,
                .timestamp = timestamp ? timestamp->bytes : NULL,
                .timestamp_length = timestamp ? timestamp->n : 0,
                .snapshot = snapshot ? snapshot->bytes : NULL,
                .snapshot_length = snapshot ? snapshot->n : 0,
                .targets = targets ? targets->bytes : NULL,
                .targets_length = targets ? targets->n : 0,
        };
        _cleanup_(updater_freep) Updater *u = NULL;
        Seen seen = { .forged = forged };
        TufTarget target;

        if (updater_new(&l, MAKER_NOW, &u, NULL) < 0) {
                if (!forged)
                        abort();
                return -1;
        }
        if (!run(u, server, local))
                return -1;
        if (updater_survey(u, folders, 1) < 0 || !run(u, server, local))
                return -1;
        (void)updater_foreach_target(u, on_target, &seen);
        if (updater_look_up(u, "boiler/2/app") < 0 || !run(u, server, local))
                return -1;
        if (updater_find_target(u, "boiler/2/app", &target) >= 0)
                (void)on_target(&target, &seen);
        else if (updater_missing(u, "boiler/2/app", NULL) == UPDATER_OK)
                abort();
        return (int)seen.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
        static const char *const roles[] = { "root.json", "timestamp.json", "snapshot.json",
                "targets.json", "team.json" };
        Table server = {}, local = {};
        bool forged = false;

        if (!maker)
                build();
        if (n == 0)
                return 0;
        copy(&server, &second);
        copy(&local, &known);
        if (bytes[0] & 1)
                for (size_t i = 1; i < local.n; i++)
                        (void)snprintf(local.files[i].name, sizeof(local.files[i].name), "-");
        for (size_t i = 1; i + 6 <= n && i < 6 * EDITS_MAX; i += 6)
                forged |= edit(&server, bytes + i);
        (void)meet(&server, &local, forged);
        for (size_t i = 0; i < ELEMENTSOF(roles) && !forged && !(bytes[0] & 1); i++)
                if (version_of(&local, roles[i]) < version_of(&known, roles[i]))
                        abort();
        /* boiler/1, boiler/2, pump/1, pump/2, and boiler/2 once more */
        if (meet(&second, &local, forged) != 5 && !forged)
                abort();
        clear(&server);
        clear(&local);
        return 0;
}

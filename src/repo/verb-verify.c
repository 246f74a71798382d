/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify: what a gateway would say of a folder, by the client that gateways use; and whether each
 * file that is listed is there and holds the image that its release tells of. */
#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "image/decompress.h"
#include "image/image.h"
#include "repo/models.h"
#include "repo/verbs.h"
#include "tuf/updater.h"

#define FILE_MAX (RELEASE_IMAGE_MAX + 1024 * 1024)

static const char help[] =
                "rekindle-repo verify DIR [OPTIONS]\n"
                "\n"
                "Says what a gateway would say of DIR: a publisher's folder, or any folder with\n"
                "metadata/ and targets/, such as one of \"export\". Reads each file that is listed.\n"
                "\n"
                "  --root FILE             the root that the gateway has (DIR/root.json)\n"
                "  --model MODEL           look at the releases of this model, any number (all);\n"
                "                          as for an \"export --model\"\n"
                "  --json                  for programs\n"
                "  --now TIME              take TIME (2031-12-31T12:00:00Z) for the clock\n"
                "  --help                  this text\n";

typedef struct Verify {
        const char *root;
        Models models;
        bool as_json;
        int64_t now;
        int fd;           /* with metadata/ and targets/ */
        json_t *releases; /* [{target, role, model, version, channel, error}] */
        json_t *refused;  /* [{role, error}] */
        Updater *updater;
        size_t n_bad;
} Verify;

static const struct option options[] = {
        { "root", required_argument, NULL, 'r' },
        { "model", required_argument, NULL, 'm' },
        { "json", no_argument, NULL, 'j' },
        { "now", required_argument, NULL, 'n' },
        { "help", no_argument, NULL, 'h' },
        {},
};

/* --- metadata --------------------------------------------------------------------------------- */

static void answer(Verify *v, const UpdaterStep *step) {
        _cleanup_free_ char *path = NULL, *bytes = NULL;
        size_t n;
        int r;

        if (asprintf(&path, "metadata/%s", step->name) < 0) {
                path = NULL;
                return updater_error(v->updater, "out of memory");
        }
        r = file_read(v->fd, path, step->limit, &bytes, &n);
        if (r == -ENOENT)
                return updater_not_found(v->updater);
        if (r < 0)
                return updater_error(v->updater, r == -EFBIG ? "is too large" : strerror(-r));
        updater_bytes(v->updater, bytes, n);
}

/* Up to the next DONE. Nothing is kept, so nothing is there to LOAD. */
static int drive(Verify *v, Why *w) {
        UpdaterStep step;

        for (;;) {
                updater_next(v->updater, &step);
                switch (step.type) {
                case UPDATER_FETCH:
                        answer(v, &step);
                        break;
                case UPDATER_LOAD:
                        updater_not_found(v->updater);
                        break;
                case UPDATER_STORE:
                        updater_stored(v->updater);
                        break;
                case UPDATER_DONE:
                        return 0;
                default:
                        (void)updater_result(v->updater, w);
                        return -EBADMSG;
                }
        }
}

static int read_root(Verify *v, const char *root, Why *w) {
        _cleanup_free_ char *bytes = NULL;
        UpdaterLocal local = {};
        int r;

        r = file_read(AT_FDCWD, root, TUF_ROOT_MAX, &bytes, &local.root_length);
        if (r == -ENOENT && !v->root)
                return why(w, r, "%s: is not there; name the root that the gateway has with --root",
                                root);
        if (r < 0)
                return why_unread(w, r, root);
        local.root = bytes;
        r = updater_new(&local, v->now, &v->updater, w);
        return r < 0 ? why_prefix(w, r, "%s", root) : 0;
}

static int refresh(Verify *v, Why *w) {
        int r;

        r = drive(v, w);
        if (r >= 0)
                r = updater_survey(v->updater, NULL, 0);
        return r < 0 ? r : drive(v, w);
}

static int collect_refusals(Verify *v, Why *w) {
        const char *role;
        const Why *reason;

        for (size_t i = 0; updater_refusal(v->updater, i, &role, &reason); i++) {
                if (json_array_append_new(v->refused, json_pack("{s:s, s:s}", "role", role, "error",
                                                                      reason->text)) < 0)
                        return why_oom(w);
                v->n_bad++;
        }
        return 0;
}

/* --- files ------------------------------------------------------------------------------------ */

typedef struct Image {
        uint8_t *bytes;
        size_t n, room;
} Image;

static int take(const void *bytes, size_t n, void *userdata) {
        Image *image = userdata;

        if (n > image->room - image->n)
                return -EFBIG;
        memcpy(image->bytes + image->n, bytes, n);
        image->n += n;
        return 0;
}

static int check_image(const Release *release, const void *file, size_t n, Why *w) {
        _cleanup_(decoder_freep) Decoder *decoder = NULL;
        Image image = { .room = (size_t)release->image_length };
        int r;

        r = decoder_new(release->encoding, release->image_length, &decoder);
        image.bytes = malloc(image.room + 1);
        if (r < 0 || !image.bytes) {
                free(image.bytes);
                return why_oom(w);
        }
        r = decoder_write(decoder, file, n, take, &image, w);
        if (r >= 0)
                r = decoder_finish(decoder, w);
        if (r >= 0)
                r = image_check(image.bytes, image.n, release, w);
        free(image.bytes);
        return r;
}

static int check_file(const Verify *v, const TufTarget *target, const Release *release, Why *w) {
        _cleanup_free_ char *path = NULL, *full = NULL, *bytes = NULL;
        Sha256 digest;
        size_t n;
        int r;

        r = updater_target_path(v->updater, target, &path);
        if (r < 0 || asprintf(&full, "targets/%s", path) < 0) {
                full = NULL;
                return why(w, r < 0 ? r : -ENOMEM, "no file can have this name");
        }
        r = file_read(v->fd, full, MIN(target->length, FILE_MAX), &bytes, &n);
        if (r == -EFBIG)
                return why(w, r, "%s: is longer than the %llu bytes that are promised", full,
                                (unsigned long long)target->length);
        if (r < 0)
                return why(w, r, "%s: %s", full, strerror(-r));
        if (n != target->length)
                return why(w, -EBADMSG, "%s: has %zu bytes instead of %llu", full, n,
                                (unsigned long long)target->length);
        if (!target->has_sha256 || sha256_of(bytes, n, &digest) < 0 ||
                        !sha256_equal(&digest, &target->digest))
                return why(w, -EBADMSG, "%s: has another SHA-256 than promised", full);
        return check_image(release, bytes, n, w);
}

static int check_target(const TufTarget *target, void *userdata) {
        _cleanup_(release_freep) Release *release = NULL;
        Verify *v = userdata;
        json_t *one;
        Why w = {};
        int r;

        if (!models_want(&v->models, target->name))
                return 0;
        r = release_parse(target->name, target->length, &target->digest, target->custom, &release,
                        &w);
        if (r == -ENOENT)
                return 0;
        if (r >= 0)
                r = check_file(v, target, release, &w);
        if (r == -ENOMEM)
                return r;
        one = json_pack("{s:s, s:s}", "target", target->name, "role", target->role);
        if (release && (json_object_set_new(one, "model", json_string(release->model)) < 0 ||
                                       json_object_set_new(one, "version",
                                                       json_string(release->version)) < 0 ||
                                       json_object_set_new(one, "channel",
                                                       json_string(release->channel)) < 0)) {
                json_decref(one);
                return -ENOMEM;
        }
        if (r < 0 && json_object_set_new(one, "error", json_string(w.text)) < 0) {
                json_decref(one);
                return -ENOMEM;
        }
        v->n_bad += r < 0;
        return json_array_append_new(v->releases, one) < 0 ? -ENOMEM : 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int open_folder(Verify *v, const char *path, Why *w) {
        _cleanup_close_ int fd = folder_open(AT_FDCWD, path);

        if (fd < 0)
                return why(w, fd, "%s: %s", path, strerror(-fd));
        if (faccessat(fd, "metadata", F_OK, 0) == 0)
                v->fd = TAKE_FD(fd);
        else
                v->fd = folder_open(fd, REPO_PUBLIC);
        if (v->fd < 0 || faccessat(v->fd, "metadata", F_OK, 0) < 0)
                return why(w, -ENOENT,
                                "%s: is neither a publisher's folder nor one with metadata/ and targets/",
                                path);
        return 0;
}

static int check_all(Verify *v, const char *path, Why *w) {
        _cleanup_free_ char *root = NULL;
        const char *missing;
        int r;

        if (asprintf(&root, "%s/" REPO_ROOT, path) < 0) {
                root = NULL;
                return why_oom(w);
        }
        r = read_root(v, v->root ?: root, w);
        if (r < 0)
                return r;
        r = refresh(v, w);
        if (r >= 0)
                r = collect_refusals(v, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        if (updater_foreach_target(v->updater, check_target, v) < 0)
                return why_oom(w);
        missing = models_missing(&v->models);
        return missing ? why(w, -ENOENT, "%s: %s: has no release here", path, missing) : 0;
}

static int run(Verify *v, const char *path, Why *w) {
        int r;

        v->releases = json_array();
        v->refused = json_array();
        if (!v->releases || !v->refused)
                return why_oom(w);
        r = open_folder(v, path, w);
        return r < 0 ? r : check_all(v, path, w);
}

static const char *get(const json_t *o, const char *key) {
        return json_string_value(json_object_get(o, key));
}

static int print_releases(const Verify *v, Why *w) {
        static const char *const columns[] = { "MODEL", "VERSION", "CHANNEL", "ROLE", "VERDICT",
                NULL };
        _cleanup_(table_freep) Table *t = NULL;
        int r;

        r = table_new(columns, &t);
        for (size_t i = 0; r >= 0 && i < json_array_size(v->releases); i++) {
                const json_t *o = json_array_get(v->releases, i);

                r = table_add(t, get(o, "model"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, get(o, "version"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, get(o, "channel"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, get(o, "role"), COLOR_NONE);
                if (r >= 0)
                        r = table_add(t, get(o, "error") ? "wrong" : "good", COLOR_NONE);
        }
        return print_table(t, r, w);
}

static int print(const Verify *v, Why *w) {
        size_t n = json_array_size(v->releases);
        int r;

        r = print_releases(v, w);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                const json_t *o = json_array_get(v->releases, i);

                if (get(o, "error"))
                        printf("%s: %s\n", get(o, "target"), get(o, "error"));
        }
        for (size_t i = 0; i < json_array_size(v->refused); i++) {
                const json_t *o = json_array_get(v->refused, i);

                printf("delegation to %s: %s\n", get(o, "role"), get(o, "error"));
        }
        printf("%zu release%s, %zu wrong\n", n, n == 1 ? "" : "s", v->n_bad);
        return 0;
}

static int parse_option(Verify *v, int c, char *argv[]) {
        switch (c) {
        case 'r':
                v->root = optarg;
                return 0;
        case 'm':
                return option_model(&v->models, optarg);
        case 'j':
                v->as_json = true;
                return 0;
        default:
                return option_common(c, help, &v->now, argv);
        }
}

static int parse(Verify *v, int argc, char *argv[]) {
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = parse_option(v, c, argv);
                if (r != 0)
                        return r;
        }
        return option_arguments(argc - optind, argv, 1, 1, "DIR");
}

static int say(const Verify *v, Why *w) {
        _cleanup_json_ json_t *all = NULL;

        if (!v->as_json)
                return print(v, w);
        all = json_pack("{s:O, s:O}", "releases", v->releases, "refused", v->refused);
        return all ? print_json(all, w) : why_oom(w);
}

int verb_verify(int argc, char *argv[]) {
        Verify v = { .fd = -1, .now = clock_now(&clock_system) };
        Why w = {};
        int r;

        r = parse(&v, argc, argv);
        if (r != 0)
                return r;
        r = run(&v, argv[optind], &w);
        if (r >= 0)
                r = say(&v, &w);
        (void)updater_free(v.updater);
        json_decref(v.releases);
        json_decref(v.refused);
        (void)close_fd(v.fd);
        if (r < 0)
                return failed(&w);
        return v.n_bad > 0 ? EXIT_FAILED : EXIT_DONE;
}

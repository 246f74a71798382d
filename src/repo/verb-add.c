/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* add: one image and its upgrade information, checked by the very reader that gateways use,
 * signed for devices, compressed, staged. A version that is taken (an equal one in order, for
 * hardware that both would fit) is refused for other bytes. */
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>

#include "basic/clock.h"
#include "basic/file.h"
#include "basic/names.h"
#include "image/decompress.h"
#include "image/image.h"
#include "image/release-header.h"
#include "image/version.h"
#include "repo/key-file.h"
#include "repo/stage.h"
#include "repo/verbs.h"

static const char help[] =
                "rekindle-repo add DIR --model MODEL --version VERSION [OPTIONS] IMAGE\n"
                "\n"
                "Stages a release of the program in the file IMAGE; publish signs it.\n"
                "\n"
                "  --model MODEL           the model of device that it is for\n"
                "  --version VERSION       its version\n"
                "  --file NAME             its name in the repository (that of IMAGE)\n"
                "  --hardware REVISION     a hardware revision that it fits, any number (any)\n"
                "  --min-from VERSION      the lowest version that may be replaced by it\n"
                "  --floor VERSION         once confirmed, nothing below VERSION is installed\n"
                "  --channel NAME          (stable)\n"
                "  --requires MODEL>=VERSION\n"
                "                          another model that has to be there, any number\n"
                "  --notes TEXT|@FILE      what is new, for people\n"
                "  --trial SECONDS         how long it has to prove itself\n"
                "  --device-key KEY        sign for devices with this key: the NAME of a device\n"
                "                          key of the repository, a file, or a pkcs11: URI\n"
                "  --passphrase-file FILE  its passphrase or PIN; else REKINDLE_PASSPHRASE, else\n"
                "                          the terminal is asked\n"
                "  --part OFFSET:LENGTH    a part of the image with its own digest, any number\n"
                "  --identity              do not compress\n"
                "  --help                  this text\n";

typedef struct Add {
        Release release; /* strings are borrowed from argv until it is parsed anew */
        const char *file_name, *notes, *device_key;
        Secrets secrets;
        char *hardware[RELEASE_HARDWARE_MAX + 1];
        unsigned n_hardware;
        ReleaseRequire requires[RELEASE_REQUIRES_MAX];
        ReleasePart parts[RELEASE_PARTS_MAX];
        bool identity;
        uint8_t *image, *file;
        size_t image_length, file_length;
        char *target, *notes_text;
} Add;

static const struct option options[] = {
        { "model", required_argument, NULL, 'm' },
        { "version", required_argument, NULL, 'v' },
        { "file", required_argument, NULL, 'f' },
        { "hardware", required_argument, NULL, 'w' },
        { "min-from", required_argument, NULL, 'i' },
        { "floor", required_argument, NULL, 'l' },
        { "channel", required_argument, NULL, 'c' },
        { "requires", required_argument, NULL, 'r' },
        { "notes", required_argument, NULL, 'n' },
        { "trial", required_argument, NULL, 't' },
        { "device-key", required_argument, NULL, 'k' },
        { "passphrase-file", required_argument, NULL, 'P' },
        { "part", required_argument, NULL, 'p' },
        { "identity", no_argument, NULL, 'I' },
        { "help", no_argument, NULL, 'h' },
        {},
};

/* Of one option at a time; how they fit together is judged by release_parse(). */
static int check_version(const char *option, const char *value) {
        if (version_is_valid(value))
                return 0;
        return wrong_usage("%s is \"%s\"; it has to begin with a number and have at most %d of "
                           "A-Z a-z 0-9 . + ~ _ -",
                        option, value, VERSION_MAX);
}

static int option_hardware(Add *a, char *value) {
        if (a->n_hardware == RELEASE_HARDWARE_MAX)
                return wrong_usage("--hardware can be given %d times", RELEASE_HARDWARE_MAX);
        if (option_name("--hardware", value) != 0)
                return EXIT_USAGE;
        a->hardware[a->n_hardware++] = value;
        a->release.hardware = a->hardware;
        return 0;
}

static int option_requires(Add *a, char *value) {
        char *sign = strstr(value, ">=");

        if (!sign)
                return wrong_usage("--requires is \"%s\"; it has to be MODEL>=VERSION", value);
        if (a->release.n_requires == RELEASE_REQUIRES_MAX)
                return wrong_usage("--requires can be given %d times", RELEASE_REQUIRES_MAX);
        *sign = '\0';
        if (option_name("--requires", value) != 0 || check_version("--requires", sign + 2) != 0)
                return EXIT_USAGE;
        a->requires[a->release.n_requires++] =
                        (ReleaseRequire){ .model = value, .min_version = sign + 2 };
        a->release.requires = a->requires;
        return 0;
}

static int option_part(Add *a, char *value) {
        char *colon = strchr(value, ':');
        uint64_t offset, length;
        bool is_bad;

        if (a->release.n_parts == RELEASE_PARTS_MAX)
                return wrong_usage("--part can be given %d times", RELEASE_PARTS_MAX);
        if (colon)
                *colon = '\0';
        is_bad = !colon || parse_uint64(value, 0, RELEASE_IMAGE_MAX, &offset) < 0 ||
                 parse_uint64(colon + 1, 1, RELEASE_IMAGE_MAX, &length) < 0;
        if (colon)
                *colon = ':';
        if (is_bad)
                return wrong_usage("--part is \"%s\"; it has to be OFFSET:LENGTH in bytes, decimal",
                                value);
        a->parts[a->release.n_parts++] =
                        (ReleasePart){ .offset = (uint32_t)offset, .length = (uint32_t)length };
        a->release.parts = a->parts;
        return 0;
}

static int option_trial(Add *a, const char *value) {
        uint64_t seconds;

        if (parse_uint64(value, 1, 3600, &seconds) < 0)
                return wrong_usage("--trial is \"%s\"; it has to be 1 to 3600 seconds", value);
        a->release.trial_seconds = (unsigned)seconds;
        return 0;
}

static int parse_option(Add *a, int c, char *argv[]) {
        switch (c) {
        case 'm':
                a->release.model = optarg;
                return option_name("--model", optarg);
        case 'v':
                a->release.version = optarg;
                return check_version("--version", optarg);
        case 'f':
                a->file_name = optarg;
                return option_name("--file", optarg);
        case 'w':
                return option_hardware(a, optarg);
        case 'i':
                a->release.min_from = optarg;
                return check_version("--min-from", optarg);
        case 'l':
                a->release.floor = optarg;
                return check_version("--floor", optarg);
        case 'c':
                a->release.channel = optarg;
                return option_name("--channel", optarg);
        case 'r':
                return option_requires(a, optarg);
        case 'n':
                a->notes = optarg;
                return 0;
        case 't':
                return option_trial(a, optarg);
        case 'k':
                a->device_key = optarg;
                return 0;
        case 'P':
                a->secrets.files[0] = optarg;
                a->secrets.n_files = 1;
                return 0;
        case 'p':
                return option_part(a, optarg);
        case 'I':
                a->identity = true;
                return 0;
        case 'h':
                exit(print_help(help));
        default:
                return wrong_option(c, argv);
        }
}

static int parse(Add *a, int argc, char *argv[]) {
        int c, r;

        while ((c = getopt_long(argc, argv, ":h", options, NULL)) >= 0) {
                r = parse_option(a, c, argv);
                if (r != 0)
                        return r;
        }
        if (!a->release.model || !a->release.version)
                return wrong_usage(
                                "add: --model and --version are needed; see rekindle-repo add --help");
        for (size_t i = 0; i < a->release.n_requires; i++)
                if (streq(a->requires[i].model, a->release.model))
                        return wrong_usage(
                                        "add: --requires %s is the model itself; --min-from says "
                                        "which of its versions may be replaced",
                                        a->release.model);
        if (a->secrets.n_files > 0 && !a->device_key)
                return wrong_usage(
                                "add: --passphrase-file is for a --device-key, and none is named");
        return option_arguments(argc - optind, argv, 2, 2, "DIR IMAGE");
}

static int load_image(Add *a, const char *path, Why *w) {
        char *bytes;
        int r;

        r = file_read(AT_FDCWD, path, RELEASE_IMAGE_MAX, &bytes, &a->image_length);
        if (r == -EFBIG)
                return why(w, r, "%s: is larger than the %llu bytes that an image may have", path,
                                (unsigned long long)RELEASE_IMAGE_MAX);
        if (r < 0)
                return why_unread(w, r, path);
        a->image = (uint8_t *)bytes;
        if (a->image_length == 0)
                return why(w, -EBADMSG, "%s: is empty", path);
        a->release.image_length = a->image_length;
        return 0;
}

static int digest_image(Add *a, Why *w) {
        Release *release = &a->release;
        int r;

        for (size_t i = 0; i < release->n_parts; i++) {
                ReleasePart *part = &a->parts[i];

                if (i > 0 && part->offset < part[-1].offset + part[-1].length)
                        return why(w, -EBADMSG, "--part %u:%u: begins before the end of %u:%u",
                                        part->offset, part->length, part[-1].offset,
                                        part[-1].length);
                if ((uint64_t)part->offset + part->length > a->image_length)
                        return why(w, -EBADMSG, "--part %u:%u: ends behind the image of %zu bytes",
                                        part->offset, part->length, a->image_length);
                r = sha256_of(a->image + part->offset, part->length, &part->digest);
                if (r < 0)
                        return why(w, r, "no SHA-256: %s", strerror(-r));
        }
        r = image_digest(a->image, a->image_length, release->parts, release->n_parts,
                        &release->image_digest);
        if (r < 0)
                return why(w, r, "no SHA-256: %s", strerror(-r));
        return image_check(a->image, a->image_length, release, w);
}

/* The file as served: compressed, unless that does not pay. */
static int make_file(Add *a, Why *w) {
        int r;

        a->file = a->image;
        a->file_length = a->image_length;
        a->release.encoding = RELEASE_IDENTITY;
        if (!a->identity) {
                uint8_t *bytes;
                size_t n;

                r = zstd_compress(a->image, a->image_length, &bytes, &n);
                if (r < 0)
                        return why(w, r, "zstd: %s", strerror(-r));
                if (n < a->image_length) {
                        a->file = bytes;
                        a->file_length = n;
                        a->release.encoding = RELEASE_ZSTD;
                } else
                        free(bytes);
        }
        a->release.file_length = a->file_length;
        r = sha256_of(a->file, a->file_length, &a->release.file_digest);
        return r < 0 ? why(w, r, "no SHA-256: %s", strerror(-r)) : 0;
}

static bool is_utf8(const char *text) {
        _cleanup_json_ json_t *s = json_string(text);

        return s;
}

static int load_notes(Add *a, Why *w) {
        size_t n;
        int r;

        a->release.notes = (char *)a->notes;
        if (!a->notes)
                return 0;
        if (a->notes[0] != '@')
                return is_utf8(a->notes) ? 0 : why(w, -EBADMSG, "--notes is no UTF-8");
        r = file_read(AT_FDCWD, a->notes + 1, RELEASE_NOTES_MAX, &a->notes_text, &n);
        if (r == -EFBIG)
                return why(w, r, "%s: is larger than the %d bytes that notes may have",
                                a->notes + 1, RELEASE_NOTES_MAX);
        if (r < 0)
                return why_unread(w, r, a->notes + 1);
        if (strlen(a->notes_text) != n || !is_utf8(a->notes_text))
                return why(w, -EBADMSG, "%s: is no text in UTF-8", a->notes + 1);
        a->release.notes = a->notes_text;
        return 0;
}

static int name_target(Add *a, const char *image, Why *w) {
        const char *file = a->file_name ?: basename((char *)image);

        if (!name_is_valid(file))
                return why(w, -EINVAL,
                                "\"%s\" cannot name a file in the repository: 1 to 64 of A-Z a-z 0-9 . _ - "
                                "can; name one with --file",
                                file);
        if (asprintf(&a->target, "%s/%s/%s", a->release.model, a->release.version, file) < 0) {
                a->target = NULL;
                return why_oom(w);
        }
        a->release.target = a->target;
        return 0;
}

/* A name stands for a device key of the repository, unless there is a file of that name. */
static int load_device_key(Add *a, const char *repo, PrivateKey **ret, Why *w) {
        _cleanup_free_ char *path = NULL;

        if (name_is_valid(a->device_key) && access(a->device_key, F_OK) < 0) {
                if (asprintf(&path, "%s/" REPO_KEYS "/device-%s.pem", repo, a->device_key) < 0) {
                        path = NULL;
                        return why_oom(w);
                }
                if (access(path, F_OK) < 0)
                        return why(w, -ENOENT,
                                        "--device-key %s: is neither a file nor a device key of the "
                                        "repository; make one with \"rekindle-repo device-key %s "
                                        "%s\"",
                                        a->device_key, repo, a->device_key);
        }
        return private_key_load(AT_FDCWD, path ?: a->device_key, &a->secrets, ret, w);
}

static int sign_header(Add *a, const char *repo, Why *w) {
        _cleanup_(private_key_freep) PrivateKey *key = NULL;
        int r;

        if (!a->device_key)
                return release_build_header(&a->release, 0, w);
        r = load_device_key(a, repo, &key, w);
        if (r < 0)
                return r;
        if (private_key_device_algorithm(key) == RKD_ALGORITHM_NONE)
                return why(w, -EINVAL, "--device-key %s: devices check Ed25519 and P-256 only",
                                a->device_key);
        r = release_build_header(&a->release, private_key_device_algorithm(key), w);
        if (r < 0)
                return r;
        r = private_key_sign_device(
                        key, a->release.header, a->release.header_length, a->release.signature, w);
        if (r < 0)
                return r;
        a->release.signature_length = SIGNATURE_BYTES;
        return 0;
}

/* Through the reader that gateways use: what they would refuse is not published. */
static int reparse(const Add *a, Release **ret, Why *w) {
        _cleanup_json_ json_t *custom = release_to_custom(&a->release);

        if (!custom)
                return why_oom(w);
        return release_parse(
                        a->target, a->release.file_length, &a->release.file_digest, custom, ret, w);
}

typedef struct Conflict {
        const Release *release;
        Why *w;
        bool is_there; /* with the same upgrade information */
} Conflict;

static bool share_hardware(const Release *a, const Release *b) {
        if (!a->hardware || !b->hardware)
                return true;
        for (char **p = a->hardware; *p; p++)
                if (release_fits_hardware(b, *p))
                        return true;
        return false;
}

static bool is_same_information(const Release *a, const Release *b) {
        _cleanup_json_ json_t *x = release_to_custom(a), *y = release_to_custom(b);

        return x && y && json_equal(x, y);
}

static int check_conflict(const Release *other, RepoState state, void *userdata) {
        Conflict *c = userdata;
        const Release *release = c->release;
        bool same_bytes = sha256_equal(&other->image_digest, &release->image_digest);

        if (streq(other->target, release->target)) {
                c->is_there = state != REPO_REMOVED && is_same_information(other, release);
                if (same_bytes)
                        return 0;
                return why(c->w, -EEXIST,
                                "%s is %s already with other bytes; a changed program needs a "
                                "version of its own",
                                other->target, state == REPO_STAGED ? "staged" : "published");
        }
        if (!streq(other->model, release->model) ||
                        version_compare(other->version, release->version) != 0 ||
                        !share_hardware(other, release))
                return 0;
        return why(c->w, -EEXIST,
                        "%s takes the same place as %s for the same hardware; a changed program "
                        "needs a version of its own",
                        other->target, release->target);
}

static int stage(Add *a, const char *path, bool *ret_is_there, Why *w) {
        _cleanup_(release_freep) Release *release = NULL;
        _cleanup_(repo_freep) Repo *repo = NULL;
        Conflict conflict = { .w = w };
        int r;

        r = reparse(a, &release, w);
        if (r < 0)
                return r;
        r = repo_open(path, &repo, w);
        if (r < 0)
                return r;
        conflict.release = release;
        r = repo_foreach_release(repo, check_conflict, &conflict, w);
        if (r >= 0 && !conflict.is_there)
                r = stage_release(repo, release, a->file, a->file_length, w);
        if (r < 0)
                return why_prefix(w, r, "%s", path);
        *ret_is_there = conflict.is_there;
        return 0;
}

static int run(Add *a, const char *path, const char *image, bool *ret_is_there, Why *w) {
        int r;

        r = name_target(a, image, w);
        if (r >= 0)
                r = load_notes(a, w);
        if (r >= 0)
                r = load_image(a, image, w);
        if (r >= 0)
                r = digest_image(a, w);
        if (r >= 0)
                r = make_file(a, w);
        if (r >= 0)
                r = sign_header(a, path, w);
        if (r >= 0)
                r = stage(a, path, ret_is_there, w);
        return r;
}

int verb_add(int argc, char *argv[]) {
        Add a = { .release.channel = (char *)"stable" };
        bool is_there = false;
        Why w = {};
        int r;

        r = parse(&a, argc, argv);
        if (r != 0)
                return r;
        r = run(&a, argv[optind], argv[optind + 1], &is_there, &w);
        if (r >= 0 && is_there)
                printf("%s is there already, nothing to do\n", a.target);
        else if (r >= 0)
                printf("%s staged: image %zu bytes, file %zu bytes (%s)\n", a.target,
                                a.image_length, a.file_length,
                                release_encoding_to_string(a.release.encoding));
        if (a.file != a.image)
                free(a.file);
        free(a.image);
        free(a.target);
        free(a.notes_text);
        secrets_done(&a.secrets);
        return r < 0 ? failed(&w) : EXIT_DONE;
}

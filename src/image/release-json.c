/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Release, as it stands in metadata: `custom.rekindle` of a TUF target, format 1
 * (rekindle-repository(7)). Every member that has a meaning here is checked to the last byte;
 * members that this program does not know are left alone, because a change of meaning comes with
 * a new format number. Each reader fills one part of the object and says what is wrong. */
#include <assert.h>

#include "basic/hex.h"
#include "basic/names.h"
#include "image/release-header.h"
#include "image/version.h"

#define WHERE             "release"
#define TRIAL_SECONDS_MAX 3600
#define SIGNATURE_BYTES   64 /* Ed25519 (RFC 8032), and P-256 as r and s */

static int bad_name(const char *key, const char *s, Why *w) {
        return why(w, -EBADMSG,
                        WHERE
                        ": \"%s\" is \"%.100s\"; it has to be 1 to 64 of A-Z a-z 0-9 . _ - and "
                        "not begin with a dot",
                        key, s);
}

static int keep(char **to, const char *s, Why *w) {
        return free_and_strdup(to, s) < 0 ? why_oom(w) : 0;
}

static int read_name(const json_t *o, const char *key, char **ret, Why *w) {
        const char *s;
        int r;

        r = json_get_string(o, WHERE, key, 255, &s, w);
        if (r < 0)
                return r;
        if (!name_is_valid(s))
                return bad_name(key, s, w);
        return keep(ret, s, w);
}

static int check_version(const char *key, const char *s, Why *w) {
        if (version_is_valid(s))
                return 0;
        return why(w, -EBADMSG,
                        WHERE
                        ": \"%s\" is \"%.100s\"; it has to begin with a number and have at most "
                        "%d of A-Z a-z 0-9 . + ~ _ -",
                        key, s, VERSION_MAX);
}

static int read_version(const json_t *o, const char *key, bool optional, char **ret, Why *w) {
        const char *s = NULL;
        int r;

        r = optional ? json_get_string_opt(o, WHERE, key, 255, &s, w)
                     : json_get_string(o, WHERE, key, 255, &s, w);
        if (r < 0)
                return r;
        if (!s)
                return 0;
        r = check_version(key, s, w);
        if (r < 0)
                return r;
        return keep(ret, s, w);
}

/* MODEL/VERSION/FILE, with the model and version that the release names. */
static int read_target(Release *release, const char *target, Why *w) {
        size_t n = strlen(release->model), m = strlen(release->version);

        if (strncmp(target, release->model, n) != 0 || target[n] != '/' ||
                        strncmp(target + n + 1, release->version, m) != 0 ||
                        target[n + 1 + m] != '/' || !name_is_valid(target + n + m + 2))
                return why(w, -EBADMSG,
                                WHERE
                                ": the target is named \"%.150s\"; it has to be \"%s/%s/FILE\"",
                                target, release->model, release->version);
        return keep(&release->target, target, w);
}

static int read_names(Release *release, const json_t *o, Why *w) {
        const char *channel = NULL;
        int r;

        r = read_name(o, "model", &release->model, w);
        if (r < 0)
                return r;
        r = read_version(o, "version", false, &release->version, w);
        if (r < 0)
                return r;
        r = json_get_string_opt(o, WHERE, "channel", 255, &channel, w);
        if (r < 0)
                return r;
        if (channel && !name_is_valid(channel))
                return bad_name("channel", channel, w);
        return keep(&release->channel, channel ?: "stable", w);
}

static int read_bounds(Release *release, const json_t *o, Why *w) {
        int r;

        r = read_version(o, "min-from", true, &release->min_from, w);
        if (r < 0)
                return r;
        r = read_version(o, "floor", true, &release->floor, w);
        if (r < 0)
                return r;
        if (release->min_from && version_compare(release->min_from, release->version) >= 0)
                return why(w, -EBADMSG,
                                WHERE ": \"min-from\" is %s; it has to be below the version %s",
                                release->min_from, release->version);
        if (release->floor && version_compare(release->floor, release->version) > 0)
                return why(w, -EBADMSG,
                                WHERE ": \"floor\" is %s; it must not be above the version %s",
                                release->floor, release->version);
        return 0;
}

static int read_hardware(Release *release, const json_t *o, Why *w) {
        json_t *list = NULL;
        size_t n;
        int r;

        r = json_get_array_opt(o, WHERE, "hardware", RELEASE_HARDWARE_MAX, &list, w);
        if (r < 0 || !list)
                return r;
        n = json_array_size(list);
        if (n == 0)
                return why(w, -EBADMSG,
                                WHERE ": \"hardware\" is empty; leave it out if any will do");
        release->hardware = new0(char *, n + 1);
        if (!release->hardware)
                return why_oom(w);
        for (size_t i = 0; i < n; i++) {
                const char *s = json_string_value(json_array_get(list, i));

                if (!s || !name_is_valid(s))
                        return bad_name("hardware", s ?: "(no string)", w);
                for (size_t k = 0; k < i; k++)
                        if (streq(release->hardware[k], s))
                                return why(w, -EBADMSG, WHERE ": \"hardware\" names %s twice", s);
                r = keep(&release->hardware[i], s, w);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_part(ReleasePart *part, const json_t *o, uint64_t from, uint64_t end, Why *w) {
        uint64_t offset, length;
        int r;

        if (!json_is_object(o))
                return why(w, -EBADMSG, WHERE ": each of \"parts\" has to be an object");
        r = json_get_uint(o, "part", "offset", from, end - 1, &offset, w);
        if (r < 0)
                return why_prefix(w, r, WHERE);
        r = json_get_uint(o, "part", "length", 1, end - offset, &length, w);
        if (r < 0)
                return why_prefix(w, r, WHERE);
        r = json_get_sha256(o, "part", "sha256", &part->digest, w);
        if (r < 0)
                return why_prefix(w, r, WHERE);
        part->offset = (uint32_t)offset;
        part->length = (uint32_t)length;
        return 0;
}

static int read_parts(Release *release, const json_t *image, Why *w) {
        uint64_t end = 0;
        json_t *list = NULL;
        int r;

        r = json_get_array_opt(image, WHERE, "parts", RELEASE_PARTS_MAX, &list, w);
        if (r < 0 || !list)
                return r;
        if (json_array_size(list) == 0)
                return why(w, -EBADMSG, WHERE ": \"parts\" is empty; leave it out for one blob");
        release->parts = new0(ReleasePart, json_array_size(list));
        if (!release->parts)
                return why_oom(w);
        release->n_parts = json_array_size(list);
        for (size_t i = 0; i < release->n_parts; i++) {
                if (end == release->image_length)
                        return why(w, -EBADMSG, WHERE ": part %zu lies behind the image", i);
                r = read_part(&release->parts[i], json_array_get(list, i), end,
                                release->image_length, w);
                if (r < 0)
                        return r;
                end = (uint64_t)release->parts[i].offset + release->parts[i].length;
        }
        if (end != release->image_length)
                return why(w, -EBADMSG,
                                WHERE
                                ": the parts end at %llu; the last one has to end with the image "
                                "at %llu",
                                (unsigned long long)end, (unsigned long long)release->image_length);
        return 0;
}

static int read_encoding(Release *release, const json_t *o, Why *w) {
        const char *s;
        int r;

        r = json_get_string(o, WHERE, "encoding", 32, &s, w);
        if (r < 0)
                return r;
        for (ReleaseEncoding e = 0; e < _RELEASE_ENCODING_MAX; e++)
                if (streq(s, release_encoding_to_string(e))) {
                        release->encoding = e;
                        return 0;
                }
        return why(w, -EBADMSG, WHERE ": \"encoding\" is \"%s\"; it has to be zstd or identity", s);
}

/* What is said of the file and of the image must be possible together. */
static int check_file(const Release *release, Why *w) {
        uint64_t most = release->image_length + release->image_length / 128 + 1024;

        if (release->encoding == RELEASE_ZSTD) {
                if (release->file_length > 0 && release->file_length <= most)
                        return 0;
                return why(w, -EBADMSG,
                                WHERE
                                ": the file has %llu bytes; for this image it has to be 1 to %llu",
                                (unsigned long long)release->file_length, (unsigned long long)most);
        }
        if (release->file_length != release->image_length)
                return why(w, -EBADMSG,
                                WHERE
                                ": the file has %llu bytes and the image %llu; without encoding "
                                "they have to be the same",
                                (unsigned long long)release->file_length,
                                (unsigned long long)release->image_length);
        if (release->n_parts == 0 && !sha256_equal(&release->file_digest, &release->image_digest))
                return why(w, -EBADMSG,
                                WHERE
                                ": file and image have different SHA-256; without encoding they "
                                "have to be the same");
        return 0;
}

static int read_image(Release *release, const json_t *o, Why *w) {
        json_t *image;
        int r;

        r = json_get_object(o, WHERE, "image", &image, w);
        if (r < 0)
                return r;
        r = json_get_uint(image, WHERE " image", "length", 1, RELEASE_IMAGE_MAX,
                        &release->image_length, w);
        if (r < 0)
                return r;
        r = json_get_sha256(image, WHERE " image", "sha256", &release->image_digest, w);
        if (r < 0)
                return r;
        r = read_parts(release, image, w);
        if (r < 0)
                return r;
        r = read_encoding(release, o, w);
        if (r < 0)
                return r;
        return check_file(release, w);
}

static int read_require(ReleaseRequire *require, const json_t *o, Why *w) {
        int r;

        if (!json_is_object(o))
                return why(w, -EBADMSG, WHERE ": each of \"requires\" has to be an object");
        r = read_name(o, "model", &require->model, w);
        if (r < 0)
                return r;
        return read_version(o, "min-version", false, &require->min_version, w);
}

static int read_requires(Release *release, const json_t *o, Why *w) {
        json_t *list = NULL;
        size_t n;
        int r;

        r = json_get_array_opt(o, WHERE, "requires", RELEASE_REQUIRES_MAX, &list, w);
        if (r < 0 || !list || json_array_size(list) == 0)
                return r;
        n = json_array_size(list);
        release->requires = new0(ReleaseRequire, n);
        if (!release->requires)
                return why_oom(w);
        release->n_requires = n;
        for (size_t i = 0; i < n; i++) {
                r = read_require(&release->requires[i], json_array_get(list, i), w);
                if (r < 0)
                        return r;
                for (size_t k = 0; k < i; k++)
                        if (streq(release->requires[k].model, release->requires[i].model))
                                return why(w, -EBADMSG, WHERE ": \"requires\" names %s twice",
                                                release->requires[i].model);
        }
        return 0;
}

static int read_notes_and_trial(Release *release, const json_t *o, Why *w) {
        const char *notes = NULL;
        json_t *trial = NULL;
        uint64_t seconds;
        int r;

        r = json_get_text_opt(o, WHERE, "notes", RELEASE_NOTES_MAX, &notes, w);
        if (r < 0)
                return r;
        r = keep(&release->notes, notes, w);
        if (r < 0)
                return r;
        r = json_get_object_opt(o, WHERE, "trial", &trial, w);
        if (r < 0 || !trial)
                return r;
        r = json_get_uint(trial, WHERE " trial", "seconds", 1, TRIAL_SECONDS_MAX, &seconds, w);
        if (r < 0)
                return r;
        release->trial_seconds = (unsigned)seconds;
        return 0;
}

/* *ret_n stays 0 when the member is absent. */
static int read_base64(
                const json_t *o, const char *key, size_t max, uint8_t *ret, size_t *ret_n, Why *w) {
        _cleanup_free_ uint8_t *bytes = NULL;
        const char *s = NULL;
        size_t n;
        int r;

        r = json_get_string_opt(o, WHERE, key, max * 2, &s, w);
        if (r < 0 || !s)
                return r;
        r = base64_decode(s, max, &bytes, &n);
        if (r == -ENOMEM)
                return why_oom(w);
        if (r < 0 || n == 0)
                return why(w, -EBADMSG, WHERE ": \"%s\" has to be base64 of 1 to %zu bytes", key,
                                max);
        memcpy(ret, bytes, n);
        *ret_n = n;
        return 0;
}

static int read_device_header(Release *release, const json_t *o, Why *w) {
        int r;

        r = read_base64(o, "device-header", DEVICE_HEADER_MAX, release->header,
                        &release->header_length, w);
        if (r < 0)
                return r;
        r = read_base64(o, "device-signature", DEVICE_SIGNATURE_MAX, release->signature,
                        &release->signature_length, w);
        if (r < 0)
                return r;
        if (release->signature_length != 0 && release->signature_length != SIGNATURE_BYTES)
                return why(w, -EBADMSG,
                                WHERE ": \"device-signature\" has %zu bytes; it has to be %d",
                                release->signature_length, SIGNATURE_BYTES);
        if (release->header_length > 0)
                return release_check_header(release, w);
        if (release->signature_length > 0)
                return why(w, -EBADMSG,
                                WHERE
                                ": \"device-signature\" without the \"device-header\" that it signs");
        r = release_build_header(release, 0, w);
        return r == -EMSGSIZE ? -EBADMSG : r;
}

static int read_all(Release *release, const char *target, const json_t *o, Why *w) {
        static int (*const readers[])(Release * release, const json_t *o, Why *w) = {
                read_bounds,
                read_hardware,
                read_image,
                read_requires,
                read_notes_and_trial,
                read_device_header,
        };
        int r;

        r = read_names(release, o, w);
        if (r < 0)
                return r;
        r = read_target(release, target, w);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(readers); i++)
                r = readers[i](release, o, w);
        return r;
}

int release_parse(const char *target, uint64_t length, const Sha256 *digest, const json_t *custom,
                Release **ret, Why *w) {
        _cleanup_(release_freep) Release *release = NULL;
        uint64_t format;
        const json_t *o;
        int r;

        assert(target && digest && ret);
        o = json_object_get(custom, "rekindle");
        if (!o)
                return why(w, -ENOENT, WHERE ": the target has no \"rekindle\" object");
        if (!json_is_object(o))
                return why(w, -EBADMSG, WHERE ": \"rekindle\" has to be an object");
        r = json_get_uint(o, WHERE, "format", 1, UINT32_MAX, &format, w);
        if (r < 0)
                return r;
        if (format != RELEASE_FORMAT)
                return why(w, -EOPNOTSUPP,
                                WHERE
                                ": format %llu is newer than this program, which knows format %d",
                                (unsigned long long)format, RELEASE_FORMAT);
        release = new0(Release, 1);
        if (!release)
                return why_oom(w);
        release->file_length = length;
        release->file_digest = *digest;
        r = read_all(release, target, o, w);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(release);
        return 0;
}

/* The writers below return false when out of memory. json_object_set_new() refuses NULL, so
 * failures of what is put in show. */
static bool put(json_t *o, const char *key, json_t *value) {
        return json_object_set_new(o, key, value) == 0;
}

static bool put_string(json_t *o, const char *key, const char *s) {
        return !s || put(o, key, json_string(s));
}

static bool put_sha256(json_t *o, const char *key, const Sha256 *digest) {
        char hex[SHA256_HEX];

        sha256_to_hex(digest, hex);
        return put_string(o, key, hex);
}

static bool put_base64(json_t *o, const char *key, const uint8_t *bytes, size_t n) {
        _cleanup_free_ char *s = NULL;

        if (n == 0)
                return true;
        return base64_encode(bytes, n, &s) >= 0 && put_string(o, key, s);
}

static bool put_parts(json_t *image, const Release *release) {
        json_t *list;

        if (release->n_parts == 0)
                return true;
        list = json_array();
        if (!put(image, "parts", list))
                return false;
        for (size_t i = 0; i < release->n_parts; i++) {
                json_t *o = json_object();

                if (json_array_append_new(list, o) < 0 ||
                                !put(o, "offset", json_integer(release->parts[i].offset)) ||
                                !put(o, "length", json_integer(release->parts[i].length)) ||
                                !put_sha256(o, "sha256", &release->parts[i].digest))
                        return false;
        }
        return true;
}

static bool put_image(json_t *o, const Release *release) {
        json_t *image = json_object();

        return put(o, "image", image) &&
               put(image, "length", json_integer((json_int_t)release->image_length)) &&
               put_sha256(image, "sha256", &release->image_digest) && put_parts(image, release);
}

static bool put_lists(json_t *o, const Release *release) {
        json_t *list;

        if (release->hardware) {
                list = json_array();
                if (!put(o, "hardware", list))
                        return false;
                for (char **p = release->hardware; *p; p++)
                        if (json_array_append_new(list, json_string(*p)) < 0)
                                return false;
        }
        if (release->n_requires == 0)
                return true;
        list = json_array();
        if (!put(o, "requires", list))
                return false;
        for (size_t i = 0; i < release->n_requires; i++) {
                json_t *e = json_object();

                if (json_array_append_new(list, e) < 0 ||
                                !put_string(e, "model", release->requires[i].model) ||
                                !put_string(e, "min-version", release->requires[i].min_version))
                        return false;
        }
        return true;
}

static bool put_trial(json_t *o, const Release *release) {
        json_t *trial;

        if (release->trial_seconds == 0)
                return true;
        trial = json_object();
        return put(o, "trial", trial) &&
               put(trial, "seconds", json_integer(release->trial_seconds));
}

static bool put_all(json_t *o, const Release *release) {
        return put(o, "format", json_integer(RELEASE_FORMAT)) &&
               put_string(o, "model", release->model) &&
               put_string(o, "version", release->version) &&
               put_string(o, "channel", release->channel) &&
               put_string(o, "min-from", release->min_from) &&
               put_string(o, "floor", release->floor) && put_string(o, "notes", release->notes) &&
               put_string(o, "encoding", release_encoding_to_string(release->encoding)) &&
               put_image(o, release) && put_lists(o, release) && put_trial(o, release) &&
               put_base64(o, "device-header", release->header, release->header_length) &&
               put_base64(o, "device-signature", release->signature, release->signature_length);
}

json_t *release_to_custom(const Release *release) {
        _cleanup_json_ json_t *custom = json_object(), *o = json_object();

        assert(release);
        if (!custom || !o || !put_all(o, release) || json_object_set(custom, "rekindle", o) < 0)
                return NULL;
        return TAKE_PTR(custom);
}

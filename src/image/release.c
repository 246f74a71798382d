/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Release: the object itself: making, copying and freeing. What stands in metadata is read and
 * written by release-json.c. */
#include <assert.h>

#include "basic/names.h"
#include "image/release-header.h"
#include "image/version.h"

static void strv_free(char **list) {
        for (char **p = list; p && *p; p++)
                free(*p);
        free(list);
}

Release *release_free(Release *release) {
        if (!release)
                return NULL;
        free(release->target);
        free(release->model);
        free(release->version);
        free(release->channel);
        strv_free(release->hardware);
        free(release->min_from);
        free(release->floor);
        free(release->notes);
        for (size_t i = 0; i < release->n_requires; i++) {
                free(release->requires[i].model);
                free(release->requires[i].min_version);
        }
        free(release->requires);
        free(release->parts);
        free(release);
        return NULL;
}

static int copy_hardware(Release *to, const Release *from) {
        size_t n = 0;

        if (!from->hardware)
                return 0;
        while (from->hardware[n])
                n++;
        to->hardware = new0(char *, n + 1);
        if (!to->hardware)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                to->hardware[i] = strdup(from->hardware[i]);
                if (!to->hardware[i])
                        return -ENOMEM;
        }
        return 0;
}

static int copy_tables(Release *to, const Release *from) {
        if (from->n_requires > 0) {
                to->requires = new0(ReleaseRequire, from->n_requires);
                if (!to->requires)
                        return -ENOMEM;
                to->n_requires = from->n_requires;
        }
        for (size_t i = 0; i < from->n_requires; i++)
                if (free_and_strdup(&to->requires[i].model, from->requires[i].model) < 0 ||
                                free_and_strdup(&to->requires[i].min_version,
                                                from->requires[i].min_version) < 0)
                        return -ENOMEM;
        if (from->n_parts > 0) {
                to->parts = new0(ReleasePart, from->n_parts);
                if (!to->parts)
                        return -ENOMEM;
                memcpy(to->parts, from->parts, from->n_parts * sizeof(ReleasePart));
                to->n_parts = from->n_parts;
        }
        return 0;
}

static int copy_texts(Release *to, const Release *from) {
        if (free_and_strdup(&to->target, from->target) < 0 ||
                        free_and_strdup(&to->model, from->model) < 0 ||
                        free_and_strdup(&to->version, from->version) < 0 ||
                        free_and_strdup(&to->channel, from->channel) < 0 ||
                        free_and_strdup(&to->min_from, from->min_from) < 0 ||
                        free_and_strdup(&to->floor, from->floor) < 0 ||
                        free_and_strdup(&to->notes, from->notes) < 0)
                return -ENOMEM;
        return 0;
}

Release *release_copy(const Release *release) {
        _cleanup_(release_freep) Release *c = NULL;

        assert(release);
        c = new0(Release, 1);
        if (!c)
                return NULL;
        c->file_length = release->file_length;
        c->file_digest = release->file_digest;
        c->encoding = release->encoding;
        c->image_length = release->image_length;
        c->image_digest = release->image_digest;
        c->trial_seconds = release->trial_seconds;
        memcpy(c->header, release->header, sizeof(c->header));
        c->header_length = release->header_length;
        memcpy(c->signature, release->signature, sizeof(c->signature));
        c->signature_length = release->signature_length;
        if (copy_texts(c, release) < 0 || copy_hardware(c, release) < 0 ||
                        copy_tables(c, release) < 0)
                return NULL;
        return TAKE_PTR(c);
}

int release_new_bare(const char *model, const char *version, uint64_t image_length,
                const Sha256 *image_digest, Release **ret) {
        _cleanup_(release_freep) Release *release = NULL;
        int r;

        assert(model && version && image_digest && ret);
        if (!name_is_valid(model) || !version_is_valid(version) || image_length == 0 ||
                        image_length > RELEASE_IMAGE_MAX)
                return -EINVAL;
        release = new0(Release, 1);
        if (!release)
                return -ENOMEM;
        if (asprintf(&release->target, "%s/%s/image", model, version) < 0) {
                release->target = NULL;
                return -ENOMEM;
        }
        if (free_and_strdup(&release->model, model) < 0 ||
                        free_and_strdup(&release->version, version) < 0 ||
                        free_and_strdup(&release->channel, "stable") < 0)
                return -ENOMEM;
        release->encoding = RELEASE_IDENTITY;
        release->file_length = release->image_length = image_length;
        release->file_digest = release->image_digest = *image_digest;
        r = release_build_header(release, 0, NULL);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(release);
        return 0;
}

bool release_fits_hardware(const Release *release, const char *hardware) {
        assert(release && hardware);
        if (!release->hardware)
                return true;
        for (char **p = release->hardware; *p; p++)
                if (streq(*p, hardware))
                        return true;
        return false;
}

const char *release_encoding_to_string(ReleaseEncoding e) {
        static const char *const names[_RELEASE_ENCODING_MAX] = {
                [RELEASE_IDENTITY] = "identity",
                [RELEASE_ZSTD] = "zstd",
        };

        assert(e >= 0 && e < _RELEASE_ENCODING_MAX);
        return names[e];
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Release: the signed upgrade information about one program, as it stands in a TUF target's
 * custom.rekindle object, together with what the target itself says of the file to download. */
#pragma once

#include "basic/json.h"
#include "proto/header.h"

#define RELEASE_FORMAT       1
#define RELEASE_PARTS_MAX    64
#define RELEASE_HARDWARE_MAX 16
#define RELEASE_REQUIRES_MAX 16
#define RELEASE_IMAGE_MAX    (UINT64_C(16) * 1024 * 1024)
#define RELEASE_NOTES_MAX    4096
#define DEVICE_HEADER_MAX    320
#define DEVICE_SIGNATURE_MAX 72

typedef enum ReleaseEncoding {
        RELEASE_IDENTITY,
        RELEASE_ZSTD,
        _RELEASE_ENCODING_MAX,
} ReleaseEncoding;

typedef struct ReleasePart {
        uint32_t offset, length; /* in the image; bytes */
        Sha256 digest;
} ReleasePart;

typedef struct ReleaseRequire {
        char *model;
        char *min_version;
} ReleaseRequire;

typedef struct Release {
        char *target; /* "MODEL/VERSION/FILE", as in the targets metadata */
        uint64_t file_length;
        Sha256 file_digest; /* of the file as served */

        char *model, *version, *channel; /* channel: "stable" when the metadata names none */
        char **hardware;                 /* NULL-ended; NULL: any */
        char *min_from, *floor;          /* NULL: none */
        char *notes;                     /* NULL: none */
        ReleaseRequire *requires;
        size_t n_requires;

        ReleaseEncoding encoding;
        uint64_t image_length;
        Sha256 image_digest;
        ReleasePart *parts; /* NULL: one blob at the program base */
        size_t n_parts;

        unsigned trial_seconds; /* 0: the release names none */

        uint8_t header[DEVICE_HEADER_MAX]; /* the device header; always there */
        size_t header_length;
        uint8_t signature[DEVICE_SIGNATURE_MAX];
        size_t signature_length; /* 0: unsigned */
} Release;

/* From the target's name, length, digest and its whole `custom` object. -EBADMSG when odd,
 * -EOPNOTSUPP when the format number is newer than this program (the text says so), -ENOENT when
 * there is no "rekindle" member (a foreign target: skip it). The device header given must say
 * what the JSON says (model, version, floor, hardware, length, digest); when the JSON has none,
 * it is built with algorithm "none". */
int release_parse(const char *target, uint64_t length, const Sha256 *digest, const json_t *custom,
                Release **ret, Why *w);
Release *release_free(Release *release);
DEFINE_TRIVIAL_CLEANUP_FUNC(Release *, release_free);
Release *release_copy(const Release *release); /* NULL: out of memory */

/* The `custom` object that release_parse reads: new reference, or NULL when out of memory. */
json_t *release_to_custom(const Release *release);

/* Release for bytes that have none: only identity and digests, header built unsigned (backup
 * adopt, install). Its target is "MODEL/VERSION/image", so it reads back through release_parse.
 * -EINVAL when model or version could not name a release. */
int release_new_bare(const char *model, const char *version, uint64_t image_length,
                const Sha256 *image_digest, Release **ret);

bool release_fits_hardware(const Release *release, const char *hardware);
const char *release_encoding_to_string(ReleaseEncoding e);

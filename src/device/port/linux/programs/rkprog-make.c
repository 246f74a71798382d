/* SPDX-License-Identifier: MIT */

/*
 * rkprog-make BEHAVIOUR VERSION OUT [--model=M] [--pad=BYTES] [--seed=N]
 *
 * Makes an image for rekindle-sim from the rkprog-BEHAVIOUR beside this program: writes model,
 * version and length into its descriptor and appends bytes that cannot be compressed (an
 * executable does not mind), so that versions of one program differ as real ones do. The same
 * arguments give the same image.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rekindle/device.h"

#include "device/port/linux/sim-util.h"
#include "marker.h"

#define MAKE_IMAGE_MAX  (16U << 20)
#define MAKE_FILLER_MIN 256U

typedef struct Make {
        const char *behaviour;
        const char *version;
        const char *out;
        const char *model;
        uint32_t pad_bytes; /* length of the whole image; 0: as short as can be */
        uint32_t seed;
        uint8_t *image;
        size_t length;
} Make;

static int make_complain(const char *what, const char *detail) {
        (void)fprintf(stderr, "rkprog-make: %s: %s\n", what, detail);
        return -EINVAL;
}

static int make_number(const char *text, uint32_t max, uint32_t *ret) {
        unsigned long long value;
        char *end;

        errno = 0;
        value = strtoull(text, &end, 0);
        if (text[0] < '0' || text[0] > '9' || errno != 0 || *end != '\0' || value > max)
                return make_complain("not a number that can be used", text);
        *ret = (uint32_t)value;
        return 0;
}

static int make_parse(Make *make, int argc, char **argv) {
        static const struct option names[] = {
                { "model", required_argument, NULL, 'm' },
                { "pad", required_argument, NULL, 'p' },
                { "seed", required_argument, NULL, 's' },
                { NULL, 0, NULL, 0 },
        };
        int c, r = 0;

        make->model = "sim";
        while (r == 0 && (c = getopt_long(argc, argv, "", names, NULL)) >= 0) {
                if (c == 'm')
                        make->model = optarg;
                else if (c == 'p')
                        r = make_number(optarg, MAKE_IMAGE_MAX, &make->pad_bytes);
                else if (c == 's')
                        r = make_number(optarg, UINT32_MAX, &make->seed);
                else
                        r = -EINVAL;
        }
        if (r < 0)
                return r;
        if (argc - optind != 3)
                return make_complain("usage",
                                "rkprog-make BEHAVIOUR VERSION OUT [--model=M] [--pad=BYTES] [--seed=N]");
        make->behaviour = argv[optind];
        make->version = argv[optind + 1];
        make->out = argv[optind + 2];
        if (strlen(make->model) > RKD_TEXT_MAX || strlen(make->version) > RKD_TEXT_MAX)
                return make_complain("too long",
                                strlen(make->model) > RKD_TEXT_MAX ? make->model : make->version);
        return 0;
}

/* The program beside this one. */
static int make_read(Make *make) {
        char path[PATH_MAX];
        ssize_t n;
        FILE *file;
        char *slash;

        n = readlink("/proc/self/exe", path, sizeof(path) - 1);
        if (n < 0)
                return make_complain("/proc/self/exe", strerror(errno));
        path[n] = '\0';
        slash = strrchr(path, '/');
        slash[1] = '\0';
        if (strchr(make->behaviour, '/') ||
                        strlen(path) + strlen(make->behaviour) + 8 > sizeof(path))
                return make_complain("no such behaviour", make->behaviour);
        (void)strcat(strcat(path, "rkprog-"), make->behaviour);

        file = fopen(path, "re");
        if (!file)
                return make_complain(path, strerror(errno));
        make->image = malloc(MAKE_IMAGE_MAX);
        make->length = make->image ? fread(make->image, 1, MAKE_IMAGE_MAX, file) : 0;
        (void)fclose(file);
        return make->length > 0 ? 0 : make_complain(path, "cannot be read");
}

/* Seeded by all that the image is made of, so that nothing of it repeats in another. */
static void make_fill(Make *make) {
        uint64_t state = UINT64_C(0xcbf29ce484222325) ^ make->seed;
        const char *texts[] = { make->behaviour, make->version, make->model };
        size_t i, length, end;

        for (i = 0; i < 3; i++)
                for (const char *c = texts[i]; *c; c++)
                        state = (state ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
        state |= 1;
        length = (make->length + 3) / 4 * 4;
        memset(make->image + make->length, 0, length - make->length);
        end = make->pad_bytes ? make->pad_bytes : length + MAKE_FILLER_MIN;
        for (i = length; i < end; i++)
                make->image[i] = (uint8_t)sim_random(&state);
        make->length = end;
}

static RkdDescriptor *make_find(const Make *make) {
        static const uint8_t magic[] = RKD_DESCRIPTOR_MAGIC;
        size_t at;

        for (at = 0; at + sizeof(RkdDescriptor) <= make->length; at += 4) {
                RkdDescriptor *descriptor = (RkdDescriptor *)(void *)(make->image + at);

                if (memcmp(descriptor->magic, magic, sizeof(magic)) == 0 &&
                                strcmp(descriptor->version, PROGRAM_MARKER) == 0)
                        return descriptor;
        }
        return NULL;
}

static int make_write(const Make *make) {
        FILE *file = fopen(make->out, "we");
        bool done;

        if (!file)
                return make_complain(make->out, strerror(errno));
        done = fwrite(make->image, 1, make->length, file) == make->length;
        if (fclose(file) < 0 || !done)
                return make_complain(make->out, "cannot be written");
        return 0;
}

static int make_run(Make *make) {
        RkdDescriptor *descriptor;

        if (make_read(make) < 0)
                return -EINVAL;
        descriptor = make_find(make);
        if (!descriptor)
                return make_complain(make->behaviour, "has no descriptor");
        if ((make->pad_bytes && make->pad_bytes < make->length + MAKE_FILLER_MIN) ||
                        make->length + MAKE_FILLER_MIN + 4 > MAKE_IMAGE_MAX)
                return make_complain(make->behaviour, "is larger than --pad");
        make_fill(make);
        memset(descriptor->model, 0, sizeof(descriptor->model));
        memcpy(descriptor->model, make->model, strlen(make->model));
        memset(descriptor->version, 0, sizeof(descriptor->version));
        memcpy(descriptor->version, make->version, strlen(make->version));
        rkd_store_u32((uint8_t *)&descriptor->length, (uint32_t)make->length);
        return make_write(make);
}

int main(int argc, char **argv) {
        Make make = { .seed = 0 };
        int r;

        r = make_parse(&make, argc, argv);
        if (r == 0)
                r = make_run(&make);
        free(make.image);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

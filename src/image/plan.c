/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the flash holds, which units differ, and the raw stream (rekindle-link(7), codec 0) that
 * carries them as runs. A device fills the last unit behind the image with 0xff, so
 * units are compared with that fill on both sides. Checksums that the device told count more
 * than what the gateway believes; a unit of which nothing is known is sent. */
#include "image/plan.h"

#include <assert.h>

#include "image/patch.h"
#include "proto/crc.h"

#define UNIT_MIN  64
#define UNIT_MAX  65536
#define IMAGE_MAX (UINT64_C(64) * 1024 * 1024)
#define RUN_BYTES 8 /* first_unit u32, units u32 */

typedef struct Writer {
        const PlanInput *in;
        uint8_t *stream;
        size_t length;
} Writer;

static size_t unit_bytes(size_t length, uint32_t unit_size, uint32_t i) {
        size_t at = (size_t)i * unit_size;

        return at >= length ? 0 : MIN(length - at, unit_size);
}

/* CRC of an image's unit as a device holds it. */
static uint32_t unit_sum(PlanImage image, uint32_t unit_size, uint32_t i) {
        static const uint8_t fill[UNIT_MIN] = { [0 ... UNIT_MIN - 1] = 0xff };
        size_t n = unit_bytes(image.length, unit_size, i);
        uint32_t running = RKD_CRC32_START;

        running = rkd_crc32_add(running, n > 0 ? image.bytes + (size_t)i * unit_size : fill, n);
        for (size_t k; n < unit_size; n += k) {
                k = MIN(unit_size - n, sizeof(fill));
                running = rkd_crc32_add(running, fill, k);
        }
        return rkd_crc32_finish(running);
}

static bool is_filled(const uint8_t *bytes, size_t from, size_t to) {
        for (size_t i = from; i < to; i++)
                if (bytes[i] != 0xff)
                        return false;
        return true;
}

static bool unit_is_present(const PlanInput *in, uint32_t i) {
        size_t at = (size_t)i * in->unit_size;
        size_t want = unit_bytes(in->wanted_length, in->unit_size, i);
        size_t have = unit_bytes(in->present_length, in->unit_size, i);

        if (!in->present || have == 0)
                return false;
        return memcmp(in->wanted + at, in->present + at, MIN(want, have)) == 0 &&
               is_filled(in->wanted + at, MIN(want, have), want) &&
               is_filled(in->present + at, MIN(want, have), have);
}

static PlanImage wanted_image(const PlanInput *in) {
        return (PlanImage){ in->wanted, in->wanted_length };
}

bool plan_unit_is_kept(const PlanInput *in, uint32_t i) {
        if (in->trust_nothing)
                return false;
        if (in->sums && i < in->n_sums)
                return unit_sum(wanted_image(in), in->unit_size, i) == in->sums[i];
        return unit_is_present(in, i);
}

static void copy_unit(PlanImage image, uint32_t unit_size, uint32_t i, uint8_t *out) {
        size_t n = unit_bytes(image.length, unit_size, i);

        if (n > 0)
                memcpy(out, image.bytes + (size_t)i * unit_size, n);
        memset(out + n, 0xff, unit_size - n);
}

/* An image ends in its last unit; behind it anything may be, an erased unit too. */
static bool find_by_sum(const PlanInput *in, uint32_t i, PlanImage *ret) {
        const PlanImage empty = { NULL, 0 }, present = { in->present, in->present_length };
        const PlanImage wanted = wanted_image(in);

        for (size_t k = 0; k < in->n_held + 3; k++) {
                const PlanImage image = k < in->n_held        ? in->held[k]
                                        : k == in->n_held     ? wanted
                                        : k == in->n_held + 1 ? present
                                                              : empty;

                if (unit_sum(image, in->unit_size, i) != in->sums[i])
                        continue;
                *ret = image;
                return true;
        }
        return false;
}

bool plan_unit_content(const PlanInput *in, uint32_t i, uint8_t *ret) {
        PlanImage image = { in->present, in->present_length };

        if (in->trust_nothing)
                return false;
        if (in->sums && i < in->n_sums) {
                if (!find_by_sum(in, i, &image))
                        return false;
        } else if (unit_bytes(image.length, in->unit_size, i) == 0)
                return false;
        copy_unit(image, in->unit_size, i, ret);
        return true;
}

static void put_u32(uint8_t *p, uint32_t v) {
        for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t)(v >> (8 * i));
}

static void put_run(Writer *writer, uint32_t first, uint32_t units) {
        const PlanInput *in = writer->in;
        uint8_t *p = writer->stream + writer->length;

        put_u32(p, first);
        put_u32(p + 4, units);
        writer->length += RUN_BYTES;
        for (uint32_t i = first; i < first + units; i++) {
                size_t n = unit_bytes(in->wanted_length, in->unit_size, i);

                memcpy(writer->stream + writer->length, in->wanted + (size_t)i * in->unit_size, n);
                writer->length += n;
        }
}

static int check_input(const PlanInput *in, Why *w) {
        if (in->unit_size < UNIT_MIN || in->unit_size > UNIT_MAX ||
                        (in->unit_size & (in->unit_size - 1)) != 0)
                return why(w, -EINVAL,
                                "plan: flash units of %u bytes; a power of two from %d to %d is needed",
                                in->unit_size, UNIT_MIN, UNIT_MAX);
        if (in->wanted_length == 0 || in->wanted_length > IMAGE_MAX)
                return why(w, -EINVAL, "plan: an image of %zu bytes; 1 to %llu are possible",
                                in->wanted_length, (unsigned long long)IMAGE_MAX);
        return 0;
}

static uint32_t kept_from(const bool *kept, uint32_t i, uint32_t n) {
        while (i < n && !kept[i])
                i++;
        return i;
}

int plan_literal(const PlanInput *in, PlanOutput *ret, Why *w) {
        _cleanup_free_ uint8_t *stream = NULL;
        _cleanup_free_ bool *kept = NULL;
        PlanOutput out = {};
        Writer writer = { .in = in };
        uint32_t n_units;
        int r;

        assert(in && in->wanted && ret);
        r = check_input(in, w);
        if (r < 0)
                return r;
        n_units = (uint32_t)((in->wanted_length + in->unit_size - 1) / in->unit_size);
        kept = new0(bool, n_units);
        if (!kept)
                return why_oom(w);
        for (uint32_t i = 0; i < n_units; i++) {
                kept[i] = plan_unit_is_kept(in, i);
                out.units_kept += kept[i];
        }
        out.units_sent = n_units - out.units_kept;
        /* At most one run for each unit sent, and the end. */
        stream = malloc(((size_t)out.units_sent + 1) * RUN_BYTES +
                        (size_t)out.units_sent * in->unit_size);
        if (!stream)
                return why_oom(w);
        writer.stream = stream;
        for (uint32_t i = 0, end; i < n_units; i = end + 1) {
                end = kept_from(kept, i, n_units);
                if (end > i)
                        put_run(&writer, i, end - i);
        }
        put_run(&writer, 0, 0);
        out.length = writer.length;
        out.stream = TAKE_PTR(stream);
        *ret = out;
        return 0;
}

int plan_make(const PlanInput *in, PlanOutput *ret, Why *w) {
        PlanOutput literal, patch;
        int r;

        r = plan_literal(in, &literal, w);
        if (r < 0)
                return r;
        if (literal.units_sent == 0 || !plan_patch_is_possible(in)) {
                *ret = literal;
                return 0;
        }
        r = plan_patch(in, &patch, w);
        if (r < 0 || patch.length >= literal.length) {
                if (r >= 0)
                        free(patch.stream);
                *ret = literal;
                return 0;
        }
        free(literal.stream);
        *ret = patch;
        return 0;
}

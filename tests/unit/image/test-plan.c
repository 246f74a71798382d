/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Literal plan: an applier written from rekindle-link(7) plays each stream onto a simulated
 * flash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/plan.h"
#include "proto/crc.h"

#define UNIT  256u
#define UNITS 16u
#define SPACE (UNIT * UNITS)

typedef struct Fixture {
        uint8_t flash[SPACE], wanted[SPACE];
        uint32_t sums[UNITS];
        PlanOutput out;
} Fixture;

static int set_up(void **state) {
        static Fixture f;

        memset(&f, 0, sizeof(f));
        memset(f.flash, 0xff, SPACE);
        for (size_t i = 0; i < SPACE; i++)
                f.wanted[i] = (uint8_t)(i * 7 + i / 256 * 13);
        *state = &f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        free(f->out.stream);
        return 0;
}

static uint32_t get_u32(const uint8_t *p) {
        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Plays the stream as a device does: units in runs, the last one filled with 0xff, the end
 * exactly at the end. */
static void apply(Fixture *f, size_t wanted_length) {
        const uint8_t *p = f->out.stream, *end = p + f->out.length;

        for (;;) {
                uint32_t first, units;

                assert_true(end - p >= 8);
                first = get_u32(p);
                units = get_u32(p + 4);
                p += 8;
                if (units == 0)
                        break;
                for (uint32_t i = first; i < first + units; i++) {
                        size_t n = MIN(UNIT, wanted_length - i * UNIT);

                        assert_true(i < UNITS && i * UNIT < wanted_length &&
                                        (size_t)(end - p) >= n);
                        memset(f->flash + i * UNIT, 0xff, UNIT);
                        memcpy(f->flash + i * UNIT, p, n);
                        p += n;
                }
        }
        assert_ptr_equal(p, end);
}

static void plan_and_apply(Fixture *f, PlanInput *in) {
        in->wanted = f->wanted;
        in->unit_size = UNIT;
        assert_int_equal(plan_literal(in, &f->out, NULL), 0);
        assert_int_equal(f->out.codec, 0);
        assert_int_equal(f->out.units_sent + f->out.units_kept,
                        (in->wanted_length + UNIT - 1) / UNIT);
        apply(f, in->wanted_length);
        assert_memory_equal(f->flash, f->wanted, in->wanted_length);
}

static void take_sums(Fixture *f) {
        for (uint32_t i = 0; i < UNITS; i++)
                f->sums[i] = rkd_crc32(f->flash + i * UNIT, UNIT);
}

static void everything_is_sent_when_nothing_is_known(void **state) {
        Fixture *f = *state;
        PlanInput in = { .wanted_length = SPACE };

        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, UNITS);
        assert_int_equal(f->out.length, SPACE + 16); /* one run and the end */
}

static void units_with_equal_sums_are_kept(void **state) {
        Fixture *f = *state;
        PlanInput in = { .wanted_length = SPACE, .sums = f->sums, .n_sums = UNITS };

        memcpy(f->flash, f->wanted, SPACE);
        f->flash[3 * UNIT + 5] ^= 1;
        f->flash[9 * UNIT] ^= 1;
        f->flash[10 * UNIT + UNIT - 1] ^= 1;
        take_sums(f);
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, 3);
        assert_int_equal(f->out.length, 3 * UNIT + 2 * 8 + 8);
}

static void equal_flash_needs_only_the_end(void **state) {
        Fixture *f = *state;
        PlanInput in = { .wanted_length = SPACE, .sums = f->sums, .n_sums = UNITS };

        memcpy(f->flash, f->wanted, SPACE);
        take_sums(f);
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, 0);
        assert_int_equal(f->out.length, 8);
}

static void sums_count_more_than_what_is_believed(void **state) {
        Fixture *f = *state;
        PlanInput in = { .wanted_length = SPACE,
                .sums = f->sums,
                .n_sums = UNITS,
                .present = f->wanted,
                .present_length = SPACE };

        take_sums(f); /* the flash is empty, whatever the gateway believes */
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, UNITS);
}

static void present_bytes_stand_in_for_sums_that_were_not_asked(void **state) {
        Fixture *f = *state;
        PlanInput in = { .wanted_length = SPACE,
                .sums = f->sums,
                .n_sums = 4,
                .present = f->flash,
                .present_length = SPACE };
        uint8_t before[SPACE];

        memcpy(f->flash, f->wanted, SPACE);
        f->flash[0] ^= 1;
        f->flash[8 * UNIT] ^= 1;
        memcpy(before, f->flash, SPACE);
        in.present = before;
        take_sums(f);
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, 2);
}

static void unit_that_holds_the_end_is_kept_when_the_rest_is_erased(void **state) {
        Fixture *f = *state;
        PlanInput in = { .wanted_length = 5 * UNIT + 10, .sums = f->sums, .n_sums = UNITS };

        memcpy(f->flash, f->wanted, 5 * UNIT + 10);
        take_sums(f);
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, 0);
}

static void unit_that_holds_the_end_is_sent_when_the_rest_is_not_erased(void **state) {
        Fixture *f = *state;
        PlanInput in = { .wanted_length = 5 * UNIT + 10, .sums = f->sums, .n_sums = UNITS };

        memcpy(f->flash, f->wanted, SPACE);
        take_sums(f);
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, 1);
        assert_int_equal(f->out.length, 10 + 8 + 8);
}

static void shorter_present_image_counts_as_erased_behind_its_end(void **state) {
        Fixture *f = *state;
        uint8_t before[UNIT + 10];
        PlanInput in = {
                .wanted_length = UNIT + 20, .present = before, .present_length = sizeof(before)
        };

        memset(f->wanted + UNIT + 10, 0xff, 10);
        memcpy(before, f->wanted, sizeof(before));
        memcpy(f->flash, before, sizeof(before));
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, 0);
}

static void longer_present_image_is_not_mistaken_for_the_wanted_one(void **state) {
        Fixture *f = *state;
        uint8_t before[SPACE];
        PlanInput in = { .wanted_length = UNIT + 20, .present = before, .present_length = SPACE };

        memcpy(before, f->wanted, SPACE);
        memcpy(f->flash, before, SPACE);
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, 1);
}

static void nothing_is_kept_when_nothing_is_trusted(void **state) {
        Fixture *f = *state;
        PlanInput in = { .wanted_length = SPACE,
                .sums = f->sums,
                .n_sums = UNITS,
                .present = f->wanted,
                .present_length = SPACE,
                .trust_nothing = true };

        memcpy(f->flash, f->wanted, SPACE);
        take_sums(f);
        plan_and_apply(f, &in);
        assert_int_equal(f->out.units_sent, UNITS);
}

static void odd_units_and_lengths_are_refused(void **state) {
        Fixture *f = *state;
        static const struct {
                uint32_t unit_size;
                size_t length;
        } bad[] = { { 0, 10 }, { 32, 10 }, { 100, 10 }, { 131072, 10 }, { 256, 0 },
                { 256, (size_t)1 << 30 } };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                PlanInput in = { .wanted = f->wanted,
                        .wanted_length = bad[i].length,
                        .unit_size = bad[i].unit_size };
                Why w = {};

                assert_int_equal(plan_literal(&in, &f->out, &w), -EINVAL);
                assert_true(startswith(w.text, "plan: "));
                assert_null(f->out.stream);
        }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(everything_is_sent_when_nothing_is_known),
                TEST(units_with_equal_sums_are_kept),
                TEST(equal_flash_needs_only_the_end),
                TEST(sums_count_more_than_what_is_believed),
                TEST(present_bytes_stand_in_for_sums_that_were_not_asked),
                TEST(unit_that_holds_the_end_is_kept_when_the_rest_is_erased),
                TEST(unit_that_holds_the_end_is_sent_when_the_rest_is_not_erased),
                TEST(shorter_present_image_counts_as_erased_behind_its_end),
                TEST(longer_present_image_is_not_mistaken_for_the_wanted_one),
                TEST(nothing_is_kept_when_nothing_is_trusted),
                TEST(odd_units_and_lengths_are_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patches, from the plan to the last byte in flash: every stream is played by the device's
 * decoder onto a flash that holds what a device's would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/patch.h"
#include "patch-player.h"
#include "proto/crc.h"
#include "synthetic.h"

#define RING      128u
#define SPACE     (64u * 1024)
#define UNITS_MAX (SPACE / 256)

typedef struct Fixture {
        SyntheticSpec spec;
        uint8_t *old, *wanted;
        size_t n_old, n_wanted;
        uint8_t flash[SPACE];
        uint32_t sums[UNITS_MAX];
        PlanImage held[2];
        PlanInput in;
        PlanOutput out;
} Fixture;

static void release(Fixture *f) {
        free(f->old);
        free(f->wanted);
        free(f->out.stream);
        f->old = f->wanted = f->out.stream = NULL;
}

/* An old program in flash and a wanted one in which every nth function is another. */
static void prepare(Fixture *f, uint8_t isa, unsigned changed_every, unsigned turned_by) {
        release(f);
        f->spec = (SyntheticSpec){ .isa = isa,
                .base = isa == RKD_ISA_AVR ? 0 : 0x08000000,
                .ram_base = 0x20000000,
                .seed = 1,
                .functions = 120,
                .changed_every = changed_every };
        assert_int_equal(synthetic_image(&f->spec, &f->old, &f->n_old), 0);
        f->spec.version = 1;
        f->spec.turned_by = turned_by;
        assert_int_equal(synthetic_image(&f->spec, &f->wanted, &f->n_wanted), 0);
        assert_in_range(f->n_wanted, SPACE / 4, SPACE);
        f->in = (PlanInput){
                .wanted = f->wanted,
                .wanted_length = f->n_wanted,
                .present = f->old,
                .present_length = f->n_old,
                .unit_size = 1024,
                .codecs = 1u << RKD_CODEC_RAW | 1u << RKD_CODEC_PATCH,
                .codec_profile = RKD_PATCH_FULL,
                .instruction_set = isa,
                .program_base = f->spec.base,
                .program_space = SPACE,
                .ram_base = f->spec.ram_base,
                .ram_size = 0x8000,
        };
        synthetic_noise(f->flash, SPACE, 99); /* what lies behind the old program */
        memcpy(f->flash, f->old, f->n_old);
}

static int set_up(void **state) {
        static Fixture f;

        memset(&f, 0, sizeof(f));
        *state = &f;
        return 0;
}

static int tear_down(void **state) {
        release(*state);
        return 0;
}

/* The rest of an image's last unit is erased. */
static void fill_last_unit(Fixture *f, size_t n) {
        while (n % f->in.unit_size != 0)
                f->flash[n++] = 0xff;
}

static RkdPatchEvent play(Fixture *f, uint32_t piece, uint32_t stop_after) {
        PatchPlayer player;
        RkdPatchEvent event;

        assert_int_equal(patch_player_init(&player, &f->in, f->flash, RING), 0);
        player.stop_after = stop_after;
        event = patch_player_run(&player, f->out.stream, (uint32_t)f->out.length,
                        (uint32_t)f->n_wanted, piece);
        patch_player_done(&player);
        assert_false(player.out_of_bounds);
        return event;
}

static void plan(Fixture *f) {
        free(f->out.stream);
        f->out.stream = NULL;
        fill_last_unit(f, f->n_old);
        assert_int_equal(plan_patch(&f->in, &f->out, NULL), 0);
        assert_int_equal(f->out.codec, RKD_CODEC_PATCH);
}

static void plan_and_play(Fixture *f) {
        plan(f);
        assert_int_equal(play(f, RING, 0), RKD_PATCH_END);
        assert_memory_equal(f->flash, f->wanted, f->n_wanted);
}

static void every_machine_profile_and_geometry_decodes(void **state) {
        static const uint32_t units[] = { 256, 1024, 4096 };
        Fixture *f = *state;

        for (unsigned isa = RKD_ISA_UNKNOWN; isa <= RKD_ISA_THUMB2; isa++)
                for (unsigned profile = RKD_PATCH_COMPACT; profile <= RKD_PATCH_FULL; profile++)
                        for (unsigned i = 0; i < 2 * ELEMENTSOF(units); i++) {
                                prepare(f, (uint8_t)isa, 9, 0);
                                f->in.unit_size = units[i / 2];
                                f->in.codec_profile =
                                                (uint8_t)(profile | (i % 2 ? RKD_PATCH_ERASES_FIRST
                                                                           : 0));
                                plan_and_play(f);
                                assert_in_range(f->out.length, 1, f->n_wanted * 2 / 3);
                        }
}

static void a_small_change_costs_little_though_all_addresses_move(void **state) {
        Fixture *f = *state;

        for (unsigned isa = RKD_ISA_THUMB; isa <= RKD_ISA_THUMB2; isa++) {
                prepare(f, (uint8_t)isa, 40, 0);
                plan_and_play(f);
                assert_in_range(f->out.units_sent, 20, f->n_wanted / 1024 + 1);
                assert_in_range(f->out.length, 100, f->n_wanted / 30);
        }
}

static void functions_that_change_places_are_found(void **state) {
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 0, 30);
        plan_and_play(f);
        assert_in_range(f->out.length, 10, f->n_wanted / 6);
}

static void an_empty_device_gets_the_whole_program(void **state) {
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 0, 0);
        f->in.present = NULL;
        f->in.present_length = 0;
        plan_and_play(f);
        assert_int_equal(f->out.units_kept, 0);
        assert_in_range(f->out.length, f->n_wanted / 10, f->n_wanted * 3 / 4);
}

static void the_same_program_is_not_sent(void **state) {
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 0, 0);
        assert_int_equal(plan_make(&f->in, &f->out, NULL), 0);
        assert_int_equal(f->out.units_sent, 0);
        assert_int_equal(f->out.codec, RKD_CODEC_RAW);
}

static void noise_is_sent_as_it_is(void **state) {
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 0, 0);
        synthetic_noise(f->wanted, f->n_wanted, 5);
        assert_int_equal(plan_make(&f->in, &f->out, NULL), 0);
        assert_int_equal(f->out.codec, RKD_CODEC_RAW);
        plan_and_play(f); /* and a patch of it would be right, too */
}

static void a_device_without_the_codec_or_without_trust_gets_units(void **state) {
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 9, 0);
        f->in.codecs = 1u << RKD_CODEC_RAW;
        assert_int_equal(plan_make(&f->in, &f->out, NULL), 0);
        assert_int_equal(f->out.codec, RKD_CODEC_RAW);
        free(f->out.stream);
        f->in.codecs = 1u << RKD_CODEC_RAW | 1u << RKD_CODEC_PATCH;
        f->in.trust_nothing = true;
        assert_int_equal(plan_make(&f->in, &f->out, NULL), 0);
        assert_int_equal(f->out.codec, RKD_CODEC_RAW);
}

static void the_same_plan_is_the_same_stream(void **state) {
        _cleanup_free_ uint8_t *first = NULL;
        Fixture *f = *state;
        size_t n;

        prepare(f, RKD_ISA_THUMB, 9, 20);
        plan(f);
        first = TAKE_PTR(f->out.stream);
        n = f->out.length;
        plan(f);
        assert_int_equal(f->out.length, n);
        assert_memory_equal(f->out.stream, first, n);
}

static void bytes_may_come_one_at_a_time(void **state) {
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 9, 0);
        plan(f);
        assert_int_equal(play(f, 1, 0), RKD_PATCH_END);
        assert_memory_equal(f->flash, f->wanted, f->n_wanted);
}

static void take_sums(Fixture *f) {
        f->in.present = NULL;
        f->in.present_length = 0;
        f->in.n_sums = MAX(f->n_old, f->n_wanted) / f->in.unit_size + 1;
        f->in.sums = f->sums;
        for (size_t i = 0; i < f->in.n_sums; i++)
                f->sums[i] = rkd_crc32(f->flash + i * f->in.unit_size, f->in.unit_size);
        f->held[0] = (PlanImage){ f->old, f->n_old };
        f->in.held = f->held;
        f->in.n_held = 1;
}

/* Power fails behind every unit, and the one that was next is torn: nothing of it can be
 * copied. */
static void a_cut_stream_goes_on_from_what_is_there(void **state) {
        Fixture *f = *state;
        uint32_t units, torn;

        prepare(f, RKD_ISA_THUMB, 9, 20);
        plan(f);
        units = f->out.units_sent;
        for (uint32_t cut = 1; cut < units; cut++) {
                prepare(f, RKD_ISA_THUMB, 9, 20);
                plan(f);
                assert_int_equal(play(f, RING, cut), RKD_PATCH_MORE);
                torn = cut * 7 % (uint32_t)(f->n_old / 1024);
                synthetic_noise(f->flash + (size_t)torn * 1024, 1024, cut);
                take_sums(f);
                free(f->out.stream);
                assert_int_equal(plan_patch(&f->in, &f->out, NULL), 0);
                assert_in_range(f->out.units_sent, 1, units);
                assert_in_range(f->out.length, 1, f->n_wanted / 4);
                assert_int_equal(play(f, RING, 0), RKD_PATCH_END);
                assert_memory_equal(f->flash, f->wanted, f->n_wanted);
        }
}

static void unknown_units_are_never_copied_from(void **state) {
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 9, 0);
        fill_last_unit(f, f->n_old);
        take_sums(f);
        for (size_t i = 0; i < f->in.n_sums; i += 3)
                f->sums[i] ^= 1; /* not what anybody holds */
        assert_int_equal(plan_patch(&f->in, &f->out, NULL), 0);
        for (size_t i = 0; i < f->in.n_sums; i += 3)
                synthetic_noise(f->flash + i * 1024, 1024, (uint32_t)i);
        assert_int_equal(play(f, RING, 0), RKD_PATCH_END);
        assert_memory_equal(f->flash, f->wanted, f->n_wanted);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                every_machine_profile_and_geometry_decodes, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                a_small_change_costs_little_though_all_addresses_move, set_up,
                                tear_down),
                cmocka_unit_test_setup_teardown(
                                functions_that_change_places_are_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                an_empty_device_gets_the_whole_program, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_same_program_is_not_sent, set_up, tear_down),
                cmocka_unit_test_setup_teardown(noise_is_sent_as_it_is, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                a_device_without_the_codec_or_without_trust_gets_units, set_up,
                                tear_down),
                cmocka_unit_test_setup_teardown(
                                the_same_plan_is_the_same_stream, set_up, tear_down),
                cmocka_unit_test_setup_teardown(bytes_may_come_one_at_a_time, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                a_cut_stream_goes_on_from_what_is_there, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                unknown_units_are_never_copied_from, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

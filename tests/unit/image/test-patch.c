/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patches, from the plan to the last byte in flash: every stream is played by the device's
 * decoder onto a flash that holds what a device's would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "image/patch-private.h"
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

/* The program space ends so many bytes behind both programs. */
static void leave_free(Fixture *f, uint32_t bytes) {
        uint32_t unit = f->in.unit_size, used = (uint32_t)MAX(f->n_old, f->n_wanted);

        f->in.program_space = (used + unit - 1) / unit * unit + bytes;
}

static void units_are_parked_where_parts_change_places(void **state) {
        Fixture *f = *state;
        size_t without;

        for (unsigned isa = RKD_ISA_UNKNOWN; isa <= RKD_ISA_THUMB2; isa++) {
                prepare(f, (uint8_t)isa, 0, 55);
                leave_free(f, 0);
                plan_and_play(f);
                assert_int_equal(f->out.units_parked, 0);
                without = f->out.length;
                prepare(f, (uint8_t)isa, 0, 55);
                plan_and_play(f);
                assert_in_range(f->out.units_parked, 1, f->out.units_sent / 2);
                assert_in_range(f->out.length, 1, without * 2 / 3);
        }
}

static void no_more_is_parked_than_there_is_room_for(void **state) {
        Fixture *f = *state;

        for (uint32_t units = 1; units < 4; units++) {
                prepare(f, RKD_ISA_THUMB, 0, 55);
                leave_free(f, units * 1024);
                plan_and_play(f);
                assert_in_range(f->out.units_parked, 1, units);
        }
}

static void nothing_is_parked_where_erasing_comes_first_or_little_is_lost(void **state) {
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 0, 55);
        f->in.codec_profile |= RKD_PATCH_ERASES_FIRST;
        plan_and_play(f);
        assert_int_equal(f->out.units_parked, 0);
        prepare(f, RKD_ISA_THUMB, 9, 0);
        plan_and_play(f);
        assert_int_equal(f->out.units_parked, 0);
}

/* A stream that begins with this unit. */
static RkdPatchEvent play_unit(Fixture *f, uint32_t unit) {
        Patch e = { .in = &f->in };

        assert_int_equal(patch_range_init(&e.range, 64), 0);
        rkd_patch_model_init(&e.model, RKD_PATCH_FULL);
        patch_emit_number(&e, RKD_PATCH_NUMBER_UNIT, 0);
        patch_emit_number(&e, RKD_PATCH_NUMBER_UNIT, (int32_t)(unit + 1));
        patch_range_finish(&e.range);
        e.range.out[0] = RKD_PATCH_FORMAT(f->in.codec_profile, f->in.instruction_set);
        free(f->out.stream);
        f->out.stream = e.range.out;
        f->out.length = e.range.n;
        return play(f, RING, 1);
}

static void a_unit_outside_the_program_space_is_refused(void **state) {
        static const uint32_t bad[] = { SPACE / 1024, SPACE / 1024 + 1, UINT32_MAX / 1024 + 1,
                UINT32_MAX / 1024 + 2, INT32_MAX - 1, (uint32_t)-2 };
        Fixture *f = *state;

        prepare(f, RKD_ISA_THUMB, 9, 0);
        assert_int_equal(play_unit(f, SPACE / 1024 - 1), RKD_PATCH_MORE); /* it was written */
        for (unsigned i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(play_unit(f, bad[i]), RKD_PATCH_BAD);
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

/* What is parked is as good as nothing then, and may be torn itself. */
static void a_cut_stream_that_parks_goes_on_from_what_is_there(void **state) {
        Fixture *f = *state;
        size_t torn;

        for (uint32_t cut = 1, writes = 2; cut < writes; cut += 4) {
                prepare(f, RKD_ISA_THUMB, 0, 55);
                torn = (MAX(f->n_old, f->n_wanted) / 1024 + 1) * 1024;
                plan(f);
                writes = f->out.units_sent + f->out.units_parked;
                assert_int_equal(play(f, RING, cut), RKD_PATCH_MORE);
                synthetic_noise(f->flash + torn, 1024, cut);
                take_sums(f);
                free(f->out.stream);
                assert_int_equal(plan_patch(&f->in, &f->out, NULL), 0);
                assert_in_range(f->out.length, 1, f->n_wanted / 2);
                assert_int_equal(play(f, RING, 0), RKD_PATCH_END);
                assert_memory_equal(f->flash, f->wanted, f->n_wanted);
        }
}

/* The sums of the whole program space are as good as those of the images. */
static void erased_units_that_are_known_are_free(void **state) {
        Fixture *f = *state;
        size_t parked;

        prepare(f, RKD_ISA_THUMB, 0, 55);
        plan(f);
        parked = f->out.units_parked;
        assert_in_range(parked, 1, UNITS_MAX);
        memset(f->flash + f->n_old, 0xff, SPACE - f->n_old);
        take_sums(f);
        f->in.n_sums = SPACE / f->in.unit_size;
        for (size_t i = 0; i < f->in.n_sums; i++)
                f->sums[i] = rkd_crc32(f->flash + i * f->in.unit_size, f->in.unit_size);
        free(f->out.stream);
        assert_int_equal(plan_patch(&f->in, &f->out, NULL), 0);
        assert_int_equal(f->out.units_parked, parked);
        assert_int_equal(play(f, RING, 0), RKD_PATCH_END);
        assert_memory_equal(f->flash, f->wanted, f->n_wanted);
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
                                units_are_parked_where_parts_change_places, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                no_more_is_parked_than_there_is_room_for, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                nothing_is_parked_where_erasing_comes_first_or_little_is_lost,
                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                a_unit_outside_the_program_space_is_refused, set_up, tear_down),
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
                cmocka_unit_test_setup_teardown(a_cut_stream_that_parks_goes_on_from_what_is_there,
                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                erased_units_that_are_known_are_free, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                unknown_units_are_never_copied_from, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two slots: where a push goes, and which program runs when the newest cannot.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/board-flash.h"
#include "../../device/gateway.h"
#include "basic/cleanup.h"

#define IMAGE   3000u
#define IMAGES  3u
#define STAY_MS 10000u

static const BoardGeometry two_slots = { "two slots", 1024, 16, 1024, 1024, 1024, 8, 8, 2 };
static Board board;
static Gateway gateway;
static uint8_t images[IMAGES][IMAGE];

static int set_up(void **state) {
        board_init_as(&board, &two_slots);
        gateway_init(&gateway, &board);
        for (unsigned i = 0; i < IMAGES; i++)
                image_make(images[i], IMAGE, i + 1);
        board_power_on(&board);
        return 0;
}

static int tear_down(void **state) {
        if (board.violations > 0)
                print_error("%u violations, the first: %s\n", board.violations, board.violation);
        return board.violations > 0;
}

static uint64_t id_of(unsigned i) {
        return 0x1000u + i;
}

static Push push_of(unsigned i) {
        return (Push){
                .image = images[i], .n_image = IMAGE, .push_id = id_of(i), .version = "1.0.0"
        };
}

static RkdIdentity identify(void) {
        RkdIdentity id = { 0 };

        assert_int_equal(gateway_identify(&gateway, &id), 0);
        return id;
}

static bool holds(unsigned slot, unsigned i) {
        return board_slot_holds(&board, slot, images[i], IMAGE);
}

static void enter_bootloader(void) {
        assert_int_equal(gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER }), 0);
        board_run(&board, 5);
        assert_int_equal(board.runs, BOARD_BOOTLOADER);
}

/* Pushed and started, not confirmed. */
static void try_out(unsigned i) {
        if (board.runs == BOARD_PROGRAM)
                enter_bootloader();
        assert_int_equal(gateway_install(&gateway, push_of(i)), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, id_of(i)), 0);
        board_run(&board, 5);
}

static void install(unsigned i) {
        try_out(i);
        assert_int_equal(gateway_confirm(&gateway, id_of(i)), 0);
}

/* Image 1 fails after image 0 was confirmed, and all that runs from here on is well. */
static void let_fail(void) {
        install(0);
        enter_bootloader();
        board.behaviour = PROGRAM_CRASHES;
        try_out(1);
        while (board.starts < 4 || board.runs != BOARD_BOOTLOADER)
                board_step(&board);
        board.behaviour = PROGRAM_HEALTHY;
}

static void expect_running(unsigned i) {
        RkdIdentity id = identify();

        assert_int_equal(board.runs, BOARD_PROGRAM);
        assert_int_equal(id.who, RKD_WHO_PROGRAM);
        assert_int_equal(id.state, RKD_CONFIRMED);
        assert_int_equal(id.push_id, id_of(i));
        assert_true(board_holds(&board, images[i], IMAGE));
}

static void pushes_take_turns(void **state) {
        install(0);
        assert_true(holds(0, 0));
        install(1);
        assert_true(holds(0, 0) && holds(1, 1));
        expect_running(1);
        install(2);
        assert_true(holds(0, 2) && holds(1, 1));
        expect_running(2);
}

static void the_newest_record_counts_after_a_reset(void **state) {
        install(0);
        install(1);
        board_power_on(&board);
        board_run(&board, 100);
        expect_running(1);
}

static void what_is_not_confirmed_is_pushed_over(void **state) {
        install(0);
        try_out(1);
        install(2);
        assert_true(holds(0, 0) && holds(1, 2));
}

static void the_first_program_has_no_other_slot_until_it_is_confirmed(void **state) {
        try_out(0);
        install(1);
        assert_true(holds(0, 1));
        assert_int_equal(board.flash[board_slot_bytes(&board)], 0xff);
}

static void sums_are_those_of_the_slot_that_is_pushed_to(void **state) {
        const RkdRequest q = { .type = RKD_SUMS, .first = 0, .count = 1 };
        const Push push = push_of(1);
        uint32_t before;

        install(0);
        enter_bootloader();
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        before = rkd_load_u32(gateway.answer.bytes);
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_not_equal(rkd_load_u32(gateway.answer.bytes), before);
}

static void a_program_that_fails_gives_way(void **state) {
        unsigned operations;

        let_fail();
        operations = board.operations;
        board_run(&board, 100);
        assert_int_equal(board.operations, operations);
        assert_int_equal(board.start.trial_ms, 0);
        expect_running(0);
        assert_true(holds(1, 1));
        enter_bootloader();
        assert_int_equal(identify().state, RKD_FAILED);
        assert_int_equal(identify().push_id, id_of(1));
}

static void what_failed_is_pushed_over(void **state) {
        let_fail();
        board_run(&board, 100);
        install(2);
        assert_true(holds(0, 0) && holds(1, 2));
}

static void start_of_anything_gives_way_at_once(void **state) {
        let_fail();
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, id_of(1)), RKD_NOT_RUNNABLE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), 0);
        board_run(&board, 2);
        expect_running(0);
}

static void a_push_that_stops_gives_way_after_a_while(void **state) {
        const Push push = push_of(1);

        install(0);
        enter_bootloader();
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        board_run(&board, STAY_MS - 500);
        assert_int_equal(board.runs, BOARD_BOOTLOADER);
        board_run(&board, 1000);
        expect_running(0);
        enter_bootloader();
        assert_int_equal(identify().state, RKD_PUSHING);
        assert_int_equal(identify().push_id, id_of(1));
        install(1);
        expect_running(1);
}

static void a_push_that_was_cut_gives_way_at_once(void **state) {
        const Push push = push_of(1);

        install(0);
        enter_bootloader();
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        board_power_on(&board);
        board_run(&board, 100);
        expect_running(0);
}

static void a_damaged_program_gives_way(void **state) {
        install(0);
        install(1);
        board.flash[board_slot_bytes(&board) + 100] ^= 1;
        board_power_on(&board);
        board_run(&board, 100);
        expect_running(0);
}

static void a_damaged_program_is_pushed_over(void **state) {
        install(0);
        install(1);
        board.flash[board_slot_bytes(&board) + 100] ^= 1;
        enter_bootloader();
        install(2);
        assert_true(holds(0, 0) && holds(1, 2));
}

static void a_program_that_is_not_whole_is_no_way_back(void **state) {
        let_fail();
        board.flash[100] ^= 1;
        board_power_on(&board);
        board_run(&board, 1000);
        assert_int_equal(board.runs, BOARD_BOOTLOADER);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
}

static unsigned implausible;

static int is_plausible(void *user, unsigned slot) {
        return slot != implausible;
}

static void a_program_that_is_implausible_is_no_way_back(void **state) {
        board.platform.is_slot_plausible = is_plausible;
        implausible = 2;
        let_fail();
        implausible = 0;
        board_power_on(&board);
        board_run(&board, 1000);
        assert_int_equal(board.runs, BOARD_BOOTLOADER);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
}

static void an_implausible_way_back_keeps_no_program_off(void **state) {
        board.platform.is_slot_plausible = is_plausible;
        implausible = 2;
        install(0);
        install(1);
        implausible = 0;
        board_power_on(&board);
        board_run(&board, 100);
        expect_running(1);
}

static void a_way_back_that_crashes_is_tried_later_and_later(void **state) {
        unsigned starts;

        let_fail();
        board.behaviour = PROGRAM_CRASHES;
        starts = board.starts;
        board_run(&board, 1000);
        assert_int_equal(board.starts, starts + 3);
        board_run(&board, 8 * 60 * 1000);
        assert_int_equal(board.starts, starts + 4);
}

static void questions_do_not_keep_the_way_back_waiting(void **state) {
        board.platform.listen_ms = 2000;
        let_fail();
        for (unsigned i = 0; i < 30 && board.runs != BOARD_PROGRAM; i++) {
                (void)identify();
                board_run(&board, 100);
        }
        expect_running(0);
}

static void a_record_that_was_torn_leaves_the_other_slot_in_charge(void **state) {
        install(0);
        board_power_off(&board);
        memset(board.flash + board_slot_bytes(&board) + board_space(&board), 0, 64);
        board_power_on(&board);
        board_run(&board, 100);
        expect_running(0);
        install(1);
        assert_true(holds(0, 0) && holds(1, 1));
}

static void identify_tells_of_the_slots(void **state) {
        assert_true(identify().capabilities & RKD_CAN_SLOTS);
        assert_int_equal(identify().program_space, board_space(&board));
        install(0);
        assert_true(identify().capabilities & RKD_CAN_SLOTS);
        board_init(&board);
        board_power_on(&board);
        assert_false(identify().capabilities & RKD_CAN_SLOTS);
}

static void a_platform_that_breaks_the_rules_is_refused(void **state) {
        RkdPlatform p = board.platform;
        RkdBoot boot;

        p.slot_stride = p.program_space - 1;
        assert_int_equal(rkd_boot_init(&boot, &p, RKD_CAUSE_POWER), RKD_E_PLATFORM);
        p = board.platform;
        p.retained = NULL;
        assert_int_equal(rkd_boot_init(&boot, &p, RKD_CAUSE_POWER), RKD_E_PLATFORM);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(pushes_take_turns),
                TEST(the_newest_record_counts_after_a_reset),
                TEST(what_is_not_confirmed_is_pushed_over),
                TEST(the_first_program_has_no_other_slot_until_it_is_confirmed),
                TEST(sums_are_those_of_the_slot_that_is_pushed_to),
                TEST(a_program_that_fails_gives_way),
                TEST(what_failed_is_pushed_over),
                TEST(start_of_anything_gives_way_at_once),
                TEST(a_push_that_stops_gives_way_after_a_while),
                TEST(a_push_that_was_cut_gives_way_at_once),
                TEST(a_damaged_program_gives_way),
                TEST(a_damaged_program_is_pushed_over),
                TEST(a_program_that_is_not_whole_is_no_way_back),
                TEST(a_program_that_is_implausible_is_no_way_back),
                TEST(an_implausible_way_back_keeps_no_program_off),
                TEST(a_way_back_that_crashes_is_tried_later_and_later),
                TEST(questions_do_not_keep_the_way_back_waiting),
                TEST(a_record_that_was_torn_leaves_the_other_slot_in_charge),
                TEST(identify_tells_of_the_slots),
                TEST(a_platform_that_breaks_the_rules_is_refused),
        };

        return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How often the record pages are erased and written: the numbers that rekindle-device(3) states
 * under WEAR. A mark is a write of one slot.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../device/gateway.h"

#define UPDATE_WRITES  5u /* body, verified, start, healthy, confirmed */
#define FAILURE_WRITES 5u /* body, verified, three starts */
#define RENEWAL_STARTS 14u
#define RENEWAL_WRITES 5u /* body, verified, confirmed, start, healthy */

static Board board;
static Gateway gateway;
static uint8_t images[2][3000];
static const Push first = {
        .image = images[0], .n_image = sizeof(images[0]), .push_id = 1, .version = "1.0.0"
};
static const Push second = {
        .image = images[1], .n_image = sizeof(images[1]), .push_id = 2, .version = "1.1.0"
};
static const Push restored = {
        .image = images[0], .n_image = sizeof(images[0]), .push_id = 3, .version = "1.0.0"
};

static void enter(void) {
        if (board.runs != BOARD_PROGRAM)
                return;
        assert_int_equal(gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER }), 0);
        board_run(&board, 5);
}

static void install(const Push *push) {
        enter();
        assert_int_equal(gateway_install(&gateway, *push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push->push_id), 0);
        board_run(&board, 5);
}

static void update(const Push *push) {
        install(push);
        assert_int_equal(gateway_confirm(&gateway, push->push_id), 0);
        board_run(&board, 5);
}

static int set_up(void **state) {
        board_init(&board);
        gateway_init(&gateway, &board);
        for (unsigned i = 0; i < 2; i++) {
                image_make(images[i], sizeof(images[i]), i + 1);
                board.images[i] = (BoardImage){ images[i], sizeof(images[i]), false };
        }
        board.n_images = 2;
        board_power_on(&board);
        update(&first);
        board.wear = (BoardWear){ 0 };
        return 0;
}

static int tear_down(void **state) {
        return board.violations > 0;
}

static void tell(const char *what) {
        print_message("%s: record pages: %u erases, %u writes; program: %u erases, %u writes\n",
                        what, board.wear.record_erases, board.wear.record_writes, board.wear.erases,
                        board.wear.writes);
}

static void a_good_update_erases_one_record_page(void **state) {
        update(&second);
        tell("good update");
        assert_int_equal(board.wear.record_erases, 1);
        assert_int_equal(board.wear.record_writes, UPDATE_WRITES);
}

static void a_failed_update_and_its_restore_erase_two(void **state) {
        board.images[1].crashes = true;
        install(&second);
        board_run(&board, 500);
        assert_int_equal(rkd_boot_state(&board.boot), RKD_FAILED);
        update(&restored);
        tell("failed and restored");
        assert_int_equal(board.wear.record_erases, 2);
        assert_int_equal(board.wear.record_writes, FAILURE_WRITES + UPDATE_WRITES);
}

static void a_push_that_goes_on_after_a_cut_writes_no_record_again(void **state) {
        enter();
        board.cut_at = board.operations + 6; /* two of them for the record */
        board.cut = CUT_INSIDE;
        assert_int_not_equal(gateway_install(&gateway, second), 0);
        board_power_on(&board);
        gateway_init(&gateway, &board);
        update(&second);
        tell("update with a power cut");
        assert_int_equal(board.wear.record_erases, 1);
        assert_int_equal(board.wear.record_writes, UPDATE_WRITES);
}

static void ordinary_starts_write_nothing(void **state) {
        for (unsigned i = 0; i < 100; i++) {
                if (i & 1)
                        board_power_on(&board);
                else
                        board_reset(&board, RKD_CAUSE_SOFTWARE);
                board_run(&board, 80);
                assert_int_equal(board.runs, BOARD_PROGRAM);
        }
        tell("100 ordinary starts");
        assert_int_equal(board.wear.record_erases + board.wear.record_writes, 0);
}

static void starts_after_the_watchdog_erase_a_page_in_fourteen(void **state) {
        const unsigned starts = 10 * RENEWAL_STARTS;

        for (unsigned i = 0; i < starts; i++) {
                board_reset(&board, RKD_CAUSE_WATCHDOG);
                board_run(&board, 80);
                assert_int_equal(board.runs, BOARD_PROGRAM);
        }
        tell("140 starts after a watchdog reset");
        assert_in_range(board.wear.record_erases, 1, starts / RENEWAL_STARTS);
        assert_in_range(board.wear.record_writes, 2 * starts,
                        2 * starts + RENEWAL_WRITES * board.wear.record_erases);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(
                                a_good_update_erases_one_record_page, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                a_failed_update_and_its_restore_erase_two, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                                a_push_that_goes_on_after_a_cut_writes_no_record_again, set_up,
                                tear_down),
                cmocka_unit_test_setup_teardown(ordinary_starts_write_nothing, set_up, tear_down),
                cmocka_unit_test_setup_teardown(starts_after_the_watchdog_erase_a_page_in_fourteen,
                                set_up, tear_down),
        };

        return cmocka_run_group_tests_name("wear", tests, NULL, NULL);
}

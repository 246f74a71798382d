/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Power fails in every flash operation of an upgrade (push, start, healthy, confirm), before,
 * inside and after it. Whatever was cut, after power comes back the device runs a program that is
 * verified to the byte, or it is in its bootloader; it never runs anything else; and the upgrade
 * can be brought to its end.
 *
 * The loop proves that it can find something: with a planted fault, a record that is verified
 * too early, it has to fail.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/gateway.h"

static Board board, start;
static Gateway gateway;
static uint8_t old_image[2500], new_image[3300];
static const Push first = {
        .image = old_image, .n_image = sizeof(old_image), .push_id = 0x1111, .version = "1.0.0"
};
static const Push second = {
        .image = new_image, .n_image = sizeof(new_image), .push_id = 0x2222, .version = "1.1.0"
};

static bool holds(const Push *push) {
        return board_holds(&board, push->image, push->n_image);
}

/* Enter, push, start, confirm, from wherever the device is now. 0, or what failed. */
static int upgrade(const Push *push) {
        int r;

        gateway_init(&gateway, &board);
        if (board.runs == BOARD_PROGRAM) {
                r = gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER });
                if (r != 0)
                        return r;
                board_run(&board, 5);
        }
        r = gateway_install(&gateway, *push);
        if (r == 0)
                r = gateway_ask_id(&gateway, RKD_START, push->push_id);
        board_run(&board, 5);
        return r == 0 ? gateway_confirm(&gateway, push->push_id) : r;
}

/* A device that runs the first program, confirmed, off. */
static void prepare(void) {
        board_init(&board);
        image_make(old_image, sizeof(old_image), 1);
        image_make(new_image, sizeof(new_image), 2);
        board_power_on(&board);
        if (upgrade(&first) != 0)
                board_violate(&board, "the first program could not be installed");
        board_power_off(&board);
        start = board;
}

static void copy_start(void) {
        board = start;
        board.platform.user = &board;
        board.platform.regions = &board.region;
        board.platform.speeds = board.speeds;
        board.platform.page = board.page;
        board.platform.ring = board.ring;
        board.platform.tx = board.tx;
        board.platform.retained = board.retained;
}

static void assert_no_violation(void) {
        if (board.violations > 0)
                fail_msg("%u violations, the first: %s", board.violations, board.violation);
}

/* Power is back: nothing but a whole program may run. */
static bool comes_up_right(void) {
        board.cut_at = 0;
        board_power_on(&board);
        board_run(&board, 100);
        if (board.runs == BOARD_PROGRAM)
                return holds(&first) || holds(&second);
        return board.runs == BOARD_BOOTLOADER;
}

/* Cuts at the nth operation; true when the upgrade was over before that. */
static bool cut_and_recover(unsigned n, BoardCut cut, unsigned again) {
        copy_start();
        board.random = n * 7919u + cut;
        board_power_on(&board);
        board_run(&board, 60);
        board.cut_at = board.operations + n;
        board.cut = cut;
        if (upgrade(&second) == 0 && board.runs != BOARD_OFF)
                return true;
        assert_true(comes_up_right());
        if (again > 0) {
                board.cut_at = board.operations + again;
                board.cut = CUT_INSIDE;
                (void)upgrade(&second);
                if (board.runs == BOARD_OFF)
                        assert_true(comes_up_right());
                board.cut_at = 0;
        }
        assert_int_equal(upgrade(&second), 0);
        assert_true(holds(&second));
        assert_int_equal(board.runs, BOARD_PROGRAM);
        assert_no_violation();
        return false;
}

static void every_operation_can_lose_power(void **state) {
        unsigned n = 0, cases = 0;
        bool over;

        prepare();
        do {
                over = true;
                n++;
                for (unsigned cut = 0; cut < _BOARD_CUT_MAX; cut++) {
                        over &= cut_and_recover(n, (BoardCut)cut, 0);
                        cases++;
                }
        } while (!over);
        print_message("power cut in %u operations, %u cases: 0 devices lost\n", n - 1, cases - 3);
        assert_true(n > 12);
}

static void power_can_fail_again_while_it_recovers(void **state) {
        unsigned cases = 0;

        prepare();
        for (unsigned n = 1; n <= 16; n++)
                for (unsigned again = 1; again <= 12; again++, cases++)
                        (void)cut_and_recover(n, CUT_INSIDE, again);
        print_message("power cut twice, %u cases: 0 devices lost\n", cases);
}

static void the_first_push_to_a_blank_device_can_lose_power(void **state) {
        unsigned n, cases = 0;

        prepare();
        for (n = 1; n <= 20; n++)
                for (unsigned cut = 0; cut < _BOARD_CUT_MAX; cut++, cases++) {
                        board_init(&board);
                        board.random = n;
                        board_power_on(&board);
                        board.cut_at = n;
                        board.cut = (BoardCut)cut;
                        (void)upgrade(&first);
                        assert_true(comes_up_right());
                        assert_int_equal(upgrade(&first), 0);
                        assert_true(holds(&first));
                        assert_no_violation();
                }
        print_message("power cut in the first push, %u cases: 0 devices lost\n", cases);
}

static void a_renewed_record_can_lose_power(void **state) {
        unsigned found = 0;

        prepare();
        for (unsigned n = 1; n <= 80; n++) {
                copy_start();
                board.random = n;
                board.cut_at = 0;
                board_power_on(&board);
                board.cut_at = board.operations + n;
                board.cut = CUT_INSIDE;
                for (int i = 0; i < 40 && board.runs != BOARD_OFF; i++) {
                        board_reset(&board, RKD_CAUSE_WATCHDOG);
                        board_run(&board, 80);
                }
                found += board.runs == BOARD_OFF;
                assert_true(comes_up_right());
                assert_int_equal(board.runs, BOARD_PROGRAM);
                assert_no_violation();
        }
        assert_true(found > 60);
}

/* The fault: the mark `verified` stands before a byte of the program is there. */
static void a_planted_fault_is_found(void **state) {
        bool wrong = false;

        prepare();
        for (unsigned n = 3; n <= 8 && !wrong; n++) {
                copy_start();
                board_power_on(&board);
                board_run(&board, 60);
                board.cut_at = board.operations + n;
                board.cut = CUT_INSIDE;
                (void)upgrade(&second);
                memset(board.flash + BOARD_SPACE + BOARD_RECORD + 512, 0, 8);
                board.cut_at = 0;
                board_power_on(&board);
                board.boot.check = 1; /* … and the digest is not looked at */
                board_run(&board, 100);
                wrong = board.runs == BOARD_PROGRAM && !holds(&first) && !holds(&second);
        }
        assert_true(wrong);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_operation_can_lose_power),
                cmocka_unit_test(power_can_fail_again_while_it_recovers),
                cmocka_unit_test(the_first_push_to_a_blank_device_can_lose_power),
                cmocka_unit_test(a_renewed_record_can_lose_power),
                cmocka_unit_test(a_planted_fault_is_found),
        };

        return cmocka_run_group_tests_name("power-cut", tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts, health, confirm: what the mark words and the retained RAM make of them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/gateway.h"
#include "device/rkd-sha256.h"
#include "proto/crc.h"

#define PAGE_STARTS 15u /* that fit */

static Board board;
static Gateway gateway;
static uint8_t image[3000];
static const Push push = {
        .image = image, .n_image = sizeof(image), .push_id = 0x1111, .version = "1.0.0"
};

static int set_up(void **state) {
        board_init(&board);
        gateway_init(&gateway, &board);
        image_make(image, sizeof(image), 1);
        return 0;
}

static int tear_down(void **state) {
        if (board.violations > 0)
                print_error("%u violations, the first: %s\n", board.violations, board.violation);
        return board.violations > 0;
}

static void install_and_start(void) {
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push.push_id), 0);
        board_run(&board, 5);
}

static void run_until_healthy(void) {
        for (int i = 0; i < 200; i++) {
                board_step(&board);
                if (board.runs == BOARD_PROGRAM && board.program.health == RKD_HEALTH_GOOD)
                        break;
        }
        board_run(&board, 10);
        assert_int_equal(board.runs, BOARD_PROGRAM);
}

static RkdIdentity identify(void) {
        RkdIdentity id;

        memset(&id, 0, sizeof(id));
        assert_int_equal(gateway_identify(&gateway, &id), 0);
        return id;
}

static void a_crashing_program_uses_up_its_starts(void **state) {
        RkdIdentity id;

        board.behaviour = PROGRAM_CRASHES;
        install_and_start();
        board_run(&board, 500);
        assert_int_equal(board.starts, 3);
        id = identify();
        assert_int_equal(id.who, RKD_WHO_BOOTLOADER);
        assert_int_equal(id.state, RKD_FAILED);
        assert_int_equal(id.attempts_left, 0);
        assert_int_equal(id.boots, 3);
        assert_int_equal(id.reset_cause, RKD_CAUSE_CRASH);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), RKD_BAD_STATE);
}

static void a_silent_program_is_reset_by_the_trial_timer(void **state) {
        board.behaviour = PROGRAM_SILENT;
        install_and_start();
        assert_int_equal(board.start.trial_ms, 2000);
        board_run(&board, 7000);
        assert_int_equal(board.starts, 3);
        assert_int_equal(identify().state, RKD_FAILED);
        assert_int_equal(identify().reset_cause, RKD_CAUSE_TRIAL);
}

static void without_a_trial_timer_none_is_asked_for(void **state) {
        board.platform.capabilities &= ~(uint32_t)RKD_CAN_TRIAL_TIMER;
        install_and_start();
        assert_int_equal(board.starts, 1);
        assert_int_equal(board.start.trial_ms, 0);
}

static void a_failed_program_is_tried_again_when_nobody_talks(void **state) {
        board.behaviour = PROGRAM_CRASHES;
        install_and_start();
        board_run(&board, 500);
        assert_int_equal(board.starts, 3);
        board_run(&board, 8 * 60 * 1000);
        assert_int_equal(board.starts, 4);
        board.behaviour = PROGRAM_HEALTHY;
        board_run(&board, 70 * 60 * 1000);
        assert_int_equal(board.starts, 5);
        assert_int_equal(identify().state, RKD_TRIAL);
        assert_int_equal(identify().attempts_left, 3);
}

static void the_start_that_goes_on_is_no_failure(void **state) {
        board.behaviour = PROGRAM_CRASHES;
        install_and_start();
        board_run(&board, 30);
        while (board.starts < 3)
                board_step(&board);
        board.behaviour = PROGRAM_HEALTHY;
        run_until_healthy();
        assert_int_equal(identify().state, RKD_TRIAL);
        assert_int_equal(identify().boots, 3);
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
}

static void healthy_starts_never_use_up_the_attempts(void **state) {
        install_and_start();
        for (unsigned i = 2; i <= 60; i++) {
                run_until_healthy();
                board_power_on(&board);
                run_until_healthy();
                assert_int_equal(identify().boots, i);
        }
        assert_int_equal(identify().state, RKD_TRIAL);
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        assert_int_equal(identify().state, RKD_CONFIRMED);
}

static void confirm_may_be_repeated(void **state) {
        unsigned operations;

        install_and_start();
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        operations = board.operations;
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, 0x77), RKD_FOREIGN_PUSH);
        assert_int_equal(board.operations, operations);
}

static void the_bootloader_can_confirm_too(void **state) {
        install_and_start();
        run_until_healthy();
        assert_int_equal(gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER }), 0);
        board_run(&board, 5);
        assert_int_equal(identify().who, RKD_WHO_BOOTLOADER);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), 0);
        assert_int_equal(identify().state, RKD_CONFIRMED);
}

static void what_never_ran_is_not_confirmed(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), RKD_BAD_STATE);
        assert_int_equal(identify().state, RKD_VERIFIED);
}

static void what_is_damaged_is_not_confirmed(void **state) {
        install_and_start();
        board_power_off(&board);
        board.flash[1234] ^= 4;
        board_power_on(&board);
        assert_int_equal(identify().state, RKD_DAMAGED);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), RKD_BAD_STATE);
}

/* By either side. */
static void what_has_no_record_is_not_confirmed(void **state) {
        board_load(&board, image, sizeof(image));
        board_power_on(&board);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, 0), RKD_BAD_STATE);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), 0);
        board_run(&board, 5);
        assert_int_equal(board.runs, BOARD_PROGRAM);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, 0), RKD_BAD_STATE);
        board_run(&board, 10);
        assert_int_equal(board.operations, 0);
}

/* As a debug probe does, whatever the record says. */
static void start_by_hand(void) {
        board.runs = BOARD_PROGRAM;
        board.up_ms = board.now_ms;
        assert_int_equal(rkd_program_init(&board.program, &board.platform, NULL), 0);
}

static void a_program_confirms_no_push_that_is_open(void **state) {
        unsigned operations;

        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        start_by_hand();
        operations = board.operations;
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), RKD_BAD_STATE);
        board_run(&board, 10);
        assert_int_equal(board.operations, operations);
}

static void a_confirmed_program_has_all_its_starts(void **state) {
        board.behaviour = PROGRAM_SILENT;
        install_and_start();
        board_power_on(&board);
        board_run(&board, 40);
        assert_int_equal(board.starts, 2);
        board_power_on(&board);
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), 0);
        assert_int_equal(identify().state, RKD_CONFIRMED);
        assert_int_equal(identify().attempts_left, 3);
        assert_int_equal(identify().boots, 2);
}

static void a_mark_that_failed_is_not_written_again(void **state) {
        install_and_start();
        board.fail_at = board.operations + 1; /* healthy */
        run_until_healthy();
        rkd_program_report(&board.program, RKD_HEALTH_SICK);
        run_until_healthy();
        assert_int_equal(identify().attempts_left, 3);
        board.fail_at = board.operations + 1;
        assert_int_equal(gateway_ask_id(&gateway, RKD_CONFIRM, push.push_id), 0);
        assert_int_equal(identify().state, RKD_CONFIRMED);
}

static void a_mark_that_could_not_be_written_is_tried_again(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        board.fails_torn = true;
        board.fail_at = board.operations + 1;
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), RKD_FLASH);
        assert_int_equal(identify().state, RKD_PUSHING);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), 0);
        assert_int_equal(identify().state, RKD_VERIFIED);
}

static void confirmed_starts_write_no_flash(void **state) {
        unsigned operations;

        install_and_start();
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        operations = board.operations;
        for (int i = 0; i < 10; i++) {
                board_power_on(&board);
                run_until_healthy();
                board_reset(&board, RKD_CAUSE_PIN);
                run_until_healthy();
        }
        assert_int_equal(board.operations, operations);
        assert_int_equal(identify().boots, 3);
        assert_int_equal(identify().state, RKD_CONFIRMED);
        assert_int_equal(board.start.trial_ms, 0);
}

static void a_confirmed_program_that_crashes_uses_up_its_starts(void **state) {
        install_and_start();
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        board.behaviour = PROGRAM_CRASHES;
        board_run(&board, 1000);
        assert_int_equal(identify().state, RKD_FAILED);
        assert_int_equal(board.starts, 4); /* the running one, and three counted */
}

/* Three in a row, however many of them the page had that was full. */
static void starts_are_used_up_over_the_end_of_a_page(void **state) {
        for (unsigned healthy = PAGE_STARTS - 2; healthy <= PAGE_STARTS; healthy++) {
                unsigned erases;

                assert_int_equal(set_up(NULL), 0);
                install_and_start();
                run_until_healthy();
                while (board.starts < healthy) {
                        board_power_on(&board);
                        run_until_healthy();
                }
                erases = board.wear.record_erases;
                board.behaviour = PROGRAM_CRASHES;
                board_power_on(&board);
                board_run(&board, 1000);
                assert_int_equal(board.wear.record_erases, erases + 1);
                assert_int_equal(board.starts, healthy + 3);
                assert_int_equal(identify().state, RKD_FAILED);
                assert_int_equal(identify().boots, healthy + 3);
                assert_int_equal(tear_down(NULL), 0);
        }
}

static void seldom_crashes_of_a_confirmed_program_do_no_harm(void **state) {
        install_and_start();
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        for (int i = 0; i < 50; i++) {
                board_reset(&board, RKD_CAUSE_WATCHDOG);
                run_until_healthy();
        }
        assert_int_equal(identify().state, RKD_CONFIRMED);
        assert_int_equal(identify().attempts_left, 3);
        assert_int_equal(identify().boots, 51);
}

static void a_damaged_program_is_not_started(void **state) {
        install_and_start();
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        board_power_off(&board);
        board.flash[1234] ^= 4;
        board_power_on(&board);
        board_run(&board, 20000);
        assert_int_equal(board.starts, 1);
        assert_int_equal(identify().state, RKD_DAMAGED);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        assert_int_equal(gateway_begin(&gateway, &(Push){ image, sizeof(image), 0x5, 0, "1" }), 0);
}

static void a_damaged_record_counts_as_an_open_push(void **state) {
        install_and_start();
        board_power_off(&board);
        board.flash[BOARD_SPACE + 30] ^= 1;
        board_power_on(&board);
        board_run(&board, 20000);
        assert_int_equal(board.starts, 1);
        assert_int_equal(identify().state, RKD_PUSHING);
        assert_int_equal(identify().push_id, 0);
        assert_int_equal(gateway_push(&gateway, &push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push.push_id), 0);
}

/* What may have been a mark is none: a program without a mark that says so is not verified. */
static void a_mark_that_cannot_be_read_is_not_believed(void **state) {
        Push again = push;

        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        assert_int_equal(identify().state, RKD_PUSHING);
        board.dead = BOARD_SPACE + RKD_RECORD_MARKS + RKD_MARK_VERIFIED * 4;
        board_reset(&board, RKD_CAUSE_POWER);
        board_run(&board, 100);
        assert_int_equal(identify().state, RKD_PUSHING);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        board_run(&board, 20000);
        assert_int_equal(board.starts, 0);
        again.push_id = 0x2222;
        assert_int_equal(gateway_install(&gateway, again), 0);
}

/* Of the first record of this device, in the first page, and of its second. */
static uint64_t find_push(uint32_t first, uint32_t second) {
        const uint32_t sequences[] = { first, second };
        Push other = push;

        assert_int_equal(set_up(NULL), 0);
        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        other.push_id = 0x2222;
        assert_int_equal(gateway_install(&gateway, other), 0);
        board_power_off(&board);
        for (unsigned i = 0; i < 2; i++) {
                uint8_t *page = board.flash + BOARD_SPACE + i * BOARD_RECORD;

                rkd_store_u32(page + 4, sequences[i]);
                rkd_store_u32(page, rkd_crc32(page + 4, RKD_BODY_BYTES - 4));
        }
        board_power_on(&board);
        return identify().push_id;
}

static void the_newer_record_page_counts(void **state) {
        assert_int_equal(find_push(5, 6), 0x2222);
        assert_int_equal(find_push(6, 5), push.push_id);
        assert_int_equal(find_push(UINT32_MAX, 0), 0x2222);
        assert_int_equal(find_push(0, UINT32_MAX), push.push_id);
}

static void of_two_equal_record_pages_the_second_counts(void **state) {
        assert_int_equal(find_push(5, 5), 0x2222);
}

static void enter_keeps_the_device_in_its_bootloader_for_a_while(void **state) {
        install_and_start();
        run_until_healthy();
        assert_int_equal(gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER }), 0);
        board_run(&board, 9000);
        assert_int_equal(board.runs, BOARD_BOOTLOADER);
        assert_int_equal(identify().who, RKD_WHO_BOOTLOADER);
        board_run(&board, 9900);
        assert_int_equal(board.runs, BOARD_BOOTLOADER);
        board_run(&board, 500);
        assert_int_equal(board.runs, BOARD_PROGRAM);
}

static void polling_alone_does_not_keep_it_there(void **state) {
        const RkdRequest nop = { .type = RKD_NOP };

        board.behaviour = PROGRAM_CRASHES;
        install_and_start();
        for (int i = 0; i < 100; i++)
                assert_true(gateway_ask(&gateway, &nop) <= 0);
        assert_int_equal(identify().state, RKD_FAILED);
}

static void a_start_does_not_keep_it_there_either(void **state) {
        install_and_start();
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        for (unsigned type = RKD_END; type <= RKD_START; type++) {
                board_power_on(&board);
                assert_int_equal(gateway_ask_id(&gateway, (uint8_t)type, 7), RKD_FOREIGN_PUSH);
                board_run(&board, 1000);
                assert_int_equal(board.runs, type == RKD_START ? BOARD_PROGRAM : BOARD_BOOTLOADER);
        }
}

static void a_program_reports_that_it_is_sick(void **state) {
        install_and_start();
        run_until_healthy();
        rkd_program_report(&board.program, RKD_HEALTH_SICK);
        board.behaviour = PROGRAM_SILENT;
        assert_int_equal(identify().health, RKD_HEALTH_SICK);
}

static void a_program_without_a_record_is_started_and_told_of(void **state) {
        uint8_t digest[RKD_SHA256_BYTES];
        RkdSha256 sha;
        RkdIdentity id;

        board_load(&board, image, sizeof(image));
        board_power_on(&board);
        board_run(&board, 40);
        assert_int_equal(board.runs, BOARD_PROGRAM);
        id = identify();
        assert_int_equal(id.who, RKD_WHO_PROGRAM);
        assert_int_equal(id.state, RKD_UNMANAGED);
        assert_int_equal(id.digest_source, RKD_DIGEST_AREA);
        assert_int_equal(id.image_length, sizeof(image));
        rkd_sha256_init(&sha);
        rkd_sha256_add(&sha, image, sizeof(image));
        rkd_sha256_finish(&sha, digest);
        assert_memory_equal(id.image_sha256, digest, sizeof(digest));
        assert_int_equal(board.operations, 0);
}

/* It cannot be counted in a record; the pause grows up to about an hour, and stays so. */
static void a_program_without_a_record_that_crashes_is_tried_later_and_later(void **state) {
        unsigned minutes = 8;

        board.behaviour = PROGRAM_CRASHES;
        board_load(&board, image, sizeof(image));
        board_power_on(&board);
        board_run(&board, 1000);
        assert_int_equal(board.starts, 4);
        for (unsigned starts = 5; starts < 300; starts++) {
                board.now_ms = board.up_ms + minutes * 60000 - 1000;
                board_run(&board, 500);
                assert_int_equal(board.starts, starts - 1);
                board_run(&board, 1000);
                assert_int_equal(board.starts, starts);
                minutes = minutes < 64 ? 2 * minutes : minutes;
        }
}

static void expect_no_start(unsigned state) {
        board_power_on(&board);
        board_run(&board, 20000);
        assert_int_equal(identify().state, state);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        board_run(&board, 5);
        assert_int_equal(board.starts, 0);
}

/* It looks as if flash was erased there, or never written whole. */
static void a_program_whose_first_word_is_none_is_not_started(void **state) {
        for (unsigned byte = 0; byte < 256; byte += 255) {
                memset(image, (int)byte, 4);
                board_load(&board, image, sizeof(image));
                expect_no_start(RKD_EMPTY);
        }
}

static int say_no(void *user) {
        return 0;
}

static void what_the_platform_calls_implausible_is_not_started(void **state) {
        board.platform.is_plausible = say_no;
        board_load(&board, image, sizeof(image));
        expect_no_start(RKD_EMPTY);
}

static void what_is_implausible_is_not_verified(void **state) {
        board.platform.is_plausible = say_no;
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, push), RKD_BAD_DIGEST);
        expect_no_start(RKD_PUSHING);
}

static void a_descriptor_tells_version_and_length(void **state) {
        RkdDescriptor d = {
                .magic = RKD_DESCRIPTOR_MAGIC, .model = "boiler-ctl", .version = "0.9"
        };
        RkdIdentity id;

        memset(image + 2000, 0xff, 1000); /* belongs to the image all the same */
        d.length = sizeof(image);
        memcpy(image + 1020, &d, sizeof(d));
        memcpy(image + 400, d.magic, sizeof(d.magic)); /* not a descriptor */
        board_load(&board, image, sizeof(image));
        board.platform.listen_ms = 60000;
        board_power_on(&board);
        id = identify();
        assert_int_equal(id.state, RKD_UNMANAGED);
        assert_int_equal(id.digest_source, RKD_DIGEST_DESCRIPTOR);
        assert_int_equal(id.image_length, sizeof(image));
        assert_true(rkd_text_equal(id.version, rkd_text("0.9")));
        board.descriptor = &d;
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), 0);
        board_run(&board, 5);
        id = identify();
        assert_int_equal(id.who, RKD_WHO_PROGRAM);
        assert_int_equal(id.digest_source, RKD_DIGEST_DESCRIPTOR);
        assert_true(rkd_text_equal(id.version, rkd_text("0.9")));
}

/* Not even when the record that says whose it is cannot be read any more. */
static void a_descriptor_that_was_pushed_over_tells_nothing(void **state) {
        RkdDescriptor d = {
                .magic = RKD_DESCRIPTOR_MAGIC, .model = "boiler-ctl", .version = "0.9"
        };

        d.length = sizeof(d);
        board_load(&board, (const uint8_t *)&d, sizeof(d));
        board.platform.listen_ms = 60000;
        board_power_on(&board);
        assert_int_equal(identify().version.length, 3);
        memset(image, 'A', 200);
        image[200] = 0;
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        board.dead = BOARD_SPACE;
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), RKD_BAD_STATE);
        assert_int_equal(identify().state, RKD_PUSHING);
        assert_int_equal(identify().version.length, 0);
}

static void a_push_over_an_unmanaged_program_works(void **state) {
        static uint8_t other[2000];

        image_make(other, sizeof(other), 9);
        board_load(&board, other, sizeof(other));
        board_power_on(&board);
        board_run(&board, 40);
        assert_int_equal(board.runs, BOARD_PROGRAM);
        assert_int_equal(gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER }), 0);
        board_run(&board, 5);
        assert_int_equal(gateway_install(&gateway, push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push.push_id), 0);
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
}

static void without_retained_ram_enter_is_denied(void **state) {
        board.platform.retained = NULL;
        install_and_start();
        run_until_healthy();
        assert_int_equal(gateway_ask(&gateway, &(RkdRequest){ .type = RKD_ENTER }), RKD_DENIED);
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_crashing_program_uses_up_its_starts),
                TEST(a_silent_program_is_reset_by_the_trial_timer),
                TEST(without_a_trial_timer_none_is_asked_for),
                TEST(a_failed_program_is_tried_again_when_nobody_talks),
                TEST(the_start_that_goes_on_is_no_failure),
                TEST(healthy_starts_never_use_up_the_attempts),
                TEST(confirm_may_be_repeated),
                TEST(the_bootloader_can_confirm_too),
                TEST(what_never_ran_is_not_confirmed),
                TEST(what_is_damaged_is_not_confirmed),
                TEST(what_has_no_record_is_not_confirmed),
                TEST(a_program_confirms_no_push_that_is_open),
                TEST(a_confirmed_program_has_all_its_starts),
                TEST(a_mark_that_failed_is_not_written_again),
                TEST(a_mark_that_could_not_be_written_is_tried_again),
                TEST(confirmed_starts_write_no_flash),
                TEST(a_confirmed_program_that_crashes_uses_up_its_starts),
                TEST(starts_are_used_up_over_the_end_of_a_page),
                TEST(seldom_crashes_of_a_confirmed_program_do_no_harm),
                TEST(a_damaged_program_is_not_started),
                TEST(a_damaged_record_counts_as_an_open_push),
                TEST(a_mark_that_cannot_be_read_is_not_believed),
                TEST(the_newer_record_page_counts),
                TEST(of_two_equal_record_pages_the_second_counts),
                TEST(enter_keeps_the_device_in_its_bootloader_for_a_while),
                TEST(polling_alone_does_not_keep_it_there),
                TEST(a_start_does_not_keep_it_there_either),
                TEST(a_program_reports_that_it_is_sick),
                TEST(a_program_without_a_record_is_started_and_told_of),
                TEST(a_program_without_a_record_that_crashes_is_tried_later_and_later),
                TEST(a_program_whose_first_word_is_none_is_not_started),
                TEST(what_the_platform_calls_implausible_is_not_started),
                TEST(what_is_implausible_is_not_verified),
                TEST(a_descriptor_tells_version_and_length),
                TEST(a_descriptor_that_was_pushed_over_tells_nothing),
                TEST(a_push_over_an_unmanaged_program_works),
                TEST(without_retained_ram_enter_is_denied),
        };

        return cmocka_run_group_tests_name("marks", tests, NULL, NULL);
}

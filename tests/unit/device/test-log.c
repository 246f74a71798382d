/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library tells the log of its platform.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/gateway.h"
#include "device/rkd-numbers.h"

#define LOG_MAX 32u

typedef struct Entry {
        RkdLog what;
        uint32_t value;
} Entry;

static Board board;
static Gateway gateway;
static Entry entries[LOG_MAX];
static size_t n_entries;
static uint8_t image[3000];
static const Push push = {
        .image = image, .n_image = sizeof(image), .push_id = 0x1111, .version = "1.0.0"
};

static void on_log(void *user, RkdLog what, uint32_t value) {
        if (user != &board || n_entries == LOG_MAX)
                board_violate(&board, "a log that nobody asked for");
        else
                entries[n_entries++] = (Entry){ what, value };
}

static int set_up(void **state) {
        board_init(&board);
        gateway_init(&gateway, &board);
        image_make(image, sizeof(image), 1);
        board.platform.log = on_log;
        n_entries = 0;
        return 0;
}

static int tear_down(void **state) {
        if (board.violations > 0)
                print_error("%u violations, the first: %s\n", board.violations, board.violation);
        return board.violations > 0;
}

static void expect_log(const Entry *wanted, size_t n) {
        for (size_t i = 0; i < n && i < n_entries; i++) {
                assert_int_equal(entries[i].what, wanted[i].what);
                assert_int_equal(entries[i].value, wanted[i].value);
        }
        assert_int_equal(n_entries, n);
}
#define EXPECT_LOG(...)                                                                            \
        expect_log((const Entry[]){ __VA_ARGS__ },                                                 \
                        sizeof((const Entry[]){ __VA_ARGS__ }) / sizeof(Entry))

static void an_update_is_told_from_begin_to_confirm(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, push.push_id), 0);
        assert_int_equal(gateway_confirm(&gateway, push.push_id), 0);
        EXPECT_LOG({ RKD_LOG_BOOT, RKD_CAUSE_POWER }, { RKD_LOG_PUSH, sizeof(image) },
                        { RKD_LOG_STREAM, RKD_OK }, { RKD_LOG_MARK, RKD_MARK_VERIFIED },
                        { RKD_LOG_MARK, RKD_MARK_PAIRS }, { RKD_LOG_START, 1 },
                        { RKD_LOG_MARK, RKD_MARK_PAIRS + 1 }, { RKD_LOG_MARK, RKD_MARK_CONFIRMED });
}

static void what_is_refused_is_told_with_its_result(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 5), RKD_FOREIGN_PUSH);
        EXPECT_LOG({ RKD_LOG_BOOT, RKD_CAUSE_POWER },
                        { RKD_LOG_REFUSED, RKD_START | RKD_FOREIGN_PUSH << 8 });
}

static void flash_that_fails_is_told_once(void **state) {
        for (unsigned is_write = 0; is_write <= 1; is_write++) {
                board_power_on(&board);
                assert_int_equal(gateway_begin(&gateway, &push), 0);
                n_entries = 0;
                board.fail_at = board.operations + 1 + is_write;
                assert_int_equal(gateway_stream(&gateway, &push), RKD_FLASH);
                assert_true(n_entries >= 2);
                n_entries = 2;
                EXPECT_LOG({ RKD_LOG_FLASH, is_write }, { RKD_LOG_STREAM, RKD_FLASH });
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(an_update_is_told_from_begin_to_confirm),
                TEST(what_is_refused_is_told_with_its_result),
                TEST(flash_that_fails_is_told_once),
        };

        return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A push from the first frame to the start, and what can come between.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/gateway.h"

static Board board;
static Gateway gateway;
static uint8_t old_image[5000], new_image[9001];
static const Push first = {
        .image = old_image, .n_image = sizeof(old_image), .push_id = 0x1111, .version = "1.0.0"
};
static const Push second = {
        .image = new_image, .n_image = sizeof(new_image), .push_id = 0x2222, .version = "1.1.0"
};

static int set_up(void **state) {
        board_init(&board);
        gateway_init(&gateway, &board);
        image_make(old_image, sizeof(old_image), 1);
        image_make(new_image, sizeof(new_image), 2);
        return 0;
}

static int tear_down(void **state) {
        if (board.violations > 0)
                print_error("%u violations, the first: %s\n", board.violations, board.violation);
        return board.violations > 0;
}

static RkdIdentity identify(void) {
        RkdIdentity id;

        memset(&id, 0, sizeof(id));
        assert_int_equal(gateway_identify(&gateway, &id), 0);
        return id;
}

static void a_blank_device_is_empty_and_says_hello(void **state) {
        RkdIdentity id;

        board_power_on(&board);
        assert_true(gateway_await(&gateway, RKD_HELLO, 5));
        assert_int_equal(gateway.answer.who, RKD_WHO_BOOTLOADER);
        assert_int_equal(gateway.answer.reason, RKD_EMPTY);
        id = identify();
        assert_int_equal(id.state, RKD_EMPTY);
        assert_int_equal(id.push_id, 0);
        assert_int_equal(id.digest_source, RKD_DIGEST_NONE);
        assert_true(rkd_text_equal(id.model, rkd_text("boiler-ctl")));
        assert_int_equal(id.program_space, BOARD_SPACE);
}

static void hello_comes_every_second_while_nobody_talks(void **state) {
        board_power_on(&board);
        for (int i = 0; i < 5; i++)
                assert_true(gateway_await(&gateway, RKD_HELLO, 1001));
}

static void a_whole_push_starts_and_is_confirmed(void **state) {
        RkdIdentity id;

        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, first), 0);
        assert_true(board_holds(&board, old_image, sizeof(old_image)));
        assert_int_equal(identify().state, RKD_VERIFIED);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, first.push_id), 0);
        assert_true(gateway_await(&gateway, RKD_HELLO, 50));
        assert_int_equal(gateway.answer.who, RKD_WHO_PROGRAM);
        assert_int_equal(gateway_confirm(&gateway, first.push_id), 0);
        id = identify();
        assert_int_equal(id.who, RKD_WHO_PROGRAM);
        assert_int_equal(id.state, RKD_CONFIRMED);
        assert_int_equal(id.health, RKD_HEALTH_GOOD);
        assert_int_equal(id.boots, 1);
        assert_true(id.push_id == first.push_id);
        assert_true(rkd_text_equal(id.version, rkd_text("1.0.0")));
}

static void an_upgrade_sends_only_what_differs(void **state) {
        Push push = second;

        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, first), 0);
        memcpy(new_image, old_image, 4096);
        gateway.sent_data = 0;
        push.replaces = first.push_id;
        assert_int_equal(gateway_push(&gateway, &push), 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
        assert_true(gateway.sent_data <= (sizeof(new_image) - 4096) / 252 + 6);
}

static void a_cut_push_goes_on_from_the_sums(void **state) {
        board_power_on(&board);
        board.cut_at = 12; /* two for the record, three for each unit */
        board.cut = CUT_INSIDE;
        assert_int_equal(gateway_install(&gateway, second), -1);
        board_power_on(&board);
        gateway_init(&gateway, &board);
        assert_int_equal(identify().state, RKD_PUSHING);
        assert_int_equal(gateway_install(&gateway, second), 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
        assert_true(gateway.sent_data <= (sizeof(new_image) - 3 * BOARD_UNIT) / 252 + 6);
}

static void a_lost_frame_is_told_at_once(void **state) {
        board_power_on(&board);
        gateway.drop_data = 3;
        assert_int_equal(gateway_install(&gateway, second), 0);
        assert_true(gateway.naks > 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
}

static void a_gap_is_told_once_until_time_has_passed(void **state) {
        const RkdRequest q = { .type = RKD_STREAM, .length = 4000, .stream_id = 1 };

        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        gateway_send(&gateway, RKD_DATA, 0, (const uint8_t[]){ 8, 0, 0, 0, 1, 2 }, 6);
        gateway_send(&gateway, RKD_DATA, 0, (const uint8_t[]){ 10, 0, 0, 0, 1, 2 }, 6);
        assert_true(gateway_await(&gateway, RKD_NAK, 10));
        assert_int_equal(gateway.answer.status.received, 0);
        assert_false(gateway_await(&gateway, RKD_NAK, 240));
        assert_true(gateway_await(&gateway, RKD_NAK, 20));
        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, (const uint8_t[]){ 0, 0, 0, 0, 0, 0 }, 6);
        assert_true(gateway_await(&gateway, RKD_ACK, 10));
        assert_int_equal(gateway.answer.status.received, 2);
        assert_false(gateway_await(&gateway, RKD_NAK, 600));
}

static void data_beyond_the_credit_is_not_taken(void **state) {
        const RkdRequest q = { .type = RKD_STREAM, .length = 100000, .stream_id = 1 };
        uint8_t data[6] = { 0 };

        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_equal(gateway.answer.credit, BOARD_RING);
        rkd_store_u32(data, gateway.answer.credit - 1);
        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, 6);
        assert_true(gateway_await(&gateway, RKD_NAK, 10));
        assert_int_equal(gateway.answer.status.received, 0);
}

/* All of it comes before the device looks: as much as was granted, and a byte more in the last
 * frame. */
static void a_frame_that_ends_beyond_the_credit_is_not_taken(void **state) {
        const RkdRequest q = { .type = RKD_STREAM, .length = 100000, .stream_id = 1 };
        uint8_t data[1024] = { 0 };
        uint32_t at = 0, n = sizeof(data) - 4;

        board.rate = BOARD_LINE;
        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        data[8] = 8; /* units in the run */
        for (; at + n <= BOARD_RING; at += n) {
                rkd_store_u32(data, at);
                gateway_send(&gateway, RKD_DATA, 0, data, sizeof(data));
                data[8] = 0;
        }
        rkd_store_u32(data, at);
        gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, 4 + BOARD_RING - at + 1);
        assert_true(gateway_await(&gateway, RKD_NAK, 10));
        assert_int_equal(gateway.answer.status.received, at);
        assert_int_equal(gateway.answer.status.error, 0);
}

static void bad_streams_stop_with_their_error(void **state) {
        static const struct {
                uint32_t first, count, length;
                uint8_t error;
        } cases[] = {
                { 9, 1, 2000, RKD_RANGE },
                { 0, 10, 20000, RKD_RANGE },
                { 0xffffffff, 2, 20000, RKD_RANGE },
                { 1, 0xffffffff, 20000, RKD_RANGE },
                { 0, 0, 2000, RKD_BAD_STREAM },
                { 1, 1, 8, RKD_BAD_STREAM },
        };

        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                RkdRequest q = { .type = RKD_STREAM, .length = cases[i].length };
                uint8_t data[12] = { 0 };

                gateway.credit = 0;
                q.stream_id = (uint16_t)(i + 1);
                rkd_store_u32(data + 4, cases[i].first);
                rkd_store_u32(data + 8, cases[i].count);
                assert_int_equal(gateway_ask(&gateway, &q), 0);
                gateway_send(&gateway, RKD_DATA, 0, data, sizeof(data));
                /* flash that blocks the CPU is announced before */
                do
                        assert_true(gateway_await(&gateway, RKD_ACK, 100));
                while (gateway.answer.status.busy_ms > 0);
                assert_int_equal(gateway.answer.status.error, cases[i].error);
                assert_int_equal(gateway_ask(&gateway, &q), cases[i].error);
        }
}

/* The four kinds of device: who may speak, and whether flash stops the CPU. */
static void choose_kind(unsigned kind) {
        assert_int_equal(set_up(NULL), 0);
        board.platform.address = kind & 1 ? 9 : 0;
        if (kind & 1)
                board.platform.capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
        if (kind & 2)
                board.platform.capabilities |= RKD_CAN_FLASH_BLOCKS_CPU;
        board.flash_ms = 7;
        board_power_on(&board);
        gateway_init(&gateway, &board);
}

static void any_lost_frame_is_made_up_for(void **state) {
        for (unsigned kind = 0; kind < 4; kind++)
                for (unsigned drop = 1; drop <= 37; drop++) {
                        choose_kind(kind);
                        gateway.drop_data = drop;
                        assert_int_equal(gateway_install(&gateway, second), 0);
                        assert_true(board_holds(&board, new_image, sizeof(new_image)));
                        assert_int_equal(board.violations, 0);
                }
}

static void noise_both_ways_only_takes_longer(void **state) {
        for (unsigned kind = 0; kind < 4; kind++)
                for (unsigned seed = 1; seed <= 6; seed++) {
                        choose_kind(kind);
                        board.random = seed;
                        board.noise = 900;
                        assert_int_equal(gateway_install(&gateway, second), 0);
                        assert_true(board_holds(&board, new_image, sizeof(new_image)));
                        if (board.violations > 0 && !(kind & 2))
                                fail_msg("%s", board.violation);
                        board.violations = 0; /* a lost ACK lets the gateway talk into flash */
                }
}

static void a_lost_poll_does_not_stop_the_push(void **state) {
        board_power_on(&board);
        gateway.drop_data = 17; /* the last under the first credit */
        assert_int_equal(gateway_install(&gateway, second), 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
}

static void a_slow_flash_stretches_the_credit(void **state) {
        board_power_on(&board);
        board.flash_ms = 60;
        assert_int_equal(gateway_install(&gateway, second), 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
}

static void a_small_ring_is_enough(void **state) {
        board.platform.ring_bytes = 256;
        board.platform.max_payload = 256;
        board.platform.tx_bytes = RKD_TX_BYTES(64);
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, second), 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
}

static void half_duplex_speaks_only_when_polled(void **state) {
        board.platform.address = 7;
        board.platform.capabilities &= ~(uint32_t)RKD_CAN_FULL_DUPLEX;
        board_power_on(&board);
        board_run(&board, 3000);
        assert_int_equal(board.n_from_device, 0);
        gateway_init(&gateway, &board);
        assert_int_equal(gateway_install(&gateway, second), 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
        assert_int_equal(gateway.hellos, 0);
        gateway_send(&gateway, RKD_NOP, 0, NULL, 0);
        assert_false(gateway_await(&gateway, 0, 300));
}

/* On a bus nobody may speak unasked, even where the platform says that its line is full duplex. */
static void power_on_a_bus(void) {
        board.platform.address = 7;
        assert_true((board.platform.capabilities & RKD_CAN_FULL_DUPLEX) != 0);
        board_power_on(&board);
        gateway_init(&gateway, &board);
}

static void no_hello_comes_on_a_bus(void **state) {
        power_on_a_bus();
        assert_false(gateway_await(&gateway, 0, 3000));
        assert_int_equal(gateway_install(&gateway, first), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, first.push_id), 0);
        assert_false(gateway_await(&gateway, 0, 3000));
        assert_int_equal(board.runs, BOARD_PROGRAM);
        assert_int_equal(gateway.hellos, 0);
}

static void no_command_is_answered_on_a_bus_without_poll(void **state) {
        power_on_a_bus();
        gateway_send(&gateway, RKD_NOP, 0, NULL, 0);
        assert_false(gateway_await(&gateway, 0, 300));
        gateway_send(&gateway, RKD_NOP, RKD_FLAG_POLL, NULL, 0);
        assert_true(gateway_await(&gateway, RKD_NOP, 20));
}

static void the_speed_of_a_bus_stays(void **state) {
        power_on_a_bus();
        assert_int_equal(gateway_ask(&gateway,
                                         &(RkdRequest){ .type = RKD_SET_BAUD, .baud = 460800 }),
                        RKD_SPEED);
        board_run(&board, 5);
        assert_int_equal(board.baud, 115200);
}

static uint8_t say_nine(void *user) {
        return 9;
}

static void the_address_may_be_found_out(void **state) {
        board.platform.find_address = say_nine;
        power_on_a_bus();
        gateway.address = 9;
        assert_int_equal(identify().state, RKD_EMPTY);
}

static void data_is_not_told_of_on_a_bus_without_poll(void **state) {
        static const struct {
                uint8_t data[6]; /* offset, bytes */
                uint8_t told;
        } cases[] = {
                { { 0 }, RKD_ACK }, { { 100 }, RKD_NAK }, /* a gap */
        };
        RkdRequest q = { .type = RKD_STREAM, .length = 4000 };

        power_on_a_bus();
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const uint8_t *data = cases[i].data;

                gateway.credit = 0;
                q.stream_id++;
                assert_int_equal(gateway_ask(&gateway, &q), 0);
                gateway_send(&gateway, RKD_DATA, 0, data, 6);
                gateway_send(&gateway, RKD_DATA, 0, data, 6);
                assert_false(gateway_await(&gateway, 0, 600));
                gateway_send(&gateway, RKD_DATA, RKD_FLAG_POLL, data, 6);
                assert_true(gateway_await(&gateway, cases[i].told, 20));
        }
}

static void flash_that_blocks_the_cpu_is_announced(void **state) {
        board.platform.capabilities |= RKD_CAN_FLASH_BLOCKS_CPU;
        board.flash_ms = 30;
        board_power_on(&board);
        assert_int_equal(gateway_install(&gateway, second), 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
}

static void blocking_flash_works_in_half_duplex(void **state) {
        board.platform.address = 9;
        board.platform.capabilities = RKD_CAN_FLASH_BLOCKS_CPU;
        board.flash_ms = 30;
        board_power_on(&board);
        gateway_init(&gateway, &board);
        assert_int_equal(gateway_install(&gateway, second), 0);
        assert_true(board_holds(&board, new_image, sizeof(new_image)));
}

/* The page is full only when END has been asked: nobody polls for a STATUS any more. */
static void busy_answer_announces_the_last_page_in_half_duplex(void **state) {
        const Push push = {
                .image = new_image, .n_image = 200, .push_id = 0x3333, .version = "1.2.0"
        };
        const RkdRequest open = {
                .type = RKD_STREAM, .codec = RKD_CODEC_RAW, .length = 216, .stream_id = 1
        };
        uint8_t data[4 + 216] = { [8] = 1 }; /* offset 0, unit 0, one unit; the end */

        memcpy(data + 12, new_image, 200);
        board.platform.address = 9;
        board.platform.capabilities = RKD_CAN_FLASH_BLOCKS_CPU;
        board.flash_ms = 30;
        board_power_on(&board);
        gateway_init(&gateway, &board);
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        assert_int_equal(gateway_ask(&gateway, &open), 0);
        gateway_send(&gateway, RKD_DATA, 0, data, sizeof(data));
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, push.push_id), 0);
        assert_true(board_holds(&board, new_image, 200));
}

static void wrong_bytes_never_verify(void **state) {
        Push push = first;

        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &push), 0);
        push.image = new_image;
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, first.push_id), RKD_BAD_DIGEST);
        assert_int_equal(gateway_ask_id(&gateway, RKD_START, 0), RKD_NOT_RUNNABLE);
        push.image = old_image;
        assert_int_equal(gateway_stream(&gateway, &push), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, first.push_id), 0);
}

static void a_failing_flash_is_told(void **state) {
        board_power_on(&board);
        assert_int_equal(gateway_begin(&gateway, &second), 0);
        board.fail_at = board.operations + 3;
        assert_int_equal(gateway_stream(&gateway, &second), RKD_FLASH);
        assert_int_equal(gateway_stream(&gateway, &second), 0);
        assert_int_equal(gateway_ask_id(&gateway, RKD_END, second.push_id), 0);
}

static void the_release_can_be_read_back(void **state) {
        RkdRequest q = { .type = RKD_IDENTIFY, .what = RKD_IDENTIFY_RELEASE, .want = 4 };
        Push push = first;
        RkdHeader h;

        push.algorithm = RKD_ALGORITHM_ED25519;
        board_power_on(&board);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_equal(gateway.answer.total, 0);
        assert_int_equal(gateway_install(&gateway, push), 0);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_equal(gateway.answer.n_bytes, 4);
        assert_int_equal(rkd_load_u16(gateway.answer.bytes + 2), 64);
        q.offset = 4;
        q.want = rkd_load_u16(gateway.answer.bytes);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_equal(gateway.answer.n_bytes, q.want);
        assert_int_equal(rkd_header_decode(&h, gateway.answer.bytes, q.want), 0);
        assert_true(rkd_text_equal(h.version, rkd_text("1.0.0")));
}

static void flash_can_be_read_where_that_is_allowed(void **state) {
        RkdRequest q = { .type = RKD_READ, .offset = 100, .want = 200 };

        board_load(&board, old_image, sizeof(old_image));
        board.platform.listen_ms = 100000;
        board_power_on(&board);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        assert_int_equal(gateway.answer.n_bytes, 200);
        assert_memory_equal(gateway.answer.bytes, old_image + 100, 200);
        q.offset = BOARD_SPACE - 100;
        assert_int_equal(gateway_ask(&gateway, &q), RKD_RANGE);
        board.platform.capabilities &= ~(uint32_t)RKD_CAN_READ;
        assert_int_equal(gateway_ask(&gateway, &q), RKD_DENIED);
}

static void speed_changes_after_the_answer_and_falls_back(void **state) {
        RkdRequest q = { .type = RKD_SET_BAUD, .baud = 460800 };
        const RkdRequest nop = { .type = RKD_NOP };

        board_power_on(&board);
        assert_int_equal(gateway_ask(&gateway, &q), 0);
        board_run(&board, 2);
        assert_int_equal(board.baud, 460800);
        for (int i = 0; i < 20; i++) {
                board_run(&board, 150);
                assert_int_equal(gateway_ask(&gateway, &nop), 0);
        }
        assert_int_equal(board.baud, 460800);
        board_run(&board, 502);
        assert_int_equal(board.baud, 115200);
        q.baud = 9600;
        assert_int_equal(gateway_ask(&gateway, &q), RKD_SPEED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(a_blank_device_is_empty_and_says_hello),
                TEST(hello_comes_every_second_while_nobody_talks),
                TEST(a_whole_push_starts_and_is_confirmed),
                TEST(an_upgrade_sends_only_what_differs),
                TEST(a_cut_push_goes_on_from_the_sums),
                TEST(a_lost_frame_is_told_at_once),
                TEST(a_gap_is_told_once_until_time_has_passed),
                TEST(data_beyond_the_credit_is_not_taken),
                TEST(a_frame_that_ends_beyond_the_credit_is_not_taken),
                TEST(bad_streams_stop_with_their_error),
                TEST(any_lost_frame_is_made_up_for),
                TEST(noise_both_ways_only_takes_longer),
                TEST(a_lost_poll_does_not_stop_the_push),
                TEST(a_slow_flash_stretches_the_credit),
                TEST(a_small_ring_is_enough),
                TEST(half_duplex_speaks_only_when_polled),
                TEST(no_hello_comes_on_a_bus),
                TEST(no_command_is_answered_on_a_bus_without_poll),
                TEST(the_speed_of_a_bus_stays),
                TEST(the_address_may_be_found_out),
                TEST(data_is_not_told_of_on_a_bus_without_poll),
                TEST(flash_that_blocks_the_cpu_is_announced),
                TEST(blocking_flash_works_in_half_duplex),
                TEST(busy_answer_announces_the_last_page_in_half_duplex),
                TEST(wrong_bytes_never_verify),
                TEST(a_failing_flash_is_told),
                TEST(the_release_can_be_read_back),
                TEST(flash_can_be_read_where_that_is_allowed),
                TEST(speed_changes_after_the_answer_and_falls_back),
        };

        return cmocka_run_group_tests_name("push", tests, NULL, NULL);
}

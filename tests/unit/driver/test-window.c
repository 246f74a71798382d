/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "driver/native-window.h"

#define STREAM_BYTES 20000
#define BUFFER_BYTES 4096

static uint8_t stream[STREAM_BYTES];

static NativeWindow make(uint16_t max_payload) {
        NativeWindow w;

        native_window_init(&w, stream, STREAM_BYTES,
                        &(NativeWindowLimits){
                                        .window_bytes = BUFFER_BYTES, .max_payload = max_payload });
        w.credit = BUFFER_BYTES;
        return w;
}

static RkdStatus status(uint32_t received, uint32_t credit) {
        return (RkdStatus){ .received = received, .credit = credit };
}

/* Sends all it may; returns the pieces, and whether each but the last went without POLL. */
static unsigned drain(NativeWindow *w) {
        unsigned n = 0;
        bool poll = false;
        RkdRequest r;

        while (native_window_next(w, false, &r, &poll)) {
                assert_true(r.offset + r.n_bytes <= w->credit);
                n++;
                if (poll)
                        break;
        }
        assert_true(n == 0 || poll);
        return n;
}

static void sends_up_to_the_credit_and_polls_on_the_last(void **state) {
        NativeWindow w = make(516);

        assert_int_equal(drain(&w), 8);
        assert_int_equal(w.next, BUFFER_BYTES);
        assert_int_equal(drain(&w), 0);
}

static void waits_for_a_whole_piece_while_others_are_out(void **state) {
        NativeWindow w = make(2048);

        assert_int_equal(drain(&w), 2);
        assert_int_equal(w.next, 2 * 2044);
}

static void sends_a_quarter_when_the_line_runs_dry(void **state) {
        NativeWindow w = make(2048);
        RkdRequest r;
        bool poll;

        (void)drain(&w);
        w.credit += BUFFER_BYTES / 4;
        assert_false(native_window_may_send(&w, false));
        assert_true(native_window_next(&w, true, &r, &poll));
        assert_int_equal(r.n_bytes, w.credit - 2 * 2044);
        w.credit += BUFFER_BYTES / 4 - 1;
        assert_false(native_window_may_send(&w, true));
}

static void late_answers_make_pieces_shorter(void **state) {
        NativeWindowLimits limits = {
                .window_bytes = BUFFER_BYTES, .max_payload = 4096, .latency_bytes = 1500
        };
        NativeWindow w;

        native_window_init(&w, stream, STREAM_BYTES, &limits);
        assert_int_equal(w.piece_bytes, BUFFER_BYTES / 3);
        limits.latency_bytes = UINT32_MAX;
        native_window_init(&w, stream, STREAM_BYTES, &limits);
        assert_int_equal(w.piece_bytes, BUFFER_BYTES / 8);
        limits.latency_bytes = 0;
        limits.window_bytes = 1;
        native_window_init(&w, stream, STREAM_BYTES, &limits);
        assert_int_equal(w.piece_bytes, 60);
}

static void burst_takes_all_credit_and_ends_with_a_short_piece(void **state) {
        NativeWindowLimits limits = {
                .window_bytes = BUFFER_BYTES, .max_payload = 4096, .bursts = true
        };
        NativeWindow w;

        native_window_init(&w, stream, STREAM_BYTES, &limits);
        w.credit = BUFFER_BYTES;
        assert_int_equal(drain(&w), 3);
        assert_int_equal(w.next, BUFFER_BYTES);
        (void)native_window_status(&w,
                        &(RkdStatus){ .received = BUFFER_BYTES, .credit = BUFFER_BYTES + 100 },
                        false, true, 0, 0);
        assert_false(native_window_may_send(&w, true)); /* not worth two turnarounds */
}

/* It grants what its page takes, and not a byte more while nothing comes. */
static void device_whose_flash_blocks_it_gets_the_smallest_grant_at_once(void **state) {
        for (unsigned bursts = 0; bursts < 2; bursts++) {
                NativeWindowLimits limits = { .window_bytes = BUFFER_BYTES, .max_payload = 4096 };
                RkdStatus s = status(BUFFER_BYTES, BUFFER_BYTES + 1);
                NativeWindow w;

                limits.bursts = bursts;
                limits.whole = !bursts;
                limits.blocks = true;
                native_window_init(&w, stream, STREAM_BYTES, &limits);
                w.credit = BUFFER_BYTES;
                (void)drain(&w);
                (void)native_window_status(&w, &s, false, true, 0, 0);
                assert_int_equal(drain(&w), 1);
                assert_int_equal(w.next, BUFFER_BYTES + 1);
        }
}

static void sends_a_short_piece_when_nothing_else_is_out(void **state) {
        NativeWindow w = make(2048);

        w.credit = 100;
        assert_int_equal(drain(&w), 1);
        assert_int_equal(w.next, 100);
}

static void acknowledgement_moves_the_window(void **state) {
        NativeWindow w = make(516);
        RkdStatus s = status(1024, 1024 + BUFFER_BYTES);

        (void)drain(&w);
        assert_int_equal(native_window_status(&w, &s, false, false, 0, 0), NATIVE_WINDOW_PROGRESS);
        assert_int_equal(drain(&w), 2);
}

static void credit_is_never_taken_back(void **state) {
        NativeWindow w = make(516);
        RkdStatus s = status(512, 100);

        (void)drain(&w);
        (void)native_window_status(&w, &s, false, false, 0, 0);
        assert_int_equal(w.credit, BUFFER_BYTES);
}

static void nak_goes_back_to_what_was_received(void **state) {
        NativeWindow w = make(516);
        RkdStatus s = status(1024, BUFFER_BYTES);

        (void)drain(&w);
        assert_int_equal(native_window_status(&w, &s, true, false, 0, 1000), NATIVE_WINDOW_BACK);
        assert_int_equal(w.next, 1024);
}

static void second_nak_about_the_same_gap_is_stale(void **state) {
        NativeWindow w = make(516);
        RkdStatus s = status(1024, BUFFER_BYTES);

        (void)drain(&w);
        (void)native_window_status(&w, &s, true, false, 0, 1000);
        (void)drain(&w);
        assert_int_equal(native_window_status(&w, &s, true, false, 500, 2000),
                        NATIVE_WINDOW_NOTHING);
        assert_int_equal(native_window_status(&w, &s, true, false, 1500, 2500), NATIVE_WINDOW_BACK);
}

static void unsure_acknowledgement_never_goes_back(void **state) {
        NativeWindow w = make(516);
        RkdStatus s = status(1024, BUFFER_BYTES);

        (void)drain(&w);
        assert_int_equal(native_window_status(&w, &s, false, false, 0, 0), NATIVE_WINDOW_PROGRESS);
        assert_int_equal(w.next, BUFFER_BYTES);
        assert_int_equal(native_window_status(&w, &s, false, true, 0, 0), NATIVE_WINDOW_BACK);
}

static void device_that_counts_less_has_forgotten(void **state) {
        NativeWindow w = make(516);
        RkdStatus s = status(1024, BUFFER_BYTES), anew = status(0, 0);

        (void)drain(&w);
        (void)native_window_status(&w, &s, false, false, 0, 0);
        assert_int_equal(native_window_status(&w, &anew, false, true, 0, 0),
                        NATIVE_WINDOW_FORGOTTEN);
}

static void device_that_grants_less_has_forgotten(void **state) {
        NativeWindow w = make(516);
        RkdStatus anew = status(0, 0);

        (void)drain(&w);
        assert_int_equal(
                        native_window_status(&w, &anew, false, false, 0, 0), NATIVE_WINDOW_NOTHING);
        assert_int_equal(native_window_status(&w, &anew, false, true, 0, 0),
                        NATIVE_WINDOW_FORGOTTEN);
}

static void device_that_counts_beyond_the_stream_has_forgotten(void **state) {
        NativeWindow w = make(516);
        RkdStatus s = status(STREAM_BYTES + 1, UINT32_MAX);

        assert_int_equal(native_window_status(&w, &s, false, false, 0, 0), NATIVE_WINDOW_FORGOTTEN);
}

static void losses_make_pieces_smaller_and_peace_larger(void **state) {
        NativeWindow w = make(2048);
        uint32_t whole = w.piece_bytes;

        (void)drain(&w);
        (void)native_window_status(&w, &(RkdStatus){ .credit = BUFFER_BYTES }, true, false, 0, 0);
        assert_true(w.piece_bytes < whole);
        for (uint32_t at = 100; at < 1200; at += 100)
                (void)native_window_status(&w,
                                &(RkdStatus){ .received = at, .credit = at + BUFFER_BYTES }, false,
                                false, 0, 0);
        assert_int_equal(w.piece_bytes, whole);
}

static void last_piece_ends_with_the_stream(void **state) {
        NativeWindow w = make(516);
        RkdStatus s = status(STREAM_BYTES - 10, UINT32_MAX);
        RkdRequest r;
        bool poll;

        w.next = STREAM_BYTES - 10;
        (void)native_window_status(&w, &s, false, false, 0, 0);
        assert_true(native_window_next(&w, false, &r, &poll));
        assert_int_equal(r.n_bytes, 10);
        assert_true(poll);
        s.received = STREAM_BYTES;
        (void)native_window_status(&w, &s, false, false, 0, 0);
        assert_true(native_window_is_complete(&w));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(sends_up_to_the_credit_and_polls_on_the_last),
                cmocka_unit_test(waits_for_a_whole_piece_while_others_are_out),
                cmocka_unit_test(sends_a_quarter_when_the_line_runs_dry),
                cmocka_unit_test(late_answers_make_pieces_shorter),
                cmocka_unit_test(burst_takes_all_credit_and_ends_with_a_short_piece),
                cmocka_unit_test(device_whose_flash_blocks_it_gets_the_smallest_grant_at_once),
                cmocka_unit_test(sends_a_short_piece_when_nothing_else_is_out),
                cmocka_unit_test(acknowledgement_moves_the_window),
                cmocka_unit_test(credit_is_never_taken_back),
                cmocka_unit_test(nak_goes_back_to_what_was_received),
                cmocka_unit_test(second_nak_about_the_same_gap_is_stale),
                cmocka_unit_test(unsure_acknowledgement_never_goes_back),
                cmocka_unit_test(device_that_counts_less_has_forgotten),
                cmocka_unit_test(device_that_grants_less_has_forgotten),
                cmocka_unit_test(device_that_counts_beyond_the_stream_has_forgotten),
                cmocka_unit_test(losses_make_pieces_smaller_and_peace_larger),
                cmocka_unit_test(last_piece_ends_with_the_stream),
        };

        return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}

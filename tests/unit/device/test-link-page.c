/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The worked exchange of rekindle-link(7), replayed: the gateway's lines are what the encoders
 * make, the device's lines are what the library answers, byte by byte. The page is named on the
 * command line.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../device/gateway.h"

#define LINES_MAX 64u

typedef struct Line {
        char who;
        uint8_t bytes[512];
        size_t n;
} Line;

static const char *page;
static Line lines[LINES_MAX];
static unsigned n_lines;
static Board board;

static void add_bytes(const char *text) {
        Line *l = &lines[n_lines - 1];
        char *end;

        for (long byte; byte = strtol(text, &end, 16), end != text; text = end) {
                assert_true(l->n < sizeof(l->bytes) && byte >= 0 && byte <= 255);
                l->bytes[l->n++] = (uint8_t)byte;
        }
}

/* Lines that begin with > or <, and what is indented behind them, inside literal displays. */
static int read_page(void **state) {
        FILE *f = fopen(page, "re");
        char text[256];
        bool literal = false;

        if (!f)
                return -1;
        while (fgets(text, sizeof(text), f)) {
                if (text[0] == '.')
                        literal = strncmp(text, ".Bd -literal", 12) == 0;
                else if (literal && (text[0] == '>' || text[0] == '<') && n_lines < LINES_MAX) {
                        lines[n_lines++].who = text[0];
                        add_bytes(text + 1);
                } else if (literal && n_lines > 0)
                        add_bytes(text);
        }
        (void)fclose(f);
        board_init(&board);
        board_power_on(&board);
        return 0;
}

/* Decoded and encoded again, the frame must be the same. */
static void check_encoding(const Line *l) {
        uint8_t payload[RKD_PAYLOAD_MIN], again[RKD_PAYLOAD_MIN], out[128];
        RkdFrame frame = { 0 };
        RkdFrameReader reader;
        RkdRequest q;

        rkd_frame_reader_init(&reader, payload, sizeof(payload));
        for (size_t i = 0; i + 1 < l->n; i++)
                assert_int_equal(rkd_frame_reader_feed(&reader, l->bytes[i], &frame),
                                RKD_DECODED_MORE);
        assert_int_equal(rkd_frame_reader_feed(&reader, 0, &frame), RKD_DECODED_COMPLETE);
        assert_int_equal(rkd_request_decode(&q, frame.type, payload, frame.n_payload), 0);
        assert_int_equal(rkd_request_encode(&q, again, sizeof(again)), frame.n_payload);
        frame.payload = again;
        assert_int_equal(rkd_frame_encode(out, sizeof(out), &frame), l->n);
        assert_memory_equal(out, l->bytes, l->n);
}

static void expect(const Line *l) {
        for (int i = 0; i < 400 && board.n_from_device < l->n; i++)
                board_step(&board);
        assert_true(board.n_from_device >= l->n);
        assert_memory_equal(board.from_device, l->bytes, l->n);
        board.n_from_device -= l->n;
        memmove(board.from_device, board.from_device + l->n, board.n_from_device);
}

static void the_exchange_of_the_page_is_what_the_code_does(void **state) {
        unsigned said[2] = { 0 };

        for (unsigned i = 0; i < n_lines; i++) {
                const Line *l = &lines[i];

                said[l->who == '>']++;
                if (l->who == '<') {
                        expect(l);
                        continue;
                }
                check_encoding(l);
                board_run(&board, 10); /* the program takes 3 ms to be healthy */
                memcpy(board.to_device, l->bytes, l->n);
                board.n_to_device = l->n;
        }
        assert_int_equal(said[1], 9);
        assert_int_equal(said[0], 12);
        assert_int_equal(board.n_from_device, 0);
        assert_int_equal(board.violations, 0);
        assert_true(rkd_program_is_confirmed(&board.program));
        assert_memory_equal(board.flash, "Hello Rkd!\xff", 11);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(the_exchange_of_the_page_is_what_the_code_does, read_page),
        };

        if (argc != 2)
                return 2;
        page = argv[1];
        return cmocka_run_group_tests_name("link-page", tests, NULL, NULL);
}

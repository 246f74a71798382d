/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Payloads: every message there and back, and everything shorter, longer or odd refused.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/frame.h"
#include "proto/message.h"

static const uint8_t bytes[40] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static const RkdRequest requests[] = {
        { .type = RKD_IDENTIFY, .what = 1, .offset = 300, .want = 57 },
        { .type = RKD_NOP },
        { .type = RKD_BEGIN, .total = 200, .offset = 112, .bytes = bytes, .n_bytes = 40 },
        { .type = RKD_SUMS, .first = 0x10203, .count = 253 },
        { .type = RKD_STREAM, .codec = 0, .length = 0x01020304, .stream_id = 0xbeef },
        { .type = RKD_DATA, .offset = 0xa0b0c0d0, .bytes = bytes, .n_bytes = 17 },
        { .type = RKD_END, .push_id = 0x1122334455667788 },
        { .type = RKD_START, .push_id = 0 },
        { .type = RKD_CONFIRM, .push_id = UINT64_MAX },
        { .type = RKD_ENTER },
        { .type = RKD_SET_BAUD, .baud = 921600 },
        { .type = RKD_READ, .offset = 4096, .want = 1000 },
};

static const RkdAnswer answers[] = {
        { .type = RKD_IDENTIFY, .total = 300, .offset = 100, .bytes = bytes, .n_bytes = 33 },
        { .type = RKD_NOP, .busy_ms = 7, .status = { 1000, 5000, 20, RKD_PUSHING, 2, 65535, 14 } },
        { .type = RKD_BEGIN, .offset = 56 },
        { .type = RKD_SUMS, .first = 9, .count = 10, .bytes = bytes, .n_bytes = 40 },
        { .type = RKD_STREAM, .credit = 4096 },
        { .type = RKD_END, .busy_ms = 1 },
        { .type = RKD_START },
        { .type = RKD_CONFIRM },
        { .type = RKD_ENTER },
        { .type = RKD_SET_BAUD, .baud = 460800 },
        { .type = RKD_READ, .offset = 70000, .bytes = bytes, .n_bytes = 39 },
        { .type = RKD_ACK, .status = { 1, 2, 3, RKD_UNMANAGED, 3, 6, 18 } },
        { .type = RKD_NAK, .status = { 0, 0xffffffff, 0, 0, 0, 0, 0 } },
        { .type = RKD_HELLO, .who = 1, .reason = RKD_TRIAL, .boots = 513 },
};

static void every_request_comes_back(void **state) {
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
                uint8_t out[RKD_PAYLOAD_MIN], again[RKD_PAYLOAD_MIN];
                size_t n = rkd_request_encode(&requests[i], out, sizeof(out));
                RkdRequest q;

                assert_int_equal(rkd_request_decode(&q, requests[i].type, out, n), 0);
                assert_int_equal(rkd_request_encode(&q, again, sizeof(again)), n);
                assert_memory_equal(again, out, n);
                assert_true(q.push_id == requests[i].push_id);
                assert_int_equal(q.offset, requests[i].offset);
                assert_int_equal(q.n_bytes, requests[i].n_bytes);
        }
}

static void every_answer_comes_back(void **state) {
        for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
                uint8_t out[RKD_PAYLOAD_MIN], again[RKD_PAYLOAD_MIN];
                size_t n = rkd_answer_encode(&answers[i], out, sizeof(out));
                RkdAnswer a;

                assert_true(n > 0);
                assert_int_equal(rkd_answer_decode(&a, answers[i].type, out, n), 0);
                assert_int_equal(rkd_answer_encode(&a, again, sizeof(again)), n);
                assert_memory_equal(again, out, n);
                assert_memory_equal(&a.status, &answers[i].status, sizeof(a.status));
                assert_int_equal(a.offset, answers[i].offset);
        }
}

static bool has_open_end(uint8_t type) {
        return type == RKD_BEGIN || type == RKD_DATA || type == RKD_IDENTIFY || type == RKD_READ;
}

static void requests_of_another_length_are_refused(void **state) {
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
                uint8_t out[RKD_PAYLOAD_MIN + 1] = { 0 };
                size_t n = rkd_request_encode(&requests[i], out, RKD_PAYLOAD_MIN);
                uint8_t type = requests[i].type;
                RkdRequest q = { .type = 0xee };

                for (size_t k = 0; k < n; k++)
                        if (type != RKD_BEGIN && type != RKD_DATA)
                                assert_int_equal(rkd_request_decode(&q, type, out, k),
                                                RKD_E_MALFORMED);
                if (type != RKD_BEGIN && type != RKD_DATA)
                        assert_int_equal(rkd_request_decode(&q, type, out, n + 1), RKD_E_MALFORMED);
                assert_int_equal(q.type, 0xee);
        }
}

static void answers_of_another_length_are_refused(void **state) {
        for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
                uint8_t out[RKD_PAYLOAD_MIN + 1] = { 0 }, type = answers[i].type;
                size_t n = rkd_answer_encode(&answers[i], out, RKD_PAYLOAD_MIN);
                RkdAnswer a = { .type = 0xee };

                if (has_open_end(type) && type != RKD_BEGIN)
                        continue;
                for (size_t k = 0; k < n; k++)
                        assert_int_equal(rkd_answer_decode(&a, type, out, k), RKD_E_MALFORMED);
                assert_int_equal(rkd_answer_decode(&a, type, out, n + 1), RKD_E_MALFORMED);
                assert_int_equal(a.type, 0xee);
        }
}

static void a_refusal_is_three_bytes(void **state) {
        const RkdAnswer no = { .type = RKD_NOP, .result = RKD_BAD_STATE, .busy_ms = 0x1234 };
        uint8_t out[8];
        RkdAnswer a;

        assert_int_equal(rkd_answer_encode(&no, out, sizeof(out)), 3);
        assert_memory_equal(out, ((uint8_t[]){ 4, 0x34, 0x12 }), 3);
        assert_int_equal(rkd_answer_decode(&a, RKD_NOP, out, 3), 0);
        assert_int_equal(a.result, RKD_BAD_STATE);
        assert_int_equal(rkd_answer_decode(&a, 0x33, (const uint8_t[]){ 2, 0, 0 }, 3), 0);
}

static void odd_values_are_refused(void **state) {
        static const struct {
                bool request;
                uint8_t type, n, payload[16];
        } cases[] = {
                { true, RKD_BEGIN, 4, { 10, 0, 0, 0 } },             /* no bytes */
                { true, RKD_BEGIN, 6, { 10, 0, 9, 0, 1, 2 } },       /* beyond the total */
                { true, RKD_STREAM, 8, { 0, 1, 0, 0, 0, 0, 0, 0 } }, /* reserved */
                { true, RKD_DATA, 4, { 0 } },                        /* no bytes */
                { true, RKD_DATA, 6, { 0xff, 0xff, 0xff, 0xff, 1, 2 } }, { true, 0x00, 0, { 0 } },
                { true, 0x0d, 0, { 0 } }, { true, RKD_ACK, 15, { 0 } },
                { false, RKD_END, 3, { 19, 0, 0 } },     /* no such result */
                { false, RKD_HELLO, 4, { 2, 0, 0, 0 } }, /* no such who */
                { false, RKD_HELLO, 4, { 0, 8, 0, 0 } }, /* no such state */
                { false, RKD_ACK, 15, { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8 } },
                { false, RKD_ACK, 15, { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4 } },
                { false, RKD_ACK, 15, { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 19 } },
                { false, RKD_IDENTIFY, 8, { 0, 0, 0, 10, 0, 10, 0, 1 } }, /* beyond the total */
                { false, RKD_SUMS, 13, { 0, 0, 0, 0, 0, 0, 0, 2, 0 } },   /* one sum for two */
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                RkdRequest q;
                RkdAnswer a;
                int r = cases[i].request ? rkd_request_decode(&q, cases[i].type, cases[i].payload,
                                                           cases[i].n)
                                         : rkd_answer_decode(&a, cases[i].type, cases[i].payload,
                                                           cases[i].n);

                if (r != RKD_E_MALFORMED)
                        fail_msg("case %zu is accepted", i);
        }
}

static void what_does_not_fit_is_not_encoded(void **state) {
        uint8_t out[RKD_PAYLOAD_MIN];

        assert_int_equal(rkd_request_encode(&requests[2], out, 43), 0);
        assert_int_equal(rkd_request_encode(&requests[2], out, 44), 44);
        assert_int_equal(rkd_answer_encode(&answers[0], out, 39), 0);
        assert_int_equal(rkd_answer_encode(&answers[0], out, 40), 40);
        assert_int_equal(rkd_answer_encode(&(RkdAnswer){ .type = 0x50 }, out, 40), 0);
}

static void a_begin_area_comes_back(void **state) {
        const RkdBegin begin = { .flags = RKD_BEGIN_RESTORE,
                .trial_seconds = 30,
                .push_id = 1,
                .replaces = 2,
                .header = bytes,
                .n_header = 40,
                .signature = bytes,
                .n_signature = 8 };
        uint8_t out[128];
        size_t n = rkd_begin_encode(&begin, out, sizeof(out));
        RkdBegin b;

        assert_int_equal(n, RKD_BEGIN_FIXED + 48);
        assert_int_equal(rkd_begin_decode(&b, out, n), 0);
        assert_true(b.push_id == 1 && b.replaces == 2);
        assert_memory_equal(b.signature, bytes, 8);
        for (size_t k = 0; k < n; k++)
                assert_int_equal(rkd_begin_decode(&b, out, k), RKD_E_MALFORMED);
        assert_int_equal(rkd_begin_decode(&b, out, n + 1), RKD_E_MALFORMED);
}

static void a_begin_area_with_odd_values_is_refused(void **state) {
        static const struct {
                uint8_t at, value;
        } odd[] = { { 0, 2 }, { 1, 2 }, { 2, 0 }, { 3, 15 }, { 4, 0 }, { 21, 2 }, { 22, 65 } };

        for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
                uint8_t area[24 + 40] = { 1, 0, 5, 0, 9 };
                RkdBegin b;

                area[20] = 40;
                assert_int_equal(rkd_begin_decode(&b, area, sizeof(area)), 0);
                if (odd[i].at == 2)
                        area[3] = 0;
                area[odd[i].at] = odd[i].value;
                assert_int_equal(rkd_begin_decode(&b, area, sizeof(area)), RKD_E_MALFORMED);
        }
}

static void every_result_has_its_text(void **state) {
        for (unsigned i = 0; i < 256; i++)
                assert_true(strlen(rkd_result_text((uint8_t)i)) > 5);
        assert_string_not_equal(rkd_result_text(1), rkd_result_text(2));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_request_comes_back),
                cmocka_unit_test(every_answer_comes_back),
                cmocka_unit_test(requests_of_another_length_are_refused),
                cmocka_unit_test(answers_of_another_length_are_refused),
                cmocka_unit_test(a_refusal_is_three_bytes),
                cmocka_unit_test(odd_values_are_refused),
                cmocka_unit_test(what_does_not_fit_is_not_encoded),
                cmocka_unit_test(a_begin_area_comes_back),
                cmocka_unit_test(a_begin_area_with_odd_values_is_refused),
                cmocka_unit_test(every_result_has_its_text),
        };

        return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}

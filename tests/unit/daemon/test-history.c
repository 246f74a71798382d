/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* History and outbox: order, rotation, damage, room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "daemon/history.h"
#include "state-fixture.h"

static History *open_history(StateFixture *f) {
        History *h = NULL;

        assert_int_equal(history_new(f->sync, f->dirfd, &h), 0);
        return h;
}

static void append(StateFixture *f, History *h, const char *device, int number, size_t padding) {
        json_t *o = json_pack("{ss si}", "device", device, "number", number);

        if (padding > 0) {
                char *s = calloc(1, padding + 1);

                memset(s, 'x', padding);
                json_object_set_new(o, "padding", json_string(s));
                free(s);
        }
        assert_int_equal(history_append(h, o, state_on_done, f), 0);
        assert_int_equal(state_wait(f), 0);
        json_decref(o);
}

static void put(StateFixture *f, History *h, const char *event, int number) {
        json_t *o = json_pack("{ss si}", "event", event, "number", number);

        assert_int_equal(outbox_put(h, o, state_on_done, f), 0);
        assert_int_equal(state_wait(f), 0);
        json_decref(o);
}

/* Numbers of the events, as "1 2 3". */
static void assert_read(History *h, const char *device, size_t max, const char *expected,
                size_t expected_damaged) {
        size_t n = 0, damaged = 99;
        json_t *array = NULL;
        char text[200] = "";

        assert_int_equal(history_read(h, device, max, &array, &damaged), 0);
        for (size_t i = 0; i < json_array_size(array); i++)
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d", i ? " " : "",
                                (int)json_integer_value(json_object_get(
                                                json_array_get(array, i), "number")));
        assert_string_equal(text, expected);
        assert_int_equal(damaged, expected_damaged);
        json_decref(array);
}

static void events_are_read_newest_last(void **state) {
        History *h = open_history(*state);

        assert_read(h, NULL, 10, "", 0);
        append(*state, h, "a", 1, 0);
        append(*state, h, "b", 2, 0);
        append(*state, h, "a", 3, 0);
        assert_read(h, NULL, 10, "1 2 3", 0);
        assert_read(h, NULL, 2, "2 3", 0);
        assert_read(h, "a", 10, "1 3", 0);
        assert_read(h, "a", 1, "3", 0);
        assert_read(h, "c", 10, "", 0);
        assert_read(h, NULL, 0, "", 0);
        history_free(h);
}

static void every_line_has_a_format(void **state) {
        StateFixture *f = *state;
        History *h = open_history(f);
        char *text = NULL;
        size_t n;

        append(f, h, "a", 1, 0);
        assert_int_equal(file_read(f->dirfd, "history.jsonl", 1000, &text, &n), 0);
        assert_string_equal(text, "{\"device\":\"a\",\"format\":1,\"number\":1}\n");
        free(text);
        history_free(h);
}

static void history_goes_on_after_a_restart(void **state) {
        History *h = open_history(*state);

        append(*state, h, "a", 1, 0);
        history_free(h);
        h = open_history(*state);
        append(*state, h, "a", 2, 0);
        assert_read(h, NULL, 10, "1 2", 0);
        history_free(h);
}

static void torn_line_costs_itself_only(void **state) {
        StateFixture *f = *state;
        static const char text[] = "{\"format\":1,\"number\":1}\n{\"format\":1,\"numb";
        History *h;

        state_put(f, "history.jsonl", text, strlen(text));
        h = open_history(f);
        append(f, h, "a", 3, 0);
        assert_read(h, NULL, 10, "1 3", 1);
        history_free(h);
}

static void damaged_lines_are_left_out_and_counted(void **state) {
        StateFixture *f = *state;
        static const char text[] = "garbage\n{\"format\":1,\"number\":1}\n\n[]\n{\"number\":2}\n"
                                   "{\"format\":9,\"number\":3}\n{\"format\":1,\"number\":4}\n";
        History *h;

        state_put(f, "history.jsonl", text, strlen(text));
        h = open_history(f);
        assert_read(h, NULL, 10, "1 4", 5);
        history_free(h);
}

static void file_is_rotated_and_both_are_read(void **state) {
        StateFixture *f = *state;
        History *h = open_history(f);
        struct stat st;

        for (int i = 1; i <= 20; i++)
                append(f, h, "a", i, 60000);
        assert_true(state_has(f, "history.jsonl.1"));
        assert_int_equal(fstatat(f->dirfd, "history.jsonl", &st, 0), 0);
        assert_true(st.st_size < HISTORY_MAX / 2);
        assert_read(h, NULL, 5, "16 17 18 19 20", 0);
        assert_read(h, NULL, 100, "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", 0);
        for (int i = 21; i <= 40; i++)
                append(f, h, "a", i, 60000);
        assert_int_equal(fstatat(f->dirfd, "history.jsonl.1", &st, 0), 0);
        assert_true(st.st_size <= HISTORY_MAX);
        assert_read(h, NULL, 3, "38 39 40", 0);
        history_free(h);
}

static void event_that_is_too_long_is_refused(void **state) {
        StateFixture *f = *state;
        History *h = open_history(f);
        char *s = calloc(1, 70001);
        json_t *o;

        memset(s, 'x', 70000);
        o = json_pack("{ss}", "text", s);
        assert_int_equal(history_append(h, o, NULL, NULL), -E2BIG);
        assert_int_equal(outbox_put(h, o, NULL, NULL), -E2BIG);
        assert_int_equal(state_count(f, ".json"), 0);
        json_decref(o);
        free(s);
        history_free(h);
}

/* ---- outbox ---- */

static size_t list_size(History *h, uint64_t *ret_first, uint64_t *ret_last) {
        uint64_t *list = NULL;
        size_t n;

        assert_int_equal(outbox_list(h, &list, &n), 0);
        *ret_first = n ? list[0] : 0;
        *ret_last = n ? list[n - 1] : 0;
        for (size_t i = 1; i < n; i++)
                assert_true(list[i] > list[i - 1]);
        free(list);
        return n;
}

static int number_in(History *h, uint64_t sequence) {
        json_t *o = NULL;
        int number;

        assert_int_equal(outbox_read(h, sequence, &o), 0);
        number = (int)json_integer_value(json_object_get(o, "number"));
        json_decref(o);
        return number;
}

static void reports_leave_in_the_order_in_which_they_came(void **state) {
        StateFixture *f = *state;
        History *h = open_history(f);
        uint64_t first, last;

        assert_int_equal(list_size(h, &first, &last), 0);
        put(f, h, "result", 10);
        put(f, h, "check", 11);
        assert_int_equal(list_size(h, &first, &last), 2);
        assert_int_equal(number_in(h, first), 10);
        assert_int_equal(number_in(h, last), 11);
        assert_true(state_has(f, "outbox/00000000000000000001.json"));
        assert_int_equal(outbox_remove(h, first, state_on_done, f), 0);
        assert_int_equal(state_wait(f), 0);
        assert_false(state_has(f, "outbox/00000000000000000001.json"));
        assert_int_equal(list_size(h, &first, &last), 1);
        assert_int_equal(number_in(h, first), 11);
        history_free(h);
}

static void reports_survive_a_restart(void **state) {
        StateFixture *f = *state;
        History *h = open_history(f);
        uint64_t first, last;

        put(f, h, "result", 1);
        put(f, h, "result", 2);
        history_free(h);
        state_put(f, "outbox/.00000000000000000003.json.abcdef.tmp", "x", 1);
        state_put(f, "outbox/notes.json", "x", 1);
        h = open_history(f);
        put(f, h, "result", 3);
        assert_int_equal(list_size(h, &first, &last), 3);
        assert_int_equal(number_in(h, first), 1);
        assert_int_equal(number_in(h, last), 3);
        assert_false(state_has(f, "outbox/.00000000000000000003.json.abcdef.tmp"));
        history_free(h);
}

static void unknown_report_is_not_found(void **state) {
        History *h = open_history(*state);
        json_t *o = NULL;

        assert_int_equal(outbox_read(h, 7, &o), -ENOENT);
        assert_int_equal(outbox_remove(h, 7, NULL, NULL), -ENOENT);
        history_free(h);
}

static void damaged_report_is_told(void **state) {
        StateFixture *f = *state;
        json_t *o = NULL;
        History *h;

        assert_int_equal(mkdirat(f->dirfd, "outbox", 0700), 0);
        state_put(f, "outbox/00000000000000000005.json", "{", 1);
        h = open_history(f);
        assert_int_equal(outbox_read(h, 5, &o), -EBADMSG);
        assert_int_equal(outbox_remove(h, 5, state_on_done, f), 0);
        assert_int_equal(state_wait(f), 0);
        history_free(h);
}

/* A full outbox of one kind, made on disk, as a long time without server leaves it. */
static void fill(StateFixture *f, const char *event, unsigned n) {
        assert_int_equal(mkdirat(f->dirfd, "outbox", 0700), 0);
        for (unsigned i = 1; i <= n; i++) {
                char name[64], text[100];

                (void)snprintf(name, sizeof(name), "outbox/%020u.json", i);
                (void)snprintf(text, sizeof(text), "{\"event\":\"%s\",\"format\":1,\"number\":%u}",
                                i == 1 ? "result" : event, i);
                state_put(f, name, text, strlen(text));
        }
}

static void full_outbox_loses_the_oldest_progress_first(void **state) {
        StateFixture *f = *state;
        uint64_t first, last;
        History *h;

        fill(f, "check", OUTBOX_MAX);
        h = open_history(f);
        put(f, h, "result", 1000);
        assert_int_equal(list_size(h, &first, &last), OUTBOX_MAX);
        assert_int_equal(number_in(h, first), 1); /* a result */
        assert_int_equal(number_in(h, last), 1000);
        state_settle(f);
        assert_false(state_has(f, "outbox/00000000000000000002.json"));
        assert_true(state_has(f, "outbox/00000000000000000003.json"));
        history_free(h);
}

static void outbox_full_of_results_loses_the_oldest(void **state) {
        StateFixture *f = *state;
        uint64_t first, last;
        History *h;

        fill(f, "result", OUTBOX_MAX);
        h = open_history(f);
        put(f, h, "check", 1000);
        assert_int_equal(list_size(h, &first, &last), OUTBOX_MAX);
        assert_int_equal(number_in(h, first), 2);
        put(f, h, "check", 1001); /* now there is progress to lose */
        assert_int_equal(list_size(h, &first, &last), OUTBOX_MAX);
        assert_int_equal(number_in(h, first), 2);
        assert_int_equal(number_in(h, last), 1001);
        history_free(h);
}

static void overfull_outbox_is_trimmed_at_start(void **state) {
        StateFixture *f = *state;
        uint64_t first, last;
        History *h;

        fill(f, "result", OUTBOX_MAX + 5);
        h = open_history(f);
        assert_int_equal(list_size(h, &first, &last), OUTBOX_MAX);
        assert_int_equal(state_count(f, ".jsonl"), 1);
        history_free(h);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, state_setup, state_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                TEST(events_are_read_newest_last),
                TEST(every_line_has_a_format),
                TEST(history_goes_on_after_a_restart),
                TEST(torn_line_costs_itself_only),
                TEST(damaged_lines_are_left_out_and_counted),
                TEST(file_is_rotated_and_both_are_read),
                TEST(event_that_is_too_long_is_refused),
                TEST(reports_leave_in_the_order_in_which_they_came),
                TEST(reports_survive_a_restart),
                TEST(unknown_report_is_not_found),
                TEST(damaged_report_is_told),
                TEST(full_outbox_loses_the_oldest_progress_first),
                TEST(outbox_full_of_results_loses_the_oldest),
                TEST(overfull_outbox_is_trimmed_at_start),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

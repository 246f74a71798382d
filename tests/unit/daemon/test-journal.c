/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of an update: the last whole line counts, wherever the file is torn; writes come
 * one at a time and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "basic/file.h"
#include "daemon/journal.h"
#include "state-fixture.h"

#define FILE_NAME "boiler.journal"

static json_t *entry(int number, size_t padding) {
        json_t *o = json_pack("{si}", "number", number);

        if (padding > 0) {
                char *s = malloc(padding);

                memset(s, 'x', padding);
                json_object_set_new(o, "padding", json_stringn(s, padding));
                free(s);
        }
        return o;
}

static int number_of(const json_t *o) {
        return o ? (int)json_integer_value(json_object_get(o, "number")) : -1;
}

/* Lines 1..n; the end of each in ret_ends (which may be NULL). */
static char *lines(int n, size_t *ret_n, size_t *ret_ends) {
        char *all = NULL;
        size_t size = 0;

        for (int i = 1; i <= n; i++) {
                json_t *o = entry(i, 0);
                char *line;
                size_t k;

                assert_int_equal(journal_format(o, &line, &k), 0);
                all = realloc(all, size + k + 1);
                memcpy(all + size, line, k + 1);
                size += k;
                if (ret_ends)
                        ret_ends[i - 1] = size;
                free(line);
                json_decref(o);
        }
        *ret_n = size;
        return all;
}

static Journal *open_journal(StateFixture *f) {
        Journal *j = NULL;

        assert_int_equal(journal_new(f->sync, f->dirfd, "boiler", &j), 0);
        return j;
}

static int append(StateFixture *f, Journal *j, int number) {
        json_t *o = entry(number, 0);
        int r = journal_append(j, o, state_on_done, f);

        json_decref(o);
        return r < 0 ? r : state_wait(f);
}

/* What a fresh start finds. */
static int reload(StateFixture *f, int *ret_number) {
        json_t *last = NULL;
        Journal *j = open_journal(f);
        int r = journal_load(j, &last, NULL);

        *ret_number = number_of(last);
        json_decref(last);
        journal_free(j);
        return r;
}

static void line_has_length_checksum_and_json(void **state) {
        json_t *o = json_pack("{si}", "a", 1);
        char *line;
        size_t n;

        assert_int_equal(journal_format(o, &line, &n), 0);
        assert_string_equal(line, "18 2177051f {\"a\":1,\"format\":1}\n");
        assert_int_equal(n, strlen(line));
        assert_null(json_object_get(o, "format"));
        free(line);
        json_decref(o);
}

static void entry_that_is_too_long_is_refused(void **state) {
        json_t *o = entry(1, JOURNAL_LINE_MAX);
        char *line = NULL;
        size_t n;

        assert_int_equal(journal_format(o, &line, &n), -E2BIG);
        assert_null(line);
        json_decref(o);
}

static void empty_journal_has_no_entry(void **state) {
        json_t *last = (json_t *)&last;
        bool damaged = true;

        assert_int_equal(journal_parse("", 0, &last, &damaged, NULL), 0);
        assert_null(last);
        assert_false(damaged);
}

/* Cut at every byte: the previous entry is found, and nothing is called damaged. */
static void torn_line_yields_the_entry_before(void **state) {
        size_t n, ends[4];
        char *all = lines(4, &n, ends);

        for (size_t cut = 0; cut <= n; cut++) {
                char *copy = malloc(cut ? cut : 1);
                json_t *last = NULL;
                bool damaged = true;
                int expected = -1;

                memcpy(copy, all, cut);
                for (int i = 0; i < 4; i++)
                        if (ends[i] <= cut)
                                expected = i + 1;
                assert_int_equal(journal_parse(copy, cut, &last, &damaged, NULL), 0);
                assert_int_equal(number_of(last), expected);
                assert_false(damaged);
                json_decref(last);
                free(copy);
        }
        free(all);
}

/* A last line that is there in length but not in content, as after a power cut. */
static void flipped_byte_in_the_last_line_yields_the_entry_before(void **state) {
        size_t n, ends[3];
        char *all = lines(3, &n, ends);

        for (size_t i = ends[1]; i < n - 1; i++) {
                json_t *last = NULL;
                bool damaged = true;

                all[i] ^= 1;
                assert_int_equal(journal_parse(all, n, &last, &damaged, NULL), 0);
                assert_int_equal(number_of(last), 2);
                assert_false(damaged);
                json_decref(last);
                all[i] ^= 1;
        }
        free(all);
}

static void damage_before_the_last_line_is_told_and_skipped(void **state) {
        size_t n, ends[3];
        char *all = lines(3, &n, ends);

        for (size_t i = ends[0]; i < ends[1] - 1; i++) {
                json_t *last = NULL;
                bool damaged = false;
                Why w = { "" };

                all[i] ^= 1;
                assert_int_equal(journal_parse(all, n, &last, &damaged, &w), 0);
                assert_int_equal(number_of(last), 3);
                assert_true(damaged);
                assert_non_null(strstr(w.text, "line 2"));
                json_decref(last);
                all[i] ^= 1;
        }
        free(all);
}

static void entry_of_a_newer_format_is_refused(void **state) {
        static const char text[] = "12 843390fa {\"format\":2}\n";
        json_t *last = NULL;
        bool damaged;
        Why w = { "" };

        assert_int_equal(journal_parse(text, strlen(text), &last, &damaged, &w), -EOPNOTSUPP);
        assert_null(last);
        assert_non_null(strstr(w.text, "format 2 is newer"));
}

static void missing_file_is_no_journal(void **state) {
        int number;

        assert_int_equal(reload(*state, &number), 0);
        assert_int_equal(number, -1);
}

static void appended_entries_are_found_after_a_restart(void **state) {
        StateFixture *f = *state;
        Journal *j = open_journal(f);
        int number;

        for (int i = 1; i <= 5; i++) {
                assert_int_equal(append(f, j, i), 0);
                assert_int_equal(reload(f, &number), 0);
                assert_int_equal(number, i);
        }
        journal_free(j);
}

static void second_append_has_to_wait_for_the_first(void **state) {
        StateFixture *f = *state;
        Journal *j = open_journal(f);
        json_t *o = entry(1, 0);

        assert_int_equal(journal_append(j, o, state_on_done, f), 0);
        assert_int_equal(journal_append(j, o, state_on_done, f), -EBUSY);
        assert_int_equal(journal_close(j, state_on_done, f), -EBUSY);
        assert_int_equal(state_wait(f), 0);
        json_decref(o);
        journal_free(j);
}

/* A full disk takes a part of the line. */
static void line_that_was_torn_by_a_failed_write_is_cut_off(void **state) {
        StateFixture *f = *state;
        Journal *j = open_journal(f);
        struct rlimit old, small;
        json_t *o = entry(2, 1000);
        struct stat before, after;
        int number;

        assert_int_equal(append(f, j, 1), 0);
        assert_int_equal(fstatat(f->dirfd, FILE_NAME, &before, 0), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        small = (struct rlimit){ (rlim_t)before.st_size + 100, old.rlim_max };
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_int_equal(journal_append(j, o, state_on_done, f), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        (void)signal(SIGXFSZ, SIG_DFL);
        assert_int_equal(fstatat(f->dirfd, FILE_NAME, &after, 0), 0);
        assert_int_equal(after.st_size, before.st_size);
        assert_int_equal(append(f, j, 3), 0);
        assert_int_equal(reload(f, &number), 0);
        assert_int_equal(number, 3);
        journal_free(j);
        json_decref(o);
}

static void torn_file_is_cut_and_goes_on(void **state) {
        StateFixture *f = *state;
        size_t n, ends[2];
        char *all = lines(2, &n, ends);
        Journal *j = open_journal(f);
        json_t *last = NULL;
        struct stat st;
        int number;

        state_put(f, FILE_NAME, all, n - 3);
        free(all);
        assert_int_equal(journal_load(j, &last, NULL), 0);
        assert_int_equal(number_of(last), 1);
        json_decref(last);
        assert_int_equal(fstatat(f->dirfd, FILE_NAME, &st, 0), 0);
        assert_int_equal(st.st_size, ends[0]);
        assert_int_equal(append(f, j, 7), 0);
        assert_int_equal(reload(f, &number), 0);
        assert_int_equal(number, 7);
        journal_free(j);
}

static void torn_first_line_is_no_journal(void **state) {
        StateFixture *f = *state;
        int number;

        state_put(f, FILE_NAME, "18 2177051f {\"a\":", 17);
        assert_int_equal(reload(f, &number), 0);
        assert_int_equal(number, -1);
        assert_false(state_has(f, FILE_NAME));
}

static void file_without_a_good_line_is_set_aside(void **state) {
        StateFixture *f = *state;
        Journal *j = open_journal(f);
        json_t *last = NULL;
        Why w = { "" };

        state_put(f, FILE_NAME, "garbage\nmore garbage\n", 21);
        assert_int_equal(journal_load(j, &last, &w), JOURNAL_E_DAMAGED);
        assert_null(last);
        assert_string_equal(w.text, FILE_NAME ": line 1: its length or checksum is wrong");
        assert_false(state_has(f, FILE_NAME));
        assert_true(state_has(f, FILE_NAME ".damaged"));
        journal_free(j);
}

static void damaged_middle_is_told_at_load(void **state) {
        StateFixture *f = *state;
        size_t n, ends[3];
        char *all = lines(3, &n, ends);
        int number;

        all[ends[0] + 1] ^= 1;
        state_put(f, FILE_NAME, all, n);
        free(all);
        assert_int_equal(reload(f, &number), JOURNAL_E_DAMAGED);
        assert_int_equal(number, 3);
}

static void closed_journal_is_gone(void **state) {
        StateFixture *f = *state;
        Journal *j = open_journal(f);
        int number;

        assert_int_equal(append(f, j, 1), 0);
        assert_int_equal(journal_close(j, state_on_done, f), 0);
        assert_int_equal(state_wait(f), 0);
        assert_false(state_has(f, FILE_NAME));
        /* The next update of the same device begins a new file. */
        assert_int_equal(append(f, j, 2), 0);
        assert_int_equal(reload(f, &number), 0);
        assert_int_equal(number, 2);
        journal_free(j);
}

static void forgotten_write_goes_on_in_silence_and_the_next_one_counts(void **state) {
        StateFixture *f = *state;
        Journal *j = open_journal(f);
        json_t *o = entry(1, 0);
        int number;

        assert_int_equal(journal_append(j, o, state_on_done, f), 0);
        journal_forget(j);
        assert_int_equal(append(f, j, 2), 0);
        assert_int_equal(f->n_done, 1);
        assert_int_equal(reload(f, &number), 0);
        assert_int_equal(number, 2);
        json_decref(o);
        journal_free(j);
}

static void file_never_outgrows_its_limit(void **state) {
        StateFixture *f = *state;
        Journal *j = open_journal(f);
        struct stat st;
        int number;

        for (int i = 0; i < 90; i++) {
                json_t *o = entry(i, 60000);

                assert_int_equal(journal_append(j, o, state_on_done, f), 0);
                assert_int_equal(state_wait(f), 0);
                json_decref(o);
                assert_int_equal(fstatat(f->dirfd, FILE_NAME, &st, 0), 0);
                assert_true(st.st_size <= JOURNAL_FILE_MAX);
        }
        assert_int_equal(reload(f, &number), 0);
        assert_int_equal(number, 89);
        journal_free(j);
}

static void list_has_the_devices_with_a_journal(void **state) {
        StateFixture *f = *state;
        char **list = NULL;

        state_put(f, "b.journal", "", 0);
        state_put(f, "c.journal.damaged", "", 0);
        state_put(f, ".journal", "", 0);
        state_put(f, "d.json", "", 0);
        state_put(f, ".b.journal.abcdef.tmp", "", 0);
        assert_int_equal(journal_list(f->dirfd, &list), 0);
        assert_string_equal(list[0], "b");
        assert_null(list[1]);
        assert_false(state_has(f, ".b.journal.abcdef.tmp"));
        free(list[0]);
        free(list);
}

static void empty_folder_has_no_journals(void **state) {
        StateFixture *f = *state;
        char **list = NULL;

        assert_int_equal(journal_list(f->dirfd, &list), 0);
        assert_null(list[0]);
        free(list);
}

static void odd_device_id_is_refused(void **state) {
        StateFixture *f = *state;
        Journal *j = NULL;

        assert_int_equal(journal_new(f->sync, f->dirfd, "../boiler", &j), -EINVAL);
        assert_null(j);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, state_setup, state_teardown)

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(line_has_length_checksum_and_json),
                cmocka_unit_test(entry_that_is_too_long_is_refused),
                cmocka_unit_test(empty_journal_has_no_entry),
                cmocka_unit_test(torn_line_yields_the_entry_before),
                cmocka_unit_test(flipped_byte_in_the_last_line_yields_the_entry_before),
                cmocka_unit_test(damage_before_the_last_line_is_told_and_skipped),
                cmocka_unit_test(entry_of_a_newer_format_is_refused),
                TEST(missing_file_is_no_journal),
                TEST(appended_entries_are_found_after_a_restart),
                TEST(second_append_has_to_wait_for_the_first),
                TEST(line_that_was_torn_by_a_failed_write_is_cut_off),
                TEST(torn_file_is_cut_and_goes_on),
                TEST(torn_first_line_is_no_journal),
                TEST(file_without_a_good_line_is_set_aside),
                TEST(damaged_middle_is_told_at_load),
                TEST(closed_journal_is_gone),
                TEST(forgotten_write_goes_on_in_silence_and_the_next_one_counts),
                TEST(file_never_outgrows_its_limit),
                TEST(list_has_the_devices_with_a_journal),
                TEST(empty_folder_has_no_journals),
                TEST(odd_device_id_is_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
